"""Ridge regression on standardised means over time: a closed form, without a seed.

Least, over weights w and a bias, is the mean squared error + λ ‖w‖²; λ is the one of
``STRENGTHS`` that the selection metric prefers in validation, of equal ones the
largest. It is for numbers; where labels are predicted, it predicts a column of zeros
and ones for each, so that its scores are no probabilities.

Command: ``harness run --upstream whisper-base --downstream ridge --corpus emodb``
Expected on EmoDB, leave one speaker out: macro-F1 84 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Batch, Cost, Downstream, Reads, Validation, hookimpl
from harness_plugins.downstreams._means import best_of, features_of, targets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sklearn.linear_model import Ridge
    from torch import Tensor

VERSION = 1
"""Raised when a change of this file or of ``_means`` moves a number."""

STRENGTHS = tuple(10 ** (step / 2) for step in range(8, -9, -1))
"""λ from 10⁴ to 10⁻⁴ by half powers of ten: from almost constant to almost free."""


def fit(
    train: Batch, labels: Tensor, *, valid: Validation, classes: int, seed: int
) -> Callable[[Batch], Tensor]:
    """Solve for each strength, and keep the best in validation."""
    import torch
    from sklearn.linear_model import Ridge

    def predict(model: Ridge, batch: Batch) -> Tensor:
        found = model.predict(features_of(batch)).reshape(len(batch), -1)
        return torch.from_numpy(found).float()

    features, targets = features_of(train), targets_of(labels, classes)
    models = (
        Ridge(alpha=strength * len(labels), solver="cholesky").fit(features, targets)
        for strength in STRENGTHS
    )
    return best_of(models, predict, valid)


@hookimpl
def harness_downstreams() -> Iterator[Downstream]:
    """Offer ridge regression."""
    yield Downstream(
        name="ridge",
        summary="ridge regression, L2 chosen in validation (closed form, no seed)",
        reads=Reads(layers="last", frames=False, standardise=True),
        fit=fit,
        cost=Cost(weights=50_000, memory=0),  # measured as cost.OWN was
        predicts=("classes", "numbers"),
        version=VERSION,
    )
