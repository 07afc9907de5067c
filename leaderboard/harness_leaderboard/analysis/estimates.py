"""The predictions behind figures, and how sure each figure is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness_leaderboard.analysis import statistics
from harness_leaderboard.analysis.figures import behind, current, figures
from harness_leaderboard.analysis.matrix import Matrix
from harness_leaderboard.analysis.question import require_confusion
from harness_leaderboard.analysis.samples import sample_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.types import Metric
    from harness_leaderboard.analysis.places import Place
    from harness_leaderboard.analysis.samples import Sample
    from harness_leaderboard.analysis.statistics import Estimate


@dataclass(frozen=True, kw_only=True, eq=False)
class Gathered:
    """Figures, and the predictions behind those that have all their folds.

    Attributes:
        samples: By place.
        matrix: Of all figures.
        notes: On what does not count.
    """

    samples: Mapping[Place, Sample]
    matrix: Matrix
    notes: tuple[str, ...]


def gather(runs: pa.Table, metric: Metric) -> Gathered:
    """Gather the predictions behind every figure that has all its folds.

    Args:
        runs: Results with the columns of figures, ``labels`` and ``predictions``.
        metric: Of the figures.

    Raises:
        HarnessError: Where the metric is not of confusions.
    """
    require_confusion(metric)
    found, notes = figures(runs, metric)
    kept = current(runs, metric)
    complete = {one.place for one in found if one.complete}
    has = pc.is_valid(kept.runs["predictions"]).to_pylist()
    samples = {
        place: sample_of(kept.runs.take(pa.array(rows)))
        for place, rows in behind(kept).items()
        if place in complete and all(has[row] for row in rows)
    }
    return Gathered(samples=samples, matrix=Matrix(found, metric), notes=notes)


def figure_of(sample: Sample, metric: Metric) -> float:
    """Return the figure of a sample, as it was measured."""
    ones = np.ones((1, len(sample.speakers)), np.float32)
    return float(statistics.replicate(sample, ones, metric)[0])


def estimates(samples: Mapping[Place, Sample], metric: Metric) -> dict[Place, Estimate]:
    """Estimate every figure that has enough speakers."""
    made = {}
    for place, sample in samples.items():
        speakers = len(sample.speakers)
        value = figure_of(sample, metric)
        drawn = statistics.resamples(speakers)
        replicates = statistics.replicate(sample, drawn, metric)
        if found := statistics.estimate(value, replicates, speakers):
            made[place] = found
    return made
