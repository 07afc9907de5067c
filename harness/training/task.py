"""Train a head on stored features, select an epoch, and score the test part once."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

import torch

from harness.errors import PluginError
from harness.features.store import NORMS
from harness.leftovers import TRAINING
from harness.training.dataset import Part
from harness.training.loop import (
    Descent,
    Fitted,
    descend,
    descend_each_layer,
    peak_memory,
    score_of,
)
from harness.types import Prediction, Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from harness.data.manifest import Recording
    from harness.features.extraction import Source
    from harness.features.store import FeatureStore, Reader
    from harness.types import Downstream, Selection, Utterance

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
        quiet: Say nothing on stderr, however long it takes.
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
    quiet: bool = True
    facts: Mapping[str, object]

    @property
    def parts(self) -> tuple[tuple[Recording, ...], ...]:
        """Train, valid and test."""
        return self.train, self.valid, self.test

    @property
    def state(self) -> Path:
        """Where a resumable training keeps its state until the result is stored."""
        return self.cache / TRAINING / f"{self.facts['run_id']}.pt"


def train(task: Training) -> Result:
    """Train and score a cell.

    Raises:
        StoreError: Where the features are gone.
        PluginError: Where the head does not give finite logits (B, C).
        HarnessError: Where the training diverged.
    """
    if task.threads:
        torch.set_num_threads(task.threads)
    store = task.source.store(task.cache)
    started = time.perf_counter()
    reads = task.downstream.reads
    training, valid, test = (
        Part.of(store, [r.key for r in part], _truth(task, part), reads)
        for part in task.parts
    )
    if task.downstream.recipe.shuffled_labels:
        training = training.shuffled(task.seed)
    if task.downstream.fit:
        fitted = _fit(task, training)
    elif reads.layers == "each":
        fitted = descend_each_layer(_descent(task), training, valid)
    else:
        fitted = descend(_descent(task), training, valid)
    return _result(task, store, fitted, test, started)


def _truth(task: Training, part: Sequence[Recording]) -> Tensor:
    """Give the class indices (N,) of a part."""
    return torch.tensor([task.labels.index(r.utterance.label) for r in part])


def _fit(task: Training, train: Part) -> Fitted:
    """Let a downstream that brings its own training train."""
    if task.downstream.fit is None:
        raise PluginError(f"Downstream '{task.downstream.name}' has no fit.")
    everything = slice(None)
    predict = task.downstream.fit(
        train.batch(everything, "cpu"),
        train.labels,
        classes=len(task.labels),
        seed=task.seed,
    )
    return Fitted(predict=lambda part: predict(part.batch(everything, "cpu")))


def _descent(task: Training) -> Descent:
    return Descent(
        downstream=task.downstream,
        classes=len(task.labels),
        selection=task.selection,
        seed=task.seed,
        device=task.device,
        state=task.state,
        title="" if task.quiet else _title(task),
    )


def _title(task: Training) -> str:
    corpus, fold = task.facts["corpus"], task.facts["fold"]
    return f"{task.downstream.name} · {corpus} · fold {fold} · seed {task.seed}"


def _result(
    task: Training,
    store: FeatureStore,
    fitted: Fitted,
    test: Part,
    started: float,
) -> Result:
    """Score a head, and put everything that a table or a sceptic needs into one row."""
    probabilities = fitted.predict(test).cpu()
    scores = score_of(test.labels, probabilities, len(task.labels))
    layer_scores = tuple(
        score_of(test.labels, probe.predict(test).cpu(), len(task.labels)).macro_f1
        for probe in fitted.probes
    )
    seconds = time.perf_counter() - started + fitted.seconds_before
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
        layer=fitted.layer,
        layer_scores=layer_scores,
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
        peak_memory_bytes=max(fitted.memory_before, peak_memory(task.device)),
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


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)"


def _versions() -> dict[str, str]:
    packages = ("torch", "torchaudio", "transformers", "numpy", "scikit-learn")
    return {name: version(name) for name in packages} | {
        "python": platform.python_version()
    }
