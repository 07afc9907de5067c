"""What a recipe says, as torch has it: optimiser, schedule and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from harness.types import Recipe


def optimiser_of(recipe: Recipe, head: nn.Module) -> torch.optim.Adam:
    """Build the optimiser of a head's parameters."""
    settings = recipe.optimiser
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    optimiser: torch.optim.Adam = kinds[settings.name](
        head.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        betas=settings.betas,
        eps=settings.eps,
        fused=True,
    )
    return optimiser


def schedule_of(
    recipe: Recipe, optimiser: torch.optim.Optimizer
) -> torch.optim.lr_scheduler.ReduceLROnPlateau | torch.optim.lr_scheduler.MultiStepLR:
    """Build the schedule of the learning rate."""
    schedule = recipe.schedule
    if schedule.kind == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser,
            mode="min",
            factor=schedule.factor,
            patience=schedule.patience,
            min_lr=schedule.minimum,
        )
    return torch.optim.lr_scheduler.MultiStepLR(
        optimiser, milestones=schedule.milestones, gamma=schedule.factor
    )


def loss_of(
    recipe: Recipe, labels: Tensor, *, classes: int, device: str
) -> Callable[[Tensor, Tensor], Tensor]:
    """Build the training loss; ``labels`` (N,) are those of the training part.

    Of classes it is the recipe's; of numbers it is 1 − CCC over the batch.
    """
    if labels.is_floating_point():
        return discordance
    if recipe.loss == "cross-entropy":
        return nn.CrossEntropyLoss()
    return nn.CrossEntropyLoss(weight=class_weights(labels, classes).to(device))


def valid_loss(outputs: Tensor, labels: Tensor) -> float:
    """Return the loss of the validation part, which is never weighted."""
    if labels.is_floating_point():
        return discordance(outputs, labels).item()
    return nn.functional.cross_entropy(outputs, labels).item()


def discordance(predicted: Tensor, true: Tensor) -> Tensor:
    """Return 1 − CCC of predicted numbers (B, 1) and true ones (B,).

    CCC is Lin's (1989) concordance correlation coefficient, 2 cov / (var + var +
    bias²); of one value repeated on both sides, which has none, the loss is 1.
    """
    x, y = true, predicted[:, 0]
    dx, dy = x - x.mean(), y - y.mean()
    spread = dx.square().mean() + dy.square().mean() + (x.mean() - y.mean()).square()
    return 1 - 2 * (dx * dy).mean() / spread.clamp(min=torch.finfo(y.dtype).tiny)


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """Weigh classes by inverse frequency, summing to one; (C,).

    Source: usc-sail/peft-ser 74cd9e2, ``dataloader/dataloader.py``:341-344.
    """
    counts = labels.bincount(minlength=classes).float()
    inverse = torch.where(counts > 0, len(labels) / counts.clamp(min=1), 0.0)
    return inverse / inverse.sum()
