"""The chance row: a label drawn at random, as often as the training part has it.

Command: ``harness run --upstream fbank --downstream chance --corpus demo``
Expected: an unweighted average recall of one over the number of labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Batch, Downstream, Reads, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

VERSION = 1
"""Raised when a change of this file moves a number."""


def fit(
    train: Batch, labels: Tensor, *, classes: int, seed: int
) -> Callable[[Batch], Tensor]:
    """Count the labels' shares, and draw from them; draw a number of the part's."""
    import torch

    if labels.is_floating_point():
        return lambda batch: _drawn(labels, len(batch), seed)
    shares = labels.bincount(minlength=classes) / len(labels)

    def predict(batch: Batch) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        drawn = shares.multinomial(len(batch), replacement=True, generator=generator)
        return torch.nn.functional.one_hot(drawn, classes).float()

    return predict


def _drawn(numbers: Tensor, size: int, seed: int) -> Tensor:
    """Draw numbers (B, 1) with replacement."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return numbers[torch.randint(len(numbers), (size, 1), generator=generator)]


@hookimpl
def harness_downstreams() -> Iterator[Downstream]:
    """Offer the classifier that draws labels at random."""
    yield Downstream(
        name="chance",
        summary="a label drawn at random by the training part's shares (label-only)",
        reads=Reads(layers="last", frames=False),
        fit=fit,
        version=VERSION,
        control="label-only",
        predicts=("classes", "numbers"),
    )
