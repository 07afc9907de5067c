"""How a figure, its interval and its ranks are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.types import Entry
from harness_leaderboard.render.entries import NOTHING, unit_of

if TYPE_CHECKING:
    from harness_leaderboard.analysis.figures import Figure
    from harness_leaderboard.analysis.ranking import Standing
    from harness_leaderboard.analysis.statistics import Estimate


def entry_of(
    figure: Figure | None, sure: Estimate | None = None, *, counted: bool = True
) -> Entry:
    """Print a figure; one that lacks folds has no value to be compared by."""
    if figure is None:
        return NOTHING
    bounds, details = around(sure) if sure else ("", {})
    return Entry(
        text=figure.text(bounds, counted=counted),
        value=figure.mean if figure.complete else None,
        details={**details, "runs": figure.runs},
        key=figure.place,
    )


def rank_entry(standing: Standing | None) -> Entry:
    """Print the ranks that a system may have."""
    if standing is None:
        return NOTHING
    first, last = standing.first, standing.last
    text = str(first) if first == last else f"{first}–{last}"
    return Entry(text=text, value=first, details={"worst": last})


def around(sure: Estimate) -> tuple[str, dict[str, float]]:
    """Print the interval of a figure, and hold its ends and its error."""
    from harness_leaderboard.analysis.statistics import interval  # brings numpy

    low, high = interval(sure)
    text = unit_of(sure.bounds).around(low, high)
    return text, {"error": sure.error, "low": low, "high": high}
