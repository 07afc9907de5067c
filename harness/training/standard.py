"""Standardised features: mean 0 and deviation 1 over the training part alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from harness.training.dataset import Dataset
    from harness.training.loop import Fitted, Fitting, Observe


@dataclass(frozen=True)
class Standard:
    """What features are standardised by.

    Attributes:
        mean: Of each dim, (D,) or (L, D), in float32.
        factor: One over its deviation, of the same shape; 0 for a constant dim.
    """

    mean: Tensor
    factor: Tensor

    @classmethod
    def of(cls, part: Dataset) -> Standard:
        """Measure the training part: its means over time, or each of its frames."""
        first, count = next(_rows(part))[0], sum(map(len, _rows(part)))
        mean, variance = torch.zeros_like(first), torch.zeros_like(first)
        constant = torch.ones_like(first, dtype=torch.bool)
        for rows in _rows(part):
            mean += rows.sum(0) / count
            constant &= (rows == first).all(0)
        for rows in _rows(part):
            variance += (rows - mean).square().sum(0) / count
        factor = variance.rsqrt().masked_fill(constant, 0.0)
        return cls(mean.float(), factor.float())

    def __call__(self, features: Tensor, *, frames: bool) -> Tensor:
        """Standardise features in float32.

        Args:
            features: Means over time (B, D) or (B, L, D); or the frames of one
                utterance, (T, D) or (L, T, D).
            frames: Which of these.
        """
        mean, factor = self.mean.to(features.device), self.factor.to(features.device)
        if frames:
            mean, factor = mean.unsqueeze(-2), factor.unsqueeze(-2)
        return (features - mean) * factor

    def layer(self, number: int) -> Standard:
        """Return what one of the layers 1…L is standardised by."""
        return Standard(self.mean[number - 1], self.factor[number - 1])


def _rows(part: Dataset) -> Iterator[Tensor]:
    """Yield what is counted, in float64: (N, [L,] D) at once, or (T, [L,] D) each."""
    if part.pooled is not None:
        yield part.pooled.double()
    for frames in part.frames:
        yield frames.double().movedim(-2, 0)


def fit_on_scale(
    fitting: Fitting,
    train: Dataset,
    valid: Dataset,
    fit: Callable[[Fitting, Dataset, Dataset], Fitted],
) -> Fitted:
    """Fit a head on standardised features; it then standardises whatever it scores."""
    scale = Standard.of(train)
    if fitting.observe is not None:
        fitting = replace(fitting, observe=_observing(scale, fitting.observe))
    return _scoring(scale, fit(fitting, train.scaled(scale), valid.scaled(scale)))


def _observing(scale: Standard, observe: Observe) -> Observe:
    return lambda number, logits: observe(
        number, lambda part: logits(part.scaled(scale))
    )


def _scoring(scale: Standard, head: Fitted) -> Fitted:
    return replace(
        head,
        predict=lambda part: head.predict(part.scaled(scale)),
        probes=tuple(_scoring(scale, probe) for probe in head.probes),
    )
