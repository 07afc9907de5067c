"""How far a head's figure moves where nothing changes that it should depend on.

    HARNESS_DATA=… HARNESS_CHECKPOINTS=… python benchmarks/heads_luck.py FOLDER

trains heads as ``harness run --split loso`` does, on a real corpus, again and again,
and each time changes one thing alone:

noise   stored features × (1 + 1e-7 · noise): their last bit or two
order   the order of the training part's utterances, so that batches are others; initial
        weights and dropout are drawn from the same seed
seed    the seed: initial weights, dropout and the order of utterances

Each time a fold is compared with seed 0 and nothing changed, on the same utterances.
*a fold* is the root mean square of its changes in macro-F1 over √2, which is the
standard deviation of one of them; *the figure*, a mean over F folds, has it over √F.
*flips* are test utterances that another label is predicted for. FOLDER keeps the
predictions of each cell; a second time goes on with what is there, and ``--report``
trains nothing. Features are those of ``--cache`` (or ``$HARNESS_CACHE``).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import defaultdict
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from selection import keys_of, noisy, tasks

from harness.cli.options import default_cache
from harness.files import replacing
from harness.registry import Registry, plugin_manager
from harness.training.loop import fit
from harness.training.metrics import macro_f1, predictions_of
from harness.training.task import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from harness.training.dataset import Dataset
    from harness.training.task import Training

    Floats = NDArray[np.floating[Any]]

SOURCES = ("noise", "order", "seed")
HEADS = "multilayer,nonlinear,linear,logistic"

Set: TypeAlias = "tuple[str, str, int]"
"""A head, what is changed, and which change of that kind it is; 0 changes nothing."""


def train(task: Training, source: str, draw: int) -> tuple[Floats, Floats]:
    """Return probabilities (N, C) of a cell's test part, and its labels (N,)."""
    trial = Trial(task)
    training, valid, test = (
        moved(part, keys_of(recordings), source, draw)
        for part, recordings in (
            (trial.training, trial.train),
            (trial.dataset(trial.valid), trial.valid),
            (trial.dataset(trial.test), trial.test),
        )
    )
    if source == "order" and draw:
        training = reordered(training, draw)
    fitted = fit(replace(trial.fitting, state=None), training, valid)
    return fitted.predict(test).numpy(), test.labels.numpy()


def moved(part: Dataset, keys: Sequence[str], source: str, draw: int) -> Dataset:
    return noisy(part, keys, draw) if source == "noise" and draw else part


def reordered(part: Dataset, draw: int) -> Dataset:
    """Put the utterances into another order, so that other ones share a batch."""
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(draw))
    labels = part.labels[order]
    if part.pooled is not None:
        return replace(part, pooled=part.pooled[order], labels=labels)
    frames = tuple(part.frames[row] for row in order.tolist())
    return replace(part, frames=frames, labels=labels)


def sets(options: argparse.Namespace) -> list[Set]:
    """List what is trained, so that any beginning of the list has all sources."""
    draws = range(1, options.draws + 1)
    return [
        one
        for head in options.heads.split(",")
        for one in (
            (head, "seed", 0),
            *((head, source, draw) for draw in draws for source in SOURCES),
        )
    ]


def train_all(options: argparse.Namespace) -> None:
    """Train what is not in the folder yet."""
    registry, begun = Registry.of(plugin_manager()), time.perf_counter()
    for head, source, draw in sets(options):
        seed = draw if source == "seed" else 0
        changed = islice(
            tasks(options, registry, head, seed), options.folds if draw else None
        )
        for task in changed:
            path = options.folder / f"{head},{source},{draw},{task.cell.fold}.npz"
            if path.exists():
                continue
            probabilities, labels = train(task, source, draw)
            with replacing(path) as beside, beside.open("wb") as file:
                np.savez_compressed(file, probabilities=probabilities, labels=labels)
            minutes = (time.perf_counter() - begun) / 60
            print(f"{path.stem} after {minutes:.1f} min", file=sys.stderr, flush=True)


# ---------------------------------------------------------------- table

Cells: TypeAlias = "dict[Set, dict[str, tuple[float, NDArray[np.intp]]]]"
"""Macro-F1 in percent and predicted labels (N,), by set and fold."""


def report(folder: Path) -> None:
    """Print a markdown table, in percent and points."""
    cells: Cells = defaultdict(dict)
    for path in sorted(folder.glob("*.npz")):
        head, source, draw, fold = path.stem.split(",")
        with np.load(path) as arrays:
            probabilities, labels = arrays["probabilities"], arrays["labels"]
        score = 100 * float(macro_f1.score(predictions_of(labels, probabilities)))
        cells[head, source, int(draw)][fold] = score, probabilities.argmax(1)
    print("| head | changed | folds | figures | a fold | the figure | flips |")
    print("| --- | --- | ---: | --- | ---: | ---: | ---: |")
    for head in dict.fromkeys(head for head, *_ in cells):
        for source in SOURCES:
            print(row(head, source, cells))


def row(head: str, source: str, cells: Cells) -> str:
    """Compare a head as it is with what it is after changes of one kind."""
    plain = cells[head, "seed", 0]
    others = [
        folds
        for (of, changed, draw), folds in sorted(cells.items())
        if (of, changed) == (head, source) and draw
    ]
    pairs = [(one, plain[fold]) for folds in others for fold, one in folds.items()]
    whole = [folds for folds in (plain, *others) if folds.keys() == plain.keys()]
    listed = ", ".join(
        f"{statistics.mean(score for score, _ in folds.values()):.1f}"
        for folds in whole
    )
    if not pairs:
        return f"| {head} | {source} | 0 | {listed} | – | – | – |"
    changes = np.array([one[0] - other[0] for one, other in pairs])
    fold = float(np.sqrt(np.square(changes).mean() / 2))
    flips = np.concatenate([one[1] != other[1] for one, other in pairs]).mean()
    return (
        f"| {head} | {source} | {len(pairs)} | {listed} | {fold:.1f} "
        f"| {fold / len(plain) ** 0.5:.1f} | {100 * flips:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--report", action="store_true", help="train nothing")
    parser.add_argument("--upstream", default="whisper-base")
    parser.add_argument("--corpus", default="emodb")
    parser.add_argument("--heads", default=HEADS)
    parser.add_argument("--draws", type=int, default=4, help="changes of each kind")
    parser.add_argument("--folds", type=int, help="that are changed; all by default")
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument(
        "--data-root", type=Path, default=Path(os.environ.get("HARNESS_DATA", "data"))
    )
    options = parser.parse_args()
    if not options.report:
        options.folder.mkdir(parents=True, exist_ok=True)
        train_all(options)
    report(options.folder)


if __name__ == "__main__":
    main()
