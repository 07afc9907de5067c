"""The predictions behind figures, how sure each is, and which may be the best."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.text import counted
from harness_leaderboard.analysis import sampling, statistics
from harness_leaderboard.analysis.figures import behind, current, figures
from harness_leaderboard.analysis.matrix import Matrix, Sure, is_control
from harness_leaderboard.analysis.places import Place
from harness_leaderboard.analysis.question import require_additive
from harness_leaderboard.analysis.ranking import ALPHA, Standing, standings
from harness_leaderboard.analysis.samples import by_speaker, pooled, sample_of
from harness_leaderboard.analysis.tested import of_one_class, tested

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.types import Metric
    from harness_leaderboard.analysis.figures import Figure
    from harness_leaderboard.analysis.places import CorpusTask, System
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.analysis.samples import Sample

Column = dict["System", "Sample"]
"""What stands behind a column of a table."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Gathered:
    """Figures, and the predictions behind those that have all their folds.

    Attributes:
        samples: By place.
        matrix: Of all figures, with their errors and standings where they were asked
            for.
        notes: On what does not count.
    """

    samples: Mapping[Place, Sample]
    matrix: Matrix
    notes: tuple[str, ...]


def gather(runs: pa.Table, question: Question, *, ranked: bool = False) -> Gathered:
    """Gather the predictions behind every figure that has all its folds.

    Args:
        runs: Results with the columns of figures, ``labels`` and ``predictions``.
        question: Says the metric, and whether folds are pooled.
        ranked: Whether to say how sure each figure is, and which may be the best.

    Raises:
        HarnessError: Where the metric is not of sums over utterances.
    """
    metric = question.metric
    require_additive(metric)
    found, notes = figures(runs, metric)
    kept = current(runs, metric)
    complete = {one.place for one in found if one.complete}
    has = pc.is_valid(kept.runs["predictions"]).to_pylist()
    samples = {
        place: sample_of(kept.runs.take(pa.array(rows)))
        for place, rows in behind(kept).items()
        if place in complete and all(has[row] for row in rows)
    }
    if question.pooled:
        samples = {place: pooled(sample) for place, sample in samples.items()}
        left = len(found) - len(samples)
        found = list(_pooled(found, samples, metric))
        more = f"Not pooled: {counted(left, 'figure')} without all folds' predictions."
        notes = (*notes, *[more] * bool(left))
    sure = _sure(samples, question) if ranked else Sure()
    matrix = Matrix(found, metric, sure=sure, controls=question.controls)
    return Gathered(samples=samples, matrix=matrix, notes=notes)


def _pooled(
    found: Iterable[Figure], samples: Mapping[Place, Sample], metric: Metric
) -> Iterable[Figure]:
    """Yield the figures of pooled samples."""
    for one in found:
        if sample := samples.get(one.place):
            yield replace(one, mean=figure_of(sample, metric))


def figure_of(sample: Sample, metric: Metric) -> float:
    """Return the figure of a sample, as it was measured."""
    ones = np.ones((1, len(sample.speakers)), np.float32)
    return float(statistics.replicate(sample, ones, metric)[0])


def worst_speaker(sample: Sample, metric: Metric) -> float:
    """Return the figure of the speaker whose own is the worst, over folds and seeds."""
    counts = by_speaker(sample, [(part.speakers, part.counts) for part in sample.parts])
    scores = statistics.score(counts, metric)
    return float(scores.min() if metric.higher_is_better else scores.max())


# ---------------------------------------------------------------- how sure


def _columns(samples: Mapping[Place, Sample]) -> dict[CorpusTask, Column]:
    found: dict[CorpusTask, Column] = defaultdict(dict)
    for place, sample in samples.items():
        found[place.corpus][place.system] = sample
    return found


def _sure(samples: Mapping[Place, Sample], question: Question) -> Sure:
    """Estimate every figure, and say which may be the best of each column."""
    metric = question.metric
    made = {}
    for place, sample in samples.items():
        if found := sampling.estimate(sampling.draws(sample, metric)):
            made[place] = found
    columns = _columns(samples)
    of_columns = {
        corpus: family([column], question) for corpus, column in columns.items()
    }
    over_all = family(list(columns.values()), question)
    facts = {
        corpus: tested(next(iter(column.values())), metric)
        for corpus, column in columns.items()
    }
    return Sure(
        estimates=made,
        standings={
            Place(system, corpus): standing
            for corpus, found in of_columns.items()
            for system, standing in found.standings.items()
        },
        means=over_all.standings,
        facts=facts,
        mean_remarks=over_all.remarks,
        heads={corpus: head(column.values()) for corpus, column in columns.items()},
        remarks={
            corpus: (*said(column.values(), metric), *of_columns[corpus].remarks)
            for corpus, column in columns.items()
        },
    )


def head(samples: Iterable[Sample]) -> str:
    """Say what figures are of, and what their design cannot know."""
    listed = list(samples)
    names = [sampling.estimand(sample) for sample in listed]
    words = [word for sample in listed for word in sampling.unknown(sample)]
    return ", ".join(dict.fromkeys([*names, *words]))


def said(samples: Iterable[Sample], metric: Metric) -> tuple[str, ...]:
    """Say why figures have no error, and what labels they rest on, each thing once."""
    return tuple(
        dict.fromkeys(
            text
            for sample in samples
            for of in (sampling.remarks, of_one_class)
            for text in of(sample, metric)
        )
    )


# ---------------------------------------------------------------- the best


@dataclass(frozen=True, kw_only=True)
class Family:
    """Systems that are ranked among each other.

    Attributes:
        standings: By system; empty for fewer than two.
        remarks: On who is not among them, and on what cannot be shown.
    """

    standings: Mapping[System, Standing] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def family(columns: Sequence[Column], question: Question) -> Family:
    """Rank the systems that have all columns, by their mean over them.

    Args:
        columns: One a corpus.
        question: Says the metric, and which are controls.
    """
    if not columns:
        return Family()
    systems = [
        system
        for system in columns[0]
        if all(system in column for column in columns)
        and not is_control(system, question.controls)
    ]
    alike = _alike(systems, columns)
    left = len(systems) - len(alike)
    other = f"{counted(left, 'system')} tested on other utterances: not ranked"
    remarks = (other,) * bool(left)
    if len(alike) < 2:
        return Family(remarks=remarks)
    try:
        blocks = [
            _block([column[system] for system in alike], question.metric)
            for column in columns
        ]
    except ValueError:
        return Family(remarks=(*remarks, "no seed that all systems have: not ranked"))
    found, enough = _standings(blocks, len(alike))
    return Family(
        standings=dict(zip(alike, found, strict=True)),
        remarks=(*remarks, *_undecided(found, enough=enough)),
    )


def _undecided(found: Sequence[Standing], *, enough: bool) -> tuple[str, ...]:
    """Say why nothing is marked, where that is so."""
    if not enough:
        return ("too few units for any test to decide, so nothing is marked",)
    if not any(one.best for one in found):
        return ("no system is shown to be better than another, so nothing is marked",)
    return ()


def _standings(
    blocks: Sequence[sampling.Floats | None], count: int
) -> tuple[list[Standing], bool]:
    """Rank systems, and say whether there are units enough to show anything."""
    whole = [block for block in blocks if block is not None]
    if len(whole) < len(blocks):
        return [Standing(first=1, last=count, p=1.0)] * count, False
    units = sum(block.shape[-1] for block in whole)
    return standings(whole), 2.0**-units <= ALPHA


def _alike(systems: Sequence[System], columns: Sequence[Column]) -> list[System]:
    """Return the largest group of systems that were tested on the same utterances."""
    groups: dict[object, list[System]] = defaultdict(list)
    for system in systems:
        tested = [
            frozenset(part.utterances for part in column[system].parts)
            for column in columns
        ]
        groups[tuple(tested)].append(system)
    return max(groups.values(), key=len, default=[])


def _block(samples: Sequence[Sample], metric: Metric) -> sampling.Floats | None:
    """Return (n, K, U) values of systems, the higher, the better.

    Raises:
        ValueError: Where no seed is common to all.
    """
    taken = [sampling.draws(sample, metric) for sample in statistics.aligned(samples)]
    whole = [one.values for one in taken if one is not None]
    if len(whole) < len(taken):
        return None
    return np.stack(whole) * (1 if metric.higher_is_better else -1)
