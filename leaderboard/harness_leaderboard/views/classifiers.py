"""The view ``classifiers``: means over corpora, as in the paper's Table 2."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from harness.text import counted
from harness.types import Entry, Table
from harness_leaderboard.analysis.matrix import BEST
from harness_leaderboard.render.entries import NOTHING, marked, word
from harness_leaderboard.views.board import matrix_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from harness_leaderboard.analysis.matrix import Matrix
    from harness_leaderboard.analysis.question import Question

HEADS = ("linear", "nonlinear", "multilayer")
"""The paper's heads, from simple to complex; others follow them."""


def classifiers(runs: pa.Table, question: Question) -> Table:
    """Show upstreams against downstreams, each figure a mean over the same corpora."""
    if question.against:
        from harness_leaderboard.views import against  # brings numpy

        return against.table_2(runs, question)
    matrix, notes = matrix_of(runs, question)
    matrix.require_common_mean()
    means = matrix.average()
    rows: dict[str, dict[str, Entry]] = defaultdict(dict)
    for system, (upstream, downstream) in matrix.systems.items():
        rows[upstream][downstream] = means[system]
    ranked = _ranked(matrix)
    compared = {head for heads in ranked.values() for head in heads}
    heads = sorted(
        {name for row in rows.values() for name in row},
        key=lambda head: (head not in compared, _by_simplicity(head)),
    )
    body = []
    for upstream in sorted(rows, key=lambda name: (name not in ranked, name)):
        row = rows[upstream]
        controls = row.keys() - ranked.get(upstream, set())
        entries = marked(row, lowest=matrix.lowest, unit=matrix.unit, controls=controls)
        of_row = (entries.get(head, NOTHING) for head in heads)
        body.append((word(upstream), *of_row))
    return Table(
        title=matrix.title(", mean over corpora"),
        columns=("upstream", *heads),
        heat=True,
        apart=len(rows.keys() - ranked.keys()) if ranked else 0,
        rows=tuple(body),
        notes=(
            f"Mean over {_listed(matrix.corpora.values())}; a system that lacks some "
            f"says how many it has. The {matrix.extreme} of each upstream is marked, "
            "controls apart.",
            *[f"{matrix.interval_legend} {BEST}"] * bool(matrix.sure.means),
            *matrix.doubts,
            *matrix.remarks,
            *notes,
        ),
    )


def _ranked(matrix: Matrix) -> dict[str, set[str]]:
    """Return the downstreams of each upstream that are no controls, by their labels."""
    found: dict[str, set[str]] = defaultdict(set)
    for system, (upstream, downstream) in matrix.systems.items():
        if not matrix.is_control(system):
            found[upstream].add(downstream)
    return found


def _by_simplicity(head: str) -> tuple[int, str]:
    first = head.split(" ")[0]
    return HEADS.index(first) if first in HEADS else len(HEADS), head


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return f"{counted(len(listed), 'corpus', 'corpora')} ({', '.join(listed)})"
