"""What each way to select an epoch costs and gains, on a real corpus.

    HARNESS_DATA=… HARNESS_CHECKPOINTS=… python benchmarks/selection.py FOLDER

trains heads as ``harness run`` does, one speaker left out, and keeps in FOLDER what the
head of each epoch says of the validation and of the test part (.npz, one file a cell).
Every rule is then computed of the same trainings, so rules differ in what they select
alone. Features are those of ``--cache`` (or ``$HARNESS_CACHE``), where ``harness run``
puts them. A second time goes on with what is in FOLDER; ``--report`` trains nothing.

A rule's figure is the mean over folds of the test part's macro-F1. Beside its mean over
seeds stand its deviation over them, and its range over draws: seed 0 on the features as
they are and on features × (1 + 1e-7 · noise), which is their last bit or two.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from harness.cli.options import default_cache
from harness.execution.planner import make_plan
from harness.execution.request import Grid, Request
from harness.execution.tasks import work_of, write_payloads
from harness.files import replacing
from harness.registry import Registry, plugin_manager
from harness.training.loop import fit
from harness.training.metrics import macro_f1, predictions_of
from harness.training.task import Training, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from harness.training.dataset import Dataset

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

NOISE = 1e-7
"""Of a feature's size; neighbours in float32 are 0.6e-7 to 1.2e-7 of it apart."""

SEEDS = {"linear": 5, "nonlinear": 3, "multilayer": 3}
DRAWS = {"linear": 3, "nonlinear": 2, "multilayer": 2}
"""How many seeds of a head, and how many draws of noise; the linear one is quick."""


# ---------------------------------------------------------------- training


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A cell, epoch by epoch.

    Attributes:
        valid: Logits of the validation part, (E, N, C), E epochs.
        test: Logits of the test part, (E, N, C).
        valid_labels: Class indices, (N,).
        test_labels: Class indices, (N,).
        best: The epoch that the harness selected, from 1.
    """

    valid: Floats
    test: Floats
    valid_labels: Ints
    test_labels: Ints
    best: Ints


def train(task: Training, draw: int) -> Trained:
    """Train a cell as the harness does, on features of one draw; 0 is as they are."""
    trial = Trial(task)
    training, valid, test = (
        part if draw == 0 else noisy(part, keys_of(recordings), draw)
        for part, recordings in (
            (trial.training, trial.train),
            (trial.dataset(trial.valid), trial.valid),
            (trial.dataset(trial.test), trial.test),
        )
    )
    logits: dict[str, list[Floats]] = {"valid": [], "test": []}

    def observe(_: int, logits_of: Callable[[Dataset], torch.Tensor]) -> None:
        logits["valid"].append(logits_of(valid).numpy())
        logits["test"].append(logits_of(test).numpy())

    fitting = replace(trial.fitting, state=None, observe=observe)
    fitted = fit(fitting, training, valid)
    return Trained(
        valid=np.stack(logits["valid"]),
        test=np.stack(logits["test"]),
        valid_labels=valid.labels.numpy(),
        test_labels=test.labels.numpy(),
        best=np.array(fitted.best_epoch),
    )


def keys_of(recordings: Iterable[Any]) -> list[str]:
    return [recording.key for recording in recordings]


def noisy(part: Dataset, keys: Sequence[str], draw: int) -> Dataset:
    """Disturb each utterance's features in a way of its own, the same in each fold."""
    rows = part.frames if part.pooled is None else part.pooled
    moved = [disturbed(row, key, draw) for row, key in zip(rows, keys, strict=True)]
    if part.pooled is None:
        return replace(part, frames=tuple(moved))
    return replace(part, pooled=torch.stack(moved))


def disturbed(features: torch.Tensor, key: str, draw: int) -> torch.Tensor:
    digest = hashlib.sha256(f"{draw} {key}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    return features * (1 + NOISE * torch.randn(features.shape, generator=generator))


def train_all(options: argparse.Namespace) -> None:
    """Train what is not in the folder yet; quick heads first, then set by set."""
    registry = Registry.of(plugin_manager())
    begun = time.perf_counter()
    for head, seed, draw in sets(options):
        for task in tasks(options, registry, head, seed):
            path = options.folder / f"{head},{seed},{draw},{task.cell.fold}.npz"
            if path.exists():
                continue
            trained = train(task, draw)
            with replacing(path) as beside, beside.open("wb") as file:
                np.savez_compressed(file, **vars(trained))
            minutes = (time.perf_counter() - begun) / 60
            print(f"{path.stem} after {minutes:.1f} min", file=sys.stderr, flush=True)


def sets(options: argparse.Namespace) -> list[tuple[str, int, int]]:
    """List (head, seed, draw): the seeds of each head, and seed 0 of each draw."""
    wanted = {
        head: [
            *((seed, 0) for seed in range(options.seeds or SEEDS.get(head, 3))),
            *((0, draw + 1) for draw in range(DRAWS.get(head, 2))),
        ]
        for head in options.heads.split(",")
    }
    every = [(head, *one) for head, several in wanted.items() for one in several]
    return sorted(every, key=lambda one: (one[0] != "linear", sum(one[1:]), one[2]))


def tasks(
    options: argparse.Namespace, registry: Registry, head: str, seed: int
) -> Iterator[Training]:
    """Yield the cells of a head and a seed as ``harness run`` would train them."""
    request = Request(
        grids=(Grid((options.upstream,), (head,), (options.corpus,)),),
        seeds=(seed,),
        split="loso",
        data_root=options.data_root,
        runs=options.folder / "none",
        cache=options.cache,
    )
    plan = make_plan(request, registry)
    if any(pair.missing for pair in plan.pairs):
        sys.exit(
            f"Features of {options.upstream} are missing in {options.cache}. Run:\n"
            f"  harness run --upstream {options.upstream} --downstream {options.heads} "
            f"--corpus {options.corpus} --split loso --cache {options.cache}"
        )
    write_payloads(plan)
    for task in work_of(plan, registry, device="cpu", quiet=True).tasks:
        if isinstance(task.payload, Training):
            yield task.payload


# ---------------------------------------------------------------- rules


Rule: TypeAlias = "Callable[[Floats, Ints], Ints]"
"""From validation logits (E, N, C) and labels (N,) to the epochs, from 0, whose heads'
probabilities are averaged; mostly one."""


def f1_of(logits: Floats, labels: Ints) -> Floats:
    """Return each epoch's macro-F1, (E,)."""
    return np.array([macro_f1.score(predictions_of(labels, one)) for one in logits])


def best_f1(logits: Floats, labels: Ints) -> Ints:
    return np.array([f1_of(logits, labels).argmax()])


def least_loss(logits: Floats, labels: Ints) -> Ints:
    """Select by unweighted cross-entropy, as the learning curve has it."""
    true = logits[:, np.arange(len(labels)), labels]
    return np.array([(np.logaddexp.reduce(logits, axis=2) - true).mean(1).argmin()])


def best_mean(width: int, logits: Floats, labels: Ints) -> Ints:
    """Select by a centred moving mean of macro-F1, of fewer epochs at the ends."""
    f1, ones = f1_of(logits, labels), np.ones(width)
    count = np.convolve(np.ones(len(f1)), ones, "same")
    return np.array([(np.convolve(f1, ones, "same") / count).argmax()])


def best_several(count: int, logits: Floats, labels: Ints) -> Ints:
    """Average over the epochs of the highest macro-F1; of equal ones the earliest."""
    return np.argsort(-f1_of(logits, labels), kind="stable")[:count]


def last(logits: Floats, labels: Ints) -> Ints:
    return np.array([len(logits) - 1])


def rules() -> dict[str, Rule]:
    """Name each rule."""
    return {
        "best epoch by macro-F1, the earliest": best_f1,
        "least validation loss": least_loss,
        "moving mean of macro-F1, 3 epochs": partial(best_mean, 3),
        "moving mean of macro-F1, 5 epochs": partial(best_mean, 5),
        "probabilities of the 3 best epochs": partial(best_several, 3),
        "probabilities of the 5 best epochs": partial(best_several, 5),
        "last epoch": last,
    }


def tested(trained: Trained, epochs: Ints) -> float:
    """Return the test part's macro-F1 of the mean probabilities of epochs."""
    logits = trained.test[epochs].astype(np.float64)
    shares = np.exp(logits - np.logaddexp.reduce(logits, axis=2, keepdims=True))
    return float(macro_f1.score(predictions_of(trained.test_labels, shares.mean(0))))


# ---------------------------------------------------------------- table


def report(folder: Path) -> None:
    """Print a markdown table of the complete sets in the folder, in percent."""
    found: dict[str, dict[tuple[int, int], list[Trained]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for path in sorted(folder.glob("*.npz")):
        head, seed, draw, _ = path.stem.split(",")
        with np.load(path) as arrays:
            found[head][int(seed), int(draw)].append(Trained(**arrays))
    print("| head | rule | mean | deviation over seeds | range over draws |")
    print("| --- | --- | ---: | ---: | ---: |")
    for head, of_set in found.items():
        folds = max(map(len, of_set.values()))
        whole = {key: cells for key, cells in of_set.items() if len(cells) == folds}
        for name, rule in rules().items():
            print(row(head, name, {k: figure(v, rule) for k, v in whole.items()}))
        seeds, draws = sum(d == 0 for _, d in whole), sum(s == 0 for s, _ in whole)
        print(f"{head}: {folds} folds, {seeds} seeds, {draws} draws", file=sys.stderr)


def figure(cells: Iterable[Trained], rule: Rule) -> float:
    """Return the mean over folds, in percent."""
    return 100 * statistics.mean(
        tested(cell, rule(cell.valid, cell.valid_labels)) for cell in cells
    )


def row(head: str, name: str, figures: dict[tuple[int, int], float]) -> str:
    of_seeds = [value for (_, draw), value in figures.items() if draw == 0]
    of_draws = [value for (seed, _), value in figures.items() if seed == 0]
    spread = f"{statistics.stdev(of_seeds):.1f}" if len(of_seeds) > 1 else "–"
    reach = f"{max(of_draws) - min(of_draws):.1f}" if len(of_draws) > 1 else "–"
    mean = statistics.mean(of_seeds)
    return f"| {head} | {name} | {mean:.1f} | {spread} | {reach} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--report", action="store_true", help="train nothing")
    parser.add_argument("--upstream", default="whisper-base")
    parser.add_argument("--corpus", default="emodb")
    parser.add_argument("--heads", default="linear,nonlinear,multilayer")
    parser.add_argument("--seeds", type=int, help="of each head")
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument(
        "--data-root", type=Path, default=Path(os.environ.get("HARNESS_DATA", "data"))
    )
    options = parser.parse_args()
    if not options.report:
        train_all(options)
    report(options.folder)


if __name__ == "__main__":
    main()
