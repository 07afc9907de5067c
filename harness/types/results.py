"""What a run makes: cells, results with their predictions, and the events of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from harness.types.conditions import Condition, TargetCondition, run_id

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One thing to train and score.

    Attributes:
        condition: All that makes its result comparable to others or not.
        fold: The fold's name: its number, or the test speaker in ``loso``.
        seed: Of initial weights, batches and dropout.
    """

    condition: Condition
    fold: str
    seed: int

    @cached_property
    def run_id(self) -> str:
        """Hash the cell: 16 hexadecimal digits."""
        return run_id(self.condition, self.fold, self.seed)

    def __str__(self) -> str:
        """Name the cell in a line of a log."""
        upstream, corpus = self.condition.upstream, self.condition.corpus
        feeding = f" ({upstream.feeding})" if upstream.feeding != "full" else ""
        target = self.condition.target
        predicted = f" {target.name} ·" * (target != TargetCondition())
        changed = self.condition.perturbation
        return (
            f"{upstream.name}{feeding} · {self.condition.downstream.name} ·{predicted} "
            f"{corpus.name} · {corpus.strategy} {self.fold} · seed {self.seed}"
            + (f" · {changed}" if changed else "")
        )

    @property
    def brief(self) -> str:
        """Name the cell within its run, so that a line of progress seldom wraps."""
        upstream, corpus = self.condition.upstream, self.condition.corpus
        feeding = f" ({upstream.feeding})" if upstream.feeding != "full" else ""
        target, changed = self.condition.target, self.condition.perturbation
        more = [target.name] * (target != TargetCondition()) + [str(changed)] * bool(
            changed
        )
        return ", ".join(
            (
                f"{upstream.name}{feeding}/{self.condition.downstream.name}",
                *(corpus.name, *more),
                *(f"fold {self.fold}", f"seed {self.seed}"),
            )
        )


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a head predicts of one utterance of the test or the validation part.

    Attributes:
        utterance: Its id; of corpora that were joined it begins with the corpus' name.
        speaker: Who speaks.
        gender: ``female`` or ``male``, where the corpus documents it.
        label: The true one.
        predicted: The label of the highest score.
        scores: (C,) probabilities, in the order of ``labels``; none of a number.
        value: The true number, where one is predicted; ``label`` is its bin then.
        predicted_value: The predicted number; ``predicted`` is its bin then.
        language: BCP-47 tag of what is spoken, where the corpus states it.
        sentence: Code of the spoken text, where the corpus has a fixed set of texts.
        intensity: Of the portrayed emotion, where the corpus codes it.
    """

    utterance: str
    speaker: str
    gender: str | None
    label: str
    predicted: str
    scores: tuple[float, ...]
    value: float | None = None
    predicted_value: float | None = None
    language: str | None = None
    sentence: str | None = None
    intensity: str | None = None


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One row of the learning curve.

    Attributes:
        epoch: Its number, from 1.
        learning_rate: During the epoch.
        train_loss: Mean over its batches.
        valid_loss: Of the validation part after it.
        valid_macro_f1: Macro-F1 of the validation part after it; none of numbers.
        valid_uar: Unweighted average recall of the validation part after it, likewise.
        valid_ccc: CCC of the validation part after it, where numbers are predicted.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    valid_loss: float
    valid_macro_f1: float | None = None
    valid_uar: float | None = None
    valid_ccc: float | None = None

    @property
    def reached(self) -> str:
        """The validation score, for a line of progress."""
        if self.valid_ccc is not None:
            return f"valid CCC {self.valid_ccc:z.2f}"
        return f"valid F1 {100 * (self.valid_macro_f1 or 0.0):.1f} %"


@dataclass(frozen=True, kw_only=True)
class ExtractionRecord:
    """Where the features of a result come from; they may be older than the result.

    Attributes:
        devices: They were computed on.
        versions: Of the libraries that computed them, by name; several are joined by
            ``, ``.
        first: When the first of them were computed, ISO 8601, UTC.
        last: When the last of them were.
        seconds: What the cell's utterances took, in all.
        certificate: How far the upstream's features move when they should not (see
            ``harness.features.padding``).
    """

    devices: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    first: str = ""
    last: str = ""
    seconds: float = 0.0
    certificate: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where and when a cell was trained; nothing here makes results incomparable.

    Attributes:
        device: It was trained on.
        versions: Of Python and of the libraries, by name.
        harness_version: Of this program.
        plugins: Which plugin and package brought ``upstream``, ``downstream``,
            ``corpus``, ``target``.
        warnings: Rules that such a plugin broke when it was last checked.
        revision: The checkpoint's commit on the hub, or ``local``.
        created: ISO 8601, UTC.
        seconds: What training and scoring took.
        peak_memory: The most that the process held, or that it took on its GPU, in
            bytes.
    """

    device: str
    versions: Mapping[str, str]
    harness_version: str
    plugins: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    revision: str = ""
    created: str
    seconds: float
    peak_memory: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """A finished cell: one Parquet row, and all that a table or a sceptic needs.

    Attributes:
        run_id: Hash of condition, fold and seed.
        condition: All that makes results incomparable where it differs.
        fold: The fold's name: its number, or the test speaker in ``loso``.
        seed: Of initial weights, batches and dropout.
        n_train: Utterances of the training part.
        n_valid: Utterances of the validation part.
        n_test: Utterances of the test part.
        speakers_train: Speakers of the training part, sorted.
        speakers_valid: Speakers of the validation part, sorted.
        speakers_test: Speakers of the test part, sorted.
        labels: The C classes, sorted; the order of scores and of the confusion. Of
            numbers, the bins that splits are balanced by.
        labels_absent: Those of them that the test part lacks.
        scores: Every metric of the test part, by name: fractions of one, but for those
            in the units of the numbers, such as ``rmse``.
        confusion: (C, C) counts, rows are true labels; empty where numbers are
            predicted.
        best_epoch: The epoch that was tested, chosen in validation.
        epochs: How many were trained.
        trainable_parameters: Of the head.
        layer_weights: (L,) learned by the head, empty where it has none.
        layer_norms: (L,) mean L2 norm of a frame over the training part.
        layer: The layer 1…L that a head on each of them chose in validation, else 0.
        layer_scores: (L,) test macro-F1, or CCC of numbers, of the head on each layer,
            empty for others.
        history: The learning curve, an epoch each.
        predictions: Of each test utterance.
        valid_predictions: Of each utterance of the validation part by the same head,
            for what is chosen after training, such as a temperature; empty in results
            that were stored before it was.
        skipped: Ids of utterances left out by ``--skip-bad``, each with its reason.
        training: Where and when it was trained.
        extraction: Where its features come from.
    """

    run_id: str
    condition: Condition
    fold: str
    seed: int
    n_train: int
    n_valid: int
    n_test: int
    speakers_train: tuple[str, ...]
    speakers_valid: tuple[str, ...]
    speakers_test: tuple[str, ...]
    labels: tuple[str, ...]
    labels_absent: tuple[str, ...]
    scores: Mapping[str, float]
    confusion: tuple[tuple[int, ...], ...]
    best_epoch: int
    epochs: int
    trainable_parameters: int
    layer: int = 0
    layer_weights: tuple[float, ...] = ()
    layer_norms: tuple[float, ...] = ()
    layer_scores: tuple[float, ...] = ()
    history: tuple[Epoch, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    valid_predictions: tuple[Prediction, ...] = ()
    skipped: tuple[str, ...] = ()
    training: Provenance
    extraction: ExtractionRecord = ExtractionRecord()

    @property
    def cell(self) -> Cell:
        """The cell that it finishes."""
        return Cell(condition=self.condition, fold=self.fold, seed=self.seed)


# ---------------------------------------------------------------- events


@dataclass(frozen=True, kw_only=True)
class RunStarting:
    """A run is asked for: nothing was fetched or computed yet.

    Attributes:
        runs: The folder that results will go to.
    """

    runs: Path


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """The cells of a run are known.

    Attributes:
        runs: The folder that results go to.
        cells: Every cell of the command.
        finished: How many of them have a stored result already.
    """

    runs: Path
    cells: tuple[Cell, ...]
    finished: int


@dataclass(frozen=True, kw_only=True)
class CellFinished:
    """A cell has a result.

    Attributes:
        runs: The folder that results go to.
        result: Everything that was measured.
        again: Whether it takes the place of an older result of the same cell.
    """

    runs: Path
    result: Result
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class CellFailed:
    """A cell has no result, since it or something that it needs failed.

    Attributes:
        cell: Which one.
        error: What was raised.
    """

    cell: Cell
    error: Exception


@dataclass(frozen=True, kw_only=True)
class RunFinished:
    """A run is over, in whichever way.

    Attributes:
        runs: The folder that the results are in.
        cells: Every cell of the command, whether computed now or before.
        computed: How many were computed now.
        failed: Those that failed, each with the reason.
        missing: Why a corpus or an upstream was left out, a sentence each.
        stopped: Whether it ended before every cell was tried.
        late: How many cells are left since the time was over that it was given.
    """

    runs: Path
    cells: tuple[Cell, ...]
    computed: int
    failed: tuple[tuple[Cell, str], ...]
    missing: tuple[str, ...] = ()
    stopped: bool = False
    late: int = 0
