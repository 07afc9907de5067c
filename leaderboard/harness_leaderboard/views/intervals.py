"""The view ``intervals``: the board with intervals, ranks and the worst speaker."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.types import Entry, Table
from harness_leaderboard.analysis import statistics
from harness_leaderboard.analysis.estimates import gather, worst_speaker
from harness_leaderboard.analysis.places import Place
from harness_leaderboard.render.entries import NOTHING, unit_of

if TYPE_CHECKING:
    import pyarrow as pa

    from harness_leaderboard.analysis.estimates import Gathered
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.analysis.ranking import Standing
    from harness_leaderboard.analysis.statistics import Estimate

LEGEND = (
    "[low, high] by the t distribution, with other test speakers drawn (other folds "
    "where there are several, and other seeds); then the ranks that the system may "
    "have, each bound with 95 % confidence; in brackets the figure of the worst test "
    "speaker. No interval knows speakers of a kind that was not drawn."
)


def intervals(runs: pa.Table, question: Question) -> Table:
    """Show the board with intervals, ranks and the figure of the worst speaker."""
    found = gather(runs, question, ranked=True)
    matrix = found.matrix
    columns = [
        matrix.tied(
            {system: _entry(Place(system, corpus), found) for system in matrix.systems}
        )
        for corpus in matrix.corpora
    ]
    return Table(
        title=matrix.title(" with 95 % intervals"),
        columns=("upstream", "downstream", *matrix.corpora.values()),
        facts=((), (), *map(matrix.facts, matrix.corpora)),
        apart=matrix.apart,
        rows=tuple(
            (*matrix.names(system), *(column[system] for column in columns))
            for system in matrix.ranked()
        ),
        notes=(
            " ".join(filter(None, [LEGEND, matrix.marks, matrix.chance_legend])),
            *_without(found),
            *matrix.doubts,
            *matrix.remarks,
            *found.notes,
        ),
    )


def _without(found: Gathered) -> list[str]:
    """Name the columns where no figure has all its folds, with predictions."""
    held = {place.corpus for place in found.samples}
    return [
        f"{label}: no system has every fold, with predictions."
        for corpus, label in found.matrix.corpora.items()
        if corpus not in held
    ]


def _entry(place: Place, found: Gathered) -> Entry:
    made = found.matrix.sure.estimates.get(place)
    if made is None:
        return NOTHING
    entry = _printed(made, found.matrix.sure.standings.get(place))
    worst = worst_speaker(found.samples[place], found.matrix.metric)
    return replace(
        entry,
        text=f"{entry.text} ({found.matrix.unit.text(worst)})",
        details={
            **entry.details,
            "worst speaker": worst,
            "estimand": found.matrix.head(place.corpus),
        },
        key=place,
    )


def _printed(made: Estimate, standing: Standing | None) -> Entry:
    """Print a figure, its interval and its ranks."""
    low, high = statistics.interval(made)
    text = unit_of(made.bounds).bounds(made.value, low, high)
    details = {"error": made.error, "low": low, "high": high}
    if standing is None:
        return Entry(text=text, value=made.value, details=details)
    first, last = standing.first, standing.last
    rank = str(first) if first == last else f"{first}–{last}"
    return Entry(
        text=f"{text} {rank}",
        value=made.value,
        best=standing.best,
        details=details | {"first": first, "last": last, "p": standing.p},
    )
