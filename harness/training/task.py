"""Fit a head on stored features, select an epoch, and score the test part once."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import torch

from harness.data import stored
from harness.errors import FeaturesGoneError
from harness.features import device as devices
from harness.features.extraction import Extraction, extract, kinds_for, store_of
from harness.features.shards import NORMS
from harness.leftovers import TRAINING
from harness.registry import isolated
from harness.training.dataset import Dataset
from harness.training.logits import scored
from harness.training.loop import Fitting, fit
from harness.training.metrics import ccc, macro_f1, score
from harness.training.selection import read_selection
from harness.training.units import Units, numbers_of
from harness.types import Prediction, Provenance, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from harness.data.manifest import Recording
    from harness.data.perturbing import Perturber
    from harness.data.places import Places
    from harness.features.extraction import Use
    from harness.features.store import FeatureStore
    from harness.training.loop import Fitted
    from harness.types import Cell, Downstream, Metric, Utterance

Read = TypeVar("Read")


@dataclass(frozen=True, kw_only=True)
class Training:
    """A task: one cell to fit and score.

    Attributes:
        cell: Which one.
        use: The upstream, for features that are gone when they are read.
        downstream: The head.
        corpus: Which stored list of utterances and folds.
        tested: Which list has the test parts; empty for the same.
        perturber: Perturbs the recordings that are marked so, if they are extracted
            again.
        labels: The C classes, sorted.
        metrics: What the test part is scored by; one of them selects the epoch.
        quiet: Write nothing to stderr, however long it takes.
        skipped: Utterances of the corpus that are left out, each with its reason.
        revision: The checkpoint's commit on the hub, or ``local``.
        harness_version: Of this program.
        plugins: Which plugin brought ``upstream``, ``downstream`` and ``corpus``.
        warnings: Rules that they broke when they were checked.
    """

    cell: Cell
    use: Use
    downstream: Downstream
    corpus: str
    tested: str = ""
    perturber: Perturber | None = None
    labels: tuple[str, ...]
    metrics: tuple[Metric, ...]
    quiet: bool = True
    skipped: tuple[str, ...] = ()
    revision: str = ""
    harness_version: str = ""
    plugins: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def lists(self) -> set[str]:
        """The stored lists that it reads."""
        return {self.corpus, self.tested or self.corpus}

    @property
    def selection(self) -> Metric:
        """The validation metric whose best epoch is taken."""
        name, _ = read_selection(self.cell.condition.downstream.selection)
        return next(metric for metric in self.metrics if metric.name == name)


def state_of(places: Places, cell: Cell) -> Path:
    """Return where a long training keeps its state until its result is stored."""
    return places.cache / TRAINING / f"{cell.run_id}.pt"


def train(task: Training) -> Result:
    """Fit and score a cell.

    Raises:
        StoreError: Where the features are gone.
        PluginError: Where the head raises, or does not return finite logits (B, C).
        HarnessError: Where the training diverged.
    """
    started = time.perf_counter()
    trial = Trial(task)
    devices.reset_peak_memory(trial.device)
    training, valid = trial.training, trial.validation
    test = trial.dataset(trial.test)
    by = ccc if test.numbers else macro_f1
    with isolated(task.plugins["downstream"], f"fitting '{task.downstream.name}'"):
        fitted = trial.in_units(fit(trial.fitting, training, valid))
        probabilities = fitted.predict(test).cpu()
        layer_scores = tuple(
            float(by.score(scored(test.labels, probe.predict(test).cpu())))
            for probe in fitted.probes
        )
    return trial.result(fitted, test, probabilities, layer_scores, started)


class Trial:
    """A task on the machine that does it."""

    def __init__(self, task: Training) -> None:
        """Look up the cell's fold and the store of its features."""
        self.task, self.places = task, task.use.places.here()
        self.device = devices.prepare(task.use.device)
        fold = stored.load(self.places, task.corpus).fold(task.cell.fold)
        self.train, self.valid, self.test = fold
        if task.tested:
            *_, self.test = stored.load(self.places, task.tested).fold(task.cell.fold)
        condition = task.cell.condition.upstream
        self.store: FeatureStore = store_of(condition, self.places.cache)

    @property
    def fitting(self) -> Fitting:
        """What is to be fitted."""
        task = self.task
        own = task.downstream.fit is not None  # draws of its own, in each cell anew
        return Fitting(
            downstream=task.downstream,
            classes=1 if self.units else len(task.labels),
            selection=task.selection,
            averaged=read_selection(task.cell.condition.downstream.selection)[1],
            seed=self._draw if own else task.cell.seed,
            device=self.device,
            state=state_of(self.places, task.cell),
            title="" if task.quiet else str(task.cell),
        )

    @property
    def _draw(self) -> int:
        """A seed of this cell alone, so that no two cells draw the same."""
        return int(self.task.cell.run_id[:8], 16)

    @property
    def training(self) -> Dataset:
        """The training part, its labels permuted if the recipe says so."""
        part = self.dataset(self.train)
        return part.permuted(self._draw) if self._permuted else part

    @property
    def validation(self) -> Dataset:
        """The validation part; of numbers that are permuted, permuted as well.

        A random projection of features often follows a number such as loudness; were an
        epoch selected by true numbers, it would be one whose projection does.
        """
        part = self.dataset(self.valid)
        permuted = self._permuted and part.numbers
        return part.permuted(self._draw) if permuted else part

    @property
    def _permuted(self) -> bool:
        recipe = self.task.downstream.recipe
        return recipe is not None and recipe.permuted_labels

    @cached_property
    def units(self) -> Units | None:
        """Of the numbers that are predicted; ``None`` where classes are."""
        if self.train[0].utterance.value is None:
            return None
        return Units.of(self.train, (*self.valid, *self.test))

    def in_units(self, fitted: Fitted) -> Fitted:
        """Let a head predict numbers in their units; probabilities are as they are."""
        units = self.units
        if units is None:
            return fitted
        return replace(
            fitted, predict=lambda part: units.back(fitted.predict(part).cpu())
        )

    def dataset(self, part: Sequence[Recording]) -> Dataset:
        """Read the features of a part."""
        keys = [recording.key for recording in part]
        labels, reads = self._labels(part), self.task.downstream.reads
        return self._present(lambda: Dataset.of(self.store, keys, labels, reads))

    def _labels(self, part: Sequence[Recording]) -> Tensor:
        """Return what is predicted, (N,): class indices, or scaled numbers."""
        if self.units:
            return self.units.scaled(part)
        places = {label: place for place, label in enumerate(self.task.labels)}
        return torch.tensor([places[one.utterance.label] for one in part])

    def _present(self, read: Callable[[], Read]) -> Read:
        """Read features; extract again what is gone or damaged."""
        try:
            return read()
        except FeaturesGoneError:
            self._extract()
            return read()

    def _extract(self) -> None:
        for corpus in self.task.lists:
            again = Extraction(
                use=self.task.use,
                corpus=corpus,
                first=0,
                last=len(stored.load(self.places, corpus).recordings),
                kinds=kinds_for([self.task.downstream.reads]),
                perturber=self.task.perturber,
            )
            extract(again)

    def result(
        self,
        fitted: Fitted,
        test: Dataset,
        probabilities: Tensor,
        layer_scores: tuple[float, ...],
        started: float,
    ) -> Result:
        """Put everything that a table or a sceptic needs into one row."""
        task, labels = self.task, self.task.labels
        true = numbers_of(self.test) if self.units else test.labels
        found = scored(true, probabilities)
        tested = {recording.utterance.label for recording in self.test}
        parts = (self.train, self.valid, self.test)
        keys = [recording.key for part in parts for recording in part]
        seconds = time.perf_counter() - started + fitted.seconds_before
        return Result(
            run_id=task.cell.run_id,
            condition=task.cell.condition,
            fold=task.cell.fold,
            seed=task.cell.seed,
            n_train=len(self.train),
            n_valid=len(self.valid),
            n_test=len(self.test),
            speakers_train=_speakers(self.train),
            speakers_valid=_speakers(self.valid),
            speakers_test=_speakers(self.test),
            labels=labels,
            labels_absent=tuple(label for label in labels if label not in tested),
            scores=score(found, task.metrics),
            confusion=tuple(tuple(map(int, row)) for row in found.confusion),
            best_epoch=fitted.best_epoch,
            epochs=len(fitted.history),
            trainable_parameters=fitted.parameters,
            layer=fitted.layer,
            layer_weights=fitted.layer_weights,
            layer_norms=self._layer_norms(keys),
            layer_scores=layer_scores,
            history=fitted.history,
            predictions=tuple(
                _prediction(recording.utterance, row, labels, self.units)
                for recording, row in zip(self.test, probabilities, strict=True)
            ),
            skipped=task.skipped,
            training=self._provenance(seconds, fitted),
            extraction=self.store.record(keys),
        )

    def _layer_norms(self, keys: Sequence[str]) -> tuple[float, ...]:
        """Average the norms of the training part's frames, layer by layer."""
        states = self._present(lambda: self.store.read("pooled", keys))
        norms = states.stacked([recording.key + NORMS for recording in self.train])
        return tuple(norms.mean(0).tolist())

    def _provenance(self, seconds: float, fitted: Fitted) -> Provenance:
        task = self.task
        return Provenance(
            device=devices.describe(self.device),
            versions=devices.versions(self.device),
            harness_version=task.harness_version,
            plugins=task.plugins,
            warnings=task.warnings,
            revision=task.revision,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=seconds,
            peak_memory=max(fitted.memory_before, devices.peak_memory(self.device)),
        )


def _prediction(
    utterance: Utterance, row: Tensor, labels: Sequence[str], units: Units | None
) -> Prediction:
    prediction = Prediction(
        utterance=utterance.id,
        speaker=utterance.speaker,
        gender=utterance.gender,
        label=utterance.label,
        predicted=labels[int(row.argmax())],
        scores=tuple(row.tolist()),
    )
    if units is None:
        return prediction
    return units.numbered(prediction, utterance.value, row.item())


def _speakers(recordings: Sequence[Recording]) -> tuple[str, ...]:
    return tuple(sorted({recording.utterance.speaker for recording in recordings}))
