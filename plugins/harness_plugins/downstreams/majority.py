"""The majority row: always the training part's commonest label. Anything must beat it.

Command: ``harness run --upstream fbank --downstream majority --corpus demo``
Expected: an unweighted average recall of one over the number of labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Batch, Downstream, Reads, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor


def fit(
    train: Batch, labels: Tensor, *, classes: int, seed: int
) -> Callable[[Batch], Tensor]:
    """Learn the labels' shares; of two that are equally common the first one wins."""
    shares = labels.bincount(minlength=classes) / len(labels)

    def predict(batch: Batch) -> Tensor:
        return shares.expand(len(batch), classes)

    return predict


@hookimpl
def harness_downstreams() -> Iterator[Downstream]:
    """Offer the classifier that does not listen."""
    yield Downstream(
        name="majority",
        summary="always the commonest label of the training part (a control)",
        reads=Reads(layers="last", frames=False),
        fit=fit,
        control="deaf",
    )
