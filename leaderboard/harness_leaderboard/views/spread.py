"""The view ``spread``: how much seeds, folds and speakers move a figure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.types import Entry, Table
from harness_leaderboard.analysis.components import spread_of
from harness_leaderboard.analysis.estimates import gather
from harness_leaderboard.analysis.places import Place
from harness_leaderboard.render.entries import NOTHING, Unit, number, word

if TYPE_CHECKING:
    import pyarrow as pa

    from harness_leaderboard.analysis.question import Question


def spread(runs: pa.Table, question: Question) -> Table:
    """Show what one seed, fold and speaker more or less would change."""
    found = gather(runs, question, ranked=True)
    matrix = found.matrix
    body = []
    apart = 0
    for system in matrix.ranked():
        for corpus, label in matrix.corpora.items():
            place = Place(system, corpus)
            sample = found.samples.get(place)
            parts = sample and spread_of(sample, question.metric)
            if not parts:
                continue
            apart += matrix.is_control(system)
            made = matrix.sure.estimates.get(place)
            figure = matrix.figures[place]
            body.append(
                (
                    *matrix.names(system),
                    word(label, key=place),
                    matrix.unit.entry(figure.mean),
                    matrix.unit.entry(made.error) if made else NOTHING,
                    *map(number, (figure.runs, parts.seeds, parts.speakers)),
                    matrix.unit.entry(figure.spread),
                    *(
                        deviation(variance, matrix.unit)
                        for variance in (
                            *(parts.seed, parts.fold, parts.speaker, parts.rest),
                        )
                    ),
                )
            )
    return Table(
        title=f"{matrix.title()}: where its spread comes from",
        columns=(
            *("upstream", "downstream", "corpus", "figure", "error"),
            *("runs", "seeds", "speakers", "run", "seed", "fold", "speaker", "rest"),
        ),
        groups=(*[""] * 8, *["deviation of one"] * 5),
        rows=tuple(body),
        apart=apart if apart < len(body) else 0,
        notes=(
            "Error is the figure's standard error, as on the board. Deviations: of the "
            "runs' scores (population); and variance components of pseudo-values by "
            "speaker (method of moments), of one seed, fold and speaker, and of a "
            "speaker in one seed (rest). With one seed the speaker's holds the rest; "
            "where folds are of one speaker, it holds the fold's.",
            *matrix.doubts,
            *matrix.remarks,
            *found.notes,
        ),
    )


def deviation(variance: float | None, unit: Unit) -> Entry:
    """Print the root of a variance, where it is known."""
    return NOTHING if variance is None else unit.entry(math.sqrt(variance))
