"""The view ``classifiers``: means over corpora, as in the paper's Table 2."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from harness.types import Entry, Table
from harness_leaderboard.analysis.figures import figures
from harness_leaderboard.analysis.matrix import Matrix
from harness_leaderboard.render.entries import NOTHING, marked, word

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from harness_leaderboard.analysis.question import Question

HEADS = ("linear", "nonlinear", "multilayer")
"""The paper's heads, from simple to complex; others follow them."""


def classifiers(runs: pa.Table, question: Question) -> Table:
    """Show upstreams against downstreams, each figure a mean over the same corpora."""
    if question.against:
        from harness_leaderboard.views import against  # brings numpy

        return against.table_2(runs, question)
    found, notes = figures(runs, question.metric)
    matrix = Matrix(found, question.metric)
    matrix.require_common_mean()
    rows: dict[str, dict[str, Entry]] = defaultdict(dict)
    for system, (upstream, downstream) in matrix.systems.items():
        rows[upstream][downstream] = matrix.mean_entry(system)
    heads = sorted({name for row in rows.values() for name in row}, key=_by_simplicity)
    body = []
    for upstream, row in sorted(rows.items()):
        entries = marked(row, lowest=matrix.lowest)
        of_row = (entries.get(head, NOTHING) for head in heads)
        body.append((word(upstream), *of_row))
    return Table(
        title=f"{question.metric.title} in percent, mean over corpora",
        columns=("upstream", *heads),
        heat=True,
        rows=tuple(body),
        notes=(
            f"Mean over {_listed(matrix.corpora.values())}; a system that lacks some "
            "says how many it has. The best downstream of each upstream is marked.",
            *matrix.remarks,
            *notes,
        ),
    )


def _by_simplicity(head: str) -> tuple[int, str]:
    first = head.split(" ")[0]
    return HEADS.index(first) if first in HEADS else len(HEADS), head


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    many = "corpus" if len(listed) == 1 else "corpora"
    return f"{len(listed)} {many} ({', '.join(listed)})"
