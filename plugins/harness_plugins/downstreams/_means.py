"""What the heads without a seed share: features as sklearn reads them, and a choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from harness import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from harness import Batch, Validation

Model = TypeVar("Model")


def features_of(batch: Batch) -> NDArray[np.float64]:
    """Return means over time (B, D) in float64."""
    if batch.pooled is None:
        raise PluginError("A head on means over time was passed frames.")
    means: NDArray[np.float64] = batch.pooled.double().numpy()
    return means


def best_of(
    models: Iterable[Model],
    predict: Callable[[Model, Batch], Tensor],
    valid: Validation,
) -> Callable[[Batch], Tensor]:
    """Return the predictions of the best model in validation.

    Args:
        models: Of equal ones the first is taken.
        predict: From a model and a batch to scores (B, C).
        valid: The validation part.
    """
    best = max(models, key=lambda model: valid.score(predict(model, valid.batch)))
    return lambda batch: predict(best, batch)


def targets_of(labels: Tensor, classes: int) -> NDArray[Any]:
    """Return what a regression predicts: numbers (B, 1), or a column a class (B, C)."""
    import torch

    if labels.is_floating_point():
        return labels.double().unsqueeze(1).numpy()
    return torch.nn.functional.one_hot(labels, classes).double().numpy()
