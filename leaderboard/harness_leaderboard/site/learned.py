"""What stands behind a figure beside its predictions: curves, layers, cost, files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness_leaderboard.analysis.layers import mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS = (
    *("run_id", "history", "best_epoch"),
    *("layer", "layer_weights", "layer_norms", "layer_scores"),
    *("extraction_seconds", "training_seconds", "training_peak_memory"),
    "trainable_parameters",
)
LOSSES = ("train_loss", "valid_loss")
REACHED = {"valid_ccc": "CCC", "valid_macro_f1": "Macro-F1"}
"""The score of a learning curve, of numbers or of classes, and its title."""
DRAWN = 10  # runs whose learning curves a page draws for a figure


def learned(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Collect what the page shows of a figure's runs.

    Args:
        rows: Of its runs, with ``COLUMNS``.
    """
    reached = _reached(rows)
    return {
        "curves": [_curves(row, reached) for row in rows if row["history"]][:DRAWN],
        "reached": REACHED[reached],
        "layers": _layers(rows),
        "cost": {
            "seconds of extraction a run": _mean(rows, "extraction_seconds"),
            "seconds of training a run": _mean(rows, "training_seconds"),
            "trainable parameters": _mean(rows, "trainable_parameters"),
            "peak memory in MB": _mean(rows, "training_peak_memory", 1e6),
        },
        "ids": [row["run_id"] for row in rows],
    }


def _reached(rows: Sequence[Mapping[str, Any]]) -> str:
    """Name the score that the learning curves of runs have."""
    epochs = [epoch for row in rows for epoch in row["history"] or ()]
    numbers = any(epoch["valid_ccc"] is not None for epoch in epochs)
    return "valid_ccc" if numbers else "valid_macro_f1"


def _curves(row: Mapping[str, Any], reached: str) -> dict[str, Any]:
    """Return a run's learning curves, and the epoch that was kept."""
    values = {
        name: [round(epoch[name], 3) for epoch in row["history"]] for name in LOSSES
    }
    score = [round(epoch[reached] or 0.0, 3) for epoch in row["history"]]
    return {**values, "score": score, "best": row["best_epoch"]}


def _layers(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a value for each layer, a mean over runs, and what it is."""
    for name, about in (
        (
            "layer_scores",
            "test macro-F1 (of numbers, CCC) of a head on each layer, in percent",
        ),
        ("layer_weights", "weights that the head learned, in percent"),
    ):
        found = [row[name] for row in rows if row[name]]
        if found:
            values = [round(100 * value, 2) for value in mean(found)]
            return {"about": about, "values": values}
    return {}


def _mean(
    rows: Sequence[Mapping[str, Any]], name: str, unit: float = 1.0
) -> float | None:
    known = [row[name] for row in rows if row[name] is not None]
    return round(sum(known) / len(known) / unit, 1) if known else None
