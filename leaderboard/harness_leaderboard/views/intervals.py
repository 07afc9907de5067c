"""The board with intervals, ranks and ties, from stored predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.types import Entry, Table
from harness_leaderboard.analysis.tables import METRICS, Grid, current, figures, shared
from harness_leaderboard.render.entries import NOTHING, bounds, marked, spans, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from harness_leaderboard.analysis.facets import Key, System
    from harness_leaderboard.analysis.samples import Sample
    from harness_leaderboard.analysis.statistics import Estimate
    from harness_leaderboard.analysis.tables import Question


def samples(
    runs: pa.Table, metric: str
) -> tuple[dict[tuple[System, Key], Sample], Grid, tuple[str, ...]]:
    """Gather the predictions behind every figure that has all its folds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from harness_leaderboard.analysis.samples import sample_of
    from harness_leaderboard.analysis.tables import behind

    found, notes = figures(runs, metric)
    kept, _ = current(runs, metric)
    complete = {(one.system, one.task) for one in found if one.complete}
    has = pc.is_valid(kept["predictions"]).to_pylist()
    gathered = {
        place: sample_of(kept.take(pa.array(rows)))
        for place, rows in behind(kept).items()
        if place in complete and all(has[row] for row in rows)
    }
    return gathered, Grid(found), notes


def estimates(
    gathered: Mapping[tuple[System, Key], Sample], metric: str
) -> dict[tuple[System, Key], Estimate]:
    """Estimate every figure that has enough speakers."""
    import numpy as np

    from harness_leaderboard.analysis import statistics

    made = {}
    for place, sample in gathered.items():
        speakers = len(sample.speakers)
        drawn = statistics.resamples(speakers)
        ones = np.ones((1, speakers), np.float32)
        value = float(statistics.replicate(sample, ones, metric)[0])
        replicates = statistics.replicate(sample, drawn, metric)
        if found := statistics.estimate(value, replicates, speakers):
            made[place] = found
    return made


def intervals(runs: pa.Table, question: Question) -> Table:
    """Show the board with intervals, ranks and what the best does not beat."""
    gathered, grid, notes = samples(runs, question.metric)
    made = estimates(gathered, question.metric)
    filled, remarks = [], []
    for task, label in grid.corpora.items():
        of_task = {system: one for (system, at), one in gathered.items() if at == task}
        column, remark = _sure(of_task, task, made, question.metric)
        filled.append({**dict.fromkeys(grid.systems, NOTHING), **column})
        remarks += [f"{label}: {remark}"] * bool(remark)
    return Table(
        title=f"{METRICS[question.metric]} in percent with 95 % intervals",
        columns=("upstream", "downstream", *grid.corpora.values()),
        heat=True,
        rows=tuple(
            (
                *map(word, grid.systems[system]),
                *(column[system] for column in filled),
            )
            for system in grid.ranked()
        ),
        notes=(
            "[low, high] by bootstrap over test speakers, seeds and folds held; then "
            "the ranks that 95 % of resamples give. The best of each column is marked; "
            "≈ does not differ from it (paired permutation test by speaker, Holm's "
            "correction over the column, 5 %).",
            *remarks,
            *shared(grid),
            *notes,
        ),
    )


def _sure(
    gathered: Mapping[System, Sample],
    task: Key,
    made: Mapping[tuple[System, Key], Estimate],
    metric: str,
) -> tuple[dict[System, Entry], str]:
    """Fill a column: figure, interval, ranks, ties; and say what stands in the way."""
    from harness_leaderboard.analysis import statistics

    sure = {system: made[system, task] for system in gathered if (system, task) in made}
    if not gathered:
        return {}, "no system has every fold, with predictions."
    if not sure:
        few = {len(sample.speakers) for sample in gathered.values()}
        return {}, f"{spans(few)} test speakers are too few for an interval."
    best = max(sure, key=lambda system: sure[system].value)
    adjusted, remark = _ties(
        {system: gathered[system] for system in sure}, best, metric
    )
    column: dict[System, Entry] = {}
    for system, (first, last) in _ranks(gathered, sure, metric).items():
        low, high = statistics.interval(sure[system])
        tied = adjusted.get(system, 0.0) > 1 - statistics.LEVEL
        rank = str(first) if first == last else f"{first}–{last}"
        column[system] = Entry(
            text=f"{bounds(sure[system].value, low, high)} {rank}{' ≈' * tied}",
            value=sure[system].value,
            details={"low": low, "high": high, "first": first, "last": last}
            | ({"p": adjusted[system]} if system in adjusted else {}),
        )
    return marked(column), remark


def _ranks(
    gathered: Mapping[System, Sample], systems: Iterable[System], metric: str
) -> dict[System, tuple[int, int]]:
    """Rank systems in every resample, all with the same speakers."""
    import numpy as np

    from harness_leaderboard.analysis import statistics

    names = list(systems)
    replicates = [
        statistics.replicate(
            gathered[name], statistics.resamples(len(gathered[name].speakers)), metric
        )
        for name in names
    ]
    ranks = statistics.rank_intervals(np.stack(replicates))
    return dict(zip(names, ranks, strict=True))


def _ties(
    gathered: Mapping[System, Sample], best: System, metric: str
) -> tuple[dict[System, float], str]:
    """Test the best against each other system; give adjusted p-values and a remark."""
    from harness_leaderboard.analysis import statistics

    tests, remarks = {}, []
    for system in gathered.keys() - {best}:
        try:
            tests[system] = statistics.differ(gathered[best], gathered[system], metric)
        except ValueError:
            remarks = ["some systems were tested on other utterances than the best."]
    adjusted = statistics.holm([test.p for test in tests.values()])
    least = min((test.least_p for test in tests.values()), default=0.0) * len(tests)
    if least > 1 - statistics.LEVEL:
        return {}, "too few test speakers for any test of this family to reach 5 %."
    return dict(zip(tests, adjusted, strict=True)), " ".join(remarks)
