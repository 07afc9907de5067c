"""Stored predictions as counts by speaker: what every interval and test is made from.

Shape letters here: S speakers, s those of one test part, C classes.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

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
        counts: (s, C, C) confusions by speaker, rows are true labels.
    """

    seed: int
    utterances: tuple[str, ...]
    speakers: Ints
    counts: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """The test parts that stand behind one figure.

    Attributes:
        speakers: S names.
        parts: One a run.
        labels: C names, where they are known.
        merged: (S,) the fold of each speaker, where folds were pooled to one part.
    """

    speakers: tuple[str, ...]
    parts: tuple[TestPart, ...]
    labels: tuple[str, ...] = ()
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
    """Count the predictions of a figure's runs by speaker.

    Args:
        runs: Rows of one place, with ``seed``, ``labels`` and
            ``predictions``.
    """
    import pyarrow.compute as pc

    listed = runs["predictions"].combine_chunks()
    said = pc.list_flatten(listed)
    speaker, speakers = _coded(pc.struct_field(said, "speaker"))
    true, labels = _coded(pc.struct_field(said, "label"))
    predicted, guesses = _coded(pc.struct_field(said, "predicted"))
    known = pc.unique(pc.list_flatten(runs["labels"].combine_chunks())).to_pylist()
    classes = sorted({*known, *labels, *guesses})
    true = np.array([classes.index(label) for label in labels], int)[true]
    predicted = np.array([classes.index(label) for label in guesses], int)[predicted]
    utterance = np.array(pc.struct_field(said, "utterance").to_pylist(), object)
    ends = np.cumsum(pc.list_value_length(listed).to_numpy(zero_copy_only=False))
    parts = []
    for seed, end, length in zip(
        runs["seed"].to_pylist(), ends, np.diff(ends, prepend=0), strict=True
    ):
        rows = slice(end - length, end)
        present, place = np.unique(speaker[rows], return_inverse=True)
        size = len(classes)
        code = (place * size + true[rows]) * size + predicted[rows]
        counts = np.bincount(code, minlength=len(present) * size**2)
        parts.append(
            TestPart(
                seed=seed,
                utterances=tuple(sorted(utterance[rows])),
                speakers=present,
                counts=counts.reshape(-1, size, size).astype(np.float32),
            )
        )
    return Sample(speakers=tuple(speakers), parts=tuple(parts), labels=tuple(classes))


def pooled(sample: Sample) -> Sample:
    """Put the folds of each seed into one part, so that it has one score."""
    seeds: dict[int, list[TestPart]] = defaultdict(list)
    for part in sample.parts:
        seeds[part.seed].append(part)
    parts = tuple(_merged(sample, parts) for parts in seeds.values())
    return replace(sample, parts=parts, merged=sample.folds)


def _merged(sample: Sample, parts: Sequence[TestPart]) -> TestPart:
    counts = np.zeros((len(sample.speakers), *parts[0].counts.shape[1:]), np.float32)
    for part in parts:
        counts[part.speakers] += part.counts
    present = np.unique(np.concatenate([part.speakers for part in parts]))
    return TestPart(
        seed=parts[0].seed,
        utterances=tuple(sorted(name for part in parts for name in part.utterances)),
        speakers=present,
        counts=counts[present],
    )


def _coded(column: pa.Array) -> tuple[Ints, list[str]]:
    """Number the distinct values of a column."""
    encoded = column.dictionary_encode()
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
