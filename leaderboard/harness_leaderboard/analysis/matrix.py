"""Figures by system and corpus, and what tables ask of them: names, means, ranks."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.types import Entry
from harness_leaderboard.analysis.facets import common, differing, labels, system_names
from harness_leaderboard.analysis.figures import all_warnings
from harness_leaderboard.analysis.places import Place
from harness_leaderboard.analysis.printed import around, entry_of
from harness_leaderboard.render.entries import extreme, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.types import Metric
    from harness_leaderboard.analysis.figures import Figure
    from harness_leaderboard.analysis.places import CorpusTask, System
    from harness_leaderboard.analysis.ranking import Standing
    from harness_leaderboard.analysis.statistics import Estimate
    from harness_leaderboard.analysis.tested import Tested

INTERVAL = (
    "[low, high] is the 95 % interval of a figure, with other test speakers drawn "
    "(other folds where there are several, and other seeds){rounded}."
)
BEST = (
    "Marked is what may be the best of its column: no other system is shown to be "
    "better (a set that holds the best with 95 % confidence, controls apart); a column "
    "where all may be has no mark."
)
RANK = "Rank: the best and the worst that each may have {of}, by the same test."
CHANCE = (
    "Chance is what guessing all classes alike often reaches; speakers and utterances "
    "(n) are those of the test."
)
CHANCE_OF_NUMBERS = (
    "Chance is what the mean of a test part's true numbers reaches as the answer to "
    "all; speakers and utterances (n) are those of the test."
)
WARNED = " ¶"
"""Behind the name of a system that was made with a plugin which broke a rule; the signs
before it (†, ‡ and §) stand for heads."""


@dataclass(frozen=True, kw_only=True)
class Sure:
    """How sure figures are; all is empty where predictions were not read.

    Attributes:
        estimates: By place.
        standings: By place, of the systems that are ranked in its column.
        means: By system, of its mean over all corpora.
        heads: What the figures of a column are of, and what is not known of them.
        facts: What a column was tested on.
        remarks: On a column.
        mean_remarks: On the mean over all of them.
    """

    estimates: Mapping[Place, Estimate] = field(default_factory=dict)
    standings: Mapping[Place, Standing] = field(default_factory=dict)
    means: Mapping[System, Standing] = field(default_factory=dict)
    heads: Mapping[CorpusTask, str] = field(default_factory=dict)
    facts: Mapping[CorpusTask, Tested] = field(default_factory=dict)
    remarks: Mapping[CorpusTask, tuple[str, ...]] = field(default_factory=dict)
    mean_remarks: tuple[str, ...] = ()


CONTROL = " (control)"
"""Behind the name of a row that others must beat, and that is not ranked."""


class Matrix:
    """Figures by system and corpus condition, and what a table asks of them."""

    def __init__(
        self,
        found: Iterable[Figure],
        metric: Metric,
        *,
        sure: Sure | None = None,
        controls: frozenset[str] = frozenset(),
    ) -> None:
        """Name the systems and the corpora.

        Args:
            found: The figures.
            metric: What they are of; it says which is the best.
            sure: How sure they are.
            controls: Names of upstreams and downstreams that are not ranked.
        """
        self.metric = metric
        self.unit = unit_of(metric.bounds)
        self.sure = sure or Sure()
        self.controls = controls
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
        """What a figure is made of, in a sentence or two."""
        seeds = _one_of(figure.seeds for figure in self.figures.values())
        folds = _one_of(figure.folds for figure in self.figures.values())
        over = f"Mean over {seeds} seeds" if seeds else "Mean over seeds"
        over = "Mean over one seed" if seeds == 1 else over
        over += {1: "", 0: ", of each over its folds"}.get(
            folds, f", of each over {folds} folds"
        )
        if self.runs_each == 1:
            made = "Each figure is of one run."
        elif self.runs_each:
            made = f"{over}."
        else:
            made = f"{over}, in round brackets the number of runs."
        if not self.sure.estimates:
            return made
        return f"{made} {self.interval_legend}"

    @property
    def interval_legend(self) -> str:
        """What an interval is."""
        rounded = ", rounded outward to whole percent" if self.unit.percent else ""
        return INTERVAL.format(rounded=rounded)

    def head(self, corpus: CorpusTask) -> str:
        """Say what a column's figures are of, and what is not known of them."""
        return self.sure.heads.get(corpus, "")

    @cached_property
    def _heads(self) -> dict[str, list[str]]:
        """Corpora by what their figures are of."""
        found: dict[str, list[str]] = defaultdict(list)
        for corpus, label in self.corpora.items():
            if head := self.head(corpus):
                found[head].append(label)
        return found

    def title(self, more: str = "") -> str:
        """Say what the figures are, and what they are of where it is the same for all.

        Args:
            more: What stands behind the metric.
        """
        said = f"{self.metric.title} {self.unit.said}{more}"
        return f"{said}, {next(iter(self._heads))}" if len(self._heads) == 1 else said

    @property
    def doubts(self) -> tuple[str, ...]:
        """What figures are of, and what stands in the way of errors and ranks."""
        several = self._heads if len(self._heads) > 1 else {}
        return (
            *(f"Figures of {', '.join(of)}: {head}." for head, of in several.items()),
            *(f"{', '.join(of)}: {said}." for said, of in self._doubted.items()),
            *[f"mean: {'; '.join(self.sure.mean_remarks)}."] * self._mean_is_doubted,
        )

    @property
    def _doubted(self) -> dict[str, list[str]]:
        """List the columns that a doubt is of, by what is said of them."""
        found: dict[str, list[str]] = defaultdict(list)
        for corpus, said in self.sure.remarks.items():
            if said:
                found["; ".join(said)].append(str(self.corpora[corpus]))
        return found

    @property
    def _mean_is_doubted(self) -> bool:
        return self.averaged and bool(self.sure.mean_remarks)

    @property
    def ranks_legend(self) -> str:
        """What a rank is, where there are ranks."""
        of = "in the mean" if self.averaged else "in the column"
        return RANK.format(of=of) if self.ranks else ""

    @property
    def chance_legend(self) -> str:
        """What chance and n are, where they stand below headings."""
        said = CHANCE_OF_NUMBERS if self.metric.of_numbers else CHANCE
        return said if self.sure.facts else ""

    def facts(self, corpus: CorpusTask) -> tuple[str, ...]:
        """Say what a column was tested on, as far as predictions were read."""
        of = self.sure.facts.get(corpus)
        return of.lines if of else ()

    @property
    def marks(self) -> str:
        """What a mark means, where there is one."""
        return BEST if self.sure.standings else ""

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
            for text in common(parts, self.controls)
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
        control = CONTROL if self.is_control(system) else ""
        name = Entry(text=upstream + mark, value=upstream)
        return name, Entry(text=downstream + control, value=downstream)

    # ------------------------------------------------------------ means

    @property
    def averaged(self) -> bool:
        """Whether a mean over the columns means anything: one a corpus, alike."""
        return len(self.corpora) > 1 and not self.mixed

    @cached_property
    def mixed(self) -> str:
        """Why the columns have no common mean; empty if they have one."""
        return differing(self.corpora)

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
            return self._sure_mean(system, mean)
        return Entry(text=f"{len(self.complete(system))} of {len(self.corpora)}")

    def _sure_mean(self, system: System, mean: float) -> Entry:
        """Print a mean with its interval, where every corpus has one."""
        places = [Place(system, corpus) for corpus in self.corpora]
        found = [self.sure.estimates.get(place) for place in places]
        known = [one for one in found if one]
        if not known or len(known) < len(found):
            return self.unit.entry(mean)
        from harness_leaderboard.analysis.statistics import average  # brings numpy

        bounds, details = around(average(known))
        text = f"{self.unit.text(mean)} {bounds}"
        return Entry(text=text, value=mean, details=details)

    def complete(self, system: System) -> list[float]:
        """Return a row's figures, those that rest on every fold."""
        row = (self.figures.get(Place(system, corpus)) for corpus in self.corpora)
        return [figure.mean for figure in row if figure and figure.complete]

    # ------------------------------------------------------------ rows and columns

    def ranked(self) -> list[System]:
        """Sort rows that have every column by their mean, the others after them.

        Controls come last, whatever they reach.
        """

        def place(system: System) -> tuple[bool, int, float, tuple[str, str]]:
            missing = len(self.corpora) - len(self.complete(system))
            mean = -self.better(self.mean(system) or 0.0)
            return self.is_control(system), missing, mean, self.systems[system]

        return sorted(self.systems, key=place)

    @property
    def ranks(self) -> Mapping[System, Standing]:
        """Where systems may stand in what the rows are sorted by."""
        return self.sure.means if self.averaged or len(self.corpora) == 1 else {}

    def is_control(self, system: System) -> bool:
        """Say whether a row is there for others to beat."""
        return is_control(system, self.controls)

    @property
    def apart(self) -> int:
        """Count the rows below the line: controls, where there is something above."""
        count = sum(map(self.is_control, self.systems))
        return count if count < len(self.systems) else 0

    def better(self, value: float) -> float:
        """Return a value that is the higher, the better the figure is."""
        return value if self.metric.higher_is_better else -value

    def column(self, corpus: CorpusTask) -> dict[System, Entry]:
        """Return a column's entries; those that may be the best are marked."""
        return self.tied(
            {system: self._entry(Place(system, corpus)) for system in self.systems}
        )

    def tied(self, column: Mapping[System, Entry]) -> dict[System, Entry]:
        """Mark those that may be the best, though another that may be is ahead."""
        ahead = max(
            (self.better(_number(one)) for one in column.values() if one.best),
            default=0.0,
        )
        return {
            system: replace(
                entry, tie=entry.best and self.better(_number(entry)) < ahead
            )
            for system, entry in column.items()
        }

    def _entry(self, place: Place) -> Entry:
        entry = entry_of(
            self.figures.get(place),
            self.sure.estimates.get(place),
            counted=self.runs_each is None,
        )
        head = self.head(place.corpus)
        best = may_be_best(self.sure.standings.get(place))
        more = {"estimand": head} if entry.text and head else {}
        return replace(entry, best=best, details={**entry.details, **more})

    @property
    def lowest(self) -> bool:
        """Whether the best figure is the lowest."""
        return not self.metric.higher_is_better

    @property
    def extreme(self) -> str:
        """What the best figure is of all: the highest, or the lowest."""
        return extreme(lowest=self.lowest)

    def average(self) -> dict[System, Entry]:
        """Return the mean over corpora, only for rows that have all of them."""
        return self.tied(
            {
                system: replace(
                    self.mean_entry(system),
                    best=may_be_best(self.sure.means.get(system)),
                )
                for system in self.systems
            }
        )


def _number(entry: Entry) -> float:
    return entry.value if isinstance(entry.value, float | int) else math.nan


def _one_of(counts: Iterable[int]) -> int:
    """Return the one number that all are, 0 where they differ."""
    found = set(counts)
    return found.pop() if len(found) == 1 else 0


def may_be_best(standing: Standing | None) -> bool:
    """Say whether no other system is shown to be better, though some is to others."""
    return standing is not None and standing.best


def is_control(system: System, names: frozenset[str]) -> bool:
    """Say whether a system is there for others to beat."""
    upstream = system.upstream.name
    return (
        upstream in names
        or upstream.startswith("random:")
        or system.downstream.name in names
    )
