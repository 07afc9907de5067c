"""The one loop that trains every torch head, as its recipe says.

Training that lasts keeps all that changes (weights, optimiser, schedule, random states,
the best epoch so far) at the end of an epoch, so that a cell that was killed goes on
from there and ends with the same numbers.
"""

from __future__ import annotations

import io
import sys
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from harness.errors import PluginError
from harness.features.device import (
    is_gpu,
    peak_memory,
    random_state,
    restore_random_state,
)
from harness.files import read_sealed, write_sealed
from harness.training.logits import forward, logits_of, require_shape, scored
from harness.training.metrics import macro_f1, uar
from harness.training.recipes import loss_of, optimiser_of, schedule_of
from harness.types import Epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

    from harness.training.dataset import Dataset
    from harness.types import Downstream, Metric, Recipe

VERSION = 1
"""Raised when training or scoring changes a number: part of every condition."""

REPORT_EVERY = 30.0
"""Seconds between two lines on stderr about a long training."""

KEEP_EVERY = 30.0
"""Seconds of training that a crash may cost: then the state is kept."""

Observe: TypeAlias = "Callable[[int, Callable[[Dataset], Tensor]], None]"
"""Called after an epoch with its number, from 1, and a function from a part to the
logits (N, C) of the head as it is then; what it does moves no number."""


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

    predict: Callable[[Dataset], Tensor]
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
class Fitting:
    """What is to be fitted.

    Attributes:
        downstream: The head and its recipe.
        classes: C.
        selection: The validation metric whose best epoch is taken; the earliest wins.
        averaged: How many of the best epochs are taken; their probabilities are
            averaged.
        seed: Of initial weights, of batches and of whatever is random in the head.
        device: A torch device.
        state: Where the state of a long training is kept, if it is to be.
        title: What lines on stderr begin with; empty for none.
        observe: Called after each epoch of a recipe.
    """

    downstream: Downstream
    classes: int
    selection: Metric
    seed: int
    device: str = "cpu"
    state: Path | None = None
    title: str = ""
    averaged: int = 1
    observe: Observe | None = None

    @property
    def recipe(self) -> Recipe:
        """How the head is trained."""
        if self.downstream.recipe is None:
            raise PluginError(
                f"Downstream '{self.downstream.name}' has a 'build' and no 'recipe'. "
                "Give it one, such as harness_plugins.recipes.PEFT_SER."
            )
        return self.downstream.recipe

    @property
    def mixed(self) -> bool:
        """Whether it trains in mixed precision."""
        return self.recipe.mixed_precision and is_gpu(self.device)


def fit(fitting: Fitting, train: Dataset, valid: Dataset) -> Fitted:
    """Fit a head by its recipe and keep its best epoch, or let it fit itself.

    Raises:
        PluginError: Where the head does not return logits (B, C).
        HarnessError: Where they are not finite.
        StoreError: Where the state cannot be written.
    """
    if fitting.downstream.fit is not None:
        return _fit_itself(fitting, train)
    if fitting.downstream.reads.layers == "each":
        return _fit_each_layer(fitting, train, valid)
    return _fit_by_recipe(fitting, train, valid)


def _fit_itself(fitting: Fitting, train: Dataset) -> Fitted:
    """Call a downstream's own training with the whole training part."""
    name, everything = fitting.downstream.name, slice(None)
    if fitting.downstream.fit is None:
        raise PluginError(f"Downstream '{name}' has no fit.")
    batch = train.batch(everything, "cpu")
    scorer = fitting.downstream.fit(
        batch, train.labels, classes=fitting.classes, seed=fitting.seed
    )

    def predict(part: Dataset) -> Tensor:
        scores = scorer(part.batch(everything, "cpu"))
        require_shape(scores, (len(part), fitting.classes), name)
        if not torch.isfinite(scores).all():
            raise PluginError(f"Downstream '{name}' returned NaN or infinite scores.")
        return scores

    return Fitted(predict=predict)


def _fit_each_layer(fitting: Fitting, train: Dataset, valid: Dataset) -> Fitted:
    """Fit a head on each layer alone; the best on the validation part is the result.

    Each head is trained as if its layer were the only one, from the same seed; of equal
    ones the lowest is taken. No state is kept.
    """
    alone = replace(fitting, state=None)
    sign = 1 if fitting.selection.higher_is_better else -1
    probes = tuple(
        _on_layer(layer, _fit_by_recipe(alone, train.layer(layer), valid.layer(layer)))
        for layer in range(1, train.layers + 1)
    )
    return replace(max(probes, key=lambda probe: sign * probe.best), probes=probes)


def _on_layer(layer: int, head: Fitted) -> Fitted:
    """Let a head that was trained on one layer find it among all."""
    return replace(
        head, layer=layer, predict=lambda part: head.predict(part.layer(layer))
    )


def _fit_by_recipe(fitting: Fitting, train: Dataset, valid: Dataset) -> Fitted:
    """Run the epochs of a recipe, from a kept state if there is one."""
    devices = [torch.device(fitting.device)] if is_gpu(fitting.device) else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(fitting.seed)
        trainer = _Trainer(fitting, _build(fitting, train))
        if not trainer.resume():
            trainer.prepare(train)
        for number in range(len(trainer.history) + 1, fitting.recipe.epochs + 1):
            trainer.epoch(number, train, valid)
            if fitting.observe is not None:
                fitting.observe(number, partial(logits_of, fitting, trainer.head))
            trainer.keep()
            trainer.report()
    return trainer.fitted()


def _build(fitting: Fitting, part: Dataset) -> nn.Module:
    if fitting.downstream.build is None:
        raise PluginError(f"Downstream '{fitting.downstream.name}' has no build.")
    return fitting.downstream.build(
        layers=part.layers, dim=part.dim, classes=fitting.classes
    )


class _Trainer:
    """A head, and all that changes while it is trained."""

    def __init__(self, fitting: Fitting, head: nn.Module) -> None:
        self.fitting = fitting
        self.head = head.to(fitting.device)
        self.optimiser = optimiser_of(fitting.recipe, head)
        self.schedule = schedule_of(fitting.recipe, self.optimiser)
        self.scaler = GradScaler("cuda", enabled=fitting.mixed)
        self.order = torch.Generator().manual_seed(fitting.seed)
        self.history: list[Epoch] = []
        self.best: list[tuple[float, int, Mapping[str, Tensor]]] = []
        self.seconds_before = 0.0
        self.memory_before = 0
        self.started = self.reported = self.kept = time.monotonic()

    def prepare(self, train: Dataset) -> None:
        """Let the head take statistics of the training part, if it wants any."""
        prepare = getattr(self.head, "prepare", None)
        if prepare is not None:
            size = self.fitting.recipe.batch
            with torch.no_grad():
                prepare(train.batches(size, self.fitting.device))

    def epoch(self, number: int, train: Dataset, valid: Dataset) -> None:
        """Train on one part, validate on another, and remember the best."""
        rate = self.optimiser.param_groups[0]["lr"]
        train_loss = self._pass(train)
        logits = logits_of(self.fitting, self.head, valid).cpu()
        valid_loss = nn.functional.cross_entropy(logits, valid.labels).item()
        if isinstance(self.schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.schedule.step(valid_loss)
        else:
            self.schedule.step()
        found = scored(valid.labels, logits)
        self.history.append(
            Epoch(
                epoch=number,
                learning_rate=rate,
                train_loss=train_loss,
                valid_loss=valid_loss,
                valid_macro_f1=float(macro_f1.score(found)),
                valid_uar=float(uar.score(found)),
            )
        )
        self._remember(number, float(self.fitting.selection.score(found)))

    def _remember(self, number: int, score: float) -> None:
        """Keep the weights of the best epochs; of equal ones the earliest."""
        sign = 1 if self.fitting.selection.higher_is_better else -1
        full = len(self.best) == self.fitting.averaged
        if full and not sign * score > sign * self.best[-1][0]:
            return
        head = self.head.state_dict().items()
        weights = {name: tensor.clone() for name, tensor in head}
        better = [one for one in self.best if not sign * score > sign * one[0]]
        worse = self.best[len(better) : self.fitting.averaged - 1]
        self.best = [*better, (score, number, weights), *worse]

    def _pass(self, part: Dataset) -> float:
        """Take one pass over the training part; return the mean loss of its steps."""
        fitting, recipe = self.fitting, self.fitting.recipe
        loss = loss_of(
            recipe, part.labels, classes=fitting.classes, device=fitting.device
        )
        self.head.train()
        size = min(recipe.batch, len(part))
        order = torch.randperm(len(part), generator=self.order).tolist()
        losses, steps = [], len(part) // size
        for step in range(steps):
            chosen = order[step * size : (step + 1) * size]
            self.optimiser.zero_grad()
            logits = forward(fitting, self.head, part.batch(chosen, fitting.device))
            value = loss(logits, part.labels[chosen].to(fitting.device))
            self.scaler.scale(value).backward()
            self.scaler.step(self.optimiser)
            self.scaler.update()
            losses.append(value.detach())
        total = 0.0
        for loss_of_step in torch.stack(losses).tolist():  # a GPU is waited for once
            total += loss_of_step
        return total / steps

    def keep(self) -> None:
        """Write the state, whole or not at all, if enough would be lost without."""
        now, path = time.monotonic(), self.fitting.state
        last = len(self.history) == self.fitting.recipe.epochs
        if path is None or last or now - self.kept < KEEP_EVERY:
            return
        buffer = io.BytesIO()
        torch.save(self._state(), buffer)
        write_sealed(path, buffer.getvalue())
        self.kept = time.monotonic()

    def _state(self) -> dict[str, Any]:
        device = self.fitting.device
        return {
            "head": self.head.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "order": self.order.get_state(),
            "random": torch.get_rng_state(),
            "gpu": random_state(device),
            "history": [asdict(epoch) for epoch in self.history],
            "epochs": self.best,
            "seconds": self._seconds(),
            "memory": max(self.memory_before, peak_memory(device)),
        }

    def resume(self) -> bool:
        """Go on from a kept state, if there is one that can be read."""
        if self.fitting.state is None:
            return False
        try:
            data = io.BytesIO(read_sealed(self.fitting.state))
            state = torch.load(data, map_location="cpu", weights_only=True)
            self.best = state["epochs"]
        except (OSError, ValueError, KeyError, UnpicklingError):
            return False
        self.head.load_state_dict(state["head"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        if state["scaler"]:  # empty where it was trained on a CPU
            self.scaler.load_state_dict(state["scaler"])
        self.order.set_state(state["order"])
        torch.set_rng_state(state["random"])
        restore_random_state(self.fitting.device, state["gpu"])
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.seconds_before, self.memory_before = state["seconds"], state["memory"]
        if self.fitting.title:
            done = len(self.history)
            sys.stderr.write(f"{self.fitting.title}: goes on after epoch {done}\n")
        return True

    def report(self) -> None:
        """Print a line on stderr, now and then."""
        now, done = time.monotonic(), len(self.history)
        if not self.fitting.title or now - self.reported < REPORT_EVERY:
            return
        self.reported = now
        sys.stderr.write(
            f"{self.fitting.title}: epoch {done}/{self.fitting.recipe.epochs}, "
            f"valid F1 {100 * self.history[-1].valid_macro_f1:.1f} %\n"
        )

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started

    def _predict(self, part: Dataset) -> Tensor:
        """Average the probabilities (N, C) that the heads of the best epochs return."""
        found = []
        for _, _, weights in self.best:
            self.head.load_state_dict(weights)
            found.append(logits_of(self.fitting, self.head, part).softmax(1))
        return torch.stack(found).mean(0)

    def fitted(self) -> Fitted:
        """Return the head with the weights of its best epoch, or epochs."""
        head = self.head
        best, best_epoch, weights = self.best[0]
        head.load_state_dict(weights)
        layer_weights = getattr(head, "layer_weights", torch.empty(0))
        return Fitted(
            predict=self._predict,
            layer_weights=tuple(layer_weights.detach().tolist()),
            best=best,
            best_epoch=best_epoch,
            history=tuple(self.history),
            parameters=sum(p.numel() for p in head.parameters() if p.requires_grad),
            seconds_before=self.seconds_before,
            memory_before=self.memory_before,
        )
