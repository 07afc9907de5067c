"""Descend the loss: the one loop that trains every torch head, as its recipe says.

A recipe that is ``resumable`` has the loop write all that changes while a head trains
(weights, optimiser, schedule, random states, the best epoch so far) after each epoch,
so that a cell that was killed goes on and ends with the same numbers.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import asdict, dataclass, replace
from pickle import UnpicklingError
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from harness.errors import HarnessError, PluginError
from harness.files import replacing
from harness.training.metrics import score
from harness.types import Epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

    from harness.training.dataset import Part
    from harness.training.metrics import Scores
    from harness.types import Batch, Downstream, Selection

EVERY = 30.0
"""Seconds between two lines on stderr about a long training."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A trained head.

    Attributes:
        predict: From a part to probabilities or scores, (N, C).
        best: The validation score of its best epoch.
        layer: The one layer that it reads, from 1; 0 for a head that chooses none.
        probes: For a head on each layer: the heads of layers 1…L.
        seconds_before: What it trained before it was interrupted.
        memory_before: The most memory that it held until then, in bytes.
    """

    predict: Callable[[Part], Tensor]
    layer_weights: tuple[float, ...] = ()
    layer: int = 0
    probes: tuple[Fitted, ...] = ()
    best: float = 0.0
    best_epoch: int = 0
    history: tuple[Epoch, ...] = ()
    parameters: int = 0
    seconds_before: float = 0.0
    memory_before: int = 0


@dataclass(frozen=True, kw_only=True)
class Descent:
    """What the loop is to do.

    Attributes:
        downstream: The head and its recipe.
        classes: C.
        selection: The validation metric whose best epoch is taken; the earliest wins.
        seed: Of initial weights, of batches and of whatever is random in the head.
        device: A torch device.
        state: Where the state of a resumable training is kept.
        title: What lines on stderr begin with; empty for none.
    """

    downstream: Downstream
    classes: int
    selection: Selection
    seed: int
    device: str
    state: Path
    title: str = ""


def descend(descent: Descent, train: Part, valid: Part) -> Fitted:
    """Train a head by its recipe, and keep its best epoch.

    Raises:
        PluginError: Where the head does not give logits (B, C).
        HarnessError: Where they are not finite.
        StoreError: Where the state cannot be written.
    """
    recipe, device = descent.downstream.recipe, descent.device
    cuda = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(descent.seed)
        learner = _Learner(descent, _build(descent, train))
        if not (recipe.resumable and learner.resume()):
            learner.prepare(train)
        for number in range(len(learner.history) + 1, recipe.epochs + 1):
            learner.epoch(number, train, valid)
            if recipe.resumable:
                learner.keep()
            learner.tell()
    head = learner.head
    head.load_state_dict(learner.best_weights)
    layer_weights = getattr(head, "layer_weights", torch.empty(0))
    return Fitted(
        predict=lambda part: _logits(descent, head, part).softmax(1),
        layer_weights=tuple(layer_weights.detach().tolist()),
        best=learner.best,
        best_epoch=learner.best_epoch,
        history=tuple(learner.history),
        parameters=sum(p.numel() for p in head.parameters() if p.requires_grad),
        seconds_before=learner.seconds_before,
        memory_before=learner.memory_before,
    )


def descend_each_layer(descent: Descent, train: Part, valid: Part) -> Fitted:
    """Train a head on each layer alone; the best on the validation part speaks for all.

    Each head is trained as ``descend`` would train it if its layer were the only one,
    from the same seed; of equal ones the lowest is taken. No state is kept.
    """
    downstream = descent.downstream
    recipe = replace(downstream.recipe, resumable=False)
    alone = replace(descent, downstream=replace(downstream, recipe=recipe))
    probes = tuple(
        _on_layer(layer, descend(alone, train.layer(layer), valid.layer(layer)))
        for layer in range(1, train.layers + 1)
    )
    return replace(max(probes, key=lambda probe: probe.best), probes=probes)


def _on_layer(layer: int, head: Fitted) -> Fitted:
    """Have a head that was trained on one layer find it among all."""
    return replace(
        head, layer=layer, predict=lambda part: head.predict(part.layer(layer))
    )


def _build(descent: Descent, part: Part) -> nn.Module:
    if descent.downstream.build is None:
        raise PluginError(f"Downstream '{descent.downstream.name}' has no build.")
    return descent.downstream.build(
        layers=part.layers, dim=part.dim, classes=descent.classes
    )


class _Learner:
    """A head, and all that changes while it trains."""

    def __init__(self, descent: Descent, head: nn.Module) -> None:
        recipe = descent.downstream.recipe
        self.descent = descent
        self.head = head.to(descent.device)
        self.optimiser = torch.optim.Adam(
            head.parameters(),
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            betas=recipe.betas,
            eps=recipe.eps,
            fused=True,
        )
        self.schedule = _schedule(descent, self.optimiser)
        self.scaler = GradScaler("cuda", enabled=_half(descent))
        self.order = torch.Generator().manual_seed(descent.seed)
        self.history: list[Epoch] = []
        self.best = float("-inf")
        self.best_epoch = 0
        self.best_weights: Mapping[str, Tensor] = {}
        self.seconds_before = 0.0
        self.memory_before = 0
        self.started = self.said = time.monotonic()

    def prepare(self, train: Part) -> None:
        """Let the head take statistics of the training part, if it wants any."""
        prepare = getattr(self.head, "prepare", None)
        if prepare is not None:
            size = self.descent.downstream.recipe.batch
            with torch.no_grad():
                prepare(train.batches(size, self.descent.device))

    def epoch(self, number: int, train: Part, valid: Part) -> None:
        """Train on one part, validate on another, and remember the best."""
        rate = self.optimiser.param_groups[0]["lr"]
        train_loss = self._pass(train)
        logits = _logits(self.descent, self.head, valid).cpu()
        valid_loss = nn.functional.cross_entropy(logits, valid.labels).item()
        scores = score_of(valid.labels, logits, self.descent.classes)
        if isinstance(self.schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.schedule.step(valid_loss)
        else:
            self.schedule.step()
        self.history.append(
            Epoch(
                epoch=number,
                learning_rate=rate,
                train_loss=train_loss,
                valid_loss=valid_loss,
                valid_macro_f1=scores.macro_f1,
                valid_uar=scores.uar,
            )
        )
        selected: float = getattr(scores, self.descent.selection)
        if selected > self.best:
            self.best, self.best_epoch = selected, number
            self.best_weights = {
                name: tensor.clone() for name, tensor in self.head.state_dict().items()
            }

    def _pass(self, part: Part) -> float:
        """Take one pass over the training part; give the mean loss of its steps."""
        descent, recipe = self.descent, self.descent.downstream.recipe
        weights = class_weights(part.labels, descent.classes).to(descent.device)
        loss = nn.CrossEntropyLoss(weight=weights if recipe.class_weights else None)
        self.head.train()
        size = min(recipe.batch, len(part))
        shuffled = torch.randperm(len(part), generator=self.order).tolist()
        total, steps = 0.0, len(part) // size
        for step in range(steps):
            chosen = shuffled[step * size : (step + 1) * size]
            self.optimiser.zero_grad()
            logits = _forward(descent, self.head, part.batch(chosen, descent.device))
            value = loss(logits, part.labels[chosen].to(descent.device))
            self.scaler.scale(value).backward()
            self.scaler.step(self.optimiser)
            self.scaler.update()
            total += value.item()
        return total / steps

    def keep(self) -> None:
        """Write the state, whole or not at all."""
        cuda = self.descent.device.startswith("cuda")
        state = {
            "head": self.head.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "order": self.order.get_state(),
            "random": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.descent.device) if cuda else None,
            "history": [asdict(epoch) for epoch in self.history],
            "best": (self.best, self.best_epoch, self.best_weights),
            "seconds": self._seconds(),
            "memory": max(self.memory_before, peak_memory(self.descent.device)),
        }
        with replacing(self.descent.state) as beside:
            torch.save(state, beside)

    def resume(self) -> bool:
        """Go on from a stored state, if there is one that can be read."""
        try:
            state = torch.load(
                self.descent.state, map_location="cpu", weights_only=True
            )
        except (OSError, RuntimeError, EOFError, UnpicklingError):
            return False
        self.head.load_state_dict(state["head"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        if state["scaler"]:  # empty where it was trained on a CPU
            self.scaler.load_state_dict(state["scaler"])
        self.order.set_state(state["order"])
        torch.set_rng_state(state["random"])
        if state["cuda"] is not None and self.descent.device.startswith("cuda"):
            torch.cuda.set_rng_state(state["cuda"], self.descent.device)
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.best, self.best_epoch, self.best_weights = state["best"]
        self.seconds_before = state["seconds"]
        self.memory_before = state["memory"]
        if self.descent.title:
            sys.stderr.write(
                f"{self.descent.title}: goes on after epoch {len(self.history)}\n"
            )
        return True

    def tell(self) -> None:
        """Print a line on stderr, now and then."""
        now, done = time.monotonic(), len(self.history)
        if not self.descent.title or now - self.said < EVERY:
            return
        self.said = now
        sys.stderr.write(
            f"{self.descent.title}: {done}/{self.descent.downstream.recipe.epochs} "
            f"epochs in {self._seconds() / 60:.1f} min, validation macro-F1 "
            f"{100 * self.history[-1].valid_macro_f1:.1f} %\n"
        )

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started


def _schedule(
    descent: Descent, optimiser: torch.optim.Optimizer
) -> torch.optim.lr_scheduler.ReduceLROnPlateau | torch.optim.lr_scheduler.MultiStepLR:
    recipe = descent.downstream.recipe
    if recipe.milestones:
        return torch.optim.lr_scheduler.MultiStepLR(
            optimiser, milestones=recipe.milestones, gamma=recipe.milestone_factor
        )
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser,
        mode="min",
        factor=recipe.plateau_factor,
        patience=recipe.plateau_patience,
        min_lr=recipe.min_learning_rate,
    )


def _half(descent: Descent) -> bool:
    return descent.downstream.recipe.half_on_gpu and descent.device.startswith("cuda")


def peak_memory(device: str) -> int:
    """Give the most memory that this process held, or that it took on its GPU."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """Weigh classes by inverse frequency, summing to one (PEFT-SER, DL:341-344)."""
    counts = labels.bincount(minlength=classes).float()
    inverse = torch.where(counts > 0, len(labels) / counts.clamp(min=1), 0.0)
    return inverse / inverse.sum()


def score_of(labels: Tensor, scores: Tensor, classes: int) -> Scores:
    """Score (N, C) against class indices (N,)."""
    return score(labels.numpy(), scores.argmax(1).numpy(), classes=classes)


def _logits(descent: Descent, head: nn.Module, part: Part) -> Tensor:
    """Give the logits (N, C) of a part, in eval mode."""
    head.eval()
    batches = part.batches(descent.downstream.recipe.batch, descent.device)
    with torch.inference_mode():
        logits = torch.cat([_forward(descent, head, batch) for batch in batches])
    if not torch.isfinite(logits).all():
        raise HarnessError(
            f"Training '{descent.downstream.name}' diverged: its logits are not finite."
            " Look at the upstream's features, or at the recipe's learning rate."
        )
    return logits


def _forward(descent: Descent, head: nn.Module, batch: Batch) -> Tensor:
    """Give a batch's logits, and see that they are (B, C)."""
    with torch.autocast("cuda", dtype=torch.float16, enabled=_half(descent)):
        logits: Tensor = head(batch)
    if logits.shape != (len(batch), descent.classes):
        raise PluginError(
            f"Downstream '{descent.downstream.name}' gave logits of shape "
            f"{tuple(logits.shape)} where {(len(batch), descent.classes)} is due."
        )
    return logits.float()
