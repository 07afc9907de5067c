"""The view ``board``: systems against corpora, the best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.types import Table
from harness_leaderboard.analysis.figures import figures
from harness_leaderboard.analysis.luck import of_one_seed
from harness_leaderboard.analysis.matrix import Matrix
from harness_leaderboard.analysis.printed import rank_entry
from harness_leaderboard.analysis.question import require_additive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from harness.types import Entry, Order
    from harness_leaderboard.analysis.places import System
    from harness_leaderboard.analysis.question import Question


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column after the names.

    Attributes:
        head: Above it.
        facts: In small print below that.
        entries: By system.
    """

    head: str
    facts: tuple[str, ...] = ()
    entries: Mapping[System, Entry]


PREDICTIONS = "predictions"
"""The column that errors are computed from."""


def board(runs: pa.Table, question: Question) -> Table:
    """Show systems against corpora, the best first.

    Args:
        runs: Results with at least the columns of figures; with ``labels`` and
            ``predictions`` figures have errors, and what may be the best is marked.
        question: Says the metric.
    """
    matrix, notes = matrix_of(runs, question)
    columns = [
        *_summary(matrix),
        *(
            Column(head=label, facts=matrix.facts(of), entries=matrix.column(of))
            for of, label in matrix.corpora.items()
        ),
    ]
    return Table(
        title=matrix.title(),
        columns=("upstream", "downstream", *(one.head for one in columns)),
        facts=((), (), *(one.facts for one in columns)),
        sorted_by=_sorted_by(columns, matrix),
        heat=True,
        apart=matrix.apart,
        rows=tuple(
            (*matrix.names(system), *(one.entries[system] for one in columns))
            for system in matrix.ranked()
        ),
        notes=(
            " ".join(filter(None, [matrix.legend, matrix.marks, *_legends(matrix)])),
            *matrix.doubts,
            *of_one_seed(matrix.figures.values(), question.spreads, question.metric),
            *matrix.remarks,
            *notes,
        ),
    )


def _summary(matrix: Matrix) -> Iterator[Column]:
    """Yield what stands first: the ranks, and the mean over corpora."""
    if matrix.ranks:
        ranks = {one: rank_entry(matrix.ranks.get(one)) for one in matrix.systems}
        yield Column(head="rank", entries=ranks)
    if matrix.averaged:
        facts = (f"{len(matrix.corpora)} corpora",) * bool(matrix.sure.facts)
        yield Column(head="mean", facts=facts, entries=matrix.average())


def _sorted_by(columns: Sequence[Column], matrix: Matrix) -> Order | None:
    """Name the column that rows are sorted by: the mean, or of one corpus its own."""
    if not (matrix.averaged or len(matrix.corpora) == 1):
        return None
    place = next(at for at, one in enumerate(columns) if one.head != "rank")
    return 2 + place, "ascending" if matrix.lowest else "descending"


def _legends(matrix: Matrix) -> tuple[str, str]:
    return matrix.ranks_legend, matrix.chance_legend


def matrix_of(runs: pa.Table, question: Question) -> tuple[Matrix, tuple[str, ...]]:
    """Return figures, with how sure they are where predictions were read; and notes.

    Raises:
        HarnessError: Where folds are to be pooled, and no predictions were read.
    """
    metric = question.metric
    if PREDICTIONS in runs.column_names and metric.additive:
        from harness_leaderboard.analysis.estimates import gather  # brings numpy

        gathered = gather(runs, question, ranked=True)
        return gathered.matrix, gathered.notes
    if question.pooled:
        require_additive(metric)
        raise HarnessError(
            "These are too many predictions to pool. Choose fewer results with --only."
        )
    found, notes = figures(runs, metric)
    return Matrix(found, metric, controls=question.controls), notes
