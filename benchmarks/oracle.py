"""Diagnose: what a figure gains where something is selected on the test part.

    HARNESS_DATA=… HARNESS_CHECKPOINTS=… python benchmarks/oracle.py FOLDER

Nothing here is a result: no run is stored, and no board can show it. Heads are trained
on each layer alone, one speaker left out, as ``layerwise`` and ``logistic-layerwise``
do; of every layer and every setting (the epoch of the linear head, the L2 strength of
the logistic one) the macro-F1 of the validation and of the test part is kept in FOLDER
(.npz, one file a cell). The table then selects layer and setting by either part.

A figure is the mean over folds, in percent; its interval, and that of the gap to what
is selected by validation alone, is Student's over folds, which are speakers here.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from harness_plugins.downstreams import logistic
from harness_plugins.downstreams._means import features_of
from scipy import stats
from selection import tasks

from harness.cli.options import default_cache
from harness.files import replacing
from harness.registry import Registry, plugin_manager
from harness.training.loop import fit
from harness.training.metrics import macro_f1, predictions_of
from harness.training.standard import Standard
from harness.training.task import Trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.training.dataset import Dataset
    from harness.training.task import Training

    Floats = NDArray[np.floating[Any]]

HEADS = {"layerwise": "linear, epochs", "logistic-layerwise": "logistic, L2"}


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Macro-F1 in percent, by fold, layer and setting: (F, L, S)."""

    valid: Floats
    test: Floats


# ---------------------------------------------------------------- training


def curves(task: Training) -> dict[str, Floats]:
    """Return macro-F1 of the validation and of the test part, (L, S) each."""
    trial = Trial(task)
    parts = trial.training, trial.dataset(trial.valid), trial.dataset(trial.test)
    if task.downstream.fit is not None:
        return by_strength(*parts)
    return by_epoch(trial, *parts)


def by_epoch(
    trial: Trial, training: Dataset, valid: Dataset, test: Dataset
) -> dict[str, Floats]:
    """Observe every epoch of every layer's head."""
    found: dict[str, list[float]] = {"valid": [], "test": []}
    epochs = trial.fitting.recipe.epochs

    def observe(_: int, logits_of: Callable[[Dataset], torch.Tensor]) -> None:
        layer = len(found["valid"]) // epochs + 1
        for name, part in (("valid", valid), ("test", test)):
            logits = logits_of(part.layer(layer)).numpy()
            found[name].append(scored(part, logits))

    fit(replace(trial.fitting, observe=observe), training, valid)
    return {name: np.array(one).reshape(-1, epochs) for name, one in found.items()}


def by_strength(training: Dataset, valid: Dataset, test: Dataset) -> dict[str, Floats]:
    """Fit logistic regression of every strength on every layer."""
    scale = Standard.of(training)
    found: dict[str, list[list[float]]] = {"valid": [], "test": []}
    for layer in range(1, training.layers + 1):
        features = [
            features_of(part.scaled(scale).layer(layer).batch(slice(None), "cpu"))
            for part in (training, valid, test)
        ]
        models = list(logistic.path(features[0], training.labels.numpy()))
        for name, part, of in zip(found, (valid, test), features[1:], strict=True):
            found[name].append([scored(part, m.predict_proba(of)) for m in models])
    return {name: np.array(one) for name, one in found.items()}


def scored(part: Dataset, scores: Floats) -> float:
    return 100 * float(macro_f1.score(predictions_of(part.labels.numpy(), scores)))


def train_all(options: argparse.Namespace) -> None:
    """Train what is not in the folder yet."""
    registry = Registry.of(plugin_manager())
    for head in options.heads.split(","):
        for task in tasks(options, registry, head, 0):
            path = options.folder / f"{head},{task.cell.fold}.npz"
            if not path.exists():
                found = curves(task)
                with replacing(path) as beside, beside.open("wb") as file:
                    np.savez_compressed(file, valid=found["valid"], test=found["test"])
                print(path.stem, file=sys.stderr, flush=True)


# ---------------------------------------------------------------- selecting


def chosen(scores: Scores, layers: str, settings: str) -> Floats:
    """Return the test score of each fold, (F,), of what is selected by each part.

    Args:
        scores: By fold, layer and setting.
        layers: ``last``; ``valid`` or ``test`` fold by fold; ``test mean`` is one layer
            for all folds, the best in the mean of test.
        settings: ``valid`` or ``test``, fold by fold.
    """
    by = {"valid": scores.valid, "test": scores.test}
    setting = by[settings].argmax(2)[..., None]  # (F, L, 1), of equal ones the first
    of_layer = {
        name: np.take_along_axis(one, setting, 2)[..., 0] for name, one in by.items()
    }
    folds = np.arange(len(setting))
    layer = {
        "last": np.full(len(folds), setting.shape[1] - 1),
        "valid": of_layer["valid"].argmax(1),
        "test": of_layer["test"].argmax(1),
        "test mean": np.full(len(folds), of_layer["test"].mean(0).argmax()),
    }[layers]
    found: Floats = of_layer["test"][folds, layer]
    return found


RULES = (
    ("the last", "validation", "last", "valid"),
    ("the last", "test", "last", "test"),
    ("validation", "validation", "valid", "valid"),
    ("test, one for all folds", "validation", "test mean", "valid"),
    ("test", "validation", "test", "valid"),
    ("test", "test", "test", "test"),
)
"""In words and for ``chosen``: what selects the layer, and what the setting."""


def interval(values: Floats) -> tuple[float, float]:
    """Return the mean over folds (F,), and half of its 95 % interval."""
    error = values.std(ddof=1) / len(values) ** 0.5
    return values.mean(), stats.t.ppf(0.975, len(values) - 1) * error


def report(folder: Path) -> None:
    """Print a markdown table of what is in the folder, in percent and points."""
    print("| head, setting | layer by | setting by | macro-F1 | gap in points |")
    print("| --- | --- | --- | ---: | ---: |")
    for head, name in HEADS.items():
        files = sorted(folder.glob(f"{head},*.npz"))
        if not files:
            continue
        arrays = [dict(np.load(file)) for file in files]
        scores = Scores(
            **{part: np.stack([one[part] for one in arrays]) for part in arrays[0]}
        )
        for by_layer, by_setting, layers, settings in RULES:
            found = chosen(scores, layers, settings)
            honest = chosen(scores, "last" if layers == "last" else "valid", "valid")
            mean, half = interval(found)
            gap, reach = interval(found - honest)
            same = (found == honest).all()
            print(
                f"| {name} | {by_layer} | {by_setting} "
                f"| {mean:.1f} [{mean - half:.1f}, {mean + half:.1f}] | "
                + (
                    "–"
                    if same
                    else f"{gap:+.1f} [{gap - reach:.1f}, {gap + reach:.1f}]"
                )
                + " |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--report", action="store_true", help="train nothing")
    parser.add_argument("--upstream", default="whisper-base")
    parser.add_argument("--corpus", default="emodb")
    parser.add_argument("--heads", default=",".join(HEADS))
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument(
        "--data-root", type=Path, default=Path(os.environ.get("HARNESS_DATA", "data"))
    )
    options = parser.parse_args()
    torch.set_num_threads(1)  # as every task does
    if not options.report:
        options.folder.mkdir(parents=True, exist_ok=True)
        train_all(options)
    report(options.folder)


if __name__ == "__main__":
    main()
