"""The units of numbers that are predicted; heads are trained on a standard scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from harness.data.manifest import Recording
    from harness.types import Prediction


@dataclass(frozen=True, kw_only=True)
class Units:
    """Numbers less their mean, divided by their standard deviation, in training.

    A recipe's learning rate then suits numbers of any unit; CCC is the same on every
    such scale.

    Attributes:
        mean: Of the training part.
        spread: Standard deviation of the training part.
        tops: The highest number of each bin, by its label, ascending.
    """

    mean: float
    spread: float
    tops: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, train: Sequence[Recording], others: Iterable[Recording]) -> Units:
        """Measure the training part; note the bins of all parts."""
        values = numbers_of(train)
        tops: dict[str, float] = {}
        for one in (*train, *others):
            value, label = one.utterance.value or 0.0, one.utterance.label
            tops[label] = max(value, tops.get(label, value))
        return cls(
            mean=float(values.mean()),
            spread=float(values.std(correction=0)) or 1.0,
            tops=tuple(sorted(tops.items(), key=lambda item: item[1])),
        )

    def scaled(self, part: Sequence[Recording]) -> Tensor:
        """Return the numbers of a part as heads are trained on them, (N,)."""
        return ((numbers_of(part) - self.mean) / self.spread).float()

    def back(self, predicted: Tensor) -> Tensor:
        """Return predictions (N, 1) in the units of the numbers, in float64."""
        return predicted.double() * self.spread + self.mean

    def bin_of(self, value: float) -> str:
        """Return the label of the bin that a number falls in."""
        last, _ = self.tops[-1]
        return next((label for label, top in self.tops if value <= top), last)

    def numbered(
        self, prediction: Prediction, true: float | None, value: float
    ) -> Prediction:
        """Put a true and a predicted number into a prediction, and the latter's bin."""
        return replace(
            prediction,
            predicted=self.bin_of(value),
            scores=(),
            value=true,
            predicted_value=value,
        )


def numbers_of(part: Sequence[Recording]) -> Tensor:
    """Return the true numbers of a part, (N,) in float64."""
    values = [one.utterance.value for one in part]
    return torch.tensor(values, dtype=torch.float64)
