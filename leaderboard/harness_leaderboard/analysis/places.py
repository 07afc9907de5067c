"""Where a figure stands: its system makes the row, the rest the column.

Two results stand in the same place if, and only if, their conditions are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

from harness.types import CorpusCondition, PerturbationCondition, TargetCondition
from harness_leaderboard.results.columns import KEYS, condition_of

if TYPE_CHECKING:
    import pyarrow as pa

    from harness.types import Condition, DownstreamCondition, UpstreamCondition


@dataclass(frozen=True, kw_only=True)
class CorpusTask(CorpusCondition):
    """What makes a column: the data, how they are perturbed, what is predicted of them.

    Every part of the condition that is neither the upstream nor the downstream is a
    field beside those of the corpus.
    """

    target: TargetCondition
    perturbation: PerturbationCondition | None = None

    @classmethod
    def of(cls, condition: Condition) -> CorpusTask:
        """Take it out of a condition."""
        corpus = {
            one.name: getattr(condition.corpus, one.name)
            for one in fields(CorpusCondition)
        }
        return cls(**corpus, **{name: getattr(condition, name) for name in BESIDES})


BESIDES = tuple(one.name for one in fields(CorpusTask)[len(fields(CorpusCondition)) :])
"""The parts of the condition that stand beside the corpus in a column."""


class System(NamedTuple):
    """What is tested: a frozen speech model with a head on top."""

    upstream: UpstreamCondition
    downstream: DownstreamCondition


class Place(NamedTuple):
    """A system, the data that it was trained and tested on, and the target."""

    system: System
    corpus: CorpusTask


def placed(runs: pa.Table) -> tuple[pa.Table, tuple[Place, ...]]:
    """Number the conditions of results.

    Args:
        runs: Results with the columns ``KEYS``.

    Returns:
        The results with a column ``place``, and the place of each number.
    """
    import pyarrow as pa

    numbers = _numbers(runs)
    runs = runs.append_column("place", numbers)
    rows = pa.table({"place": numbers, "row": pa.array(range(len(runs)), pa.int64())})
    first = rows.group_by("place").aggregate([("row", "min")]).sort_by("place")
    found = runs.select(KEYS).take(first["row_min"]).to_pylist()
    return runs, tuple(_place(row) for row in found)


def unmixed(runs: pa.Table) -> pa.Table:
    """Keep the clean results where some are of perturbed recordings and some are not.

    For what averages over corpora without saying how each was measured.

    Args:
        runs: Results with the columns ``KEYS``.
    """
    clean = runs.filter(runs["perturbation"].is_null())
    return clean if len(clean) else runs


def _place(row: dict[str, object]) -> Place:
    of = condition_of(row)
    return Place(System(of.upstream, of.downstream), CorpusTask.of(of))


def _numbers(runs: pa.Table) -> pa.Array:
    """Number the distinct conditions by their first rows; (N,) integers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pa.repeat(pa.scalar(0, pa.int64()), len(runs))
    for column in KEYS:
        encoded = _encoded(runs[column].combine_chunks())
        if len(encoded.dictionary) == 1 and not encoded.null_count:
            continue
        size = pa.scalar(len(encoded.dictionary) + 1, pa.int64())
        known = pc.cast(encoded.indices, pa.int64())
        codes = pc.fill_null(known, len(encoded.dictionary))
        both = pc.add(pc.multiply(numbers, size), codes).dictionary_encode()
        numbers = pc.cast(both.indices, pa.int64())
    return numbers


def _encoded(column: pa.Array) -> pa.DictionaryArray:
    """Number the distinct values of a column; a list by the numbers of its parts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_list(column.type):
        return column.dictionary_encode()
    parts = column.flatten().dictionary_encode().indices.cast(pa.string())
    lengths = pc.fill_null(pc.list_value_length(column), 0)
    ends = pc.cumulative_sum(lengths.cast(pa.int32()))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    lists = pa.ListArray.from_arrays(offsets, parts)
    # an empty list is a text of its own, other than a null
    texts = pc.binary_join(lists, ",")
    return pc.if_else(pc.is_valid(column), texts, None).dictionary_encode()
