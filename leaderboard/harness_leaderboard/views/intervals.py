"""The view ``intervals``: the board with intervals, ranks and ties."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from harness.types import Entry, Table
from harness_leaderboard.analysis import statistics
from harness_leaderboard.analysis.estimates import estimates, gather
from harness_leaderboard.analysis.places import Place
from harness_leaderboard.render.entries import NOTHING, bounds, marked, spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from harness.types import CorpusCondition, Metric
    from harness_leaderboard.analysis.places import System
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.analysis.samples import Sample
    from harness_leaderboard.analysis.statistics import Estimate

Made = TypeVar("Made")


def intervals(runs: pa.Table, question: Question) -> Table:
    """Show the board with intervals, ranks and what the best does not beat."""
    metric = question.metric
    found = gather(runs, metric)
    matrix = found.matrix
    made = estimates(found.samples, metric)
    filled, remarks = [], []
    for corpus, label in matrix.corpora.items():
        of_corpus = _at(corpus, found.samples)
        column, remark = _column(of_corpus, _at(corpus, made), metric)
        keyed = {
            system: replace(entry, key=Place(system, corpus))
            for system, entry in column.items()
        }
        filled.append({**dict.fromkeys(matrix.systems, NOTHING), **keyed})
        remarks += [f"{label}: {remark}"] * bool(remark)
    return Table(
        title=f"{metric.title} in percent with 95 % intervals",
        columns=("upstream", "downstream", *matrix.corpora.values()),
        heat=True,
        rows=tuple(
            (*matrix.names(system), *(column[system] for column in filled))
            for system in matrix.ranked()
        ),
        notes=(
            "[low, high] by bootstrap over test speakers, seeds and folds held; then "
            "the ranks of 95 % of the resamples. The best of each column is marked; "
            "≈ does not differ from it (paired permutation test by speaker, Holm's "
            "correction over the column, 5 %).",
            *remarks,
            *matrix.remarks,
            *found.notes,
        ),
    )


def _at(corpus: CorpusCondition, found: Mapping[Place, Made]) -> dict[System, Made]:
    return {place.system: one for place, one in found.items() if place.corpus == corpus}


def _column(
    samples: Mapping[System, Sample], made: Mapping[System, Estimate], metric: Metric
) -> tuple[dict[System, Entry], str]:
    """Fill a column: figure, interval, ranks, ties; and say what stands in the way."""
    if not samples:
        return {}, "no system has every fold, with predictions."
    if not made:
        few = {len(sample.speakers) for sample in samples.values()}
        return {}, f"{spans(few)} test speakers are too few for an interval."
    first = max if metric.higher_is_better else min
    best = first(made, key=lambda system: made[system].value)
    adjusted, remark = _ties({system: samples[system] for system in made}, best, metric)
    column = {
        system: _entry(made[system], ranks, adjusted.get(system))
        for system, ranks in _ranks(samples, made, metric).items()
    }
    return marked(column, lowest=not metric.higher_is_better), remark


def _entry(made: Estimate, ranks: tuple[int, int], p: float | None) -> Entry:
    """Print a figure, its interval, its ranks, and whether it is a tie."""
    low, high = statistics.interval(made)
    first, last = ranks
    rank = str(first) if first == last else f"{first}–{last}"
    tie = " ≈" if p is not None and p > 1 - statistics.LEVEL else ""
    return Entry(
        text=f"{bounds(made.value, low, high)} {rank}{tie}",
        value=made.value,
        details={"low": low, "high": high, "first": first, "last": last}
        | ({} if p is None else {"p": p}),
    )


def _ranks(
    samples: Mapping[System, Sample], systems: Iterable[System], metric: Metric
) -> dict[System, tuple[int, int]]:
    """Rank systems in every resample, all with the same speakers."""
    names = list(systems)
    replicates = [
        statistics.replicate(
            samples[name], statistics.resamples(len(samples[name].speakers)), metric
        )
        for name in names
    ]
    sign = 1 if metric.higher_is_better else -1
    ranks = statistics.rank_intervals(sign * np.stack(replicates))
    return dict(zip(names, ranks, strict=True))


def _ties(
    samples: Mapping[System, Sample], best: System, metric: Metric
) -> tuple[dict[System, float], str]:
    """Test the best against each other system; return adjusted p and a remark."""
    tests, remarks = {}, []
    for system in samples.keys() - {best}:
        try:
            tests[system] = statistics.differ(samples[best], samples[system], metric)
        except ValueError:
            remarks = ["some systems were tested on other utterances than the best."]
    adjusted = statistics.holm([test.p for test in tests.values()])
    least = min((test.least_p for test in tests.values()), default=0.0) * len(tests)
    if least > 1 - statistics.LEVEL:
        return {}, "too few test speakers for any test of this family to reach 5 %."
    return dict(zip(tests, adjusted, strict=True)), " ".join(remarks)
