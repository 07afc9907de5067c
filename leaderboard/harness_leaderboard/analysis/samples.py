"""Stored predictions as sums by speaker: what every interval and test is made from.

Where the speaker is what is predicted, sentences take the place of speakers: see
``drawn``.

Shape letters here: S speakers, s those of one test part, C classes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from harness.training.metrics import moments_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Ints = NDArray[np.integer]


@dataclass(frozen=True, kw_only=True, eq=False)
class TestPart:
    """The test part of one run, as counts.

    Attributes:
        seed: Of the run.
        utterances: Their ids, sorted.
        speakers: (s,) indices into the sample's speakers.
        counts: (s, C, C) confusions by speaker, rows are true labels; or (s, 6) moments
            of numbers (see ``harness.types.Predictions``).
        squares: (s, 6, 6) sums of the products of what each utterance adds to its
            moments, where there are these.
    """

    seed: int
    utterances: tuple[str, ...]
    speakers: Ints
    counts: Floats
    squares: Floats | None = None

    @property
    def of_numbers(self) -> bool:
        """Whether numbers were predicted."""
        return self.counts.ndim == 2

    @property
    def sizes(self) -> Floats:
        """Utterances of each speaker, (s,)."""
        if self.of_numbers:
            return self.counts[:, 0]
        sizes: Floats = self.counts.sum((1, 2))
        return sizes


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """The test parts that stand behind one figure.

    Attributes:
        speakers: S names.
        parts: One a run.
        labels: C names, where they are known.
        unit: What the speakers are: ``speaker``, or what ``drawn`` says.
        merged: (S,) the fold of each speaker, where folds were pooled to one part.
    """

    speakers: tuple[str, ...]
    parts: tuple[TestPart, ...]
    labels: tuple[str, ...] = ()
    unit: str = "speaker"
    merged: Ints | None = None

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Those of the parts, sorted."""
        return tuple(sorted({part.seed for part in self.parts}))

    @cached_property
    def folds(self) -> Ints:
        """The fold of each speaker, (S,); one of all where some stand in several."""
        if self.merged is not None:
            return self.merged
        folds = np.full(len(self.speakers), -1)
        first = self.parts[0].seed
        for place, part in enumerate(one for one in self.parts if one.seed == first):
            if (folds[part.speakers] >= 0).any():
                return np.zeros(len(folds), int)
            folds[part.speakers] = place
        return folds

    def of_seeds(self, seeds: Collection[int]) -> Sample:
        """Return the parts of some seeds alone."""
        parts = tuple(part for part in self.parts if part.seed in seeds)
        return replace(self, parts=parts)


def sample_of(runs: pa.Table) -> Sample:
    """Add up the predictions of a figure's runs by speaker.

    Args:
        runs: Rows of one place, with ``seed``, ``labels`` and
            ``predictions``.
    """
    import pyarrow.compute as pc

    listed = runs["predictions"].combine_chunks()
    said = pc.list_flatten(listed)
    unit, names = drawn(said)
    speaker, speakers = _coded(names)
    labels, add_up = adding(said, runs["labels"])
    utterance = np.array(pc.struct_field(said, "utterance").to_pylist(), object)
    ends = np.cumsum(pc.list_value_length(listed).to_numpy(zero_copy_only=False))
    parts = []
    for seed, end, length in zip(
        runs["seed"].to_pylist(), ends, np.diff(ends, prepend=0), strict=True
    ):
        rows = slice(end - length, end)
        present, place = np.unique(speaker[rows], return_inverse=True)
        counts, squares = add_up(rows, place, len(present))
        parts.append(
            TestPart(
                seed=seed,
                utterances=tuple(sorted(utterance[rows])),
                speakers=present,
                counts=counts,
                squares=squares,
            )
        )
    return Sample(
        speakers=tuple(speakers), parts=tuple(parts), labels=labels, unit=unit
    )


GROUPS = 40
"""Of utterances, where nothing else can be drawn: with more, t hardly changes."""


def drawn(said: pa.Array) -> tuple[str, pa.Array]:
    """Return what is drawn anew for an interval, and which one each prediction is of.

    That is the speaker. Where the speaker is the class there is no other one to draw:
    then it is the sentence, or, where some have no code, one of ``GROUPS`` groups into
    which utterances are divided by their ids.

    Args:
        said: Predictions (N,), with all fields.

    Returns:
        Its name in the singular, and names (N,).
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    speaker = pc.struct_field(said, "speaker")
    apart = pc.any(pc.not_equal(speaker, pc.struct_field(said, "label"))).as_py()
    if apart is not False:
        return "speaker", speaker
    sentence = pc.struct_field(said, "sentence")
    if not sentence.null_count:
        return "sentence", sentence
    ids = np.array(pc.struct_field(said, "utterance").to_pylist(), object)
    _, number = np.unique(ids, return_inverse=True)
    return "utterance group", pc.cast(pa.array(number % GROUPS), pa.string())


AddUp = Callable[[slice, "Ints", int], tuple["Floats", "Floats | None"]]
"""From rows, the place that each adds to and the number of places, to the counts and
squares of a part (see ``TestPart``)."""


def adding(said: pa.Array, labels: pa.ChunkedArray) -> tuple[tuple[str, ...], AddUp]:
    """Return the classes of predictions, none of numbers, and what adds them up.

    Args:
        said: Predictions.
        labels: The classes of each run.
    """
    import pyarrow.compute as pc

    if len(said) and pc.struct_field(said, "value")[0].is_valid:
        return (), _moments(said)
    known = pc.unique(pc.list_flatten(labels.combine_chunks())).to_pylist()
    return _confusions(said, known)


def _confusions(said: pa.Array, known: Sequence[str]) -> tuple[tuple[str, ...], AddUp]:
    """Return the classes of predictions, and what counts confusions by place."""
    import pyarrow.compute as pc

    true, labels = _coded(pc.struct_field(said, "label"))
    predicted, guesses = _coded(pc.struct_field(said, "predicted"))
    classes = sorted({*known, *labels, *guesses})
    size = len(classes)
    true = np.array([classes.index(label) for label in labels], int)[true]
    predicted = np.array([classes.index(label) for label in guesses], int)[predicted]

    def add_up(rows: slice, place: Ints, places: int) -> tuple[Floats, None]:
        code = (place * size + true[rows]) * size + predicted[rows]
        counts = np.bincount(code, minlength=places * size**2)
        return counts.reshape(-1, size, size).astype(np.float32), None

    return tuple(classes), add_up


def _moments(said: pa.Array) -> AddUp:
    """Return what adds up moments by place."""
    import pyarrow.compute as pc

    true, predicted = (
        pc.struct_field(said, name).to_numpy(zero_copy_only=False)
        for name in ("value", "predicted_value")
    )
    each = moments_of(true, predicted, origin=float(true.mean()))

    def add_up(rows: slice, place: Ints, places: int) -> tuple[Floats, Floats]:
        added = each[rows]
        counts = np.zeros((places, added.shape[1]))
        squares = np.zeros((*counts.shape, added.shape[1]))
        np.add.at(counts, place, added)
        np.add.at(squares, place, added[:, :, None] * added[:, None])
        return counts, squares

    return add_up


def pooled(sample: Sample) -> Sample:
    """Put the folds of each seed into one part, so that it has one score."""
    seeds: dict[int, list[TestPart]] = defaultdict(list)
    for part in sample.parts:
        seeds[part.seed].append(part)
    parts = tuple(_merged(sample, parts) for parts in seeds.values())
    return replace(sample, parts=parts, merged=sample.folds)


def _merged(sample: Sample, parts: Sequence[TestPart]) -> TestPart:
    present = np.unique(np.concatenate([part.speakers for part in parts]))
    counts = by_speaker(sample, [(one.speakers, one.counts) for one in parts])
    squares = [(one.speakers, one.squares) for one in parts if one.squares is not None]
    return TestPart(
        seed=parts[0].seed,
        utterances=tuple(sorted(name for part in parts for name in part.utterances)),
        speakers=present,
        counts=counts[present],
        squares=by_speaker(sample, squares)[present] if squares else None,
    )


def by_speaker(sample: Sample, parts: Sequence[tuple[Ints, Floats]]) -> Floats:
    """Add up what speakers have in several parts, (S, …).

    Args:
        sample: Whose speakers.
        parts: Speakers (s,), and what each has, (s, …).
    """
    first = parts[0][1]
    total = np.zeros((len(sample.speakers), *first.shape[1:]), first.dtype)
    for speakers, of in parts:
        total[speakers] += of
    return total


def _coded(column: pa.Array) -> tuple[Ints, list[str]]:
    """Number the distinct values of a column."""
    encoded = column.dictionary_encode()
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
