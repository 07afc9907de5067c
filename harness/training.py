"""Train a head on stored features, select an epoch, and score the test part once."""

from __future__ import annotations

import platform
import resource
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

import torch
from torch import nn

from harness.errors import HarnessError, PluginError
from harness.metrics import score
from harness.store import NORMS
from harness.types import Batch, Epoch, Prediction, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from harness.features import Source
    from harness.manifest import Recording
    from harness.metrics import Scores
    from harness.store import FeatureStore, Reader
    from harness.types import Downstream, Reads, Selection, Utterance

VERSION = 1
"""Raised when this module's numbers change."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """A task: one cell to train and score. Picklable.

    Attributes:
        source: The upstream as it is used.
        cache: The folder above the feature stores.
        downstream: The head.
        train: Utterances to learn from.
        valid: Utterances to select the epoch by.
        test: Utterances to score, once.
        labels: The C classes, sorted.
        selection: The validation metric whose best epoch is taken; the earliest wins.
        seed: Of the head's initial weights, of batches and of dropout.
        device: A torch device.
        threads: Of torch, or 0 for its default.
        facts: The columns of the result that are known before training.
    """

    source: Source
    cache: Path
    downstream: Downstream
    train: tuple[Recording, ...]
    valid: tuple[Recording, ...]
    test: tuple[Recording, ...]
    labels: tuple[str, ...]
    selection: Selection
    seed: int
    device: str
    threads: int = 0
    facts: Mapping[str, object]

    @property
    def parts(self) -> tuple[tuple[Recording, ...], ...]:
        """Train, valid and test."""
        return self.train, self.valid, self.test


def train(task: Training) -> Result:
    """Train and score a cell.

    Raises:
        StoreError: Where the features are gone.
        PluginError: Where the head does not give finite logits (B, C).
    """
    if task.threads:
        torch.set_num_threads(task.threads)
    store = task.source.store(task.cache)
    started = time.perf_counter()
    reads = task.downstream.reads
    parts = [_Part.of(store, part, reads, task.labels) for part in task.parts]
    fitted = _fit(task, parts) if task.downstream.fit else _descend(task, parts)
    probabilities = fitted.predict(parts[2]).cpu()
    seconds = time.perf_counter() - started
    return _result(task, store, fitted, probabilities, seconds)


@dataclass(frozen=True)
class _Part:
    """The examples of one part: features by index, and class indices (N,)."""

    pooled: Tensor | None
    frames: tuple[Tensor, ...]
    labels: Tensor

    @classmethod
    def of(
        cls,
        store: FeatureStore,
        recordings: Sequence[Recording],
        reads: Reads,
        labels: Sequence[str],
    ) -> _Part:
        """Read what the head asks for: frames stay on disk, mapped into memory."""
        index = {label: number for number, label in enumerate(labels)}
        truth = torch.tensor([index[r.utterance.label] for r in recordings])
        keys = [recording.key for recording in recordings]
        if not reads.frames:
            states = store.read("pooled", keys)
            last = reads.layers == "last"
            pooled = torch.stack(
                [states[key][-1 if last else slice(None)] for key in keys]
            )
            return cls(pooled, (), truth)
        return cls(None, tuple(_frames(store, keys, reads)), truth)

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Sequence[int] | slice, device: str) -> Batch:
        """Give some of the examples, on a device."""
        if self.pooled is not None:
            return Batch(pooled=self.pooled[indices].to(device))
        if isinstance(indices, slice):
            indices = range(len(self))[indices]
        frames = (self.frames[index] for index in indices)
        return Batch(frames=tuple(states.to(device) for states in frames))


def _frames(store: FeatureStore, keys: Sequence[str], reads: Reads) -> Iterator[Tensor]:
    """Give each utterance's frames; the last layer's also out of all layers."""
    if reads.layers == "last" and not set(keys) <= store.keys("last"):
        states = store.read("all", keys)
        yield from (states[key][-1] for key in keys)
    else:
        states = store.read(reads.layers, keys)
        yield from (states[key] for key in keys)


@dataclass(frozen=True, kw_only=True)
class _Fitted:
    """A trained head."""

    predict: Callable[[_Part], Tensor]
    layer_weights: tuple[float, ...] = ()
    best_epoch: int = 0
    history: tuple[Epoch, ...] = ()
    parameters: int = 0


def _fit(task: Training, parts: Sequence[_Part]) -> _Fitted:
    """Let a downstream that brings its own training train."""
    if task.downstream.fit is None:
        raise PluginError(f"Downstream '{task.downstream.name}' has no fit.")
    everything = slice(None)
    predict = task.downstream.fit(
        parts[0].batch(everything, "cpu"),
        parts[0].labels,
        classes=len(task.labels),
        seed=task.seed,
    )
    return _Fitted(predict=lambda part: predict(part.batch(everything, "cpu")))


def _descend(task: Training, parts: Sequence[_Part]) -> _Fitted:
    """Train a torch module by the recipe, and keep its best epoch."""
    training, valid, _ = parts
    recipe, device = task.downstream.recipe, task.device
    cuda = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(task.seed)
        head = _build(task, training).to(device)
        order = torch.Generator().manual_seed(task.seed)
        optimiser = torch.optim.Adam(
            head.parameters(),
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            betas=recipe.betas,
            eps=recipe.eps,
            fused=True,
        )
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser,
            mode="min",
            factor=recipe.plateau_factor,
            patience=recipe.plateau_patience,
            min_lr=recipe.min_learning_rate,
        )
        weights = _class_weights(training.labels, len(task.labels)).to(device)
        loss = nn.CrossEntropyLoss(weight=weights if recipe.class_weights else None)
        history: list[Epoch] = []
        best, best_state = float("-inf"), {}
        for number in range(1, recipe.epochs + 1):
            rate = optimiser.param_groups[0]["lr"]
            train_loss = _epoch(task, head, training, loss, optimiser, order)
            valid_loss, scores = _validate(task, head, valid)
            plateau.step(valid_loss)
            history.append(
                Epoch(
                    epoch=number,
                    learning_rate=rate,
                    train_loss=train_loss,
                    valid_loss=valid_loss,
                    valid_macro_f1=scores.macro_f1,
                    valid_uar=scores.uar,
                )
            )
            if getattr(scores, task.selection) > best:
                best, best_epoch = getattr(scores, task.selection), number
                best_state = {k: v.clone() for k, v in head.state_dict().items()}
    head.load_state_dict(best_state)
    layer_weights = getattr(head, "layer_weights", torch.empty(0))
    return _Fitted(
        predict=lambda part: _logits(task, head, part).softmax(1),
        layer_weights=tuple(layer_weights.detach().tolist()),
        best_epoch=best_epoch,
        history=tuple(history),
        parameters=sum(p.numel() for p in head.parameters() if p.requires_grad),
    )


def _build(task: Training, part: _Part) -> nn.Module:
    if task.downstream.build is None:
        raise PluginError(f"Downstream '{task.downstream.name}' has no build.")
    states = part.frames[0] if part.pooled is None else part.pooled[0]
    last = task.downstream.reads.layers == "last"
    return task.downstream.build(
        layers=1 if last else states.shape[0],
        dim=states.shape[-1],
        classes=len(task.labels),
    )


def _class_weights(labels: Tensor, classes: int) -> Tensor:
    """Weigh classes by inverse frequency, summing to one (PEFT-SER, DL:341-344)."""
    counts = labels.bincount(minlength=classes).float()
    inverse = torch.where(counts > 0, len(labels) / counts.clamp(min=1), 0.0)
    return inverse / inverse.sum()


def _epoch(
    task: Training,
    head: nn.Module,
    part: _Part,
    loss: nn.Module,
    optimiser: torch.optim.Optimizer,
    order: torch.Generator,
) -> float:
    """Take one pass over the training part; give the mean loss of its steps."""
    head.train()
    size = min(task.downstream.recipe.batch, len(part))
    shuffled = torch.randperm(len(part), generator=order).tolist()
    total, steps = 0.0, len(part) // size
    for step in range(steps):
        chosen = shuffled[step * size : (step + 1) * size]
        optimiser.zero_grad()
        logits = _forward(task, head, part.batch(chosen, task.device))
        value = loss(logits, part.labels[chosen].to(task.device))
        value.backward()
        optimiser.step()
        total += value.item()
    return total / steps


def _validate(task: Training, head: nn.Module, part: _Part) -> tuple[float, Scores]:
    """Give the unweighted loss and the scores on the validation part."""
    logits = _logits(task, head, part).cpu()
    loss = nn.functional.cross_entropy(logits, part.labels).item()
    return loss, _score(part.labels, logits, task.labels)


def _logits(task: Training, head: nn.Module, part: _Part) -> Tensor:
    """Give the logits (N, C) of a part, in eval mode."""
    head.eval()
    size = task.downstream.recipe.batch
    with torch.inference_mode():
        logits = torch.cat(
            [
                _forward(
                    task, head, part.batch(slice(start, start + size), task.device)
                )
                for start in range(0, len(part), size)
            ]
        )
    if not torch.isfinite(logits).all():
        raise HarnessError(
            f"Training '{task.downstream.name}' diverged: its logits are not finite. "
            "Look at the upstream's features, or at the recipe's learning rate."
        )
    return logits


def _forward(task: Training, head: nn.Module, batch: Batch) -> Tensor:
    """Give a batch's logits, and see that they are (B, C)."""
    logits: Tensor = head(batch)
    if logits.shape != (len(batch), len(task.labels)):
        raise PluginError(
            f"Downstream '{task.downstream.name}' gave logits of shape "
            f"{tuple(logits.shape)} where {(len(batch), len(task.labels))} is due."
        )
    return logits


def _score(labels: Tensor, scores: Tensor, classes: Sequence[str]) -> Scores:
    return score(labels.numpy(), scores.argmax(1).numpy(), classes=len(classes))


def _result(
    task: Training,
    store: FeatureStore,
    fitted: _Fitted,
    probabilities: Tensor,
    seconds: float,
) -> Result:
    """Put everything that a table or a sceptic needs into one row."""
    index = {label: number for number, label in enumerate(task.labels)}
    truth = torch.tensor([index[r.utterance.label] for r in task.test])
    scores = _score(truth, probabilities, task.labels)
    keys = [recording.key for part in task.parts for recording in part]
    norms = store.read("pooled", keys)
    layer_norms = _mean_norms(norms, [recording.key for recording in task.train])
    shape = norms[keys[0]].shape
    return Result(
        **task.facts,  # type: ignore[arg-type]
        layers=shape[0],
        dim=shape[1],
        n_train=len(task.train),
        n_valid=len(task.valid),
        n_test=len(task.test),
        speakers_train=_speakers(task.train),
        speakers_valid=_speakers(task.valid),
        speakers_test=_speakers(task.test),
        labels=task.labels,
        labels_absent=tuple(task.labels[label] for label in scores.labels_absent),
        macro_f1=scores.macro_f1,
        weighted_f1=scores.weighted_f1,
        uar=scores.uar,
        accuracy=scores.accuracy,
        best_epoch=fitted.best_epoch,
        epochs=len(fitted.history),
        layer_weights=fitted.layer_weights,
        layer_norms=layer_norms,
        confusion=scores.confusion,
        history=fitted.history,
        predictions=tuple(
            _prediction(recording.utterance, row, task.labels)
            for recording, row in zip(task.test, probabilities, strict=True)
        ),
        trainable_parameters=fitted.parameters,
        seconds_extract=store.seconds(keys),
        seconds_train=seconds,
        peak_memory_bytes=_peak_memory(task.device),
        device=_device_name(task.device),
        versions=_versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _prediction(utterance: Utterance, row: Tensor, labels: Sequence[str]) -> Prediction:
    return Prediction(
        utterance=utterance.id,
        speaker=utterance.speaker,
        gender=utterance.gender,
        label=utterance.label,
        predicted=labels[int(row.argmax())],
        scores=tuple(row.tolist()),
    )


def _mean_norms(states: Reader, keys: Sequence[str]) -> tuple[float, ...]:
    norms = torch.stack([states[key + NORMS] for key in keys])
    return tuple(norms.mean(0).tolist())


def _speakers(recordings: Sequence[Recording]) -> tuple[str, ...]:
    return tuple(sorted({recording.utterance.speaker for recording in recordings}))


def _peak_memory(device: str) -> int:
    """Give the most memory that this process held, or that it took on its GPU."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)"


def _versions() -> dict[str, str]:
    packages = ("torch", "torchaudio", "transformers", "numpy", "scikit-learn")
    return {name: version(name) for name in packages} | {
        "python": platform.python_version()
    }
