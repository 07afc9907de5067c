"""What makes two results comparable or not: the condition of a measurement.

A ``Condition`` is built once, by the plan. It is hashed, with fold and seed, to the
``run_id``; it is stored with every result; and the leaderboard groups by its fields, so
that a field that is added here is hashed, stored and kept apart without another word.
What is only provenance (device, library versions, times) is in ``types.results``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from harness.types.canonical import LATER, sha256_json
from harness.types.downstreams import Reads, Recipe
from harness.types.perturbations import PerturbedParts
from harness.types.work import FrameType, Precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

JOIN, TRANSFER = " + ", " → "
"""Between corpora that are trained on together, and before those that are tested on."""

LIMITED = ", limited to "
"""In a corpus' version, before the number of utterances that were taken of it."""


@dataclass(frozen=True, kw_only=True)
class UpstreamCondition:
    """All that the features of an audio file depend on, but the audio.

    Its hash names the feature store.

    Attributes:
        name: Of the upstream, with the options that differ from their defaults.
        version: Of the upstream's code, raised by its plugin.
        plugin: The package that brought it and its version; empty for bundled ones,
            whose ``version`` is guarded by the fingerprint test.
        checkpoint: Hash of the weights, empty for a model without.
        layers: L.
        dim: D.
        hop: Seconds from a frame to the next; ``None`` for one vector a clip.
        rate: Sampling rate of its input, in hertz.
        feeding: How it is fed.
        precision: Of its arithmetic.
        frame_type: Of stored frames; means over time are float32 always.
        max_seconds: Each clip is cut to this length; ``None`` for whole clips.
        decoding: Version of ``harness.data.audio``.
        extraction: Version of ``harness.features.extraction``.
    """

    name: str
    version: int
    plugin: str
    checkpoint: str
    layers: int
    dim: int
    hop: float | None
    rate: int
    feeding: str
    precision: Precision
    frame_type: FrameType
    max_seconds: float | None
    decoding: int
    extraction: int


@dataclass(frozen=True, kw_only=True)
class DownstreamCondition:
    """The head and how it is trained.

    Attributes:
        name: Of the downstream, with the options that differ from their defaults.
        version: Of its code, raised by its plugin.
        plugin: As for the upstream.
        reads: The features that it reads.
        recipe: How it is trained; ``None`` for one that brings its own training.
        selection: The validation metric whose best epoch is tested; ``:epochs=K``
            behind it where it is the mean of the K best epochs' probabilities.
        training: Version of ``harness.training``.
    """

    name: str
    version: int
    plugin: str
    reads: Reads
    recipe: Recipe | None
    selection: str
    training: int


@dataclass(frozen=True, kw_only=True)
class CorpusCondition:
    """The data and how they are divided.

    Attributes:
        trained: The corpora that are trained on, joined if there are several.
        tested: The corpora that are tested on, where they are others.
        versions: Of these corpora, in that order.
        languages: BCP-47 tags of the utterances.
        manifest: Hash of the utterances: ids, audio, labels and speakers.
        strategy: How they are divided.
        strategy_version: Of that strategy's code.
        speaker_independent: Whether no speaker stands in two parts.
        division: Hash of every fold.
        folds: How many there are.
    """

    trained: tuple[str, ...]
    tested: tuple[str, ...] = ()
    versions: tuple[str, ...]
    languages: tuple[str, ...]
    manifest: str
    strategy: str
    strategy_version: int
    speaker_independent: bool
    division: str
    folds: int

    @property
    def name(self) -> str:
        """Name what is trained on and, if it is something else, what is tested on.

        A corpus of which only a part was taken says so.
        """
        names = (*(self.trained or ()), *(self.tested or ()))
        versions = tuple(self.versions or ()) + ("",) * len(names)
        taken = [version.partition(LIMITED)[2] for version in versions]
        shown = [
            f"{name} ({count} utterances)" if count else name
            for name, count in zip(names, taken, strict=False)
        ]
        first = len(self.trained)
        trained, tested = JOIN.join(shown[:first]), JOIN.join(shown[first:])
        return trained + (TRANSFER + tested if tested else "")


@dataclass(frozen=True, kw_only=True)
class TargetCondition:
    """What is predicted of an utterance; the default is the emotion.

    Attributes:
        name: Of the target.
        version: Of its code, raised by its plugin.
        plugin: As for the upstream.
    """

    name: str = "emotion"
    version: int = 1
    plugin: str = ""


@dataclass(frozen=True, kw_only=True)
class PerturbationCondition:
    """How recordings are changed before the upstream reads them.

    Attributes:
        name: Of the perturbation, with its level.
        version: Of its code, raised by its plugin.
        plugin: As for the upstream.
        parts: Whose recordings: ``test``, trained on clean ones, or ``all``.
        applied: Version of ``harness.data.perturbing``: where it is applied.
    """

    name: str
    version: int
    plugin: str
    parts: PerturbedParts
    applied: int

    def __str__(self) -> str:
        """Name it and, if not the test alone, whose recordings are perturbed."""
        return self.name + " (all parts)" * (self.parts == "all")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """All that makes two results incomparable where it differs.

    A field that is added later is ``LATER``, with a default that older results have.
    """

    upstream: UpstreamCondition
    downstream: DownstreamCondition
    corpus: CorpusCondition
    target: TargetCondition = field(default=TargetCondition(), metadata=LATER)
    perturbation: PerturbationCondition | None = field(default=None, metadata=LATER)


def run_id(condition: Condition, fold: str, seed: int) -> str:
    """Hash a cell: 16 hexadecimal digits.

    What is marked ``LATER`` and has its default is left out of the hash, so that what
    was computed before there was such a field is not computed again.
    """
    value = {"condition": _hashed(condition), "fold": fold, "seed": seed}
    return sha256_json(value)[:16]


def _hashed(of: object) -> object:
    """Return a dataclass as JSON values, without later fields that are as before."""
    if not is_dataclass(of):
        return of
    return {
        one.name: _hashed(value)
        for one in fields(of)
        if (value := getattr(of, one.name)) != one.default or one.metadata != LATER
    }


def leaves(of: type[Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """List the path of every field of a dataclass, nested ones by their own fields.

    Args:
        of: The dataclass, such as ``Condition``.
        path: What stands before each path.
    """
    for name, kind in get_type_hints(of).items():
        nested = next(filter(is_dataclass, (kind, *get_args(kind))), None)
        if nested is None:
            yield (*path, name)
        else:
            yield from leaves(nested, (*path, name))  # type: ignore[arg-type]


def leaf(of: Any, path: Iterable[str]) -> Any:  # noqa: ANN401 - of any field's type
    """Return the value at a path, ``None`` where what holds it is ``None``."""
    for name in path:
        of = getattr(of, name, None)
    return of
