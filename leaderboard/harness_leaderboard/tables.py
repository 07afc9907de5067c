"""Views: pure functions from stored results to tables.

What makes figures comparable is written down once, as facets of the system (a row) and
of the task (a column). Results that differ in any facet are never averaged: they become
rows or columns of their own, and a label is qualified by those facets that differ. What
all results share is said once, in a note.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar, cast

from harness.types import Entry, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

METRICS = {
    "macro_f1": "Macro-F1",
    "weighted_f1": "Weighted F1",
    "uar": "UAR",
    "accuracy": "Accuracy",
}

Key = tuple[object, ...]
"""The values of a name and its facets, in the order in which they are declared."""

Name = TypeVar("Name")
System = tuple[Key, Key]
"""The keys of an upstream and of a downstream."""

NOTHING = Entry(text="")


@dataclass(frozen=True, kw_only=True)
class Facet:
    """Something besides the name that makes figures incomparable where it differs.

    Attributes:
        column: Of the results.
        noun: What a note calls it.
        text: From a value to a few words.
        everywhere: Whether a label shows it as soon as it differs anywhere on the
            board, or only where two labels would else be the same.
    """

    column: str
    noun: str
    text: Callable[[object], str] = str
    everywhere: bool = False

    def say(self, value: object) -> str:
        """Put a value into a few words; only clips have a reason to have none."""
        if value is None and self.column != "max_seconds":
            return f"unknown {self.noun or self.column}"
        return self.text(value)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A name and its facets: together, the identity of a row or of a column."""

    name: str
    facets: tuple[Facet, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Give the columns of the results that make a ``Key``."""
        return (self.name, *(facet.column for facet in self.facets))


def _digest(noun: str) -> Callable[[object], str]:
    return lambda value: f"{noun} {str(value)[:8]}"


def _count(noun: str) -> Callable[[object], str]:
    return lambda lines: f"{len(str(lines).splitlines())} {noun}"


UPSTREAM = Axis(
    name="upstream",
    facets=(
        Facet(column="upstream_feeding", noun="feeding", everywhere=True),
        Facet(column="checkpoint_sha256", noun="weights", text=_digest("weights")),
    ),
)
DOWNSTREAM = Axis(
    name="downstream",
    facets=(
        Facet(column="recipe", noun="recipe", everywhere=True),
        Facet(
            column="selection",
            noun="",
            text=lambda value: f"selected by {value}",
            everywhere=True,
        ),
        Facet(column="recipe_deviations", noun="", text=_count("deviations")),
    ),
)
CORPUS = Axis(
    name="corpus",
    facets=(
        Facet(column="split", noun="split", everywhere=True),
        Facet(column="folds", noun="", text=lambda value: f"{value} folds"),
        Facet(
            column="max_seconds",
            noun="clips",
            text=lambda value: "whole" if value is None else f"≤ {value:g} s",
            everywhere=True,
        ),
        Facet(column="language", noun="language"),
        Facet(column="corpus_version", noun="version", text=_digest("version")),
        Facet(column="skipped", noun="", text=_count("files skipped")),
        Facet(column="manifest_sha256", noun="data", text=_digest("data")),
        Facet(column="split_sha256", noun="split file", text=_digest("split")),
    ),
)
AXES = (UPSTREAM, DOWNSTREAM, CORPUS)
KEYS = tuple(column for axis in AXES for column in axis.columns)


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

    @property
    def text(self) -> str:
        """Print it in percent: mean ± spread (runs)."""
        spread = f" ± {_percent(self.spread)}" if self.runs > 1 else ""
        folds = "" if self.complete else f", {self.done}/{self.folds} folds"
        return f"{_percent(self.mean)}{spread} ({self.runs}{folds})"


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
            f"Not counted: {passed_over} seeds that lack folds, beside complete ones."
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
        notes.append(f"Not counted: {missing} results without {metric}.")
    usable = usable.append_column("place", _places(usable))
    cell = ["place", "fold", "seed"]
    cells = usable.group_by(cell).aggregate([([], "count_all")])
    if len(cells) == len(usable):
        return usable, notes
    numbers = pa.array(range(len(usable)), pa.int64())
    newest_last = usable.sort_by("created").append_column("row", numbers)
    newest = newest_last.group_by(cell).aggregate([("row", "max")])["row_max"]
    notes.append(
        f"Not counted: {len(usable) - len(newest)} results, each superseded by a newer "
        "one of the same cell."
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
        size = pa.scalar(len(encoded.dictionary) + 1, pa.int64())
        known = pc.cast(encoded.indices, pa.int64())
        codes = pc.fill_null(known, len(encoded.dictionary))
        both = pc.add(pc.multiply(numbers, size), codes).dictionary_encode()
        numbers = pc.cast(both.indices, pa.int64())
    return numbers


def place_of(row: Mapping[str, object]) -> tuple[System, Key]:
    """Give the system and the task that a row of keys belongs to."""
    upstream, downstream, corpus = (
        tuple(row[column] for column in axis.columns) for axis in AXES
    )
    return (upstream, downstream), corpus


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


# ---------------------------------------------------------------- labels


def labels(axis: Axis, keys: Iterable[Key]) -> dict[Key, str]:
    """Name keys, each with as few facets as tell it from the others."""
    found = {key: str(key[0]) for key in sorted(set(keys), key=repr)}
    for place, facet in enumerate(axis.facets, start=1):
        alike: dict[str, set[object]] = defaultdict(set)
        for key, label in found.items():
            alike["" if facet.everywhere else label].add(key[place])
        for key, label in found.items():
            if len(alike["" if facet.everywhere else label]) > 1:
                found[key] = f"{label} · {facet.say(key[place])}"
    return _distinct(found)


def system_names(systems: Iterable[System]) -> dict[System, tuple[str, str]]:
    """Name the upstream and the downstream of each system."""
    known = list(systems)
    upstreams = labels(UPSTREAM, (upstream for upstream, _ in known))
    downstreams = labels(DOWNSTREAM, (downstream for _, downstream in known))
    return {system: (upstreams[system[0]], downstreams[system[1]]) for system in known}


def _distinct(found: dict[Key, str]) -> dict[Key, str]:
    """Number labels that are the same, since names may look like anything."""
    seen: dict[str, int] = defaultdict(int)
    for key, label in found.items():
        seen[label] += 1
        if seen[label] > 1:
            found[key] = f"{label} #{seen[label]}"
    return found


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


# ---------------------------------------------------------------- views


class Grid:
    """Figures by system and task, and what a table asks of them."""

    def __init__(self, found: Iterable[Figure]) -> None:
        """Name the systems and the tasks."""
        self.figures = {(figure.system, figure.task): figure for figure in found}
        systems = {system for system, _ in self.figures}
        corpora = labels(CORPUS, (task for _, task in self.figures))
        self.corpora = dict(sorted(corpora.items(), key=lambda item: item[1]))
        self.systems = system_names(systems)

    @property
    def averaged(self) -> bool:
        """Tell whether a mean over the columns means anything: one a corpus, alike."""
        return len(self.corpora) > 1 and not self.mixed

    @property
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
        return marked({system: _entry(figure) for system, figure in column.items()})

    def average(self) -> dict[System, Entry]:
        """Give the mean over corpora, only for rows that have all of them."""
        return marked({system: self.mean_entry(system) for system in self.systems})


def _entry(figure: Figure | None) -> Entry:
    """Print a figure; one that lacks folds has no value to be compared by."""
    if figure is None:
        return NOTHING
    return Entry(
        text=figure.text,
        value=figure.mean if figure.complete else None,
        details={"spread": figure.spread, "runs": figure.runs},
    )


def marked(entries: Mapping[Name, Entry]) -> dict[Name, Entry]:
    """Mark the best of at least two entries; those that read the same are a tie."""
    best = bests(entries)
    return {name: replace(entry, best=name in best) for name, entry in entries.items()}


def bests(entries: Mapping[Name, Entry]) -> set[Name]:
    """Find the best of at least two entries that have a value."""
    texts = {
        name: _percent(entry.value)
        for name, entry in entries.items()
        if isinstance(entry.value, float)
    }
    best = max(texts.values(), key=float) if len(texts) > 1 else None
    return {name for name, text in texts.items() if text == best}


def percent(fraction: float) -> Entry:
    """Print a fraction of one."""
    return Entry(text=_percent(fraction), value=fraction)


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
        rows=tuple(
            (
                *(Entry(text=name, value=name) for name in grid.systems[system]),
                *(column[system] for _, column in columns),
            )
            for system in grid.ranked()
        ),
        notes=(
            "Mean over seeds (of a seed: over its folds) ± population standard "
            "deviation over runs, in brackets the number of runs. The best of each "
            "column is marked.",
            *shared(grid),
            *notes,
        ),
    )


def word(value: object) -> Entry:
    """Print a name."""
    text = "" if value is None else str(value)
    return Entry(text=text, value=text)


def number(value: int) -> Entry:
    """Print a count."""
    return Entry(text=str(value), value=value)


def bounds(value: float, low: float, high: float) -> str:
    """Print a figure and its interval, in percent."""
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def spans(numbers: Iterable[int]) -> str:
    """Write numbers as spans: 0-2, 5."""
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(
        str(low) if low == high else f"{low}-{high}" for low, high in spans
    )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"
