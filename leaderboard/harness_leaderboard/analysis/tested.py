"""What a column was tested on: its classes, chance, speakers and utterances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness_leaderboard.analysis.statistics import replicate
from harness_leaderboard.render.entries import counted, in_percent

if TYPE_CHECKING:
    from harness.types import Metric
    from harness_leaderboard.analysis.samples import Sample, TestPart


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What the figures of a corpus rest on.

    Attributes:
        classes: C, those that can be predicted.
        chance: The figure of guessing every class alike often, as a fraction of one.
        speakers: Test speakers, over all folds.
        utterances: Tested in one seed, over all folds.
    """

    classes: int
    chance: float
    speakers: int
    utterances: int

    @property
    def lines(self) -> tuple[str, ...]:
        """What stands below a column's heading."""
        return (
            f"{self.classes} classes",
            f"chance {in_percent(self.chance)}",
            counted(self.speakers, "speaker"),
            f"n = {self.utterances}",
        )


def tested(sample: Sample, metric: Metric) -> Tested:
    """Describe what a figure was tested on.

    Args:
        sample: Of the figure.
        metric: One ``of_confusion``.
    """
    first = sample.of_seeds({sample.seeds[0]})
    guessed = replace(first, parts=tuple(map(_guessed, first.parts)))
    ones = np.ones((1, len(sample.speakers)), np.float32)
    return Tested(
        classes=first.parts[0].counts.shape[-1],
        chance=float(replicate(guessed, ones, metric)[0]),
        speakers=len({int(one) for part in first.parts for one in part.speakers}),
        utterances=sum(len(part.utterances) for part in first.parts),
    )


def _guessed(part: TestPart) -> TestPart:
    """Replace what was predicted by what guessing would be, on average."""
    true = part.counts.sum(-1, keepdims=True)
    return replace(part, counts=np.repeat(true, true.shape[1], 2) / true.shape[1])
