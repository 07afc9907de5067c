"""The view ``board``: systems against corpora, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.types import Table
from harness_leaderboard.analysis.figures import figures
from harness_leaderboard.analysis.matrix import Matrix
from harness_leaderboard.analysis.question import require_confusion

if TYPE_CHECKING:
    import pyarrow as pa

    from harness_leaderboard.analysis.question import Question

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
        (label, matrix.column(corpus)) for corpus, label in matrix.corpora.items()
    ]
    if matrix.averaged:
        columns.append(("mean", matrix.average()))
    return Table(
        title=matrix.title(),
        columns=("upstream", "downstream", *(label for label, _ in columns)),
        heat=True,
        apart=matrix.apart,
        rows=tuple(
            (*matrix.names(system), *(column[system] for _, column in columns))
            for system in matrix.ranked()
        ),
        notes=(
            " ".join(filter(None, [matrix.legend, matrix.marks])),
            *matrix.doubts,
            *matrix.remarks,
            *notes,
        ),
    )


def matrix_of(runs: pa.Table, question: Question) -> tuple[Matrix, tuple[str, ...]]:
    """Return figures, with how sure they are where predictions were read; and notes.

    Raises:
        HarnessError: Where folds are to be pooled, and no predictions were read.
    """
    metric = question.metric
    if PREDICTIONS in runs.column_names and metric.of_confusion:
        from harness_leaderboard.analysis.estimates import gather  # brings numpy

        gathered = gather(runs, question, ranked=True)
        return gathered.matrix, gathered.notes
    if question.pooled:
        require_confusion(metric)
        raise HarnessError(
            "These are too many predictions to pool. Choose fewer results with --only."
        )
    found, notes = figures(runs, metric)
    return Matrix(found, metric, controls=question.controls), notes
