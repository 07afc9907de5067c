"""Stored predictions as counts by speaker: what every interval and test is made from.

Shape letters here: S speakers, s those of one test part, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
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
    """

    speakers: tuple[str, ...]
    parts: tuple[TestPart, ...]


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
    return Sample(speakers=tuple(speakers), parts=tuple(parts))


def _coded(column: pa.Array) -> tuple[Ints, list[str]]:
    """Number the distinct values of a column."""
    encoded = column.dictionary_encode()
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
