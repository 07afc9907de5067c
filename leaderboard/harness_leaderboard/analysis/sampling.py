"""The sampling model: what was drawn together, and how sure a figure is by it.

What a unit adds to a figure in a seed is

    value = figure + unit + seed + rest.

The unit is the fold, that is a trained model with all its test speakers, where there
are several folds; with one fold it is the test speaker, or what ``samples.drawn`` has
in its place. Units and seeds are crossed.
Intervals, tests, ranks, spread and planning all read ``Draws``; what a design cannot
know is said by ``unknown``.

Shape letters here: K seeds, U units, S speakers, F folds, C classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.text import counted
from harness_leaderboard.analysis.statistics import Estimate, replicate, score

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.types import Metric
    from harness_leaderboard.analysis.samples import Sample, TestPart

    Floats = NDArray[np.floating]
    Ints = NDArray[np.integer]

FEWEST_UNITS = 4
"""With fewer an interval would be a guess: t has two degrees of freedom or one."""

FEWEST_HOLDERS = 3
"""Units that must have a label: of one or two no deviation is known."""

SHARING_SPEAKERS = 25
"""With fewer, folds of several speakers are so alike in what they were trained on that
a test at 5 % errs in 8 to 9 % (``benchmarks/certainty.py``, k-fold with a learner)."""

LESS = 0.5
"""The weight of a unit that is taken down; half a unit keeps its labels among those
that the metric averages, which a jackknife without it loses."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """What each unit adds in each seed.

    Attributes:
        values: (K, U) whose mean is the figure.
        size: Test speakers of a unit, on average.
        freedom: Degrees of freedom of the units' variance, U − 1 where all weigh alike.
        utterances: The variance of a value that its utterances alone explain; none is
            known of a difference, whose systems share them.
        bounds: Of the metric.
    """

    values: Floats
    size: float
    freedom: float
    utterances: float = 0.0
    bounds: tuple[float, float] = (0.0, 1.0)

    @cached_property
    def squares(self) -> Squares:
        """Their mean squares."""
        return squares(self.values, self.freedom)

    def __sub__(self, other: Draws) -> Draws:
        """Return the difference of two systems that were tested alike."""
        return replace(self, values=self.values - other.values, utterances=0.0)


def units_of(sample: Sample) -> Ints:
    """Number the unit of each speaker, (S,)."""
    several = len(np.unique(sample.folds)) > 1
    return sample.folds if several else np.arange(len(sample.speakers))


def estimand(sample: Sample) -> str:
    """Name what the figure is of."""
    if is_pooled(sample):
        return f"pooled over {sample.unit}s"
    alone = all(len(part.speakers) == 1 for part in sample.parts)
    return f"mean over {sample.unit}s" if alone else "mean over folds"


def is_pooled(sample: Sample) -> bool:
    """Say whether every run was tested on the same utterances."""
    return len({part.utterances for part in sample.parts}) == 1


def unknown(sample: Sample) -> tuple[str, ...]:
    """Say what the design cannot know, in the words that stand beside a figure."""
    folds = len(np.unique(sample.folds))
    said = []
    if len(sample.speakers) == 1:
        said.append(f"one test {sample.unit}")
    elif folds == 1:
        said.append("one fold")
    elif folds < FEWEST_UNITS:
        said.append(f"{folds} folds")
    seeds = {1: ["one seed"], 2: ["two seeds"]}.get(len(sample.seeds), [])
    return (*said, *seeds)


# ---------------------------------------------------------------- labels


def rare_labels(sample: Sample) -> dict[str, int]:
    """Return the labels that one or two units have, and how many have them."""
    if sample.parts[0].of_numbers:
        return {}
    units = units_of(sample)
    held = np.zeros((units.max() + 1, sample.parts[0].counts.shape[-1]), bool)
    for part in sample.parts:
        np.logical_or.at(held, units[part.speakers], part.counts.sum(-1) > 0)
    holders = held.sum(0)
    names = sample.labels or tuple(map(str, range(len(holders))))
    return {
        names[label]: int(holders[label])
        for label in np.flatnonzero((holders > 0) & (holders < FEWEST_HOLDERS))
    }


def rests_on_rare(sample: Sample, metric: Metric) -> bool:
    """Say whether a label of one or two units moves the figure as much as any other.

    In a mean over folds each has its own labels, so none has to be in several.
    """
    if metric.of_moments:
        return False
    return (
        is_pooled(sample) and _weighs_labels_alike(metric) and bool(rare_labels(sample))
    )


def _weighs_labels_alike(metric: Metric) -> bool:
    """Say whether a label with next to no utterances counts as much as another."""
    hit, missed = np.array([[[1, 0], [0, 1e-6]], [[1, 0], [1e-6, 0]]])
    return abs(float(score(hit, metric) - score(missed, metric))) > 0.01


# ---------------------------------------------------------------- values


def draws(sample: Sample, metric: Metric) -> Draws | None:
    """Take a figure apart into its units and seeds.

    Returns:
        ``None`` for one unit, where seeds tested other speakers, and where the figure
        rests on a label that one or two units have.
    """
    units = units_of(sample)
    values = None if rests_on_rare(sample, metric) else values_of(sample, metric, units)
    if values is None:
        return None
    share = _utterance_variance(sample, metric) * values.shape[1]
    return Draws(
        values=values,
        size=len(units) / values.shape[1],
        freedom=_unit_freedom(sample, units),
        utterances=float(share),
        bounds=metric.bounds,
    )


def _unit_freedom(sample: Sample, units: Ints) -> float:
    """Return the degrees of freedom of the units' variance.

    It is Kish's (1965) effective number, 1 / Σ w², less one: a few units with most of
    the utterances count for few. In a mean all weigh alike; in a pooled figure a unit
    weighs what its share of the utterances is.
    """
    weights = np.zeros(units.max() + 1)
    for part in sample.parts:
        np.add.at(weights, units[part.speakers], part.sizes)
    if not is_pooled(sample):
        weights[:] = 1
    return max(float(weights.sum() ** 2 / (weights**2).sum()) - 1, 1.0)


def values_of(sample: Sample, metric: Metric, groups: Ints) -> Floats | None:
    """Return what each group of speakers adds in each seed, (K, groups).

    They are pseudo-values: of G groups, figure + (figure − figure with group g at half
    its weight) (G − ½) / ½. For a mean over groups that is group g's own score.

    Args:
        sample: Of one figure.
        metric: See ``statistics.score``.
        groups: (S,) the group of each speaker, from 0.
    """
    count = int(groups.max()) + 1
    weights = np.ones((1 + count, len(groups)), np.float32)
    weights[1 + groups, np.arange(len(groups))] = 1 - LESS
    rows = []
    for seed in sample.seeds:
        of = sample.of_seeds({seed})
        tested = {int(speaker) for part in of.parts for speaker in part.speakers}
        if len(tested) < max(len(groups), 2) or count < 2:
            return None
        figure, *less = replicate(of, weights, metric)
        change = figure - np.array(less)
        rows.append(figure + (change - change.mean()) * (count - LESS) / LESS)
    return np.array(rows)


def _utterance_variance(sample: Sample, metric: Metric) -> float:
    """Return the variance that drawing each speaker's utterances anew gives a seed."""
    seeds = len(sample.seeds)
    folds = len(sample.parts) / seeds
    of_parts = sum(_part_variance(part, metric) for part in sample.parts)
    return of_parts / folds**2 / seeds


def _part_variance(part: TestPart, metric: Metric) -> float:
    """Return that variance of one test part, by the slopes of its score (delta method).

    An utterance in cell c of the confusion moves the score by slope c; within a speaker
    utterances are multinomial over the cells. One that adds z to the moments moves it
    by slopes · z.
    """
    total = part.counts.sum(0, dtype=np.float64)
    said = part.counts.astype(np.float64)
    number = part.sizes.astype(np.float64)
    if part.squares is not None:
        slopes = _moment_slopes(total, metric)
        first, second = said @ slopes, part.squares @ slopes @ slopes
    else:
        slopes = _slopes(total, metric)
        first = (said * slopes).sum((1, 2))
        second = (said * slopes**2).sum((1, 2))
    square = np.maximum(second - first**2 / np.maximum(number, 1), 0.0)
    return float((square * number / np.maximum(number - 1, 1)).sum())


def _moment_slopes(total: Floats, metric: Metric) -> Floats:
    """Return how much each sum, one unit more, moves the score, (6,)."""
    number, _, _, xx, yy, _ = total
    unit = math.sqrt(max((xx + yy) / (2 * number), 1e-300))
    powers = np.array([0, 1, 1, 2, 2, 2])
    steps = 1e-5 * number * unit**powers  # of float64, whose cube root is 6e-6
    raised, lowered = (
        score(total + sign * np.diag(steps), metric) for sign in (1.0, -1.0)
    )
    slopes: Floats = (raised - lowered) / (2 * steps)
    return slopes


def _slopes(total: Floats, metric: Metric) -> Floats:
    """Return how much one more utterance in each cell moves the score, (C, C)."""
    step = 1e-3
    cells = np.flatnonzero(total)
    raised = np.repeat(total.ravel()[None], len(cells), 0)
    raised[np.arange(len(cells)), cells] += step
    slopes = np.zeros(total.size)
    shape = (len(cells), *total.shape)
    slopes[cells] = (score(raised.reshape(shape), metric) - score(total, metric)) / step
    return slopes.reshape(total.shape)


# ---------------------------------------------------------------- errors


@dataclass(frozen=True, kw_only=True)
class Squares:
    """Mean squares of crossed units and seeds; ``None`` for one seed.

    Attributes:
        seeds: K.
        units: U.
        unit: MS of units.
        seed: MS of seeds.
        rest: MS of what is left.
        unit_freedom: Degrees of freedom of the units.
    """

    seeds: int
    units: int
    unit: float
    unit_freedom: float
    seed: float | None = None
    rest: float | None = None

    @property
    def shared(self) -> float:
        """What a seed adds to all units alike, as a mean square; not below zero."""
        return max((self.seed or 0.0) - (self.rest or 0.0), 0.0)

    @property
    def of_units(self) -> float:
        """The figure's variance with the seeds held."""
        return self.unit / (self.seeds * self.units)

    @property
    def of_seeds(self) -> float:
        """What drawing the seeds anew adds to it."""
        return self.shared / (self.seeds * self.units)

    @property
    def error(self) -> float:
        """The figure's standard error, units and seeds both drawn anew."""
        return math.sqrt(self.of_units + self.of_seeds)

    @property
    def freedom(self) -> float:
        """Its degrees of freedom (Satterthwaite); no fewer than seeds or units have."""
        if not self.shared or self.seed is None or self.rest is None:
            return self.unit_freedom
        spent = (
            self.unit**2 / self.unit_freedom
            + self.seed**2 / (self.seeds - 1)
            + self.rest**2 / (self.unit_freedom * (self.seeds - 1))
        )
        found = (self.unit + self.shared) ** 2 / spent
        fewest = min(self.seeds - 1, self.unit_freedom)
        return min(max(found, fewest), self.unit_freedom)


def squares(values: Floats, freedom: float | None = None) -> Squares:
    """Return the mean squares of values.

    Args:
        values: (K, U), U at least two.
        freedom: Of the units; U − 1 by default.
    """
    seeds, units = values.shape
    of_unit, of_seed = values.mean(0), values.mean(1)
    unit = seeds * float(of_unit.var(ddof=1))
    freedom = units - 1 if freedom is None else freedom
    if seeds == 1:
        return Squares(seeds=1, units=units, unit=unit, unit_freedom=freedom)
    left = values - of_unit - of_seed[:, None] + values.mean()
    return Squares(
        seeds=seeds,
        units=units,
        unit=unit,
        unit_freedom=freedom,
        seed=units * float(of_seed.var(ddof=1)),
        rest=float((left**2).sum()) / ((seeds - 1) * (units - 1)),
    )


def estimate(of: Draws | None) -> Estimate | None:
    """Estimate a figure; none from fewer than four units.

    The error is never below what the utterances alone explain: few units may be alike
    by chance.
    """
    if of is None or of.values.shape[1] < FEWEST_UNITS:
        return None
    found = of.squares
    return Estimate(
        value=float(of.values.mean()),
        error=max(found.error, _floor(of, found)),
        freedom=found.freedom,
        bounds=of.bounds,
    )


def _floor(of: Draws, found: Squares) -> float:
    """Return the error that utterances alone explain.

    Seeds are tested on the same utterances: what of their variance is not the rest's,
    which differs between seeds, does not shrink with more of them.
    """
    same = of.utterances - (1 - 1 / found.seeds) * (found.rest or 0.0)
    return math.sqrt(max(same, of.utterances / found.seeds) / found.units)


def remarks(sample: Sample, metric: Metric) -> Iterator[str]:
    """Say what was drawn, why a figure has no error, and which labels rest on few."""
    if sample.unit != "speaker":
        yield f"the speakers are the classes, so other {sample.unit}s are drawn instead"
    units = len(np.unique(units_of(sample)))
    alone = len(np.unique(sample.folds)) == 1
    kind = f"test {sample.unit}" if alone else "fold"
    if units < FEWEST_UNITS:
        out = ": --split sentence-kfold tests all" if kind == "test sentence" else ""
        yield f"{counted(units, kind)}: too few for an error (four are needed){out}"
        return
    rare = rare_labels(sample)
    told = ", and so there is no error" if rests_on_rare(sample, metric) else ""
    for holders in sorted(set(rare.values())):
        names = [f"'{label}'" for label, of in rare.items() if of == holders]
        which = f"label {names[0]} rests" if len(names) == 1 else ""
        which = which or f"labels {', '.join(names)} rest"
        yield f"{which} on {counted(holders, kind)}{told}"
    if shares_training(sample):
        yield (
            f"the folds share training {sample.unit}s, so a test at 5 % errs in up to "
            "9 %"
        )


def shares_training(sample: Sample) -> bool:
    """Say whether folds are too alike in their training for a test to keep its 5 %."""
    of_folds = estimand(sample) == "mean over folds"
    return of_folds and len(sample.speakers) < SHARING_SPEAKERS
