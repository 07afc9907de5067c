"""Variance components: how much of a spread comes from seeds, folds and speakers.

A figure is taken apart into what each speaker adds to it in each seed (see
``sampling.values_of``). A random-effects analysis of variance (seeds crossed with
speakers, speakers within folds) estimates the variance components by the method of
moments; a negative one counts as zero. The figure's error is ``sampling.estimate``'s.

Shape letters here: K seeds, S speakers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness_leaderboard.analysis.sampling import rests_on_rare, values_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.types import Metric
    from harness_leaderboard.analysis.samples import Sample

    Floats = NDArray[np.floating]
    Ints = NDArray[np.integer]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Variances of what one seed, fold or speaker adds; ``None`` where not known.

    Attributes:
        seeds: K.
        speakers: S.
        seed: Of one seed, in all speakers alike; two seeds are needed.
        fold: Of one fold, in its speakers alike; folds of two speakers are needed.
        speaker: Of one speaker, in all seeds alike. With one seed it holds ``rest``,
            and with folds of one speaker it holds ``fold``.
        rest: Of one speaker in one seed: chance in training and among utterances.
    """

    seeds: int
    speakers: int
    seed: float | None
    fold: float | None
    speaker: float
    rest: float | None


def spread_of(
    sample: Sample, metric: Metric, against: Sample | None = None
) -> Spread | None:
    """Take a figure's spread apart, or that of a difference of two.

    Args:
        sample: Whose figure.
        metric: See ``statistics.score``.
        against: What is taken off it, paired.

    Returns:
        The parts, or nothing for one speaker, where seeds had different speakers, and
        where the figure rests on a label that one or two have.
    """
    values = _values(sample, metric)
    if values is not None and against is not None:
        others = _values(against, metric)
        values = None if others is None else values - others
    return None if values is None else components(values, sample.folds)


def _values(sample: Sample, metric: Metric) -> Floats | None:
    if rests_on_rare(sample, metric):
        return None
    return values_of(sample, metric, np.arange(len(sample.speakers)))


def components(values: Floats, folds: Ints) -> Spread:
    """Estimate variance components by the method of moments.

    Args:
        values: (K, S), S at least two.
        folds: (S,) the fold of each speaker.
    """
    seeds, speakers = values.shape
    _, fold, sizes = np.unique(folds, return_inverse=True, return_counts=True)
    of_speaker, of_seed, mean = values.mean(0), values.mean(1), values.mean()
    of_fold = np.bincount(fold, of_speaker) / sizes
    rest = None
    if seeds > 1:
        left = values - of_speaker - of_seed[:, None] + mean
        rest = float((left**2).sum()) / ((seeds - 1) * (speakers - 1))
    seed = None if rest is None else of_seed.var(ddof=1) - rest / speakers
    nested = 1 < len(sizes) < speakers
    within = of_fold[fold] if nested else mean
    freedom = speakers - (len(sizes) if nested else 1)
    around = float(((of_speaker - within) ** 2).sum()) / freedom
    between = None
    if nested:
        square = float((sizes * (of_fold - mean) ** 2).sum()) / (len(sizes) - 1)
        size = (speakers - (sizes**2).sum() / speakers) / (len(sizes) - 1)
        between = max((square - around) / size, 0.0)
    return Spread(
        seeds=seeds,
        speakers=speakers,
        seed=None if seed is None else max(float(seed), 0.0),
        fold=between,
        speaker=max(around - (rest or 0.0) / seeds, 0.0),
        rest=rest,
    )
