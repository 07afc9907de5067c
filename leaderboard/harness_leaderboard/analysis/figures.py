"""From stored results to figures: means over folds and seeds, and over nothing else.

Figures average results whose conditions are equal, and only those.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from harness.errors import HarnessError
from harness.text import counted
from harness.training.metrics import ccc, macro_f1
from harness_leaderboard.analysis.places import placed
from harness_leaderboard.analysis.question import DEFAULTS
from harness_leaderboard.render.entries import Unit, unit_of
from harness_leaderboard.results.columns import KEYS, scored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from harness.types import CorpusCondition, Metric
    from harness_leaderboard.analysis.places import Place, System

WARNINGS, PLUGINS = "training_warnings", "training_plugins"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What one system reached in one place.

    Attributes:
        place: The system and the corpus condition.
        mean: Over seeds, each the mean over its folds.
        spread: Population standard deviation over runs.
        runs: How many runs stand behind it.
        seeds: How many seeds.
        done: Folds that the seed with the fewest has.
        folds: Folds that make a set.
        unit: How its metric is printed.
        warnings: Rules that a plugin broke which brought something to it.
    """

    place: Place
    mean: float
    spread: float
    runs: int
    seeds: int
    done: int
    folds: int
    unit: Unit
    warnings: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Say whether every seed has every fold."""
        return self.done >= self.folds

    def text(self, around: str = "", *, counted: bool = True) -> str:
        """Print the mean, an interval and (runs), these only where asked for."""
        folds = "" if self.complete else f", {self.done}/{self.folds} folds"
        runs = f" ({self.runs}{folds})" if counted else ""
        return f"{self.unit.text(self.mean)}{around and f' {around}'}{runs}"


def columns(metric: Metric) -> tuple[str, ...]:
    """Return the columns that ``figures`` reads."""
    more = ("fold", "seed", "training_created", WARNINGS, PLUGINS)
    return tuple(dict.fromkeys((*KEYS, *more, scored(metric), *DEFAULTS)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Current:
    """Results that count.

    Attributes:
        runs: One a cell, with its place numbered in the column ``place``.
        places: The place of each number.
        notes: On what does not count.
    """

    runs: pa.Table
    places: tuple[Place, ...]
    notes: tuple[str, ...]

    def by_place(self) -> dict[Place, list[int]]:
        """Return the rows of each place."""
        found: dict[Place, list[int]] = defaultdict(list)
        for row, number in enumerate(self.runs["place"].to_pylist()):
            found[self.places[number]].append(row)
        return found


def current(runs: pa.Table, metric: Metric) -> Current:
    """Keep results that have a figure, and the newest of each cell.

    Args:
        runs: Results with ``KEYS``, fold, seed, ``training_created`` and the metric.
        metric: Which figure.

    Raises:
        HarnessError: Where there are some, and none has the metric.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    known = pc.fill_null(pc.is_finite(runs[scored(metric)]), False)
    usable = runs.filter(known)
    if len(runs) and not len(usable):
        kind = "numbers" if metric.of_numbers else "classes"
        raise HarnessError(
            f"None of these results has {metric.title}, which is of {kind}; choose "
            "others by --only target=…, or another --metric."
        )
    notes = list(_without(runs.filter(pc.invert(known)), metric))
    usable, places = placed(usable)
    cell = ["place", "fold", "seed"]
    cells = usable.group_by(cell).aggregate([([], "count_all")])
    if len(cells) == len(usable):
        return Current(runs=usable, places=places, notes=tuple(notes))
    numbers = pa.array(range(len(usable)), pa.int64())
    newest_last = usable.sort_by("training_created").append_column("row", numbers)
    newest = newest_last.group_by(cell).aggregate([("row", "max")])["row_max"]
    notes.append(
        f"Not counted: {counted(len(usable) - len(newest), 'result')}, superseded by "
        "newer ones of the same cells."
    )
    kept = newest_last.take(newest).drop_columns("row")
    return Current(runs=kept, places=places, notes=tuple(notes))


def _without(runs: pa.Table, metric: Metric) -> Iterator[str]:
    """Name results without a metric, and the metric that those of the other kind have.

    Args:
        runs: Results, with ``DEFAULTS`` where their kind is to be known.
        metric: Of classes or of numbers.
    """
    import pyarrow.compute as pc

    kind, other = ("classes", macro_f1) if metric.of_numbers else ("numbers", ccc)
    left = len(runs)
    if left and scored(other) in runs.column_names:
        of_other = runs.filter(pc.is_valid(runs[scored(other)]))
        left -= len(of_other)
        if len(of_other):
            targets = ", ".join(sorted(pc.unique(of_other["target"]).to_pylist()))
            yield (
                f"Not counted: {counted(len(of_other), 'result')} of {kind} "
                f"({targets}): --metric {other.name} shows them."
            )
    if left:
        yield f"Not counted: {counted(left, 'result')} without {metric.name}."


def figures(runs: pa.Table, metric: Metric) -> tuple[list[Figure], tuple[str, ...]]:
    """Average results that are comparable, and only those.

    A seed counts as the mean over its folds. Where some seeds have all folds, seeds
    that lack some do not count. Of two results of the same cell the newer one counts.

    Args:
        runs: Results with at least ``columns(metric)``.
        metric: What is averaged.

    Returns:
        The figures, and notes on what does not count.
    """
    kept = current(runs, metric)
    warned, unit = _warned(kept), unit_of(metric.bounds)
    found: dict[int, Figure] = {}
    passed_over = 0
    for row in _averaged(kept, scored(metric)):
        place = int(row["place"])
        if place in found:
            passed_over += int(row["n_count"])
        else:
            found[place] = _figure(row, kept.places[place], unit, warned.get(place, ()))
    notes = list(kept.notes)
    if passed_over:
        notes.append(
            f"Not counted: {counted(passed_over, 'seed')} without all folds, beside "
            "complete ones."
        )
    return list(found.values()), tuple(notes)


def _averaged(kept: Current, column: str) -> list[dict[str, float]]:
    """Average over folds, then over seeds; complete seeds and others apart."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = pa.array(range(len(kept.runs)), pa.int64())
    runs = kept.runs.append_column("row", rows)
    seeds = runs.group_by(["place", "seed"]).aggregate(
        [*[(column, what) for what in ("mean", "variance", "count")], ("row", "min")]
    )
    mean, n = seeds[f"{column}_mean"], seeds[f"{column}_count"]
    square = pc.add(seeds[f"{column}_variance"], pc.multiply(mean, mean))
    folds = pa.array([folds_of(place.corpus) for place in kept.places], pa.int64())
    seeds = (
        seeds.append_column("mean", mean)
        .append_column("n", n)
        .append_column("total", pc.multiply(n, mean))
        .append_column("squares", pc.multiply(n, square))
        .append_column(
            "complete", pc.greater_equal(n, folds.take(seeds["place"].combine_chunks()))
        )
    )
    sums = [("mean", "mean"), ("n", "count"), ("n", "min")]
    sums += [("n", "sum"), ("total", "sum"), ("squares", "sum"), ("row_min", "min")]
    of_place = seeds.group_by(["place", "complete"]).aggregate(sums)
    found = of_place.sort_by([("complete", "descending")]).to_pylist()
    return cast("list[dict[str, float]]", found)


def folds_of(corpus: CorpusCondition) -> int:
    """Return how many folds make a set; one where an older file does not say."""
    return corpus.folds or 1


def _figure(
    row: Mapping[str, float], place: Place, unit: Unit, warnings: tuple[str, ...]
) -> Figure:
    runs = row["n_sum"]
    variance = row["squares_sum"] / runs - (row["total_sum"] / runs) ** 2
    return Figure(
        place=place,
        mean=row["mean_mean"],
        spread=math.sqrt(max(variance, 0.0)),
        runs=int(runs),
        seeds=int(row["n_count"]),
        done=int(row["n_min"]),
        folds=folds_of(place.corpus),
        unit=unit,
        warnings=warnings,
    )


def _warned(kept: Current) -> dict[int, tuple[str, ...]]:
    """Return what plugins broke, with their names, by the numbers of places."""
    import pyarrow.compute as pc

    broke = pc.greater(pc.fill_null(pc.list_value_length(kept.runs[WARNINGS]), 0), 0)
    found: dict[int, set[str]] = defaultdict(set)
    for row in kept.runs.filter(broke).select(["place", WARNINGS, PLUGINS]).to_pylist():
        plugins = ", ".join(sorted({name for _, name in row[PLUGINS] or ()}))
        rules = "; ".join(row[WARNINGS])
        found[row["place"]].add(f"{plugins}: {rules}" if plugins else rules)
    return {place: tuple(sorted(said)) for place, said in found.items()}


def behind(kept: Current) -> dict[Place, list[int]]:
    """Return the rows behind each figure: of complete seeds, if there are any."""
    seeds = kept.runs["seed"].to_pylist()
    found = {}
    for place, rows in kept.by_place().items():
        of_seed: dict[int, list[int]] = defaultdict(list)
        for row in rows:
            of_seed[seeds[row]].append(row)
        folds = folds_of(place.corpus)
        whole = [of for of in of_seed.values() if len(of) >= folds]
        found[place] = [row for of in whole or of_seed.values() for row in of]
    return found


def all_warnings(found: Mapping[Place, Figure]) -> dict[System, tuple[str, ...]]:
    """Return the warnings of each system that has some."""
    said: dict[System, dict[str, None]] = defaultdict(dict)
    for place, figure in found.items():
        for warning in figure.warnings:
            said[place.system][warning] = None
    return {system: tuple(of) for system, of in said.items()}
