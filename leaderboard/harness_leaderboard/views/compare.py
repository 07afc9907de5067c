"""Two systems side by side: is the difference real, and what would settle it?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.errors import HarnessError, UnknownNameError
from harness.types import Entry, Table
from harness_leaderboard.analysis import statistics
from harness_leaderboard.analysis.components import spread_of
from harness_leaderboard.analysis.estimates import figure_of, gather
from harness_leaderboard.analysis.places import Place
from harness_leaderboard.render.entries import NOTHING, number, percent, signed, word
from harness_leaderboard.views.spread import deviation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from harness.types import CorpusCondition, Metric
    from harness_leaderboard.analysis.matrix import Matrix
    from harness_leaderboard.analysis.places import System
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.analysis.samples import Sample
    from harness_leaderboard.analysis.statistics import Difference

COLUMNS = (
    *("corpus", "speakers", "A", "B", "A−B", "95 % of it", "p", "p (Holm)"),
    *("seed", "speaker", "seeds", "speakers"),
)
GROUPS = (*[""] * 8, *["deviation of one"] * 2, *["to separate"] * 2)


def compare(runs: pa.Table, question: Question, names: Sequence[str]) -> Table:
    """Compare two systems on every corpus where both were tested alike.

    Args:
        runs: Results with ``labels`` and ``predictions``.
        question: Says the metric.
        names: Of A and of B, each ``UPSTREAM/DOWNSTREAM``.
    """
    gathered = gather(runs, question.metric)
    matrix = gathered.matrix
    a, b = (_system(name, matrix) for name in names)
    found: dict[CorpusCondition, Difference] = {}
    pairs = {}
    unpaired = []
    for task, label in matrix.corpora.items():
        both = [gathered.samples.get(Place(system, task)) for system in (a, b)]
        if both[0] is None or both[1] is None:
            continue
        try:
            pair = statistics.paired(both[0], both[1])
        except ValueError as error:
            unpaired.append(f"{label} is left out: {error}.")
            continue
        pairs[task] = pair
        found[task] = statistics.differ(*pair, question.metric)
    if not found:
        raise HarnessError(
            f"{names[0]} and {names[1]} were not tested on the same utterances with "
            "the same seeds anywhere; see 'harness leaderboard --view runs'."
        )
    adjusted = statistics.holm([difference.p for difference in found.values()])
    body = [
        _row(matrix.corpora[task], pairs[task], difference, p, question.metric)
        for (task, difference), p in zip(found.items(), adjusted, strict=True)
    ]
    return Table(
        title=f"{question.metric.title} in percent: "
        f"A is {' · '.join(matrix.systems[a])}, B is {' · '.join(matrix.systems[b])}",
        columns=COLUMNS,
        groups=GROUPS,
        rows=(*body, *_mean_row(matrix, list(found.values()))),
        notes=(
            "Paired permutation test and bootstrap by speaker, over the seeds that "
            "both have; p (Holm) counts all corpora of this table. The last columns "
            "take the difference's spread apart (see the view 'spread') and say how "
            "many seeds, or else test speakers, would bring an interval clear of zero "
            "that holds for other seeds and speakers.",
            *_one_seed(pairs.values()),
            *unpaired,
            *matrix.remarks,
            *gathered.notes,
        ),
    )


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
    label: str,
    pair: tuple[Sample, Sample],
    difference: Difference,
    adjusted: float,
    metric: Metric,
) -> tuple[Entry, ...]:
    return (
        word(label),
        number(difference.speakers),
        *(percent(figure_of(sample, metric)) for sample in pair),
        signed(difference.value),
        *_sure(difference),
        Entry(text=f"{difference.p:.3g}", value=difference.p),
        Entry(text=f"{adjusted:.3g}", value=adjusted),
        *_parts(pair, difference, metric),
    )


def _sure(difference: Difference) -> tuple[Entry]:
    if difference.estimate is None:
        return (NOTHING,)
    low, high = statistics.interval_of_difference(difference.estimate)
    return (_span(low, high),)


def _span(low: float, high: float) -> Entry:
    """Print an interval; its ends have columns of their own in CSV."""
    text = f"[{100 * low:+.1f}, {100 * high:+.1f}]"
    return Entry(text=text, value=text, details={"low": low, "high": high})


def _parts(
    pair: tuple[Sample, Sample], difference: Difference, metric: Metric
) -> tuple[Entry, ...]:
    """Return the spread's parts, and how many seeds or speakers would settle it."""
    found = spread_of(pair[0], metric, pair[1])
    if found is None:
        return (NOTHING,) * 4
    parts = (deviation(found.seed), deviation(found.of_speakers))
    small = abs(difference.value) / statistics.reach(found.speakers - 1)
    enough = found.speakers >= FEWEST
    if enough and found.error() <= small:
        return (*parts, word("these do"), word("these do"))
    seeds = found.seeds_for(small) if enough else math.inf
    return (
        *parts,
        NOTHING if found.seed is None else _about(seeds),
        _about(max(FEWEST, found.speakers_for(small))),
    )


FEWEST = 6  # speakers of whom a paired permutation test can find anything at 5 %
MANY = 9999  # beyond this a number says nothing


def _about(count: float) -> Entry:
    """Print how many there should be."""
    if count > MANY:
        return word("no number")
    return Entry(text=f"about {math.ceil(count)}", value=math.ceil(count))


def _one_seed(pairs: Iterable[tuple[Sample, Sample]]) -> list[str]:
    """Say what is not known where nothing was trained twice."""
    if all(len({part.seed for part in a.parts}) == 1 for a, _ in pairs):
        return [
            "How much seeds move it is known from two seeds or more: run with "
            "--seeds 0-2."
        ]
    return []


def _mean_row(matrix: Matrix, found: Sequence[Difference]) -> list[tuple[Entry, ...]]:
    """Return the mean difference over corpora, where they were measured alike."""
    estimates = [one.estimate for one in found if one.estimate]
    if len(found) < 2 or len(estimates) < len(found) or matrix.mixed:
        return []
    mean = statistics.average(estimates)
    low, high = statistics.interval_of_difference(mean)
    name = f"mean of {len(found)}"
    speakers = number(sum(one.speakers for one in found))
    sure = (signed(mean.value), _span(low, high))
    return [(word(name), speakers, NOTHING, NOTHING, *sure, *[NOTHING] * 6)]
