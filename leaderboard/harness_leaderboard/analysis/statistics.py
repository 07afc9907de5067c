"""Scores of weighted speakers, and what follows from a figure and its error.

Shape letters here: S speakers, C classes, R weightings.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.types import Predictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from threadpoolctl import ThreadpoolController

    from harness.types import Metric
    from harness_leaderboard.analysis.samples import Sample, TestPart

    Floats = NDArray[np.floating]
    Ints = NDArray[np.integer]

LEVEL = 0.95
MOST_LOG = 700.0
"""The exponential of more is no float64 (Python's ``math.exp`` raises at 710)."""


# ---------------------------------------------------------------- scores


def score(counts: Floats, metric: Metric) -> Floats:
    """Return the metric of confusions, or of moments.

    Args:
        counts: (…, C, C), rows are true labels, or (…, 6); they may be weighted.
        metric: One ``of_confusion``, or ``of_moments``.

    Returns:
        (…) scores.
    """
    if metric.of_moments:
        scores, leading = metric.score(Predictions(moments=counts)), counts.shape[:-1]
    else:
        scores, leading = metric.score(Predictions(confusion=counts)), counts.shape[:-2]
    return np.broadcast_to(scores, leading)  # a constant is one number


def replicate(sample: Sample, weights: Floats, metric: Metric) -> Floats:
    """Compute a figure for each weighting of its speakers.

    A fold counts as much as its speakers do on average, so that with all weights one
    this is the figure: over seeds the mean of the mean over folds.

    Args:
        sample: Whose figure.
        weights: (R, S).
        metric: See ``score``.

    Returns:
        (R,) figures.
    """
    seeds = sorted({part.seed for part in sample.parts})
    figures = np.zeros(len(weights))
    with _thread_pools().limit(limits=1):  # more only wait for each other on so little
        for seed in seeds:
            total = np.zeros(len(weights))
            weight = np.zeros(len(weights))
            for scores, share in _folds(sample, seed, weights, metric):
                total += scores
                weight += share
            figures += total / weight
    return figures / len(seeds)


@functools.cache
def _thread_pools() -> ThreadpoolController:
    """Find the libraries that numpy computes with, once."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _folds(
    sample: Sample, seed: int, weights: Floats, metric: Metric
) -> Iterator[tuple[Floats, Floats]]:
    """Yield (R,) weighted scores and (R,) weights; folds of one speaker all at once."""
    parts = [part for part in sample.parts if part.seed == seed]
    alone = [part for part in parts if len(part.speakers) == 1]
    if alone:
        share = weights[:, np.concatenate([part.speakers for part in alone])]
        scores = score(np.concatenate([part.counts for part in alone]), metric)
        yield share @ scores, share.sum(1)
    for part in parts:
        if len(part.speakers) > 1:
            chosen = weights[:, part.speakers]
            counts = np.tensordot(chosen, part.counts, 1)
            share = chosen.mean(1)
            yield score(counts, metric) * share, share


# ---------------------------------------------------------------- intervals


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure, or a difference of two, and how sure it is.

    Attributes:
        value: As measured.
        error: Its standard error.
        freedom: Degrees of freedom of that error.
        bounds: The lowest and the highest that a figure may be (see ``Metric``).
    """

    value: float
    error: float
    freedom: float
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def p(self) -> float:
        """Two-sided, of there being no difference, by Student's t.

        Where all units say the same there is no error, and the sign test's is taken.
        """
        from scipy.special import stdtr

        if not self.error:
            return float(2**-self.freedom) if self.value else 1.0
        return float(2 * stdtr(self.freedom, -abs(self.value) / self.error))


def average(estimates: Sequence[Estimate]) -> Estimate:
    """Estimate the mean of independent figures (Welch and Satterthwaite's freedom)."""
    squares = [one.error**2 for one in estimates]
    total = sum(squares)
    spent = sum(
        square**2 / one.freedom for square, one in zip(squares, estimates, strict=True)
    )
    return Estimate(
        value=sum(one.value for one in estimates) / len(estimates),
        error=total**0.5 / len(estimates),
        freedom=total**2 / spent if spent else estimates[0].freedom,
        bounds=estimates[0].bounds,
    )


def difference(one: Estimate, other: Estimate) -> Estimate:
    """Estimate the difference of two independent figures (Welch and Satterthwaite)."""
    mean = average((one, other))
    return replace(mean, value=one.value - other.value, error=2 * mean.error)


def interval(of: Estimate, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of a figure: Student's t on the log-odds scale.

    There it is right for few speakers and stays within the bounds: between 0 and 1; of
    a correlation between −1 and 1, where it is Fisher's z; and of an error above 0,
    where it is the log scale. A percentile interval covers 83 to 90 % instead of 95 %
    with 5 to 10 speakers.
    """
    away = reach(of.freedom, level) * of.error
    if away == 0:
        return of.value, of.value
    least, most = of.bounds
    if math.isinf(most):
        ratio = math.exp(min(away / max(of.value - least, 1e-12), MOST_LOG))
        return least + (of.value - least) / ratio, least + (of.value - least) * ratio
    width = most - least
    value = min(max((of.value - least) / width, 1e-3), 1 - 1e-3)
    middle = math.log(value / (1 - value))
    away /= width * value * (1 - value)
    low, high = (_odds(middle + sign * away) for sign in (-1, 1))
    return min(least + width * low, of.value), max(least + width * high, of.value)


def _odds(log_odds: float) -> float:
    return 1 / (1 + math.exp(-min(max(log_odds, -MOST_LOG), MOST_LOG)))


def interval_of_difference(
    of: Estimate, *, level: float = LEVEL
) -> tuple[float, float]:
    """Return the interval of a difference: Student's t on the plain scale."""
    away = reach(of.freedom, level) * of.error
    furthest = of.bounds[1] - of.bounds[0]
    return max(of.value - away, -furthest), min(of.value + away, furthest)


def reach(freedom: float, level: float = LEVEL) -> float:
    """Return how many standard errors an interval reaches to each side."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))


# ---------------------------------------------------------------- differences


def aligned(samples: Sequence[Sample]) -> list[Sample]:
    """Bring samples to the same parts and speakers, over the seeds that all have.

    Raises:
        ValueError: Where they were not tested on the same utterances.
    """
    seeds = set.intersection(*(set(sample.seeds) for sample in samples))
    first = samples[0].of_seeds(seeds)
    keys = [(part.seed, part.utterances) for part in first.parts]
    made = []
    for sample in samples:
        kept = sample.of_seeds(seeds).parts
        parts = {(one.seed, one.utterances): one for one in kept}
        if not seeds or parts.keys() != set(keys):
            raise ValueError("not tested on the same utterances with the same seeds")
        place = {speaker: index for index, speaker in enumerate(first.speakers)}
        index = np.array([place[speaker] for speaker in sample.speakers])
        made.append(
            replace(
                sample,
                speakers=first.speakers,
                parts=tuple(_renumbered(parts[key], index) for key in keys),
                merged=first.merged,
            )
        )
    return made


def _renumbered(part: TestPart, index: Ints) -> TestPart:
    """Number a part's speakers anew, in ascending order."""
    speakers = index[part.speakers]
    order = np.argsort(speakers)
    squares = None if part.squares is None else part.squares[order]
    counts = part.counts[order]
    return replace(part, speakers=speakers[order], counts=counts, squares=squares)


def holm(ps: Sequence[float]) -> list[float]:
    """Adjust p-values for the family they belong to (Holm's step-down method)."""
    order = sorted(range(len(ps)), key=ps.__getitem__)
    adjusted, highest = [0.0] * len(ps), 0.0
    for step, index in enumerate(order):
        highest = max(highest, min(1.0, (len(ps) - step) * ps[index]))
        adjusted[index] = highest
    return adjusted
