"""What each way to select an epoch costs and gains, on a real corpus.

    HARNESS_DATA=… HARNESS_CHECKPOINTS=… python benchmarks/selection.py FOLDER

trains heads as ``harness run`` does, one speaker left out, and keeps in FOLDER what the
head of each epoch says of the validation and of the test part (.npz, one file a cell).
Every rule is then computed of the same trainings, so rules differ in what they select
alone. Features are those of ``--cache`` (or ``$HARNESS_CACHE``), where ``harness run``
puts them. A second time goes on with what is in FOLDER; ``--report`` trains nothing.

A rule's figure is the mean over folds of the test part's macro-F1. Beside its mean over
seeds stand its deviation over them; its range over draws, seed 0 on the features as
they are and on features × (1 + 1e-7 · noise), which is their last bit or two; and the
deviation where the same trainings are selected on validation utterances drawn with
replacement, folds taken as independent: what the choice of an epoch alone adds.
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
from harness.types import Predictions

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

RESAMPLES = 200
"""Of the validation part."""


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


@dataclass(frozen=True)
class Curve:
    """What a rule sees of a training.

    Attributes:
        f1: Macro-F1 of the validation part, (E,).
        loss: Its unweighted cross-entropy, (E,).
    """

    f1: Floats
    loss: Floats


Rule: TypeAlias = "Callable[[Curve], Ints]"
"""To the epochs, from 0, whose heads' probabilities are averaged; mostly one."""


def best_f1(curve: Curve) -> Ints:
    return np.array([curve.f1.argmax()])


def least_loss(curve: Curve) -> Ints:
    return np.array([curve.loss.argmin()])


def best_mean(width: int, curve: Curve) -> Ints:
    """Select by a centred moving mean of macro-F1, of fewer epochs at the ends."""
    ones = np.ones(width)
    count = np.convolve(np.ones(len(curve.f1)), ones, "same")
    return np.array([(np.convolve(curve.f1, ones, "same") / count).argmax()])


def best_several(count: int, curve: Curve) -> Ints:
    """Average over the epochs of the highest macro-F1; of equal ones the earliest."""
    return np.argsort(-curve.f1, kind="stable")[:count]


def last(curve: Curve) -> Ints:
    return np.array([len(curve.f1) - 1])


RULES: dict[str, Rule] = {
    "best epoch by macro-F1, the earliest": best_f1,
    "least validation loss": least_loss,
    "moving mean of macro-F1, 3 epochs": partial(best_mean, 3),
    "moving mean of macro-F1, 5 epochs": partial(best_mean, 5),
    "probabilities of the 3 best epochs": partial(best_several, 3),
    "probabilities of the 5 best epochs": partial(best_several, 5),
    "last epoch": last,
}


def curve_of(trained: Trained) -> Curve:
    labels = trained.valid_labels
    f1 = [macro_f1.score(predictions_of(labels, one)) for one in trained.valid]
    return Curve(np.array(f1), losses(trained).mean(1))


def losses(trained: Trained) -> Floats:
    """Return the validation part's cross-entropy by epoch and utterance, (E, N)."""
    true = trained.valid[:, np.arange(len(trained.valid_labels)), trained.valid_labels]
    found: Floats = np.logaddexp.reduce(trained.valid, axis=2) - true
    return found


def resampled(trained: Trained) -> Iterator[Curve]:
    """Draw the validation part's utterances anew, with replacement, many times."""
    count, classes = len(trained.valid_labels), trained.valid.shape[2]
    rng, single = np.random.default_rng(0), np.eye(classes)
    true, predicted = single[trained.valid_labels], single[trained.valid.argmax(2)]
    loss = losses(trained)
    for _ in range(RESAMPLES):
        weights = np.bincount(rng.integers(0, count, count), minlength=count)
        confusion = np.einsum("n,nc,end->ecd", weights, true, predicted, optimize=True)
        f1 = macro_f1.score(Predictions(confusion=confusion))
        yield Curve(f1, loss @ weights / count)


class Tested:
    """A training's test macro-F1, in percent, by the epochs that are averaged."""

    def __init__(self, trained: Trained) -> None:
        self.labels, logits = trained.test_labels, trained.test.astype(np.float64)
        total = np.logaddexp.reduce(logits, axis=2, keepdims=True)
        self.probabilities = np.exp(logits - total)
        self.known: dict[tuple[int, ...], float] = {}

    def __call__(self, epochs: Ints) -> float:
        key = tuple(sorted(epochs.tolist()))
        if key not in self.known:
            mean = self.probabilities[list(key)].mean(0)
            found = macro_f1.score(predictions_of(self.labels, mean))
            self.known[key] = 100 * float(found)
        return self.known[key]


# ---------------------------------------------------------------- table


@dataclass(frozen=True)
class Scored:
    """A cell under a rule: test macro-F1, and its deviation over resamples."""

    score: float
    deviation: float


Cells: TypeAlias = "dict[tuple[str, int, int, str], dict[str, Scored]]"
"""By head, seed, draw and fold, and then by rule."""


def report(folder: Path) -> None:
    """Print a markdown table of what is in the folder, in percent."""
    cells: Cells = {}
    for path in sorted(folder.glob("*.npz")):
        head, seed, draw, fold = path.stem.split(",")
        with np.load(path) as arrays:
            cells[head, int(seed), int(draw), fold] = scored(Trained(**arrays))
    print("| head, folds × seeds | rule | mean | seeds | draws | validation |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for head in dict.fromkeys(head for head, *_ in cells):
        for rule in RULES:
            print(row(head, rule, cells, whole_sets(cells, head)))


def scored(trained: Trained) -> dict[str, Scored]:
    """Score a cell under every rule."""
    curve, again, test = curve_of(trained), list(resampled(trained)), Tested(trained)
    if best_f1(curve)[0] + 1 != trained.best:
        raise AssertionError("the rule of the harness selects another epoch here")
    return {
        name: Scored(
            test(rule(curve)), statistics.pstdev(test(rule(one)) for one in again)
        )
        for name, rule in RULES.items()
    }


def whole_sets(cells: Cells, head: str) -> dict[tuple[int, int], set[str]]:
    """Return the folds of each (seed, draw) of a head that has as many as the first."""
    folds: dict[tuple[int, int], set[str]] = defaultdict(set)
    for of, seed, draw, fold in cells:
        if of == head:
            folds[seed, draw].add(fold)
    return {key: found for key, found in folds.items() if found == folds[0, 0]}


def row(
    head: str, rule: str, cells: Cells, sets: dict[tuple[int, int], set[str]]
) -> str:
    figures, variances = {}, []
    for (seed, draw), folds in sets.items():
        of_folds = [cells[head, seed, draw, fold][rule] for fold in sorted(folds)]
        figures[seed, draw] = statistics.mean(one.score for one in of_folds)
        total = sum(one.deviation**2 for one in of_folds)
        variances.append(total / len(folds) ** 2)
    of_seeds = [value for (_, draw), value in figures.items() if draw == 0]
    of_draws = [value for (seed, _), value in figures.items() if seed == 0]
    spread = f"{statistics.stdev(of_seeds):.1f}" if len(of_seeds) > 1 else "–"
    reach = f"{max(of_draws) - min(of_draws):.1f}" if len(of_draws) > 1 else "–"
    mean, noise = statistics.mean(of_seeds), statistics.mean(variances) ** 0.5
    name = f"{head}, {len(sets[0, 0])} × {len(of_seeds)}"
    return f"| {name} | {rule} | {mean:.1f} | {spread} | {reach} | {noise:.1f} |"


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
