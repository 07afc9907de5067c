"""The view ``transfer``: trained on one corpus, tested on another, chance taken off.

Two corpora share more labels than other two, so recalls are not comparable as they are.
Chance-corrected recall is (UAR − 1/C) / (1 − 1/C) over the C labels of a test: 0 for
guessing, 1 for perfection.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.text import counted
from harness.training.metrics import ccc, uar
from harness.types import Entry, Table
from harness.types.conditions import JOIN
from harness_leaderboard.analysis.facets import system_names, title
from harness_leaderboard.analysis.figures import current
from harness_leaderboard.analysis.matrix import CONTROL, is_control
from harness_leaderboard.analysis.question import of_kind
from harness_leaderboard.render.entries import NOTHING, marked, word
from harness_leaderboard.results.columns import scored

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pyarrow as pa

    from harness_leaderboard.analysis.places import CorpusTask, System
    from harness_leaderboard.analysis.question import Question

Corpora = tuple[str, ...]
"""The names of corpora that are trained or tested on together."""

Cells = dict[tuple["System", Corpora], dict[Corpora, list[float]]]


TITLES = ("chance-corrected recall", "CCC")
DEFINITIONS = (
    "(UAR − 1/C) / (1 − 1/C) over the C labels that both corpora have",
    "CCC is 0 for a constant, so nothing is taken off it",
)
"""Of classes, and of numbers."""


def transfer(runs: pa.Table, question: Question) -> Table:
    """Show, for each system and training corpus, its recall on other corpora."""
    metric = of_kind(question, uar)
    kept = current(runs, metric)
    away: Cells = defaultdict(lambda: defaultdict(list))
    home: Cells = defaultdict(lambda: defaultdict(list))
    ways: dict[str, CorpusTask] = {}
    alone = 0
    columns = ["place", "labels", "labels_absent", scored(metric)]
    for row in kept.runs.select(columns).to_pylist():
        system, corpus = kept.places[row["place"]]
        _require_one_way(ways, corpus)
        recall = row[scored(ccc)] if metric is ccc else _corrected(row)
        if recall is None:
            alone += 1
            continue
        tested = corpus.tested or corpus.trained
        where = away if corpus.tested else home
        where[system, corpus.trained][tested].append(recall)
    if not away:
        raise HarnessError(
            "None of these results was tested on another corpus than it was trained "
            "on. Make some with 'harness run … --corpus A --test-corpus B'."
        )
    names = system_names(system for system, _ in away)
    tests = sorted({tested for cells in away.values() for tested in cells})
    tests += sorted({trained for _, trained in away} - set(tests))
    controls = {key for key in away if is_control(key[0], question.controls)}
    below = _below(away, names, controls)
    shown = {tested: _column(tested, away, home, controls) for tested in tests}
    return Table(
        title=f"Transfer: {TITLES[metric.of_numbers]} in percent",
        columns=("upstream", "downstream", "trained on", *map(JOIN.join, tests)),
        groups=("", "", "", *["tested on"] * len(tests)),
        heat=True,
        apart=len(controls) if len(controls) < len(away) else 0,
        rows=tuple(
            (
                *_named(names[system], (system, trained) in controls),
                word(JOIN.join(trained)),
                *(column.get((system, trained), NOTHING) for column in shown.values()),
            )
            for system, trained in sorted(
                away, key=lambda key: (key in controls, names[key[0]], key[1])
            )
        ),
        notes=(
            f"{DEFINITIONS[metric.of_numbers]}; mean over runs, in brackets their "
            "number. The highest of each column, tested elsewhere, is marked, controls "
            "apart; no test says whether it is the best.",
            *below,
            *_one_label(alone),
            *kept.notes,
        ),
    )


def _named(names: tuple[str, str], control: bool) -> tuple[Entry, Entry]:
    """Return the entries that name a row."""
    upstream, downstream = names
    mark = CONTROL if control else ""
    return word(upstream), Entry(text=downstream + mark, value=downstream)


def _require_one_way(ways: dict[str, CorpusTask], corpus: CorpusTask) -> None:
    """Refuse a corpus that was measured in several ways."""
    name = title(corpus)
    if ways.setdefault(name, corpus) != corpus:
        raise HarnessError(
            f"These results cannot be set side by side: '{name}' was measured in "
            "several ways. Choose with --only, for example --only split=loso,transfer "
            "or --only target=emotion."
        )


def _corrected(row: Mapping[str, Any]) -> float | None:
    """Take chance off a recall; one label leaves nothing to be right about.

    C counts the labels that the test part has.
    """
    present = len(row["labels"] or ()) - len(row["labels_absent"] or ())
    if present < 2:
        return None
    chance = 1 / present
    return float((row[scored(uar)] - chance) / (1 - chance))


def _one_label(results: int) -> list[str]:
    if not results:
        return []
    return [
        f"Not counted: {counted(results, 'result')} whose test part has a single label."
    ]


SHOWN = 5
"""Pairs of corpora that a note names; the others are counted."""


def _below(
    away: Cells,
    names: Mapping[System, tuple[str, str]],
    controls: Collection[tuple[System, Corpora]],
) -> list[str]:
    """Name what is recognised worse than by guessing, but for controls."""
    found = [
        f"{JOIN.join(trained)} → {JOIN.join(tested)} ({' · '.join(names[system])})"
        for (system, trained), cells in away.items()
        if (system, trained) not in controls
        for tested, scores in cells.items()
        if fmean(scores) < 0
    ]
    if not found:
        return []
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return [
        f"Below chance, so that guessing would do better: "
        f"{', '.join(sorted(found)[:SHOWN])}{more}."
    ]


def _column(
    tested: Corpora,
    away: Cells,
    home: Cells,
    controls: Collection[tuple[System, Corpora]],
) -> dict[tuple[System, Corpora], Entry]:
    """Return a test corpus' figures; its own training corpus stands apart, unmarked."""
    found = {key: cells[tested] for key, cells in away.items() if tested in cells}
    made = {key: _entry(scores) for key, scores in found.items()}
    entries = marked(made, controls=controls)
    for key in away:
        if key[1] == tested and key in home:
            entries[key] = _entry(home[key][tested])
    return entries


def _entry(scores: Sequence[float]) -> Entry:
    mean, spread = fmean(scores), pstdev(scores)
    return Entry(
        text=f"{100 * mean:.1f} ({len(scores)})",
        value=mean,
        details={"spread": spread, "runs": len(scores)},
    )
