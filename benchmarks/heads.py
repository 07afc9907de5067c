"""How near head training comes to the machine's own GEMM rate, on EmoDB-sized features.

Features are generated in the shape of an upstream's (535 clips, 50 frames a second) and
stored; heads are trained by ``harness.training.task.train``, reading included. Only the
arithmetic that is done is counted (forward, and backward without a gradient to the
input); the GEMM rate is measured before and after. All of it runs in one thread, and
times are the processor's, so that other work on the machine counts less.

    python benchmarks/heads.py --dim 768 --layers 12 --epochs 3
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import torch

from harness import Cell, Fold, Upstream, Utterance
from harness.data import stored
from harness.data.manifest import Recording
from harness.data.places import Places
from harness.features.extraction import Use, store_of
from harness.features.shards import NORMS
from harness.registry import Registry, plugin_manager
from harness.training.task import Training, train

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness import Downstream

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from conditions import condition_of, upstream_condition  # the tests' own

CLIPS, SPEAKERS, CLASSES, PROJECTION = 535, 10, 7, 256


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--clips", type=int, default=CLIPS)
    options = parser.parse_args()
    torch.set_num_threads(1)  # as every task does
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), options)


def measure(cache: Path, options: argparse.Namespace) -> None:
    """Train each head on one fold, and the linear one on all."""
    upstream = Upstream(
        name="generated", load=unused, layers=options.layers, dim=options.dim, hop=0.02
    )
    use = use_of(upstream, cache)
    recordings = generate(use, options.clips)
    registry = Registry.of(plugin_manager())
    print("| head | GFLOP an epoch | s an epoch | GFLOP/s | GEMM | ratio |")
    print("|---|---|---|---|---|---|")
    for name in ("nonlinear", "multilayer"):
        head = shortened(registry.downstreams[name], options.epochs)
        task = training(use, recordings, 0, head, registry)
        before, began = gemm_rate(), time.process_time()
        train(task)
        seconds = (time.process_time() - began) / options.epochs
        rate = (before + gemm_rate()) / 2
        work = operations(task, options, every=name == "multilayer")
        print(
            f"| {name} | {work / 1e9:.0f} | {seconds:.2f} | {work / seconds / 1e9:.1f} "
            f"| {rate / 1e9:.1f} | {work / seconds / rate:.2f} |",
            flush=True,
        )
    linear = registry.downstreams["linear"]
    began = time.process_time()
    for fold in range(SPEAKERS):
        train(training(use, recordings, fold, linear, registry))
    print(f"\nlinear, ten folds × 30 epochs: {time.process_time() - began:.1f} s")


def shortened(head: Downstream, epochs: int) -> Downstream:
    """Return a head with another number of epochs."""
    assert head.recipe is not None
    return dataclasses.replace(
        head, recipe=dataclasses.replace(head.recipe, epochs=epochs)
    )


def use_of(upstream: Upstream, cache: Path) -> Use:
    """Use an upstream without weights, on whole clips."""
    return Use(
        upstream=upstream,
        condition=upstream_condition(upstream),
        plugin="benchmark",
        places=Places(data=cache, cache=cache),
        device="cpu",
    )


def unused(checkpoint: Path | None, *, device: str, feeding: str) -> NoReturn:
    """Stand for the encoder: features are stored before any is asked for."""
    raise AssertionError("a feature was asked for that is not stored")


def generate(use: Use, clips: int) -> list[Recording]:
    """Store features of clips with EmoDB's durations (1.2 to 9 s, mean 2.8 s)."""
    rng, recordings = np.random.default_rng(0), []
    store, upstream = store_of(use.condition, use.places.cache), use.upstream
    seconds = np.clip(rng.gamma(7, 0.4, clips), 1.2, 9.0)
    for start in range(0, clips, 16):
        pooled, frames = {}, {}
        for clip in range(start, min(start + 16, clips)):
            shape = (upstream.layers, int(seconds[clip] * 50), upstream.dim)
            frames[str(clip)] = torch.randn(shape)
            pooled[str(clip)] = frames[str(clip)].mean(1)
            pooled[str(clip) + NORMS] = torch.ones(shape[0])
            recordings.append(recording(clip, seconds[clip]))
        store.write("all", frames, {})
        store.write("pooled", pooled, {})
    return recordings


def recording(clip: int, seconds: float) -> Recording:
    utterance = Utterance(
        id=str(clip),
        path="",
        label=str(clip % CLASSES),
        speaker=str(clip % SPEAKERS),
    )
    return Recording(
        utterance=utterance,
        path=Path(),
        sha256=str(clip),
        content=str(clip),
        rate=16_000,
        channels=1,
        seconds=seconds,
        peak=1.0,
    )


def training(
    use: Use,
    recordings: Sequence[Recording],
    fold: int,
    head: Downstream,
    registry: Registry,
) -> Training:
    """Leave one speaker out; the next validates."""
    part_of = {str(fold): "test", str((fold + 1) % SPEAKERS): "valid"}
    parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for one in recordings:
        part = part_of.get(one.utterance.speaker, "train")
        parts[part].append(one.utterance.id)
    ids = {part: tuple(members) for part, members in parts.items()}
    corpus = stored.store(use.places, recordings, [Fold(name=str(fold), **ids)])
    return Training(
        cell=Cell(condition=condition_of(use.condition, head), fold=str(fold), seed=0),
        use=use,
        downstream=head,
        corpus=corpus,
        labels=tuple(map(str, range(CLASSES))),
        metrics=tuple(registry.metrics),
        plugins=dict.fromkeys(("upstream", "downstream", "corpus"), "benchmark"),
    )


def operations(task: Training, options: argparse.Namespace, *, every: bool) -> float:
    """Count the floating-point operations of an epoch, validation included."""
    corpus = stored.load(task.use.places, task.corpus)
    train_part, valid_part, _ = corpus.fold(task.cell.fold)

    def frames(part: Iterable[Recording]) -> int:
        return sum(int(recording.seconds * 50) for recording in part)

    steps = len(train_part) // 32 * 32 / len(train_part)
    first, second = options.dim * PROJECTION, PROJECTION * PROJECTION
    train_frame = 2 * 2 * first + 3 * 2 * second
    valid_frame = 2 * first + 2 * second
    if every:
        train_frame += 2 * 2 * options.layers * options.dim
        valid_frame += 2 * options.layers * options.dim
    trained = steps * frames(train_part) * train_frame
    return float(trained + frames(valid_part) * valid_frame)


def gemm_rate(size: int = 1536, repeats: int = 8) -> float:
    """Measure a plain matrix product, in operations a second."""
    one, other = torch.randn(size, size), torch.randn(size, size)
    torch.mm(one, other)
    began = time.process_time()
    for _ in range(repeats):
        torch.mm(one, other)
    return repeats * 2 * size**3 / (time.process_time() - began)


if __name__ == "__main__":
    main()
