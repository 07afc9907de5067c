"""The nouns of the harness: frozen descriptions that plugins offer, and results.

Shape letters, here and everywhere: N utterances, B utterances of a batch,
S samples, L layers, T frames, D dims, C classes. Time is in seconds, rates are in
hertz, metrics are fractions of one.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import Tensor
    from torch.nn import Module

Gender = Literal["female", "male"]
Selection = Literal["macro_f1", "uar"]
FrameType = Literal["float32", "float16"]
Precision = Literal["float32", "bfloat16", "float16"]

# ---------------------------------------------------------------- corpora


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One recording of one speaker, as a corpus describes it (audio unopened).

    Attributes:
        id: Stable name within the corpus: the path below the root, with ``/``
            between folders and in Unicode NFC, so that it is the same everywhere.
        path: The same file's path below the root, spelt as on this disk.
        label: The emotion, in English and lower case.
        speaker: The corpus' own speaker code.
        gender: Where the corpus is certain of it.
        sentence: Code of the text that is spoken, where the corpus has a fixed one.
        intensity: How strongly it was asked to be expressed, where coded.
        language: BCP-47 tag, where it differs from the corpus' first one.
        start: Where the utterance begins in the file, in seconds.
        end: Where it ends, in seconds; ``None`` is the end of the file.
        part: ``train``, ``valid`` or ``test``, where the data say so themselves.
    """

    id: str
    path: str
    label: str
    speaker: str
    gender: Gender | None = None
    sentence: str | None = None
    intensity: str | None = None
    language: str | None = None
    start: float = 0.0
    end: float | None = None
    part: str | None = None


@dataclass(frozen=True, kw_only=True)
class KnownFile:
    """What is known of an utterance of a published corpus before its file is seen.

    Attributes:
        label: Its emotion.
        speaker: Its speaker.
        part: ``train``, ``valid`` or ``test`` in the published split.
        sha256: Of the file's bytes, or empty where we have not seen them.
    """

    label: str
    speaker: str
    part: str
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What somebody says about a corpus' size.

    Attributes:
        source: Who says so.
        utterances: How many there are.
        labels: How many different ones.
        because: Why a corpus that is whole may differ from that, as far as is known.
    """

    source: str
    utterances: int
    labels: int
    because: str = ""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file that a corpus, or a part of it, can be downloaded as, with no form.

    Attributes:
        url: Of a zip, or of a Zenodo record, ``https://zenodo.org/api/records/ID``,
            which says itself which files there are, how large, and with which hash.
        only: Of a record, the names of the files, as a regular expression.
        size: In bytes, or 0 where it is not known beforehand.
        sha256: Of the file, or empty where it is not known beforehand.
    """

    url: str
    only: str = r".*\.zip"
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus of emotional speech and how to read its folder.

    Attributes:
        name: Kebab-case; also the folder below the data root.
        title: Its full name.
        version: Which published version ``read`` understands.
        languages: BCP-47 tags, the first one holds where an utterance names none.
        labels: Every label that ``read`` may give, in English.
        licence: SPDX id where there is one, else in words.
        homepage: Where it is published.
        citation: Whom to cite.
        obtain: How to get it, as one sentence that ends an error message.
        read: From the corpus' root to its utterances. Opens no audio; raises
            ``DataError`` where the folder is not this corpus.
        about: What a user should know of it, on several lines.
        counts: How many utterances of each label this version has, where known.
        versions: How many utterances the published versions have, by their names;
            this one's is under ``version``.
        files: Gives every utterance of this version by id, where known; may read a
            file that comes with the plugin.
        defects: Files that are known to be broken and are never read: from the id
            that each would have to what is wrong with it.
        claims: What is said elsewhere about its size.
        archives: How it can be downloaded with no form; empty where it cannot.
        root: Its folder, for a corpus that does not lie below the data root.
    """

    name: str
    title: str
    version: str
    languages: tuple[str, ...]
    labels: tuple[str, ...]
    licence: str
    homepage: str
    citation: str
    obtain: str
    read: Callable[[Path], Iterable[Utterance]]
    about: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    files: Callable[[], Mapping[str, KnownFile]] | None = None
    defects: Mapping[str, str] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    archives: tuple[Archive, ...] = ()
    root: Path | None = None


# ---------------------------------------------------------------- upstreams


class Load(Protocol):
    """Build an encoder; the only place where an upstream imports torch."""

    def __call__(
        self, checkpoint: Path | None, *, device: str, feeding: str
    ) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
        """Return the encoder, in eval mode and in float32.

        Args:
            checkpoint: A local folder in Hugging Face's layout, or ``None`` where the
                description names no checkpoint.
            device: A torch device, such as ``cpu`` or ``cuda:0``.
            feeding: One of the description's feedings.

        Returns:
            From waveforms, each (S,) float32 in [-1, 1] at the upstream's rate, to
            the hidden states of layers 1…L, each (L, T, D) float32. Frames that cover
            no audio are dropped; an utterance's states depend on it alone. Layer L is
            the model's output, after its final norm.

        Raises:
            CheckpointError: Where the folder is not what the description says.
        """


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A frozen speech model: what it is, and how to load it.

    Attributes:
        name: Kebab-case.
        load: Builds the encoder (see ``Load``).
        layers: L, the number of Transformer blocks.
        dim: D.
        hop: Seconds from a frame to the next.
        rate: Sampling rate that it hears, in hertz.
        min_seconds: The shortest clip that gives a frame.
        checkpoint: Id on the Hugging Face hub, the absolute path of a folder, or
            ``None`` for a model without weights.
        revision: The hub's commit.
        checkpoint_of: The upstream whose local checkpoint serves this one, too.
        files: Patterns of the checkpoint's files that are read (and hashed).
        feedings: The ways it can be fed; the first is the default.
        window: Seconds that a clip is padded to under the first feeding, if it is.
        parameters: Number of weights that are used.
        languages: What it was trained on: BCP-47 tags, or ``("mul",)``.
        pretraining: Training data, in a few words.
        licence: Of the weights.
        paper: Where it is described.
        version: Raised by the plugin when its code changes a number.
        control: Whether it is heard beside the others, as what they must beat.
    """

    name: str
    load: Load
    layers: int
    dim: int
    hop: float
    rate: int = 16_000
    min_seconds: float = 0.025
    checkpoint: str | None = None
    revision: str = "main"
    checkpoint_of: str = ""
    files: tuple[str, ...] = (
        "config.json",
        "preprocessor_config.json",
        "*.safetensors",
        "*.safetensors.index.json",
    )
    feedings: tuple[str, ...] = ("full",)
    window: float | None = None
    parameters: int = 0
    languages: tuple[str, ...] = ()
    pretraining: str = ""
    licence: str = ""
    paper: str = ""
    version: int = 1
    control: bool = False


# ---------------------------------------------------------------- downstreams


@dataclass(frozen=True, kw_only=True)
class Reads:
    """Which features a downstream reads; the planner stores no more than that.

    Attributes:
        layers: The last layer alone, all of them, or each: then a head is trained on
            every layer alone, and the one that is best in validation is the result.
        frames: Every frame, or only the mean over time. A head that is linear up to
            its mean over time trains exactly on the means.
    """

    layers: Literal["last", "all", "each"]
    frames: bool


@dataclass(frozen=True)
class Batch:
    """The features of B utterances, in the form that ``Reads`` asked for.

    Attributes:
        pooled: Means over time, (B, D) for the last layer or (B, L, D) for all;
            ``None`` where frames were asked for.
        frames: One tensor an utterance, (T, D) for the last layer or (L, T, D) for
            all, without padding; empty where means were asked for.
    """

    pooled: Tensor | None = None
    frames: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        """Give B."""
        return len(self.frames) if self.pooled is None else len(self.pooled)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a head is trained. The defaults are PEFT-SER's.

    Source: usc-sail/peft-ser 74cd9e2, ``experiment/finetune_emotion.py`` and
    ``dataloader/dataloader.py``; the paper's section 4.2 has the same figures.

    Attributes:
        name: Stored with every result.
        epochs: Passes over the training part.
        batch: Utterances a step; an incomplete last batch is dropped.
        learning_rate: Adam's.
        weight_decay: L2, on every parameter, as ``torch.optim.Adam`` has it.
        betas: Adam's.
        eps: Adam's.
        plateau_patience: Epochs without a lower validation loss before the learning
            rate falls.
        plateau_factor: What it is multiplied by.
        min_learning_rate: Where it stops falling.
        milestones: Epochs after which the learning rate falls, instead of on a plateau.
        milestone_factor: What it is multiplied by.
        class_weights: Weigh the training loss by inverse class frequency, the weights
            summing to one. The validation loss is never weighted.
        half_on_gpu: Train in mixed precision where the device is CUDA.
        resumable: Keep the training's state after each epoch, so that an interrupted
            cell goes on where it was; for heads that train long.
        shuffled_labels: Learn from labels that were dealt out anew, as a control.
        deviations: Where it differs from what it is named after.
    """

    name: str = "peft-ser"
    epochs: int = 30
    batch: int = 32
    learning_rate: float = 5e-4
    weight_decay: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    plateau_patience: int = 5
    plateau_factor: float = 0.5
    min_learning_rate: float = 5e-5
    milestones: tuple[int, ...] = ()
    milestone_factor: float = 0.85
    class_weights: bool = True
    shuffled_labels: bool = False
    half_on_gpu: bool = False
    resumable: bool = False
    deviations: tuple[str, ...] = (
        "features from a backbone in eval mode (no dropout, no LayerDrop)",
        "no waveform augmentation",
        "no padded frame is computed or averaged",
        "selection by validation macro-F1 unless asked for UAR",
        "clips whole, not cut to 6 s, unless asked for",
    )


class Build(Protocol):
    """Build a head, freshly initialised from torch's current random state."""

    def __call__(self, *, layers: int, dim: int, classes: int) -> Module:
        """Return a module whose ``forward(batch: Batch)`` gives logits (B, C).

        Where it has an attribute ``layer_weights``, a (L,) tensor, the weights of the
        selected epoch are stored with the result. Where it has a method
        ``prepare(train: Iterable[Batch])``, it is called once before the first epoch
        with the training part, to keep statistics of it in buffers.
        """


class Fit(Protocol):
    """Train without gradients: for classifiers that bring their own training."""

    def __call__(
        self, train: Batch, labels: Tensor, *, classes: int, seed: int
    ) -> Callable[[Batch], Tensor]:
        """Return a function from a batch to scores (B, C).

        Args:
            train: The whole training part.
            labels: (B,) class indices.
            classes: C.
            seed: For whatever is random in it.
        """


@dataclass(frozen=True, kw_only=True)
class Downstream:
    """A head on top of an upstream: exactly one of ``build`` and ``fit``.

    Attributes:
        name: Kebab-case.
        summary: One line for ``harness list``.
        reads: The features it needs.
        build: Builds a torch module, trained by the recipe.
        fit: Or trains by itself.
        recipe: How ``build``'s module is trained.
        upstream: The one upstream that it is made for, as a whole classifier is;
            ``--baseline NAME`` runs it there. Empty for a head that goes on any.
        weights_a_frame: How many weights a frame meets, for the plan's guess of the
            time; 0 for about as many as the paper's heads have.
        bytes_a_frame: What a frame of a batch takes while the head trains, for the
            plan's guess of the memory; 0 for about as much as the paper's heads.
        version: Raised by the plugin when its code changes a number.
        control: Whether it stands beside the others, as what they must beat: on every
            upstream if it is ``listening``, once if it is ``deaf`` to the features.
    """

    name: str
    summary: str
    reads: Reads
    build: Build | None = None
    fit: Fit | None = None
    recipe: Recipe = field(default_factory=Recipe)
    upstream: str = ""
    weights_a_frame: int = 0
    bytes_a_frame: int = 0
    version: int = 1
    control: Literal["", "listening", "deaf"] = ""


# ---------------------------------------------------------------- suites


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A named study: a TOML file with grids of upstreams, downstreams and corpora."""

    name: str
    summary: str
    file: Path


# ---------------------------------------------------------------- executors


Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


class Map(Protocol):
    """Map a pure function over picklable tasks, giving outcomes as they come."""

    def __call__(
        self, function: Callable[[Task], Outcome], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Outcome | Exception]]:
        """Yield each task with what it gave or raised, in order of completion."""


@dataclass(frozen=True, kw_only=True)
class Executor:
    """Where tasks run.

    Attributes:
        name: The word after ``--executor``.
        summary: One line for ``--help``.
        start: From a number of workers to a map that lasts as long as the context;
            tasks find neither shared memory nor open files there, only the stores.
    """

    name: str
    summary: str
    start: Callable[[int], AbstractContextManager[Map]]


class Stages(Protocol):
    """How long work tells of its progress."""

    def __call__(
        self, title: str, total: float, unit: str
    ) -> AbstractContextManager[Callable[[float], None]]:
        """Open a stage; what it gives is told of each amount that is done.

        Args:
            title: What is being done.
            total: How much there is to do.
            unit: ``files``, ``audio`` (seconds) or ``cells``.
        """


@contextmanager
def silence(title: str, total: float, unit: str) -> Iterator[Callable[[float], None]]:
    """Tell nobody: the stages of quiet work."""
    yield lambda amount: None


# ---------------------------------------------------------------- cells and results


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
            ``harness.certificate``), empty where that was not measured.
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


# ---------------------------------------------------------------- tables


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a table: the text that a person reads and the value behind it.

    Attributes:
        text: As it stands in the table, percent signs and spreads included.
        value: For CSV and JSON: a fraction of one, a number or a string.
        best: Whether it is the best of its column.
        second: Whether it is the best of its group of columns.
        details: Further values by name, such as a spread: columns of their own in CSV.
    """

    text: str
    value: float | int | str | None = None
    best: bool = False
    second: bool = False
    details: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a leaderboard's view gives and a renderer takes.

    Attributes:
        title: One line above it.
        columns: Header texts.
        rows: As many entries a row as there are columns.
        notes: Sentences below it: what is left out, and why.
        groups: What stands above the columns, one text a column, empty for none;
            neighbours with the same text stand under it together.
        heat: Whether fractions in it are scores on one scale, so that a renderer may
            colour them by value.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    heat: bool = False


@dataclass(frozen=True, kw_only=True)
class Renderer:
    """A form that a table can be printed in.

    Attributes:
        name: The word after ``--format``.
        summary: One line for ``--help``.
        render: From a table to text; ``colour`` says whether the text goes to a
            terminal, ``width`` is its width in columns.
    """

    name: str
    summary: str
    render: Render


class Render(Protocol):
    """Print a table."""

    def __call__(self, table: Table, *, width: int, colour: bool) -> str:
        """Return the table as text that ends with a newline."""
