"""The stored predictions behind each figure, for what is read out of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import HarnessError
from harness.text import counted
from harness_leaderboard.analysis.figures import behind, current, figures
from harness_leaderboard.analysis.matrix import Matrix
from harness_leaderboard.analysis.places import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness_leaderboard.analysis.question import Question


@dataclass(frozen=True, kw_only=True, eq=False)
class Held:
    """Figures, and the results behind those whose predictions are all there.

    Attributes:
        matrix: Of all figures: names systems and corpora, and knows controls.
        runs: By place, one row a cell.
        notes: On what does not count.
    """

    matrix: Matrix
    runs: Mapping[Place, pa.Table]
    notes: tuple[str, ...]

    def ordered(self) -> Iterator[tuple[Place, pa.Table]]:
        """Yield places as tables list them: systems by rank, then corpora."""
        for system in self.matrix.ranked():
            for corpus in self.matrix.corpora:
                if (place := Place(system, corpus)) in self.runs:
                    yield place, self.runs[place]

    def name(self, place: Place) -> str:
        """Name a place in a note."""
        names = " · ".join(self.matrix.systems[place.system])
        return f"{names} on {self.matrix.corpora[place.corpus]}"


def held(runs: pa.Table, question: Question) -> Held:
    """Find the results behind every figure that has all its folds, with predictions.

    Args:
        runs: Results with the columns of figures and ``predictions``.
        question: Says the metric, and which systems are controls.

    Raises:
        HarnessError: Where there is none.
    """
    found, notes = figures(runs, question.metric)
    kept = current(runs, question.metric)
    complete = {one.place for one in found if one.complete}
    whole = _predicted(kept.runs)
    tables = {
        place: kept.runs.take(pa.array(rows))
        for place, rows in behind(kept).items()
        if place in complete and all(whole[row] for row in rows)
    }
    if not tables:
        raise HarnessError(
            f"None of these figures of {question.metric.title} has all its folds, with "
            "a number or the score of each class in every prediction; see 'harness "
            "leaderboard --view runs'."
        )
    left = len(found) - len(tables)
    more = f"Left out: {counted(left, 'figure')} without all folds' predictions."
    return Held(
        matrix=Matrix(found, question.metric, controls=question.controls),
        runs=tables,
        notes=(*notes, *[more] * bool(left)),
    )


def _predicted(runs: pa.Table) -> list[bool]:
    """Say of each result whether all it predicted is a number, or scores of classes."""
    listed = runs["predictions"].combine_chunks()
    owner = pc.list_parent_indices(listed).to_numpy()
    said = pc.list_flatten(listed)
    scores = pc.list_value_length(pc.struct_field(said, "scores"))
    numbers = pc.is_valid(pc.struct_field(said, "predicted_value"))
    whole = pc.or_(pc.fill_null(pc.greater(scores, 0), False), numbers)
    whole = whole.to_numpy(zero_copy_only=False)
    found = np.zeros(len(runs), bool)
    found[owner] = True
    found[owner[~whole]] = False
    return [bool(one) for one in found]
