"""Figures by system and corpus, and what tables ask of them: names, means, ranks."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.types import Entry, leaf
from harness_leaderboard.analysis.facets import (
    axis_of,
    facets,
    labels,
    say,
    system_names,
    title,
)
from harness_leaderboard.analysis.figures import all_warnings
from harness_leaderboard.analysis.places import Place
from harness_leaderboard.render.entries import NOTHING, marked, percent, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.types import CorpusCondition, Metric
    from harness_leaderboard.analysis.facets import AxisCondition
    from harness_leaderboard.analysis.figures import Figure
    from harness_leaderboard.analysis.places import System

WARNED = " ¶"
"""Behind the name of a system that was made with a plugin which broke a rule; the signs
before it (†, ‡ and §) stand for heads."""


class Matrix:
    """Figures by system and corpus condition, and what a table asks of them."""

    def __init__(self, found: Iterable[Figure], metric: Metric) -> None:
        """Name the systems and the corpora.

        Args:
            found: The figures.
            metric: What they are of; it says which is the best.
        """
        self.metric = metric
        self.figures = {figure.place: figure for figure in found}
        corpora = labels(place.corpus for place in self.figures)
        self.corpora = dict(sorted(corpora.items(), key=lambda item: item[1]))
        self.systems = system_names({place.system for place in self.figures})

    # ------------------------------------------------------------ what is said

    @cached_property
    def runs_each(self) -> int | None:
        """The runs behind a figure, where it is the same for all."""
        counts = {figure.runs for figure in self.figures.values()}
        whole = all(figure.complete for figure in self.figures.values())
        return counts.pop() if whole and len(counts) == 1 else None

    @property
    def legend(self) -> str:
        """What a figure is made of, in a sentence."""
        seeds = "Mean over seeds (of a seed: over its folds)"
        spread = "± population standard deviation over runs"
        if self.runs_each == 1:
            return "Each figure is of one run."
        if self.runs_each:
            return f"{seeds} {spread}, {self.runs_each} runs each."
        return f"{seeds} {spread}, in brackets the number of runs."

    @property
    def remarks(self) -> tuple[str, ...]:
        """What all results have in common, and whose plugins broke a rule."""
        return (*self._shared(), *self._warnings())

    def _shared(self) -> tuple[str, ...]:
        said = [
            text
            for parts in (
                [system.upstream for system in self.systems],
                [system.downstream for system in self.systems],
                list(self.corpora),
            )
            for text in _common(parts)
        ]
        return (f"All runs: {', '.join(said)}.",) if said else ()

    @cached_property
    def _warned(self) -> dict[System, tuple[str, ...]]:
        return all_warnings(self.figures)

    def _warnings(self) -> Iterator[str]:
        for system, said in self._warned.items():
            name = " · ".join(self.systems[system])
            yield (
                f"{WARNED.strip()} {name}: a plugin broke a rule when it was last "
                f"checked, so that its figures may be wrong ({'; '.join(said)}). See "
                "'harness check'."
            )

    def names(self, system: System) -> tuple[Entry, Entry]:
        """Return the entries that name a row, marked where a plugin broke a rule."""
        upstream, downstream = self.systems[system]
        mark = WARNED if system in self._warned else ""
        return Entry(text=upstream + mark, value=upstream), word(downstream)

    # ------------------------------------------------------------ means

    @property
    def averaged(self) -> bool:
        """Whether a mean over the columns means anything: one a corpus, alike."""
        return len(self.corpora) > 1 and not self.mixed

    @cached_property
    def mixed(self) -> str:
        """Why the columns have no common mean; empty if they have one."""
        names = [title(corpus) for corpus in self.corpora]
        for corpus, label in self.corpora.items():
            if names.count(title(corpus)) > 1:
                several = f"was measured in several ways ({label}, …)"
                return f"corpus '{title(corpus)}' {several}"
        for path, facet in facets("corpus"):
            if facet.everywhere and len({leaf(one, path) for one in self.corpora}) > 1:
                said = {say(one, path, facet.label, facet.noun) for one in self.corpora}
                return f"the corpora differ in {facet.noun}: {', '.join(sorted(said))}"
        return ""

    def require_common_mean(self) -> None:
        """Refuse a mean over results that are not alike, and say how to choose."""
        if self.mixed:
            raise HarnessError(
                f"These results have no common mean: {self.mixed}. Choose some with "
                "--only, for example --only split=loso."
            )

    def mean(self, system: System) -> float | None:
        """Return the mean over all corpora, if there is a figure for every one."""
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
        """Return a row's figures, those that rest on every fold."""
        row = (self.figures.get(Place(system, corpus)) for corpus in self.corpora)
        return [figure.mean for figure in row if figure and figure.complete]

    # ------------------------------------------------------------ rows and columns

    def ranked(self) -> list[System]:
        """Sort rows that have every column by their mean, the others after them."""

        def place(system: System) -> tuple[int, float, tuple[str, str]]:
            missing = len(self.corpora) - len(self.complete(system))
            return missing, -self.better(self.mean(system) or 0.0), self.systems[system]

        return sorted(self.systems, key=place)

    def better(self, value: float) -> float:
        """Return a value that is the higher, the better the figure is."""
        return value if self.metric.higher_is_better else -value

    def column(self, corpus: CorpusCondition) -> dict[System, Entry]:
        """Return a column's entries, with the best of them marked."""
        places = {system: Place(system, corpus) for system in self.systems}
        counted = self.runs_each is None
        entries = {
            system: entry_of(self.figures.get(place), counted=counted)
            for system, place in places.items()
        }
        return marked(entries, lowest=self.lowest)

    @property
    def lowest(self) -> bool:
        """Whether the best figure is the lowest."""
        return not self.metric.higher_is_better

    def average(self) -> dict[System, Entry]:
        """Return the mean over corpora, only for rows that have all of them."""
        entries = {system: self.mean_entry(system) for system in self.systems}
        return marked(entries, lowest=self.lowest)


def _common(parts: Sequence[AxisCondition]) -> Iterator[str]:
    """Say what parts of conditions have in common, of what is shown everywhere."""
    of_axis = facets(axis_of(parts[0])) if parts else ()
    for path, facet in of_axis:
        holders = [one for one in parts if not path[1:] or leaf(one, path[:-1])]
        if facet.everywhere and len({leaf(one, path) for one in holders}) == 1:
            yield say(holders[0], path, facet.note, facet.noun)


def entry_of(figure: Figure | None, *, counted: bool = True) -> Entry:
    """Print a figure; one that lacks folds has no value to be compared by."""
    if figure is None:
        return NOTHING
    return Entry(
        text=figure.text(counted=counted),
        value=figure.mean if figure.complete else None,
        details={"spread": figure.spread, "runs": figure.runs},
        key=figure.place,
    )
