"""The view ``spread``: how much seeds, folds and speakers move a figure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.types import Entry, Table
from harness_leaderboard.analysis.components import spread_of
from harness_leaderboard.analysis.estimates import gather
from harness_leaderboard.analysis.places import Place
from harness_leaderboard.render.entries import NOTHING, number, percent, word

if TYPE_CHECKING:
    import pyarrow as pa

    from harness_leaderboard.analysis.question import Question


def spread(runs: pa.Table, question: Question) -> Table:
    """Show what one seed, fold and speaker more or less would change."""
    found = gather(runs, question.metric)
    matrix = found.matrix
    body = []
    for system in matrix.ranked():
        for corpus, label in matrix.corpora.items():
            place = Place(system, corpus)
            sample = found.samples.get(place)
            parts = sample and spread_of(sample, question.metric)
            if not parts:
                continue
            body.append(
                (
                    *matrix.names(system),
                    word(label, key=place),
                    percent(matrix.figures[place].mean),
                    percent(parts.error()),
                    *map(number, (parts.seeds, parts.speakers)),
                    *map(
                        deviation, (parts.seed, parts.fold, parts.speaker, parts.rest)
                    ),
                )
            )
    return Table(
        title=f"{question.metric.title} in percent: where its spread comes from",
        columns=(
            *("upstream", "downstream", "corpus", "figure", "error"),
            *("seeds", "speakers", "seed", "fold", "speaker", "rest"),
        ),
        groups=(*[""] * 7, *["deviation of one"] * 4),
        rows=tuple(body),
        notes=(
            "Variance components of jackknife pseudo-values by speaker (method of "
            "moments), as standard deviations: of one seed, fold and speaker, and of a "
            "speaker in one seed (rest). With one seed the speaker's holds the rest; "
            "where folds are of one speaker, it holds the fold's. Error is the "
            "figure's standard error, seeds and speakers both drawn anew.",
            *matrix.remarks,
            *found.notes,
        ),
    )


def deviation(variance: float | None) -> Entry:
    """Print the root of a variance in percent, where it is known."""
    return NOTHING if variance is None else percent(math.sqrt(variance))
