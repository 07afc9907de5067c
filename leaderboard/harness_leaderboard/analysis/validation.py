"""What systems reached in validation: what a head may be chosen by."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

from harness_leaderboard.analysis.figures import current

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from harness.types import Metric
    from harness_leaderboard.analysis.places import Place

LEARNED = ("history", "best_epoch")
"""The columns that hold it."""


def validated(runs: pa.Table, metric: Metric) -> dict[Place, float]:
    """Return the mean score in validation of the epochs that were kept.

    It is UAR where that is asked for, else macro-F1, and CCC of numbers: a learning
    curve has no other. What has no curve, such as a head that is not trained in epochs,
    is left out.

    Args:
        runs: Results with the columns of figures and ``LEARNED``.
        metric: What the figures are of.
    """
    of_classes = "valid_uar" if metric.name == "uar" else "valid_macro_f1"
    name = "valid_ccc" if metric.of_numbers else of_classes
    kept = current(runs, metric)
    found: dict[Place, list[float]] = defaultdict(list)
    for row in kept.runs.select(["place", *LEARNED]).to_pylist():
        if row["history"]:
            score = _kept(row["history"], row["best_epoch"])[name]
            if score is not None:
                found[kept.places[row["place"]]].append(score)
    return {place: fmean(scores) for place, scores in found.items()}


def _kept(history: Sequence[Mapping[str, Any]], epoch: int) -> Mapping[str, Any]:
    """Return the row of the epoch that was kept, or the last one before it."""
    return next(
        (row for row in reversed(history) if row["epoch"] <= epoch), history[-1]
    )
