"""The view ``fairness``: the score of each group of utterances, and the gap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import HarnessError
from harness.text import counted
from harness.types import Entry, Table
from harness_leaderboard.analysis import grouped, statistics
from harness_leaderboard.analysis.held import held
from harness_leaderboard.analysis.printed import around
from harness_leaderboard.analysis.question import require_additive
from harness_leaderboard.render.entries import NOTHING, number, signed, unit_of, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from harness.types import Metric
    from harness_leaderboard.analysis.grouped import Floats, Grouped, Test
    from harness_leaderboard.analysis.held import Held
    from harness_leaderboard.analysis.places import Place
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.analysis.statistics import Estimate
    from harness_leaderboard.render.entries import Unit

LEGEND = (
    "A group's figure is that of its utterances, the folds of a seed together, and the "
    "mean over seeds; [low, high] is the 95 % interval with other speakers drawn, none "
    "from fewer than four. The gap is the largest figure less the smallest, {points}."
)
BETWEEN = (
    "p: how often a gap as large is there when {by} is permuted among speakers{number}."
)
WITHIN = (
    "p: how often a gap as large is there when, within each speaker, the names of the "
    "groups are permuted, a speaker's utterances of a group together{number}."
)
HOLM = "In brackets p corrected for the tests of this table, controls apart (Holm)."
CHOSEN = (
    "Of more than two groups the interval of the gap is that of the two named, which "
    "were chosen by their figures: it lies too far from 0. The test knows of the "
    "choice."
)

NOT_STATED = (
    "The corpora do not state it, or the results were stored by an older version; then "
    "'harness run … --again all' computes them anew. Choose another --by, such as "
    "speaker."
)
NOT_IN_TABLE = (
    "None of the table's names is a {key} here: 'harness leaderboard --view fairness "
    "--by speaker' shows those of speakers."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """What is shown of a place.

    Attributes:
        place: Which.
        of: Its predictions by speaker and group.
        figures: (G,) of its groups.
        gap: The estimate of the largest less the smallest figure, where there is one.
        test: Of the gap, where there is one.
    """

    place: Place
    of: Grouped
    figures: Floats
    gap: Estimate | None
    test: Test | None

    @property
    def ends(self) -> tuple[int, int]:
        """The groups with the largest and the smallest figure."""
        return int(self.figures.argmax()), int(self.figures.argmin())


def fairness(runs: pa.Table, question: Question) -> Table:
    """Show scores by group, gaps, their tests, and the worst speaker.

    Raises:
        HarnessError: Where no prediction says which group it is of.
    """
    require_additive(question.metric)
    found = held(runs, question)
    by = question.by
    by.require_one([_corpus(place) for place, _ in found.ordered()])
    listed = [
        (place, grouped.grouped(rows, by, _corpus(place)))
        for place, rows in found.ordered()
    ]
    shown = [_shown(place, of, question) for place, of in listed if of]
    if not shown:
        raise HarnessError(
            f"No prediction of these results has a known {by.name}. "
            + (NOT_IN_TABLE.format(key=by.key) if by.key else NOT_STATED)
        )
    control = [found.matrix.is_control(one.place.system) for one in shown]
    adjusted = _adjusted(shown, control)
    rows = [
        (row, apart)
        for one, apart in zip(shown, control, strict=True)
        for row in _rows(found, one, question, _p(one, None if apart else adjusted))
    ]
    apart = sum(is_control for _, is_control in rows)
    unit = found.matrix.unit
    return Table(
        title=f"{question.metric.title} {unit.said} by {by.name}",
        columns=(
            *("upstream", "downstream", "corpus", by.name, "speakers", "n"),
            *(question.metric.title, "p (Holm)"),
        ),
        rows=tuple(row for row, _ in rows),
        apart=apart if apart < len(rows) else 0,
        notes=(
            " ".join([LEGEND.format(points=unit.points), *_tests(shown, by.name)]),
            *[CHOSEN] * any(len(one.figures) > 2 and one.gap for one in shown),
            *dict.fromkeys(_doubts(found, shown, question)),
            *_unsaid(found, [place for place, of in listed if not of], by.name),
            *found.matrix.remarks,
            *found.notes,
        ),
    )


def _corpus(place: Place) -> str:
    """Name the corpora that a place was tested on, as users do."""
    return "+".join(place.corpus.tested or place.corpus.trained)


def _shown(place: Place, of: Grouped, question: Question) -> Shown:
    metric = question.metric
    found = grouped.figures(of, metric)
    ends = int(found.argmax()), int(found.argmin())
    alone = len(found) == 1
    return Shown(
        place=place,
        of=of,
        figures=found,
        gap=None if alone else grouped.gap_estimate(of, ends, metric),
        test=grouped.test_of(of, metric),
    )


def _adjusted(shown: Sequence[Shown], control: Sequence[bool]) -> Iterator[float]:
    """Correct the p of every test of the table, controls apart (Holm)."""
    tested = [one.test for one, apart in zip(shown, control, strict=True) if not apart]
    return iter(statistics.holm([test.p for test in tested if test]))


def _p(one: Shown, adjusted: Iterator[float] | None) -> Entry:
    """Print the p of a gap, and the one corrected for the table."""
    if one.test is None:
        return NOTHING
    p = one.test.p
    if adjusted is None:
        return Entry(text=f"{p:.3g}", value=p)
    corrected = next(adjusted)
    text = f"{p:.3g} ({corrected:.3g})"
    return Entry(text=text, value=p, details={"Holm": corrected})


# ---------------------------------------------------------------- rows


def _rows(
    found: Held, one: Shown, question: Question, p: Entry
) -> Iterator[tuple[Entry, ...]]:
    """Yield a row a group, the best first, then the gap and the worst speaker."""
    label = found.matrix.corpora[one.place.corpus]
    names = (*found.matrix.names(one.place.system), word(label, key=one.place))
    unit, sign = found.matrix.unit, -1 if question.metric.higher_is_better else 1
    for group in np.argsort(sign * one.figures, kind="stable").tolist():
        yield (*names, *_group(one, group, question.metric))
    if len(one.figures) > 1:
        yield (*names, *_gap(one, question.metric, p))
    if question.by.name != "speaker":
        speaker, value, count = grouped.worst_speaker(one.of, question.metric)
        named = _kind("worst speaker", speaker, f"worst speaker: {speaker}")
        yield (*names, named, number(1), number(count), unit.entry(value), NOTHING)


def _kind(kind: str, name: str, text: str) -> Entry:
    """Name a row, and for programs its kind."""
    return Entry(text=text, value=name, details={"row": kind})


def _group(one: Shown, group: int, metric: Metric) -> tuple[Entry, ...]:
    value = float(one.figures[group])
    made = grouped.estimate(one.of, group, metric)
    bounds, details = around(made) if made else ("", {})
    text = f"{unit_of(metric.bounds).text(value)} {bounds}".rstrip()
    return (
        _kind("group", one.of.groups[group], one.of.groups[group]),
        number(len(one.of.holders(group))),
        number(one.of.utterances(group)),
        Entry(text=text, value=value, details=details),
        NOTHING,
    )


def _gap(one: Shown, metric: Metric, p: Entry) -> tuple[Entry, ...]:
    """Name the groups of the gap, and print it with its interval and test."""
    high, low = (one.of.groups[group] for group in one.ends)
    worst = low if metric.higher_is_better else high
    named = _kind("gap", f"{high} − {low}", f"{high} − {low}")
    named = replace(named, details={**named.details, "worst group": worst})
    size = _size(float(np.ptp(one.figures)), one.gap, unit_of(metric.bounds))
    return (named, NOTHING, NOTHING, size, p)


def _size(value: float, of: Estimate | None, unit: Unit) -> Entry:
    if of is None:
        return signed(value, unit)
    low, high = statistics.interval_of_difference(of)
    text = f"{unit.signed(value)} [{unit.signed(low)}, {unit.signed(high)}]"
    ends: dict[str, float | str] = {"low": low, "high": high, "scale": "difference"}
    return Entry(text=text, value=value, details=ends)


# ---------------------------------------------------------------- notes


def _tests(shown: Sequence[Shown], by: str) -> Iterator[str]:
    """Say what was permuted, and how often."""
    for within, said in ((False, BETWEEN), (True, WITHIN)):
        tests = [one.test for one in shown if one.test and one.of.within == within]
        numbers = sorted(
            {
                f"all {one.permutations}" if one.every else f"{one.permutations} drawn"
                for one in tests
            }
        )
        if numbers:
            yield said.format(by=by, number=f" ({', '.join(numbers)})")
    if any(one.test for one in shown):
        yield HOLM


def _doubts(found: Held, shown: Sequence[Shown], question: Question) -> Iterator[str]:
    """Say what stands in the way of intervals and tests, and of equal comparison."""
    for one in shown:
        corpus, of = found.matrix.corpora[one.place.corpus], one.of
        if of.unknown:
            unknown = counted(of.unknown, "utterance")
            yield f"{corpus}: {unknown} without {question.by.name}."
        if len(of.groups) == 1:
            yield f"{corpus}: one group alone, '{of.groups[0]}', and so no gap."
        if question.by.name == "speaker":
            yield (
                f"{corpus}: each group is one speaker: there is no interval of it, and "
                "no test of the gap."
            )
            continue
        for group, name in enumerate(of.groups):
            for said in grouped.remarks(of, group, question.metric):
                yield f"{corpus}, {name}: {said}."
        for name, labels in of.lacking().items():
            yield f"{corpus}, {name}: lacks {', '.join(labels)}, which others have."
        if len(of.seeds) == 1:
            yield "Of one seed no interval holds what training again would change."


def _unsaid(found: Held, places: Sequence[Place], by: str) -> Iterator[str]:
    if places:
        names = "; ".join(map(found.name, places))
        yield f"Left out, since no prediction has a known {by}: {names}."
