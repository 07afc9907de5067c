"""The nearest neighbours among standardised means over time: nothing is fitted.

The k nearest utterances of the training part vote for their label, by one over their
distance; k is the one of ``NEIGHBOURS`` that the selection metric prefers in
validation, of equal ones the largest. Numbers are averaged in the same way.

Command: ``harness run --upstream whisper-base --downstream knn --corpus emodb``, or
``knn:distance=euclidean``
Expected on EmoDB, leave one speaker out: macro-F1 58 % with either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness import Batch, Cost, Downstream, Reads, Validation, hookimpl
from harness_plugins.downstreams._means import best_of, features_of, targets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sklearn.neighbors import KNeighborsRegressor
    from torch import Tensor

VERSION = 1
"""Raised when a change of this file or of ``_means`` moves a number."""

NEIGHBOURS = (65, 33, 17, 9, 5, 3, 1)
"""k by doublings; those that the training part has not are left out."""


@dataclass(frozen=True)
class Options:
    """What may be set.

    Attributes:
        distance: One minus the cosine, or the Euclidean distance.
    """

    distance: Literal["cosine", "euclidean"] = "cosine"


def fit(
    train: Batch,
    labels: Tensor,
    *,
    valid: Validation,
    classes: int,
    seed: int,
    options: Options,
) -> Callable[[Batch], Tensor]:
    """Keep the training part, and the best k in validation."""
    import torch
    from sklearn.neighbors import KNeighborsRegressor

    def predict(model: KNeighborsRegressor, batch: Batch) -> Tensor:
        return torch.from_numpy(model.predict(features_of(batch))).float()

    features, targets = features_of(train), targets_of(labels, classes)
    models = (
        KNeighborsRegressor(
            k, weights="distance", metric=options.distance, algorithm="brute"
        ).fit(features, targets)
        for k in NEIGHBOURS
        if k <= len(labels)
    )
    return best_of(models, predict, valid)


@hookimpl
def harness_downstreams() -> Iterator[Downstream]:
    """Offer nearest neighbours."""
    yield Downstream(
        name="knn",
        summary="nearest neighbours, k chosen in validation (nothing fitted, no seed)",
        reads=Reads(layers="last", frames=False, standardise=True),
        fit=fit,  # type: ignore[arg-type] # is passed options, too
        cost=Cost(weights=30_000, memory=0),  # measured as cost.OWN was
        predicts=("classes", "numbers"),
        options=Options,
        version=VERSION,
    )
