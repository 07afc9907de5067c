"""The view ``board``: systems against corpora, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.types import Table
from harness_leaderboard.analysis.figures import figures
from harness_leaderboard.analysis.matrix import Matrix

if TYPE_CHECKING:
    import pyarrow as pa

    from harness_leaderboard.analysis.question import Question


def board(runs: pa.Table, question: Question) -> Table:
    """Show systems against corpora, the best first.

    Args:
        runs: Results with at least the columns of figures.
        question: Says the metric.
    """
    found, notes = figures(runs, question.metric)
    matrix = Matrix(found, question.metric)
    columns = [
        (label, matrix.column(corpus)) for corpus, label in matrix.corpora.items()
    ]
    if matrix.averaged:
        columns.append(("mean", matrix.average()))
    return Table(
        title=f"{question.metric.title} in percent",
        columns=("upstream", "downstream", *(label for label, _ in columns)),
        heat=True,
        rows=tuple(
            (*matrix.names(system), *(column[system] for _, column in columns))
            for system in matrix.ranked()
        ),
        notes=(
            matrix.legend
            + " The best of each column is marked." * (len(matrix.systems) > 1),
            *matrix.remarks,
            *notes,
        ),
    )
