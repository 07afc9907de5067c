"""Two systems side by side: is the difference real, and what could be found at all?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import HarnessError, UnknownNameError
from harness.types import Entry, Table
from harness_leaderboard.analysis import planning, sampling, statistics
from harness_leaderboard.analysis.components import spread_of
from harness_leaderboard.analysis.estimates import figure_of, gather, head, said
from harness_leaderboard.analysis.places import Place
from harness_leaderboard.render.entries import (
    NOTHING,
    Unit,
    number,
    signed,
    unit_of,
    word,
)
from harness_leaderboard.views.spread import deviation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from harness.types import Metric
    from harness_leaderboard.analysis.estimates import Gathered
    from harness_leaderboard.analysis.matrix import Matrix
    from harness_leaderboard.analysis.places import CorpusTask, System
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.analysis.samples import Sample
    from harness_leaderboard.analysis.statistics import Estimate

COLUMNS = (
    *(
        "corpus",
        "figures",
        "speakers",
        "A",
        "B",
        "A−B",
        "95 % interval",
        "p",
        "p (Holm)",
    ),
    *("seed", "speaker", "detectable"),
)
GROUPS = (*[""] * 9, *["deviation of one"] * 2, "")


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """Two systems that were tested on the same utterances in the same seeds.

    Attributes:
        samples: Of A and of B.
        draws: Of A less B, ``None`` where it cannot be taken apart.
        value: A less B.
        estimate: Of the difference, ``None`` where there are too few units.
        unit: How they are printed.
    """

    samples: tuple[Sample, Sample]
    draws: sampling.Draws | None
    value: float
    estimate: Estimate | None
    unit: Unit

    @property
    def p(self) -> float:
        """Of the difference, 1 where nothing is known."""
        return self.estimate.p if self.estimate else 1.0


def pair_of(a: Sample, b: Sample, metric: Metric) -> Pair:
    """Set two systems side by side.

    Raises:
        ValueError: Where they were not tested on the same utterances.
    """
    a, b = statistics.aligned((a, b))
    of_a, of_b = (sampling.draws(one, metric) for one in (a, b))
    draws = of_a - of_b if of_a and of_b else None
    value = figure_of(a, metric) - figure_of(b, metric)
    return Pair(
        samples=(a, b),
        draws=draws,
        value=value,
        estimate=sampling.estimate(draws),
        unit=unit_of(metric.bounds),
    )


def compare(runs: pa.Table, question: Question, names: Sequence[str]) -> Table:
    """Compare two systems on every corpus where both were tested alike.

    Args:
        runs: Results with ``labels`` and ``predictions``.
        question: Says the metric, and which difference matters.
        names: Of A and of B, each ``UPSTREAM/DOWNSTREAM``.
    """
    gathered = gather(runs, question)
    matrix = gathered.matrix
    try:
        a, b = (_system(name, matrix) for name in names)
    except UnknownNameError as error:
        if not gathered.notes:
            raise
        # it may be among what is not counted
        raise HarnessError(" ".join((str(error), *gathered.notes))) from None
    found, unpaired = _pairs(gathered, a, b)
    if not found:
        raise HarnessError(
            f"{names[0]} and {names[1]} were not tested on the same utterances with "
            "the same seeds anywhere; see 'harness leaderboard --view runs'."
        )
    adjusted = iter(statistics.holm([one.p for one in found.values() if one.estimate]))
    body = [
        _row(
            matrix.corpora[task],
            one,
            next(adjusted) if one.estimate else None,
            question,
        )
        for task, one in found.items()
    ]
    more = ("speakers", "seeds") if question.detect else ()
    width = len(COLUMNS) + len(more)
    heads = {head(one.samples) for one in found.values()}
    alike = f", {heads.pop()}" if len(heads) == 1 else ""
    if alike:  # the title says for all what each row would
        body = [(_with(row[0], row[1]), NOTHING, *row[2:]) for row in body]
    return Table(
        title=f"{question.metric.title} {matrix.unit.said}{alike}: A is "
        f"{' · '.join(matrix.systems[a])}, B is {' · '.join(matrix.systems[b])}",
        columns=(*COLUMNS, *more),
        groups=(*GROUPS, *[f"to detect {_points(question)}"] * len(more)),
        rows=(*body, *_mean_row(matrix, list(found.values()), width)),
        notes=(
            "The interval and p are those of a paired t test over units (folds where "
            "there are several, else test speakers) crossed with the seeds that both "
            "have; p (Holm) counts all corpora of this table. Detectable is the least "
            "true difference that such a test finds four times in five, and in "
            "brackets its range, as the error itself is an estimate.",
            *[PLAN] * bool(question.detect),
            *_doubts(found, matrix, question.metric),
            *unpaired,
            *matrix.remarks,
            *gathered.notes,
        ),
    )


def _with(corpus: Entry, figures: Entry) -> Entry:
    """Hold beside a corpus, for programs, what its figures are of."""
    return replace(corpus, details={"figures": figures.text})


PLAN = (
    "Speakers, or else seeds, with which that difference is found four times in five, "
    "as a range; 'none' where more of them would not help."
)


def _points(question: Question) -> str:
    difference = question.detect or 0.0
    in_percent = question.metric.in_percent
    return f"{100 * difference:g} points" if in_percent else f"{difference:g}"


def _pairs(
    gathered: Gathered, a: System, b: System
) -> tuple[dict[CorpusTask, Pair], list[str]]:
    """Pair two systems on every corpus, and say where they cannot be."""
    found, unpaired = {}, []
    for task, label in gathered.matrix.corpora.items():
        of_a, of_b = (gathered.samples.get(Place(system, task)) for system in (a, b))
        if of_a is None or of_b is None:
            continue
        try:
            found[task] = pair_of(of_a, of_b, gathered.matrix.metric)
        except ValueError as error:
            unpaired.append(f"{label} is left out: {error}.")
    return found, unpaired


def _system(name: str, matrix: Matrix) -> System:
    """Find the one system that a name means."""
    spelt = {system: "/".join(labels) for system, labels in matrix.systems.items()}
    exact = [system for system, label in spelt.items() if label == name]
    plain = [
        one for one in spelt if f"{one.upstream.name}/{one.downstream.name}" == name
    ]
    found = exact or plain
    if not found:
        raise UnknownNameError("system", name, spelt.values())
    if len(found) > 1:
        several = ", ".join(sorted(f"'{spelt[system]}'" for system in found))
        raise HarnessError(f"'{name}' may be {several}: write one of them in full.")
    return found[0]


def _row(
    label: str, pair: Pair, adjusted: float | None, question: Question
) -> tuple[Entry, ...]:
    return (
        word(label),
        word(head(pair.samples)),
        number(len(pair.samples[0].speakers)),
        *(
            pair.unit.entry(figure_of(sample, question.metric))
            for sample in pair.samples
        ),
        signed(pair.value, pair.unit),
        *_sure(pair, adjusted),
        *_parts(pair, question.metric),
        _detectable(pair),
        *(_needed(pair, question.detect) if question.detect else ()),
    )


def _sure(pair: Pair, adjusted: float | None) -> tuple[Entry, Entry, Entry]:
    if pair.estimate is None or adjusted is None:
        return NOTHING, NOTHING, NOTHING
    low, high = statistics.interval_of_difference(pair.estimate)
    p = pair.estimate.p
    return (
        _span(low, high, pair.unit),
        Entry(text=f"{p:.3g}", value=p),
        Entry(text=f"{adjusted:.3g}", value=adjusted),
    )


def _span(low: float, high: float, unit: Unit) -> Entry:
    """Print an interval; its ends have columns of their own in CSV."""
    text = f"[{unit.signed(low)}, {unit.signed(high)}]"
    return Entry(text=text, value=text, details={"low": low, "high": high})


def _parts(pair: Pair, metric: Metric) -> tuple[Entry, Entry]:
    found = spread_of(pair.samples[0], metric, pair.samples[1])
    if found is None:
        return NOTHING, NOTHING
    return deviation(found.seed, pair.unit), deviation(found.speaker, pair.unit)


def _detectable(pair: Pair) -> Entry:
    """Print the least detectable difference, and its range."""
    if pair.estimate is None or not pair.estimate.error:
        return NOTHING
    least, low, high = planning.least_detectable(pair.estimate)
    return Entry(
        text=f"{pair.unit.text(least)} ({pair.unit.text(low)}–{pair.unit.text(high)})",
        value=least,
        details={"low": low, "high": high, "scale": "difference"},
    )


def _needed(pair: Pair, difference: float) -> tuple[Entry, Entry]:
    """Print how many speakers, and how many seeds, would find a difference."""
    if pair.draws is None or pair.draws.values.shape[1] < 2:
        return NOTHING, NOTHING
    found = pair.draws.squares
    speakers = [
        pair.draws.size * units for units in planning.units_for(found, difference)
    ]
    seeds = planning.seeds_for(found, difference)
    return _between(*speakers), NOTHING if seeds is None else _between(*seeds)


def _between(low: float, high: float) -> Entry:
    """Print how many there should be."""
    ends = ["none" if math.isinf(one) else str(math.ceil(one)) for one in (low, high)]
    text = ends[0] if ends[0] == ends[1] else "–".join(ends)
    value = None if math.isinf(low) else math.ceil(low)
    details = {"high": math.ceil(high)} if math.isfinite(high) else {}
    return Entry(text=text, value=value, details=details)


def _doubts(
    found: dict[CorpusTask, Pair], matrix: Matrix, metric: Metric
) -> Iterator[str]:
    """Say why there is no test, which labels rest on few, and what seeds would tell."""
    for task, pair in found.items():
        if told := said(pair.samples, metric):
            yield f"{matrix.corpora[task]}: {'; '.join(told)}."
    if all(len(pair.samples[0].seeds) == 1 for pair in found.values()):
        yield (
            "How much another seed would change it is known from two seeds on: run "
            "with --seeds 0-2."
        )


def _mean_row(
    matrix: Matrix, found: Sequence[Pair], width: int
) -> list[tuple[Entry, ...]]:
    """Return the mean difference over corpora, where they were measured alike."""
    estimates = [one.estimate for one in found if one.estimate]
    if len(found) < 2 or len(estimates) < len(found) or matrix.mixed:
        return []
    mean = statistics.average(estimates)
    low, high = statistics.interval_of_difference(mean)
    p = Entry(text=f"{mean.p:.3g}", value=mean.p)
    speakers = number(sum(len(one.samples[0].speakers) for one in found))
    names = (word(f"mean of {len(found)}"), word(""))
    unit = matrix.unit
    gap = (signed(mean.value, unit), _span(low, high, unit))
    row = (*names, speakers, NOTHING, NOTHING, *gap, p)
    return [(*row, *[NOTHING] * (width - len(row)))]
