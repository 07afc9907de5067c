"""The majority row: always the training part's commonest label. Anything must beat it.

Of numbers it is the training part's mean, and its CCC is 0.

Command: ``harness run --upstream fbank --downstream majority --corpus demo``
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
    """Count the labels' shares; of two that are equally common the first one wins.

    Of numbers the mean is predicted.
    """
    if labels.is_floating_point():
        return lambda batch: labels.mean().expand(len(batch), 1)
    shares = labels.bincount(minlength=classes) / len(labels)

    def predict(batch: Batch) -> Tensor:
        return shares.expand(len(batch), classes)

    return predict


@hookimpl
def harness_downstreams() -> Iterator[Downstream]:
    """Offer the classifier that reads no feature."""
    yield Downstream(
        name="majority",
        summary="always the commonest label of the training part (label-only)",
        reads=Reads(layers="last", frames=False),
        fit=fit,
        version=VERSION,
        control="label-only",
        predicts=("classes", "numbers"),
    )
