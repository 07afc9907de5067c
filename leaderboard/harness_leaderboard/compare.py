"""Two systems side by side: is the difference real, and what would settle it?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.errors import HarnessError, UnknownNameError
from harness.types import Entry, Table
from harness_leaderboard.certainty import samples
from harness_leaderboard.tables import (
    METRICS,
    NOTHING,
    Grid,
    System,
    number,
    percent,
    shared,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from harness_leaderboard.statistics import Difference, Sample
    from harness_leaderboard.tables import Key, Question

COLUMNS = (
    *("corpus", "speakers", "A", "B", "A−B", "95 % of it"),
    *("p", "p (Holm)", "sd of seeds", "speakers to separate"),
)


def compare(runs: pa.Table, question: Question, names: Sequence[str]) -> Table:
    """Compare two systems on every corpus where both were tested alike.

    Args:
        runs: Results with ``labels`` and ``predictions``.
        question: Says the metric.
        names: Of A and of B, each ``UPSTREAM/DOWNSTREAM``.
    """
    from harness_leaderboard import statistics

    gathered, grid, notes = samples(runs, question.metric)
    a, b = (_system(name, grid) for name in names)
    found: dict[Key, Difference] = {}
    pairs = {}
    unpaired = []
    for task, label in grid.corpora.items():
        if (a, task) not in gathered or (b, task) not in gathered:
            continue
        try:
            pair = statistics.paired(gathered[a, task], gathered[b, task])
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
        _row(grid.corpora[task], pairs[task], difference, p, question.metric)
        for (task, difference), p in zip(found.items(), adjusted, strict=True)
    ]
    return Table(
        title=f"{METRICS[question.metric]} in percent: "
        f"A is {' · '.join(grid.systems[a])}, B is {' · '.join(grid.systems[b])}",
        columns=COLUMNS,
        rows=(*body, *_mean_row(grid, list(found.values()))),
        notes=(
            "Paired permutation test and bootstrap by speaker, over the seeds that "
            "both have; p (Holm) counts all corpora of this table. The last column "
            "says how many test speakers would bring the interval clear of zero.",
            *unpaired,
            *shared(grid),
            *notes,
        ),
    )


def _system(name: str, grid: Grid) -> System:
    """Find the one system that a name means."""
    spelt = {system: "/".join(labels) for system, labels in grid.systems.items()}
    exact = [system for system, label in spelt.items() if label == name]
    plain = [system for system in spelt if f"{system[0][0]}/{system[1][0]}" == name]
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
    metric: str,
) -> tuple[Entry, ...]:
    return (
        word(label),
        number(difference.speakers),
        *(percent(_value(sample, metric)) for sample in pair),
        _signed(difference.value),
        *_sure(difference),
        Entry(text=f"{difference.p:.3g}", value=difference.p),
        Entry(text=f"{adjusted:.3g}", value=adjusted),
        _seeds(pair, metric),
        _needed(difference),
    )


def _signed(difference: float) -> Entry:
    return Entry(text=f"{100 * difference:+.1f}", value=difference)


def _value(sample: Sample, metric: str) -> float:
    import numpy as np

    from harness_leaderboard.statistics import replicate

    ones = np.ones((1, len(sample.speakers)), np.float32)
    return float(replicate(sample, ones, metric)[0])


def _sure(difference: Difference) -> tuple[Entry]:
    from harness_leaderboard.statistics import interval_of_difference

    if difference.estimate is None:
        return (NOTHING,)
    low, high = interval_of_difference(difference.estimate)
    text = f"[{100 * low:+.1f}, {100 * high:+.1f}]"
    return (Entry(text=text, value=text),)


def _seeds(pair: tuple[Sample, Sample], metric: str) -> Entry:
    """Give the deviation over seeds of the difference, with speakers held."""
    import statistics

    gaps = []
    for seed in sorted({part.seed for part in pair[0].parts}):
        a, b = (
            replace(one, parts=tuple(part for part in one.parts if part.seed == seed))
            for one in pair
        )
        gaps.append(_value(a, metric) - _value(b, metric))
    return percent(statistics.stdev(gaps)) if len(gaps) > 1 else NOTHING


def _needed(difference: Difference) -> Entry:
    """Estimate how many speakers would bring the interval's end to zero."""
    from harness_leaderboard.statistics import interval_of_difference

    if difference.estimate is None or difference.value == 0:
        return NOTHING
    low, high = interval_of_difference(difference.estimate)
    reach = (high - low) / 2
    if reach <= abs(difference.value):
        return word("these do")
    needed = math.ceil(difference.speakers * (reach / difference.value) ** 2)
    return Entry(text=f"about {needed}", value=needed)


def _mean_row(grid: Grid, found: Sequence[Difference]) -> list[tuple[Entry, ...]]:
    """Give the mean difference over corpora, where they were measured alike."""
    from harness_leaderboard import statistics

    estimates = [one.estimate for one in found if one.estimate]
    if len(found) < 2 or len(estimates) < len(found) or grid.mixed:
        return []
    mean = statistics.average(estimates)
    low, high = statistics.interval_of_difference(mean)
    text = f"[{100 * low:+.1f}, {100 * high:+.1f}]"
    name = f"mean of {len(found)}"
    speakers = number(sum(one.speakers for one in found))
    sure = (_signed(mean.value), Entry(text=text, value=text))
    return [(word(name), speakers, NOTHING, NOTHING, *sure, *[NOTHING] * 4)]
