"""Variance components: how much of a spread comes from seeds, folds and speakers.

A figure is split into what each speaker adds to it in each seed: jackknife
pseudo-values, S × figure − (S − 1) × figure without the speaker. Where every fold is
one speaker they are the folds' scores. Their random-effects analysis of variance (seeds
crossed with speakers, speakers within folds) estimates the variance components by the
method of moments; a negative one counts as zero.

Shape letters here: K seeds, S speakers, F folds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness_leaderboard.analysis.statistics import replicate

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
        fold_size: Speakers of a fold, the larger ones counting for more.
        seed: Of one seed, in all speakers alike; two seeds are needed.
        fold: Of one fold, in its speakers alike; folds of two speakers are needed.
        speaker: Of one speaker, in all seeds alike. With one seed it holds ``rest``,
            and with folds of one speaker it holds ``fold``.
        rest: Of one speaker in one seed: chance in training and among utterances.
    """

    seeds: int
    speakers: int
    fold_size: float
    seed: float | None
    fold: float | None
    speaker: float
    rest: float | None

    @property
    def of_speakers(self) -> float:
        """What does not shrink with more seeds, times the number of speakers."""
        return self.speaker + (self.fold or 0.0) * self.fold_size

    def error(self) -> float:
        """Return the figure's standard error, seeds and speakers both drawn anew."""
        of_seeds = (self.seed or 0.0) / self.seeds
        of_rest = (self.rest or 0.0) / (self.seeds * self.speakers)
        return math.sqrt(of_seeds + self.of_speakers / self.speakers + of_rest)

    def seeds_for(self, error: float) -> float:
        """Return how many seeds bring the error down to it; infinite if none do."""
        left = error**2 - self.of_speakers / self.speakers
        spent = (self.seed or 0.0) + (self.rest or 0.0) / self.speakers
        return spent / left if left > 0 else math.inf

    def speakers_for(self, error: float) -> float:
        """Return how many speakers bring the error down to it; infinite if none do."""
        left = error**2 - (self.seed or 0.0) / self.seeds
        spent = self.of_speakers + (self.rest or 0.0) / self.seeds
        return spent / left if left > 0 else math.inf


def spread_of(
    sample: Sample, metric: Metric, against: Sample | None = None
) -> Spread | None:
    """Take a figure's spread apart, or that of a difference of two.

    Args:
        sample: Whose figure.
        metric: See ``statistics.score``.
        against: What is taken off it, paired.

    Returns:
        The parts, or nothing for one speaker or where seeds had different speakers.
    """
    values = pseudo_values(sample, metric)
    if values is not None and against is not None:
        others = pseudo_values(against, metric)
        values = None if others is None else values - others
    return None if values is None else components(values, fold_of_speakers(sample))


def pseudo_values(sample: Sample, metric: Metric) -> Floats | None:
    """Return (K, S) pseudo-values, if every seed had the same speakers, two or more."""
    speakers = len(sample.speakers)
    weights = np.vstack([np.ones(speakers), 1 - np.eye(speakers)]).astype(np.float32)
    rows = []
    for seed in sorted({part.seed for part in sample.parts}):
        parts = tuple(part for part in sample.parts if part.seed == seed)
        tested = {int(speaker) for part in parts for speaker in part.speakers}
        if len(tested) < max(speakers, 2):
            return None
        figure, *less = replicate(replace(sample, parts=parts), weights, metric)
        rows.append(speakers * figure - (speakers - 1) * np.array(less))
    return np.array(rows)


def fold_of_speakers(sample: Sample) -> Ints:
    """Number the folds, (S,); one fold of all where a speaker stands in several."""
    folds = np.full(len(sample.speakers), -1)
    first = sample.parts[0].seed
    for place, part in enumerate(one for one in sample.parts if one.seed == first):
        if (folds[part.speakers] >= 0).any():
            return np.zeros(len(folds), int)
        folds[part.speakers] = place
    return folds


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
        fold_size=float((sizes**2).sum() / speakers),
        seed=None if seed is None else max(float(seed), 0.0),
        fold=between,
        speaker=max(around - (rest or 0.0) / seeds, 0.0),
        rest=rest,
    )
