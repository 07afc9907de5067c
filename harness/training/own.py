"""Downstreams that train by themselves: what they get, and what they must return."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from harness.errors import PluginError
from harness.features.device import limited_threads
from harness.training.logits import require_shape, scored
from harness.types import Validation

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from harness.training.dataset import Dataset
    from harness.training.loop import Fitting

EVERYTHING = slice(None)


def fit(
    fitting: Fitting, train: Dataset, valid: Dataset
) -> tuple[Callable[[Dataset], Tensor], float]:
    """Call a downstream's own training with the whole training and validation part.

    Returns:
        A function from a part to scores (N, C), and the validation score.

    Raises:
        PluginError: Where it has none, or scores are not (N, C) or not finite.
    """
    name = fitting.downstream.name
    if fitting.downstream.fit is None:
        raise PluginError(f"Downstream '{name}' has no fit.")
    validation = validation_of(fitting, valid)
    with limited_threads():
        scorer = fitting.downstream.fit(
            train.batch(EVERYTHING, "cpu"),
            train.labels,
            valid=validation,
            classes=fitting.classes,
            seed=fitting.seed,
        )

    def predict(part: Dataset) -> Tensor:
        with limited_threads():
            scores = scorer(part.batch(EVERYTHING, "cpu"))
        require_shape(scores, (len(part), fitting.classes), name)
        if not torch.isfinite(scores).all():
            raise PluginError(f"Downstream '{name}' returned NaN or infinite scores.")
        return scores

    sign = 1 if fitting.selection.higher_is_better else -1
    return predict, sign * validation.score(predict(valid))


def validation_of(fitting: Fitting, valid: Dataset) -> Validation:
    """Return the validation part, and how the user's metric scores it."""
    sign = 1 if fitting.selection.higher_is_better else -1

    def score(scores: Tensor) -> float:
        shape = (len(valid), fitting.classes)
        require_shape(scores, shape, fitting.downstream.name)
        found = scored(valid.labels, scores)
        return sign * float(fitting.selection.score(found))

    return Validation(valid.batch(EVERYTHING, "cpu"), valid.labels, score)
