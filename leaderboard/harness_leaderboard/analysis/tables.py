"""From stored results to figures, to a grid of systems and tasks, and to the board.

Figures average results that share every facet, and only those (see ``facets``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, cast

from harness.types import Entry, Table
from harness_leaderboard.analysis.facets import (
    CORPUS,
    DOWNSTREAM,
    KEYS,
    UPSTREAM,
    Axis,
    Key,
    System,
    labels,
    place_of,
    system_names,
)
from harness_leaderboard.render.entries import (
    NOTHING,
    counted,
    in_percent,
    marked,
    percent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

METRICS = {
    "macro_f1": "Macro-F1",
    "weighted_f1": "Weighted F1",
    "uar": "UAR",
    "accuracy": "Accuracy",
}


# ---------------------------------------------------------------- figures


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What one system reached in one task.

    Attributes:
        system: Key of the upstream and of the downstream.
        task: Key of the corpus.
        mean: Over seeds, each the mean over its folds, as a fraction of one.
        spread: Population standard deviation over runs.
        runs: How many runs stand behind it.
        seeds: How many seeds.
        done: Folds that the seed with the fewest has.
        folds: Folds that make a set.
    """

    system: System
    task: Key
    mean: float
    spread: float
    runs: int
    seeds: int
    done: int
    folds: int

    @property
    def complete(self) -> bool:
        """Tell whether every seed has every fold."""
        return self.done >= self.folds

    def text(self, *, counted: bool = True) -> str:
        """Print it in percent: mean ± spread (runs); the runs only where asked for."""
        spread = f" ± {in_percent(self.spread)}" if self.runs > 1 else ""
        folds = "" if self.complete else f", {self.done}/{self.folds} folds"
        runs = f" ({self.runs}{folds})" if counted else ""
        return f"{in_percent(self.mean)}{spread}{runs}"


def columns(metric: str) -> tuple[str, ...]:
    """Give the columns that ``figures`` reads."""
    return (*KEYS, "fold", "seed", "created", metric)


def figures(runs: pa.Table, metric: str) -> tuple[list[Figure], tuple[str, ...]]:
    """Average results that are comparable, and only those.

    A seed counts as the mean over its folds. Where some seeds have all folds, seeds
    that lack some do not count. Of two results of the same cell the newer one counts.

    Args:
        runs: Results with at least ``columns(metric)``.
        metric: One of ``METRICS``.

    Returns:
        The figures, and notes on what does not count.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    runs, notes = current(runs, metric)
    runs = runs.append_column("row", pa.array(range(len(runs)), pa.int64()))
    seeds = runs.group_by(["place", "seed"]).aggregate(
        [
            *[(metric, what) for what in ("mean", "variance", "count")],
            ("folds", "max"),
            ("row", "min"),
        ]
    )
    mean, n = seeds[f"{metric}_mean"], seeds[f"{metric}_count"]
    square = pc.add(seeds[f"{metric}_variance"], pc.multiply(mean, mean))
    seeds = (
        seeds.append_column("mean", mean)
        .append_column("n", n)
        .append_column("total", pc.multiply(n, mean))
        .append_column("squares", pc.multiply(n, square))
        .append_column("complete", pc.greater_equal(n, seeds["folds_max"]))
    )
    sums = [("mean", "mean"), ("n", "count"), ("n", "min")]
    sums += [("n", "sum"), ("total", "sum"), ("squares", "sum"), ("row_min", "min")]
    rows = seeds.group_by(["place", "complete"]).aggregate(sums)
    rows = rows.sort_by([("complete", "descending")])
    keys = runs.select(KEYS).take(rows["row_min_min"])
    found: dict[Key, Figure] = {}
    passed_over = 0
    for row, key in zip(rows.to_pylist(), keys.to_pylist(), strict=True):
        figure = _figure(row | key)
        if (figure.system, figure.task) in found:
            passed_over += figure.seeds
        else:
            found[figure.system, figure.task] = figure
    if passed_over:
        notes.append(
            f"Not counted: {counted(passed_over, 'seed')} without all folds, beside "
            "complete ones."
        )
    return list(found.values()), tuple(notes)


def current(runs: pa.Table, metric: str) -> tuple[pa.Table, list[str]]:
    """Keep results that have a figure, and the newest of each cell.

    Returns:
        The results, with their system and task numbered in a column ``place``, and
        notes on what does not count.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    notes = []
    for column in ("recipe_deviations", "skipped"):  # lists cannot be grouped by
        runs = _with(runs, column, pc.binary_join(runs[column], "\n"))
    runs = _with(runs, "folds", pc.fill_null(runs["folds"], 1))
    usable = runs.filter(pc.fill_null(pc.is_finite(runs[metric]), False))
    if missing := len(runs) - len(usable):
        notes.append(f"Not counted: {counted(missing, 'result')} without {metric}.")
    usable = usable.append_column("place", _places(usable))
    cell = ["place", "fold", "seed"]
    cells = usable.group_by(cell).aggregate([([], "count_all")])
    if len(cells) == len(usable):
        return usable, notes
    numbers = pa.array(range(len(usable)), pa.int64())
    newest_last = usable.sort_by("created").append_column("row", numbers)
    newest = newest_last.group_by(cell).aggregate([("row", "max")])["row_max"]
    notes.append(
        f"Not counted: {counted(len(usable) - len(newest), 'result')}, superseded by "
        "newer ones of the same cells."
    )
    return newest_last.take(newest).drop_columns("row"), notes


def _with(runs: pa.Table, column: str, values: pa.ChunkedArray) -> pa.Table:
    return runs.set_column(runs.column_names.index(column), column, values)


def _places(runs: pa.Table) -> pa.Array:
    """Number the distinct keys, column after column; (N,) integers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pa.repeat(pa.scalar(0, pa.int64()), len(runs))
    for column in KEYS:
        encoded = runs[column].combine_chunks().dictionary_encode()
        if len(encoded.dictionary) == 1 and not encoded.null_count:
            continue
        size = pa.scalar(len(encoded.dictionary) + 1, pa.int64())
        known = pc.cast(encoded.indices, pa.int64())
        codes = pc.fill_null(known, len(encoded.dictionary))
        both = pc.add(pc.multiply(numbers, size), codes).dictionary_encode()
        numbers = pc.cast(both.indices, pa.int64())
    return numbers


def _figure(row: Mapping[str, object]) -> Figure:
    system, task = place_of(row)
    number = cast("Mapping[str, float]", row)
    runs = number["n_sum"]
    variance = number["squares_sum"] / runs - (number["total_sum"] / runs) ** 2
    return Figure(
        system=system,
        task=task,
        mean=number["mean_mean"],
        spread=math.sqrt(max(variance, 0.0)),
        runs=int(runs),
        seeds=int(number["n_count"]),
        done=int(number["n_min"]),
        folds=int(number["folds"]),
    )


def behind(kept: pa.Table) -> dict[tuple[System, Key], list[int]]:
    """Give the rows that stand behind each figure: of complete seeds, if there are any.

    Args:
        kept: What ``current`` gave.
    """
    seeds: dict[tuple[System, Key], dict[int, list[int]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for number, row in enumerate(kept.select([*KEYS, "seed"]).to_pylist()):
        seeds[place_of(row)][row["seed"]].append(number)
    found = {}
    for place, of_place in seeds.items():
        folds = cast("int", place[1][CORPUS.columns.index("folds")])
        whole = [rows for rows in of_place.values() if len(rows) >= folds]
        found[place] = [row for rows in whole or of_place.values() for row in rows]
    return found


# ---------------------------------------------------------------- grid


def shared(grid: Grid) -> tuple[str, ...]:
    """Say once what all results have in common."""
    keys: dict[Axis, Iterable[Key]] = {
        UPSTREAM: [upstream for upstream, _ in grid.systems],
        DOWNSTREAM: [downstream for _, downstream in grid.systems],
        CORPUS: grid.corpora,
    }
    said = []
    for axis, of_axis in keys.items():
        for place, facet in enumerate(axis.facets, start=1):
            values = {key[place] for key in of_axis}
            if facet.everywhere and len(values) == 1:
                said.append(f"{facet.noun} {facet.say(values.pop())}".strip())
    return (f"All runs: {', '.join(said)}.",) if said else ()


class Grid:
    """Figures by system and task, and what a table asks of them."""

    def __init__(self, found: Iterable[Figure]) -> None:
        """Name the systems and the tasks."""
        self.figures = {(figure.system, figure.task): figure for figure in found}
        systems = {system for system, _ in self.figures}
        corpora = labels(CORPUS, (task for _, task in self.figures))
        self.corpora = dict(sorted(corpora.items(), key=lambda item: item[1]))
        self.systems = system_names(systems)

    @cached_property
    def runs_each(self) -> int | None:
        """Give the runs behind a figure, where it is the same for all."""
        counts = {figure.runs for figure in self.figures.values()}
        whole = all(figure.complete for figure in self.figures.values())
        return counts.pop() if whole and len(counts) == 1 else None

    @property
    def legend(self) -> str:
        """Say what a figure is made of."""
        seeds = "Mean over seeds (of a seed: over its folds)"
        spread = "± population standard deviation over runs"
        if self.runs_each == 1:
            return "Each figure is of one run."
        if self.runs_each:
            return f"{seeds} {spread}, {self.runs_each} runs each."
        return f"{seeds} {spread}, in brackets the number of runs."

    @property
    def averaged(self) -> bool:
        """Tell whether a mean over the columns means anything: one a corpus, alike."""
        return len(self.corpora) > 1 and not self.mixed

    @cached_property
    def mixed(self) -> str:
        """Say why the columns have no common mean, or nothing if they have one."""
        names = [task[0] for task in self.corpora]
        for task, label in self.corpora.items():
            if names.count(task[0]) > 1:
                return f"corpus '{task[0]}' was measured in several ways ({label}, …)"
        for place, facet in enumerate(CORPUS.facets, start=1):
            values = {task[place] for task in self.corpora}
            if facet.everywhere and len(values) > 1:
                several = sorted(facet.say(value) for value in values)
                return f"the corpora differ in {facet.noun}: {', '.join(several)}"
        return ""

    def mean(self, system: System) -> float | None:
        """Give the mean over all corpora, if there is a figure for every one."""
        row = self.complete(system)
        missing = len(self.corpora) - len(row)
        return None if missing or self.mixed else math.fsum(row) / len(row)

    def mean_entry(self, system: System) -> Entry:
        """Print that mean, or how many corpora there are of how many."""
        mean = self.mean(system)
        if mean is not None:
            return percent(mean)
        return Entry(text=f"{len(self.complete(system))} of {len(self.corpora)}")

    def complete(self, system: System) -> list[float]:
        """Give a row's figures, those that rest on every fold."""
        row = (self.figures.get((system, task)) for task in self.corpora)
        return [figure.mean for figure in row if figure and figure.complete]

    def ranked(self) -> list[System]:
        """Sort rows that have every column by their mean, the others after them."""

        def place(system: System) -> tuple[int, float, tuple[str, str]]:
            missing = len(self.corpora) - len(self.complete(system))
            return missing, -(self.mean(system) or 0.0), self.systems[system]

        return sorted(self.systems, key=place)

    def column(self, task: Key) -> dict[System, Entry]:
        """Give a column's entries, with the best of them marked."""
        column = {system: self.figures.get((system, task)) for system in self.systems}
        counted = self.runs_each is None
        return marked(
            {system: _entry(figure, counted) for system, figure in column.items()}
        )

    def average(self) -> dict[System, Entry]:
        """Give the mean over corpora, only for rows that have all of them."""
        return marked({system: self.mean_entry(system) for system in self.systems})


def _entry(figure: Figure | None, counted: bool) -> Entry:
    """Print a figure; one that lacks folds has no value to be compared by."""
    if figure is None:
        return NOTHING
    return Entry(
        text=figure.text(counted=counted),
        value=figure.mean if figure.complete else None,
        details={"spread": figure.spread, "runs": figure.runs},
    )


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a view.

    Attributes:
        metric: One of ``METRICS``.
        against: Whether the paper's figures are set beside ours.
        pretraining: The languages that each upstream was trained on, by its name.
    """

    metric: str = "macro_f1"
    against: bool = False
    pretraining: Mapping[str, Sequence[str]] = field(default_factory=dict)


def board(runs: pa.Table, metric: str = "macro_f1") -> Table:
    """Show systems against corpora, the best first.

    Args:
        runs: Results with at least ``columns(metric)``.
        metric: One of ``METRICS``.
    """
    found, notes = figures(runs, metric)
    grid = Grid(found)
    columns = [(label, grid.column(task)) for task, label in grid.corpora.items()]
    if grid.averaged:
        columns.append(("mean", grid.average()))
    return Table(
        title=f"{METRICS[metric]} in percent",
        columns=("upstream", "downstream", *(label for label, _ in columns)),
        heat=True,
        rows=tuple(
            (
                *(Entry(text=name, value=name) for name in grid.systems[system]),
                *(column[system] for _, column in columns),
            )
            for system in grid.ranked()
        ),
        notes=(
            grid.legend
            + " The best of each column is marked." * (len(grid.systems) > 1),
            *shared(grid),
            *notes,
        ),
    )
