"""How near head training comes to the machine's own GEMM rate, on EmoDB-sized features.

Features are generated in the shape of an upstream's (535 clips, 50 frames a second) and
stored; heads are trained by ``harness.training.task.train``, reading included. Only the
arithmetic that is done is counted (forward, and backward without a gradient to the
input); the GEMM rate is measured before and after, with the same number of threads.

    python benchmarks/heads.py --dim 768 --layers 12 --epochs 3
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import torch

from harness import Upstream, Utterance
from harness.data.manifest import Recording
from harness.features.checkpoints import Checkpoint
from harness.features.extraction import Source
from harness.features.store import NORMS
from harness.registry import Registry, plugin_manager
from harness.training.task import Training, train

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness import Downstream

CLIPS, SPEAKERS, CLASSES, PROJECTION = 535, 10, 7, 256
COLUMNS = (
    "run_id upstream upstream_revision upstream_feeding checkpoint_sha256 downstream "
    "recipe selection corpus corpus_version manifest_sha256 language split "
    "split_sha256 fold harness_version"
).split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), options)


def measure(cache: Path, options: argparse.Namespace) -> None:
    """Train each head on one fold, and the linear one on all."""
    upstream = Upstream(
        name="generated", load=unused, layers=options.layers, dim=options.dim, hop=0.02
    )
    checkpoint = Checkpoint(folder=None, revision="", sha256="")
    source = Source(upstream=upstream, checkpoint=checkpoint, feeding="full")
    recordings = generate(source, cache)
    heads = Registry.of(plugin_manager()).downstreams
    print("| head | GFLOP an epoch | s an epoch | GFLOP/s | GEMM | ratio |")
    print("|---|---|---|---|---|---|")
    for name in ("nonlinear", "multilayer"):
        head = heads[name]
        recipe = dataclasses.replace(head.recipe, epochs=options.epochs)
        task = training(
            source, cache, recordings, 0, dataclasses.replace(head, recipe=recipe)
        )
        before = gemm_rate()
        result = train(task)
        rate = (before + gemm_rate()) / 2
        work = operations(task, options, every=name == "multilayer")
        seconds = result.seconds_train / options.epochs
        print(
            f"| {name} | {work / 1e9:.0f} | {seconds:.2f} | {work / seconds / 1e9:.1f} "
            f"| {rate / 1e9:.1f} | {work / seconds / rate:.2f} |",
            flush=True,
        )
    began = time.perf_counter()
    for fold in range(SPEAKERS):
        train(training(source, cache, recordings, fold, heads["linear"]))
    print(f"\nlinear, ten folds × 30 epochs: {time.perf_counter() - began:.1f} s")


def unused(checkpoint: Path | None, *, device: str, feeding: str) -> NoReturn:
    """Stand for the encoder: features are stored before any is asked for."""
    raise NotImplementedError


def generate(source: Source, cache: Path) -> list[Recording]:
    """Store features of clips with EmoDB's durations (1.2 to 9 s, mean 2.8 s)."""
    rng, store, recordings = np.random.default_rng(0), source.store(cache), []
    seconds = np.clip(rng.gamma(7, 0.4, CLIPS), 1.2, 9.0)
    for start in range(0, CLIPS, 16):
        pooled, frames = {}, {}
        for clip in range(start, min(start + 16, CLIPS)):
            shape = (
                source.upstream.layers,
                int(seconds[clip] * 50),
                source.upstream.dim,
            )
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
    source: Source,
    cache: Path,
    recordings: Sequence[Recording],
    fold: int,
    head: Downstream,
) -> Training:
    """Leave one speaker out; the next validates."""
    part = {str(fold): "test", str((fold + 1) % SPEAKERS): "valid"}
    parts: dict[str, list[Recording]] = {"train": [], "valid": [], "test": []}
    for one in recordings:
        parts[part.get(one.utterance.speaker, "train")].append(one)
    return Training(
        source=source,
        cache=cache,
        downstream=head,
        train=tuple(parts["train"]),
        valid=tuple(parts["valid"]),
        test=tuple(parts["test"]),
        labels=tuple(map(str, range(CLASSES))),
        selection="macro_f1",
        seed=0,
        device="cpu",
        facts=dict.fromkeys(COLUMNS, "")
        | {"max_seconds": None, "folds": 10, "seed": 0, "plugin": {}}
        | {"recipe_deviations": (), "skipped": ()},
    )


def operations(task: Training, options: argparse.Namespace, *, every: bool) -> float:
    """Count the floating-point operations of an epoch, validation included."""

    def frames(part: Iterable[Recording]) -> int:
        return sum(int(recording.seconds * 50) for recording in part)

    steps = len(task.train) // 32 * 32 / len(task.train)
    first, second = options.dim * PROJECTION, PROJECTION * PROJECTION
    train_frame = 2 * 2 * first + 3 * 2 * second
    valid_frame = 2 * first + 2 * second
    if every:
        train_frame += 2 * 2 * options.layers * options.dim
        valid_frame += 2 * options.layers * options.dim
    trained = steps * frames(task.train) * train_frame
    return float(trained + frames(task.valid) * valid_frame)


def gemm_rate(size: int = 1536, repeats: int = 8) -> float:
    """Measure a plain matrix product, in operations a second."""
    one, other = torch.randn(size, size), torch.randn(size, size)
    torch.mm(one, other)
    began = time.perf_counter()
    for _ in range(repeats):
        torch.mm(one, other)
    return repeats * 2 * size**3 / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
