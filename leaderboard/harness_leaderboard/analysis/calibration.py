"""How far probabilities can be believed: calibration error, Brier score, log loss.

All are means over the test predictions of a seed, its folds together, and over seeds.
One temperature a cell is fitted on its validation predictions (Guo et al. 2017).

Shape letters here: N predictions, C classes, K seeds, U units, M bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from harness_leaderboard.analysis import sampling
from harness_leaderboard.analysis.samples import drawn, sample_of
from harness_leaderboard.analysis.statistics import reach

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from harness_leaderboard.analysis.statistics import Estimate

    Floats = NDArray[np.floating]
    Ints = NDArray[np.integer]

BINS = 15
"""As in Guo et al. (2017) and Nixon et al. (2019), so that figures can be compared."""

LEAST = 10
"""Predictions of a bin at the least; small tests have fewer bins."""

SMALLEST = float(np.finfo(np.float64).eps)
"""What a probability counts as at the least in a log loss, as in scikit-learn's."""

HOTTEST = 10.0
"""Temperatures are looked for between one over this and this: farther off than any that
Guo et al. (2017) found, and near enough for no error in test to cost without end."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Predicted:
    """Predictions of the cells behind a figure.

    Attributes:
        scores: (N, C) probabilities.
        true: (N,) class indices.
        run: (N,) the cell that each belongs to, from 0.
        speaker: (N,) names, or what ``samples.drawn`` has in their place.
    """

    scores: Floats
    true: Ints
    run: Ints
    speaker: NDArray[np.object_]

    @property
    def confidence(self) -> Floats:
        """The probability of what is predicted, (N,)."""
        highest: Floats = self.scores.max(1)
        return highest

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether what is predicted is true, (N,)."""
        right: NDArray[np.bool_] = self.scores.argmax(1) == self.true
        return right

    def tempered(self, temperatures: Floats) -> Predicted:
        """Return predictions with the temperature of each cell, (cells,)."""
        from scipy.special import softmax

        heat = temperatures[self.run, None]
        scores = softmax(logits(self.scores) / heat, axis=1)
        return Predicted(
            scores=scores, true=self.true, run=self.run, speaker=self.speaker
        )


def predicted(runs: pa.Table, column: str) -> Predicted | None:
    """Return the predictions of cells; ``None`` where a cell has none.

    Args:
        runs: Rows of one place, with ``labels`` and the column.
        column: ``predictions`` or ``valid_predictions``.
    """
    listed = runs[column].combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(listed), 0).to_numpy()
    if not len(lengths) or not lengths.all():
        return None
    said = pc.list_flatten(listed)
    labels = runs["labels"][0].as_py()
    scores = pc.list_flatten(pc.struct_field(said, "scores")).to_numpy()
    codes = pc.index_in(pc.struct_field(said, "label"), value_set=_texts(labels))
    _, speaker = drawn(said)
    return Predicted(
        scores=scores.reshape(-1, len(labels)),
        true=codes.to_numpy(zero_copy_only=False),
        run=np.repeat(np.arange(len(lengths)), lengths),
        speaker=np.array(speaker.to_pylist(), object),
    )


def _texts(labels: list[str]) -> pa.Array:
    import pyarrow as pa

    return pa.array(labels, pa.string())


# ---------------------------------------------------------------- temperature


def logits(scores: Floats) -> Floats:
    """Return logarithms of probabilities, none of them infinite."""
    return np.log(np.clip(scores, SMALLEST, None))


def log_losses(scores: Floats, true: Ints) -> Floats:
    """Return minus the logarithm of each true class's probability, (N,)."""
    of_true = scores[np.arange(len(true)), true]
    losses: Floats = -np.log(np.clip(of_true, SMALLEST, 1 - SMALLEST))
    return losses


def temperatures_of(valid: Predicted) -> Floats:
    """Fit a temperature on the validation predictions of each cell, (cells,)."""
    cells = range(int(valid.run.max()) + 1)
    return np.array(
        [
            temperature(valid.scores[valid.run == cell], valid.true[valid.run == cell])
            for cell in cells
        ]
    )


def temperature(scores: Floats, true: Ints) -> float:
    """Return the T whose softmax(log p / T) has the least log loss, 1 if none is less.

    The log loss is convex in 1 / T, so that there is one minimum in log T; but none
    where all is predicted right, which is the better the colder: then T is 1, too.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if (scores.argmax(1) == true).all():
        return 1.0
    values, rows = logits(scores), np.arange(len(true))

    def loss(log_heat: float) -> float:
        heated = log_softmax(values / math.exp(log_heat), axis=1)
        return -float(heated[rows, true].mean())

    end = math.log(HOTTEST)
    options = {"xatol": 1e-6}
    found = minimize_scalar(loss, bounds=(-end, end), method="bounded", options=options)
    return math.exp(found.x) if found.fun < loss(0.0) - 1e-12 else 1.0


# ---------------------------------------------------------------- bins


def bins_for(count: int) -> int:
    """Return M for a number of predictions."""
    return max(1, min(BINS, count // LEAST))


def binned(confidence: Floats) -> Ints:
    """Put (N,) confidences into bins of equal mass; equal ones share a bin."""
    count = len(confidence)
    rank = np.searchsorted(np.sort(confidence), confidence, side="left")
    sizes = [len(one) for one in np.array_split(np.arange(count), bins_for(count))]
    bins: Ints = np.searchsorted(np.cumsum(sizes), rank, side="right")
    return bins


# ---------------------------------------------------------------- measures


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A mean over predictions, and how sure it is.

    Attributes:
        value: As measured.
        estimate: Of it, ``None`` from fewer than four units.
        most: What it is at most.
    """

    value: float
    estimate: Estimate | None
    most: float = math.inf

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's t on the scale of square roots, as no measure is below zero."""
        found = self.estimate
        if found is None or not found.error or not self.value:
            return None
        root = math.sqrt(self.value)
        away = reach(found.freedom) * found.error / (2 * root)
        return max(root - away, 0.0) ** 2, min((root + away) ** 2, self.most)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What can be said of the probabilities behind a figure.

    Attributes:
        ece: Expected calibration error of the predicted class, equal-mass bins.
        chance: The error that a perfectly calibrated head with the same confidences
            would show, by the chance of so many utterances.
        brier: Squared error summed over classes, 0 to 2.
        log_loss: In nats.
        over: Mean confidence less accuracy.
    """

    ece: Measure
    chance: float
    brier: Measure
    log_loss: Measure
    over: float


def measured(runs: pa.Table, said: Predicted) -> Calibration:
    """Measure predictions of a place.

    Args:
        runs: Its rows, with ``seed``, ``labels`` and ``predictions``.
        said: Their predictions, as they are or tempered.
    """
    seed = np.array(runs["seed"].to_pylist())[said.run]
    return measures(said, seed, _units(runs, said))


def measures(said: Predicted, seed: Ints, units: Ints) -> Calibration:
    """Measure predictions of which the seed (N,) and the unit (N,) are known."""
    gap = said.confidence - said.right
    bins = np.zeros(len(seed), int)
    for one in np.unique(seed):
        bins[seed == one] = binned(said.confidence[seed == one])
    once = np.zeros(len(seed), int)
    true = np.eye(said.scores.shape[1])[said.true]
    squares = ((said.scores - true) ** 2).sum(1)
    losses = log_losses(said.scores, said.true)
    return Calibration(
        ece=replace(_measure(gap, bins, seed, said.speaker, units), most=1.0),
        chance=_chance(said.confidence, bins, seed),
        brier=replace(_measure(squares, once, seed, said.speaker, units), most=2.0),
        log_loss=_measure(losses, once, seed, said.speaker, units),
        over=float(gap.mean()),
    )


def _units(runs: pa.Table, said: Predicted) -> Ints:
    """Number the unit of each prediction: its fold where there are several, (N,)."""
    sample = sample_of(runs)
    of = dict(zip(sample.speakers, sampling.units_of(sample), strict=True))
    return np.array([of[name] for name in said.speaker])


def _chance(confidence: Floats, bins: Ints, seed: Ints) -> float:
    """Return the mean |sum of errors| of bins whose outcomes are as probable as said.

    The sum of a bin is nearly normal with variance Σ p (1 − p), whose mean size is
    √(2 / π) of its deviation.
    """
    found = []
    for one in np.unique(seed):
        p, of = confidence[seed == one], bins[seed == one]
        variance = np.bincount(of, np.clip(p * (1 - p), 0, None))
        found.append(math.sqrt(2 / math.pi) * np.sqrt(variance).sum() / len(p))
    return float(np.mean(found))


def _measure(
    values: Floats, bins: Ints, seed: Ints, speaker: NDArray[np.object_], units: Ints
) -> Measure:
    """Average |sums of bins| over predictions, and say how sure that is.

    A unit's pseudo-value in a seed is that of ``sampling.values_of``: the bins stay as
    they are, and the unit counts half.
    """
    rows, parts = [], []
    figures = []
    for one in np.unique(seed):
        at = seed == one
        sums = np.zeros((int(units.max()) + 1, int(bins.max()) + 1))
        np.add.at(sums, (units[at], bins[at]), values[at])
        count = np.bincount(units[at], minlength=len(sums)).astype(float)
        figure = _mean(sums.sum(0), count.sum())
        figures.append(float(figure))
        rows.append(_pseudo_values(sums, count, float(figure)) if count.all() else None)
        signed = values[at] * np.sign(sums.sum(0))[bins[at]]
        parts.append(_within(signed, speaker[at]))
    whole = [row for row in rows if row is not None]
    value = float(np.mean(figures))
    if len(whole) < len(rows) or len(whole[0]) < 2:
        return Measure(value=value, estimate=None)
    draws = sampling.Draws(
        values=np.array(whole),
        size=len(set(speaker)) / len(whole[0]),
        freedom=_freedom(units),
        utterances=float(np.mean(parts)) * len(whole[0]),
    )
    return Measure(value=value, estimate=sampling.estimate(draws))


def _mean(sums: Floats, count: Floats | float) -> Floats:
    """Return Σ |sums| / count, over the last of (…, M) sums."""
    mean: Floats = np.abs(sums).sum(-1) / count
    return mean


def _pseudo_values(sums: Floats, count: Floats, figure: float) -> Floats:
    """Return what each unit adds to a seed's figure, (U,)."""
    kept = sampling.LESS
    less = _mean(sums.sum(0) - kept * sums, count.sum() - kept * count)
    change = figure - less
    values: Floats = figure + (change - change.mean()) * (len(sums) - kept) / kept
    return values


def _within(values: Floats, speaker: NDArray[np.object_]) -> float:
    """Return the variance of a mean when each speaker's utterances are drawn anew."""
    _, of = np.unique(speaker.astype(str), return_inverse=True)
    count = np.bincount(of)
    mean = np.bincount(of, values) / count
    squares = np.bincount(of, (values - mean[of]) ** 2)
    return float((squares * count / np.maximum(count - 1, 1)).sum()) / len(values) ** 2


def _freedom(units: Ints) -> float:
    """Return Kish's effective number of units, less one, as for a pooled figure."""
    weights = np.bincount(units).astype(float)
    return max(float(weights.sum() ** 2 / (weights**2).sum()) - 1, 1.0)
