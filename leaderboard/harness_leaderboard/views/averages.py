"""The paper's Tables 2 and 3: means over corpora, and corpora by language."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.types import Entry, Table
from harness_leaderboard.analysis.facets import CORPUS, Key, System
from harness_leaderboard.analysis.tables import METRICS, Grid, figures, shared
from harness_leaderboard.render.entries import NOTHING, bests, marked
from harness_leaderboard.views import against

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

    from harness_leaderboard.analysis.tables import Question


HEADS = ("linear", "nonlinear", "multilayer")  # as simple as they come, then others


def classifiers(runs: pa.Table, question: Question) -> Table:
    """Show upstreams against downstreams, each figure a mean over the same corpora."""
    if question.against:
        return against.table_2(runs, question)
    found, notes = figures(runs, question.metric)
    grid = Grid(found)
    require_common_mean(grid)
    rows: dict[str, dict[str, Entry]] = defaultdict(dict)
    for system, (upstream, downstream) in grid.systems.items():
        rows[upstream][downstream] = grid.mean_entry(system)
    heads = sorted({name for row in rows.values() for name in row}, key=_by_simplicity)
    body = []
    for upstream, row in sorted(rows.items()):
        entries = marked(row)
        body.append(
            (
                Entry(text=upstream, value=upstream),
                *(entries.get(head, NOTHING) for head in heads),
            )
        )
    return Table(
        title=f"{METRICS[question.metric]} in percent, mean over corpora",
        columns=("upstream", *heads),
        heat=True,
        rows=tuple(body),
        notes=(
            f"Mean over {_listed(grid.corpora.values())}; a system that lacks some "
            "says how many it has. The best downstream of each upstream is marked.",
            *shared(grid),
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


def require_common_mean(grid: Grid) -> None:
    """Refuse a mean over results that are not alike, and say how to choose."""
    if grid.mixed:
        raise HarnessError(
            f"There is no honest mean over these results: {grid.mixed}. Choose with "
            "--only, for example --only split=loso."
        )


# ---------------------------------------------------------------- Table 3


BASELINE, ENGLISH, MULTILINGUAL = "baseline", "English-only", "multilingual"
OTHER = "unknown"
GROUPS = (BASELINE, ENGLISH, MULTILINGUAL, OTHER)
MARKS = {"linear": "†", "multilayer": "‡", "nonlinear": "§"}


def languages(runs: pa.Table, question: Question) -> Table:
    """Show corpora against upstreams, each with the head that is best for it."""
    if question.against:
        return against.table_3(runs, question)
    found, notes = figures(runs, question.metric)
    grid = Grid(found)
    chosen = sorted(
        _best_heads(grid, question),
        key=lambda system: (
            GROUPS.index(group_of(system, question)),
            grid.systems[system],
        ),
    )
    body = []
    for task, corpus in grid.corpora.items():
        column = grid.column(task)
        row = {system: column[system] for system in chosen}
        body.append((_corpus(task, corpus), *_with_groups(row, question)))
    heads = {str(downstream[0]) for _, downstream in chosen}
    legend = ", ".join(f"{MARKS[head]} {head}" for head in HEADS if head in heads)
    return Table(
        title=f"{METRICS[question.metric]} in percent by language",
        columns=("corpus", *(_heading(system, grid) for system in chosen)),
        groups=("", *(group_of(system, question) for system in chosen)),
        heat=True,
        rows=tuple(body),
        notes=(
            "Each upstream with the downstream that is best over its corpora, of those "
            f"that have the most of them{': ' + legend if legend else ''}. The best of "
            "a row is marked, and the best English-only and the best multilingual one.",
            grid.legend,
            *shared(grid),
            *notes,
        ),
    )


def group_of(system: System, question: Question) -> str:
    """Say what an upstream was pre-trained on: nothing, English alone, or more."""
    known = question.pretraining.get(str(system[0][0]))
    if not known:
        return OTHER if known is None else BASELINE
    english = all(tag.split("-")[0] == "en" for tag in known)
    return ENGLISH if english else MULTILINGUAL


def _best_heads(grid: Grid, question: Question) -> list[System]:
    """Give every baseline, and of other upstreams the system with the best head.

    A head that lacks corpora which another has is not ranked against it.
    """
    of_upstream: dict[Key, list[System]] = defaultdict(list)
    chosen = []
    for system in grid.systems:
        if group_of(system, question) == BASELINE:
            chosen.append(system)
        else:
            of_upstream[system[0]].append(system)
    for systems in of_upstream.values():
        most = max(len(grid.complete(system)) for system in systems)
        whole = [system for system in systems if len(grid.complete(system)) == most]
        chosen.append(max(whole, key=_over_shared(grid, whole)))
    return chosen


def _over_shared(
    grid: Grid, systems: Sequence[System]
) -> Callable[[System], tuple[float, str]]:
    """Rank heads by their mean over the corpora that all of them have."""
    common = [
        task
        for task in grid.corpora
        if all(_complete(grid, system, task) for system in systems)
    ]

    def rank(system: System) -> tuple[float, str]:
        mean = sum(grid.figures[system, task].mean for task in common)
        return mean, repr(system)

    return rank


def _complete(grid: Grid, system: System, task: Key) -> bool:
    figure = grid.figures.get((system, task))
    return figure is not None and figure.complete


def _with_groups(row: Mapping[System, Entry], question: Question) -> list[Entry]:
    """Mark the best of a row, and the best of each group of upstreams."""
    best, seconds = bests(row), set()
    for group in (ENGLISH, MULTILINGUAL):
        seconds |= bests(
            {
                system: entry
                for system, entry in row.items()
                if group_of(system, question) == group
            }
        )
    return [
        replace(entry, best=system in best, second=system in seconds)
        for system, entry in row.items()
    ]


def _heading(system: System, grid: Grid) -> str:
    upstream, downstream = grid.systems[system]
    name = str(system[1][0])
    if name in MARKS:
        return upstream + MARKS[name] + downstream.removeprefix(name)
    return f"{upstream} {downstream}"


def _corpus(task: Key, label: str) -> Entry:
    language = task[CORPUS.columns.index("language")]
    text = f"{label} ({language})" if language else label
    return Entry(text=text, value=text)
