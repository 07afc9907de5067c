"""What a recipe says, as torch has it: optimiser, schedule and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
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
) -> nn.CrossEntropyLoss:
    """Build the training loss; ``labels`` (N,) are those of the training part."""
    if recipe.loss == "cross-entropy":
        return nn.CrossEntropyLoss()
    return nn.CrossEntropyLoss(weight=class_weights(labels, classes).to(device))


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """Weigh classes by inverse frequency, summing to one; (C,).

    Source: usc-sail/peft-ser 74cd9e2, ``dataloader/dataloader.py``:341-344.
    """
    counts = labels.bincount(minlength=classes).float()
    inverse = torch.where(counts > 0, len(labels) / counts.clamp(min=1), 0.0)
    return inverse / inverse.sum()
