"""Metrics that a result was stored without, computed from its predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness_leaderboard.results.columns import scored
from harness_leaderboard.results.reading import read_runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from harness.types import Metric, Predictions
    from harness_leaderboard.results.folders import Folder


def scored_anew(table: pa.Table, metric: Metric, runs: Folder) -> pa.Table:
    """Fill a metric's column where it is null and predictions are stored.

    Args:
        table: Flat columns of results, ``run_id`` among them.
        metric: Which; nothing is done where its column was not asked for.
        runs: The folder that the results are in.

    Raises:
        HarnessError: Where the metric's plugin fails.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    column = scored(metric)
    if column not in table.column_names or not table[column].null_count:
        return table
    lacking = set(table.filter(pc.is_null(table[column]))["run_id"].to_pylist())
    needed = ["labels", "confusion"] + ["predictions"] * (not metric.of_confusion)
    rows, _ = read_runs(runs, needed, run_ids=lacking)
    found = {row["run_id"]: _score(row, metric) for row in rows.to_pylist()}
    values = [
        found.get(run_id) if value is None else value
        for run_id, value in zip(
            table["run_id"].to_pylist(), table[column].to_pylist(), strict=True
        )
    ]
    place = table.column_names.index(column)
    return table.set_column(place, column, pa.array(values, pa.float64()))


def _score(row: dict[str, Any], metric: Metric) -> float | None:
    from harness.errors import PluginError

    predictions = predictions_of_row(row, metric)
    if predictions is None:
        return None
    try:
        return float(metric.score(predictions))
    except Exception as error:  # isolates the plugin that offers the metric
        raise PluginError(
            f"The metric '{metric.name}' of {metric.score.__module__} failed on run "
            f"{row['run_id']} ({type(error).__name__}: {error}). Choose another "
            "--metric."
        ) from error


def predictions_of_row(row: dict[str, Any], metric: Metric) -> Predictions | None:
    """Return what a stored result predicted, ``None`` where the metric is not of it.

    Args:
        row: With ``labels``, ``confusion`` and, unless the metric is ``of_confusion``,
            ``predictions``.
        metric: What is to be computed.
    """
    import numpy as np

    from harness.training.metrics import predictions_of, predictions_of_numbers
    from harness.types import Predictions

    if metric.of_confusion:
        confusion = np.array(row["confusion"] or (), np.float64)
        return Predictions(confusion=confusion) if confusion.size else None
    said = row["predictions"] or ()
    if not said or metric.of_numbers != has_numbers(said[0]):
        return None
    if metric.of_numbers:
        pairs = [(one["value"], one["predicted_value"]) for one in said]
        return predictions_of_numbers(*np.array(pairs, np.float64).T)
    place = {label: number for number, label in enumerate(row["labels"])}
    true = np.array([place[one["label"]] for one in said])
    return predictions_of(true, np.array([one["scores"] for one in said], np.float64))


def has_numbers(prediction: Mapping[str, Any]) -> bool:
    """Say whether a stored prediction is of a number; older files lack the field."""
    return prediction.get("value") is not None
