"""What a head says of a part: logits, seen to be of the right shape and finite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from harness.errors import HarnessError, PluginError
from harness.training.metrics import predictions_of, predictions_of_numbers

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.training.dataset import Dataset
    from harness.training.loop import Fitting
    from harness.types import Batch, Predictions


def scored(labels: Tensor, scores: Tensor) -> Predictions:
    """Bring labels (N,) and scores (N, C) into the form that metrics read.

    Labels are class indices; or numbers in floating point, and scores (N, 1) then.
    """
    if labels.is_floating_point():
        return predictions_of_numbers(labels.numpy(), scores[:, 0].numpy())
    return predictions_of(labels.numpy(), scores.numpy())


def logits_of(fitting: Fitting, head: nn.Module, part: Dataset) -> Tensor:
    """Return the logits (N, C) of a part, in eval mode."""
    head.eval()
    batches = part.batches(fitting.recipe.batch, fitting.device)
    with torch.inference_mode():
        logits = torch.cat([forward(fitting, head, batch) for batch in batches])
    if not torch.isfinite(logits).all():
        raise HarnessError(
            f"Training '{fitting.downstream.name}' diverged: its logits are not finite."
            " Look at the upstream's features, or at the recipe's learning rate."
        )
    return logits


def forward(fitting: Fitting, head: nn.Module, batch: Batch) -> Tensor:
    """Return a batch's logits, and see that they are (B, C)."""
    with torch.autocast("cuda", dtype=torch.float16, enabled=fitting.mixed):
        logits: Tensor = head(batch)
    shape = (len(batch), fitting.classes)
    require_shape(logits, shape, fitting.downstream.name)
    return logits.float()


def require_shape(scores: object, shape: tuple[int, int], downstream: str) -> None:
    """Refuse what is not a tensor (B, C)."""
    if not isinstance(scores, torch.Tensor):
        found = f"{type(scores).__name__} where a tensor"
    elif scores.shape != shape:
        found = f"scores of shape {tuple(scores.shape)} where {shape}"
    else:
        return
    raise PluginError(f"Downstream '{downstream}' returned {found} is due.")
