"""The transfer matrix: trained on one corpus, tested on another, chance taken off.

Two corpora share more labels than other two, so recalls are not comparable as they are.
Chance-corrected recall is (UAR − 1/C) / (1 − 1/C) over the C labels of a test: nought
for guessing, one for perfection.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean, pstdev
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.types import Entry, Table
from harness_leaderboard.analysis.facets import place_of, system_names
from harness_leaderboard.analysis.tables import current
from harness_leaderboard.render.entries import NOTHING, marked, word

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from harness_leaderboard.analysis.facets import Key, System
    from harness_leaderboard.analysis.tables import Question

ARROW = "→"
"""Stands in a corpus' name between what was trained on and what was tested on."""

Cells = dict[tuple["System", str], dict[str, list[float]]]


def transfer(runs: pa.Table, question: Question) -> Table:
    """Show, for each system and training corpus, what it reads in other corpora."""
    usable, notes = current(runs, "uar")
    away: Cells = defaultdict(lambda: defaultdict(list))
    home: Cells = defaultdict(lambda: defaultdict(list))
    ways: dict[str, Key] = {}
    for row in usable.to_pylist():
        trained, arrow, tested = row["corpus"].partition(ARROW)
        system, task = place_of(row)
        if ways.setdefault(row["corpus"], task) != task:
            raise HarnessError(
                f"These results cannot be set side by side: '{row['corpus']}' was "
                "measured in several ways. Choose with --only, for example --only "
                "split=loso,transfer."
            )
        where = away if arrow else home
        where[system, trained][tested or trained].append(_corrected(row))
    if not away:
        raise HarnessError(
            "None of these results was tested on another corpus than it was trained "
            "on. Make some with 'harness run … --corpus A --test-corpus B'."
        )
    names = system_names(system for system, _ in away)
    tests = sorted({tested for cells in away.values() for tested in cells})
    tests += sorted({trained for _, trained in away} - set(tests))
    columns = {tested: _column(tested, away, home) for tested in tests}
    return Table(
        title="Transfer: chance-corrected recall in percent",
        columns=("upstream", "downstream", "trained on", *tests),
        groups=("", "", "", *["tested on"] * len(tests)),
        heat=True,
        rows=tuple(
            (*map(word, (*names[system], trained)), *_entries(columns, system, trained))
            for system, trained in sorted(away, key=lambda key: (names[key[0]], key[1]))
        ),
        notes=(
            "(UAR − 1/C) / (1 − 1/C) over the C labels that both corpora have; mean ± "
            "population standard deviation over runs, in brackets their number. The "
            "best of each column, tested elsewhere, is marked.",
            *notes,
        ),
    )


def _corrected(row: dict[str, object]) -> float:
    """Take chance off a recall: C counts the labels that the test part has."""
    labels, absent = row["labels"] or (), row["labels_absent"] or ()
    chance = 1 / (len(labels) - len(absent))  # type: ignore[arg-type]
    return (float(row["uar"]) - chance) / (1 - chance)  # type: ignore[arg-type]


def _column(tested: str, away: Cells, home: Cells) -> dict[tuple[System, str], Entry]:
    """Give a test corpus' figures; its own training corpus stands apart, unmarked."""
    found = {key: cells[tested] for key, cells in away.items() if tested in cells}
    entries = marked({key: _entry(scores) for key, scores in found.items()})
    for key in away:
        if key[1] == tested and key in home:
            entries[key] = _entry(home[key][tested])
    return entries


def _entry(scores: Sequence[float]) -> Entry:
    mean, spread = fmean(scores), pstdev(scores)
    around = f" ± {100 * spread:.1f}" if len(scores) > 1 else ""
    return Entry(
        text=f"{100 * mean:.1f}{around} ({len(scores)})",
        value=mean,
        details={"spread": spread, "runs": len(scores)},
    )


def _entries(
    columns: dict[str, dict[tuple[System, str], Entry]], system: System, trained: str
) -> list[Entry]:
    return [entries.get((system, trained), NOTHING) for entries in columns.values()]
