"""What a column was tested on: its classes, chance, speakers and utterances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.text import counted
from harness_leaderboard.analysis.statistics import replicate, score
from harness_leaderboard.render.entries import Unit, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.types import Metric
    from harness_leaderboard.analysis.samples import Sample, TestPart

ROUNDING = 1e-6
"""Of scores of two utterances in float32: far above it, and far below a point."""


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What the figures of a corpus rest on.

    Attributes:
        classes: C, those that can be predicted; 0 where numbers are.
        chance: The figure of guessing every class alike often, or of predicting the
            mean of a test part for all of it.
        speakers: Test speakers, over all folds, or what is drawn in their place.
        drawn: What these are, see ``samples.drawn``.
        utterances: Tested in one seed, over all folds.
        unit: How chance is printed.
    """

    classes: int
    chance: float
    speakers: int
    drawn: str
    utterances: int
    unit: Unit

    @property
    def lines(self) -> tuple[str, ...]:
        """What stands below a column's heading."""
        return (
            f"{self.classes} classes" if self.classes else "numbers",
            f"chance {self.unit.text(self.chance)}",
            counted(self.speakers, self.drawn),
            f"n = {self.utterances}",
        )


def tested(sample: Sample, metric: Metric) -> Tested:
    """Describe what a figure was tested on.

    Args:
        sample: Of the figure.
        metric: One that is ``additive``.
    """
    first = sample.of_seeds({sample.seeds[0]})
    guessed = replace(first, parts=tuple(map(_guessed, first.parts)))
    ones = np.ones((1, len(sample.speakers)), np.float32)
    return Tested(
        classes=0 if metric.of_moments else first.parts[0].counts.shape[-1],
        chance=float(replicate(guessed, ones, metric)[0]),
        speakers=len({int(one) for part in first.parts for one in part.speakers}),
        drawn=sample.unit,
        utterances=sum(len(part.utterances) for part in first.parts),
        unit=unit_of(metric.bounds),
    )


def of_one_class(sample: Sample, metric: Metric) -> Iterator[str]:
    """Say where test parts hold one class each, of which a figure is no average.

    Args:
        sample: Of the figure.
        metric: One that is ``additive``; nothing is said of one by which guessing is
            worth no more there.
    """
    if metric.of_moments or not _rewards_one_class(metric):
        return
    parts = sample.of_seeds({sample.seeds[0]}).parts
    alone = sum(int((part.counts.sum((0, 2)) > 0).sum() == 1) for part in parts)
    if alone and parts[0].counts.shape[-1] > 1:
        each = "each test part holds" if alone == len(parts) else ""
        each = each or f"{alone} of {len(parts)} test parts hold"
        yield (
            f"{each} one class alone, where {metric.title} averages over no other and "
            "guessing is worth more: run --split kfold, or add --pooled to score all "
            "folds as one part"
        )


def _rewards_one_class(metric: Metric) -> bool:
    """Say whether guessing one of two classes is worth more where one alone is true."""
    one, both = np.array([[[0.5, 0.5], [0, 0]], [[0.25, 0.25], [0.25, 0.25]]])
    return bool(score(one, metric) - score(both, metric) > ROUNDING)


def _guessed(part: TestPart) -> TestPart:
    """Replace what was predicted by what guessing would be, on average."""
    if part.of_numbers:
        number, x, _, xx, *_ = part.counts.T
        mean = x.sum() / number.sum()
        guess = (number, x, mean * number, xx, mean**2 * number, mean * x)
        return replace(part, counts=np.stack(guess, axis=1))
    true = part.counts.sum(-1, keepdims=True)
    return replace(part, counts=np.repeat(true, true.shape[1], 2) / true.shape[1])
