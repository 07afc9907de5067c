"""What a run gives: cells, results with their predictions, and a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One thing to train and score: a cell of the grid that a command spans.

    Attributes:
        run_id: Hash of the cell and of everything that its result is computed from.
        fold: The fold's name: its number, or the test speaker in ``loso``.
    """

    run_id: str
    upstream: str
    feeding: str
    downstream: str
    corpus: str
    split: str
    fold: str
    seed: int

    def __str__(self) -> str:
        """Name the cell in a line of a log."""
        return (
            f"{self.upstream} ({self.feeding}) · {self.downstream} · {self.corpus} · "
            f"{self.split} {self.fold} · seed {self.seed}"
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a run went.

    Attributes:
        runs: The folder that the results are in.
        cells: Every cell of the command, whether computed now or before.
        computed: How many were computed now.
        failed: Those that failed, each with the reason.
    """

    runs: Path
    cells: tuple[Cell, ...]
    computed: int
    failed: tuple[tuple[Cell, str], ...]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a head said of one test utterance; ``scores`` are (C,) probabilities."""

    utterance: str
    speaker: str
    gender: str | None
    label: str
    predicted: str
    scores: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One row of the learning curve."""

    epoch: int
    learning_rate: float
    train_loss: float
    valid_loss: float
    valid_macro_f1: float
    valid_uar: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished cell: one Parquet row, and all that a table or a sceptic needs.

    Attributes:
        run_id: Hash of the cell and of everything it was computed from.
        labels: The C classes, sorted; the order of scores and of the confusion.
        labels_absent: Those of them that the test part lacks.
        confusion: (C, C) counts, rows are true labels.
        layer_weights: (L,) learned by the head, empty where it has none.
        layer_norms: (L,) mean L2 norm of a frame over the training part.
        layer: The layer 1…L that a head on each of them chose in validation, else 0.
        layer_scores: (L,) test macro-F1 of the head on each layer, empty for others.
        skipped: Ids of utterances left out by ``--skip-bad``, each with its reason.
        created: ISO 8601, UTC.
        certificate: How far the upstream's features move when they should not (see
            ``harness.features.padding``), empty where that was not measured.
    """

    run_id: str
    upstream: str
    upstream_revision: str
    upstream_feeding: str
    checkpoint_sha256: str
    layers: int
    dim: int
    downstream: str
    recipe: str
    recipe_deviations: tuple[str, ...]
    selection: str
    corpus: str
    corpus_version: str
    manifest_sha256: str
    language: str
    max_seconds: float | None
    split: str
    split_sha256: str
    fold: str
    folds: int
    seed: int
    n_train: int
    n_valid: int
    n_test: int
    speakers_train: tuple[str, ...]
    speakers_valid: tuple[str, ...]
    speakers_test: tuple[str, ...]
    labels: tuple[str, ...]
    labels_absent: tuple[str, ...]
    macro_f1: float
    weighted_f1: float
    uar: float
    accuracy: float
    best_epoch: int
    epochs: int
    layer_weights: tuple[float, ...]
    layer_norms: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]
    history: tuple[Epoch, ...]
    predictions: tuple[Prediction, ...]
    skipped: tuple[str, ...]
    trainable_parameters: int
    seconds_extract: float
    seconds_train: float
    peak_memory_bytes: int
    device: str
    versions: Mapping[str, str]
    harness_version: str
    plugin: Mapping[str, str]
    created: str
    certificate: Mapping[str, float] = field(default_factory=dict)
    layer: int = 0
    layer_scores: tuple[float, ...] = ()
