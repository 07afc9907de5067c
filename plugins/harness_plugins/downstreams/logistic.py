"""Logistic regression on standardised means over time: convex, and so without a seed.

Least, over weights W (C, D) and biases, is the mean cross-entropy + λ/2 ‖W‖²; λ is the
one of ``STRENGTHS`` that the selection metric prefers in validation, of equal ones the
largest. It is what heads that move with their seed are read against.

Command: ``harness run --upstream whisper-base --downstream logistic --corpus emodb``
Expected on EmoDB, leave one speaker out: macro-F1 82 % (logistic), 92 %
(logistic-layerwise).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Batch, Downstream, Reads, Validation, hookimpl
from harness_plugins.downstreams._means import best_of, features_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray
    from sklearn.linear_model import LogisticRegression
    from torch import Tensor

VERSION = 1
"""Raised when a change of this file or of ``_means`` moves a number."""

STRENGTHS = tuple(10 ** (step / 2) for step in range(2, -9, -1))
"""λ from 10 to 10⁻⁴ by half powers of ten: on EmoDB from too strong to no change."""

TOLERANCE = 1e-7
"""Of each component of the gradient, where sklearn's default is 1e-4."""

ITERATIONS = 10_000
"""More than are needed down to the least λ: EmoDB takes at most 160."""


def fit(
    train: Batch, labels: Tensor, *, valid: Validation, classes: int, seed: int
) -> Callable[[Batch], Tensor]:
    """Fit a model a strength, and keep the best in validation."""
    import torch

    def predict(model: LogisticRegression, batch: Batch) -> Tensor:
        scores = torch.zeros(len(batch), classes)
        found = torch.from_numpy(model.predict_proba(features_of(batch)))
        scores[:, model.classes_.tolist()] = found.float()
        return scores

    return best_of(path(features_of(train), labels.numpy()), predict, valid)


def path(
    features: NDArray[np.float64], labels: NDArray[np.int64]
) -> Iterator[LogisticRegression]:
    """Yield a model a strength, the strongest first; each begins where the last ended.

    Args:
        features: Shape (B, D).
        labels: Class indices, (B,).
    """
    from copy import deepcopy

    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(tol=TOLERANCE, max_iter=ITERATIONS, warm_start=True)
    for strength in STRENGTHS:
        model.set_params(C=1 / (strength * len(labels)))
        yield deepcopy(model.fit(features, labels))


@hookimpl
def harness_downstreams() -> Iterator[Downstream]:
    """Offer logistic regression on the last layer, and on each."""
    yield Downstream(
        name="logistic",
        summary="logistic regression, L2 chosen in validation (convex, no seed)",
        reads=Reads(layers="last", frames=False, standardise=True),
        fit=fit,
        version=VERSION,
    )
    yield Downstream(
        name="logistic-layerwise",
        summary="logistic regression on each layer alone, the best in validation",
        reads=Reads(layers="each", frames=False, standardise=True),
        fit=fit,
        version=VERSION,
    )
