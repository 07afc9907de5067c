"""The view ``calibration``: how far a head's probabilities can be believed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.text import counted
from harness.training.metrics import macro_f1
from harness.types import Entry, Table
from harness_leaderboard.analysis.calibration import (
    BINS,
    HOTTEST,
    LEAST,
    measured,
    predicted,
    temperatures_of,
)
from harness_leaderboard.analysis.held import held
from harness_leaderboard.render.entries import NOTHING, percent, signed, word
from harness_leaderboard.results.tables import PREDICTIONS, VALID

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from harness_leaderboard.analysis.calibration import (
        Calibration,
        Floats,
        Measure,
        Predicted,
    )
    from harness_leaderboard.analysis.held import Held
    from harness_leaderboard.analysis.places import Place
    from harness_leaderboard.analysis.question import Question

LEGEND = (
    "Means over the test predictions of a seed, its folds together, and over seeds; "
    "[low, high] is the 95 % interval with other test speakers drawn (other folds "
    "where there are several, and other seeds), rounded outward."
)
MEASURES = (
    f"ECE: |accuracy − confidence| of the predicted class in {BINS} bins of equal mass "
    f"(fewer where a bin would have under {LEAST} predictions), weighted by their "
    "size. It is the plain estimator, which is never 0: by chance is what a perfectly "
    "calibrated head with these confidences would show. Over: mean confidence "
    "less accuracy, in points. Brier: squared error summed over classes, 0 "
    "to 2. Log loss in nats."
)
TEMPERED = (
    "The second row of each pair: probabilities p become softmax(log p / T), with the "
    "T of each cell that has the least log loss on its validation predictions (1 where "
    "all of these are right); shown are the median and the range over cells. What is "
    "predicted stays as it is."
)
COLUMNS = (
    *("upstream", "downstream", "corpus", "T", "ECE", "by chance"),
    *("over", "Brier", "log loss"),
)
NONE_FITTED = "none fitted"
"""Stands for the temperature where no validation predictions are stored."""


def calibration(runs: pa.Table, question: Question) -> Table:
    """Show calibration as trained, and at a temperature fitted in validation."""
    found = held(runs, replace(question, metric=macro_f1))  # what rows are sorted by
    body: list[tuple[Entry, ...]] = []
    apart, without, extreme = 0, [], 0
    for place, rows in found.ordered():
        test, heat = of_place(rows)
        if test is None:
            continue
        control = found.matrix.is_control(place.system)
        made = [_row(found, place, Entry(text="1", value=1.0), measured(rows, test))]
        if heat is None:
            without.append(found.name(place))
            made.append(_unfitted(found, place))
        else:
            after = measured(rows, test.tempered(heat))
            made.append(_row(found, place, _heat(heat), after))
            extreme += 0 if control else _at_ends(heat)
        apart += len(made) * control
        body += made
    return Table(
        title="Calibration on the test part, as trained and at a fitted temperature",
        columns=COLUMNS,
        rows=tuple(body),
        apart=apart if apart < len(body) else 0,
        notes=(
            f"{LEGEND} {MEASURES}",
            TEMPERED,
            *_extreme(extreme),
            *_unstored(without),
            *found.matrix.remarks,
            *found.notes,
        ),
    )


def of_place(rows: pa.Table) -> tuple[Predicted | None, Floats | None]:
    """Return the test predictions of a place and its cells' temperatures, as known."""
    valid = predicted(rows, VALID)
    heat = None if valid is None else temperatures_of(valid)
    return predicted(rows, PREDICTIONS), heat


def _row(found: Held, place: Place, heat: Entry, of: Calibration) -> tuple[Entry, ...]:
    return (
        *_names(found, place),
        heat,
        _measured(of.ece),
        percent(of.chance),
        signed(of.over),
        _measured(of.brier, scale="0 to 2"),
        _measured(of.log_loss, scale="nats"),
    )


def _unfitted(found: Held, place: Place) -> tuple[Entry, ...]:
    """Say that a place has no temperature."""
    return (*_names(found, place), Entry(text=NONE_FITTED), *[NOTHING] * 5)


def _names(found: Held, place: Place) -> tuple[Entry, ...]:
    label = found.matrix.corpora[place.corpus]
    return (*found.matrix.names(place.system), word(label, key=place))


def _measured(of: Measure, *, scale: str = "") -> Entry:
    """Print a measure, and its interval with a digit less, rounded outward.

    Args:
        of: What was measured.
        scale: What it is on; empty for a fraction of one, in percent.
    """
    factor, digits = (1, 3) if scale else (100, 1)
    text = f"{factor * of.value:.{digits}f}"
    if of.interval is None:
        return Entry(text=text, value=of.value)
    low, high = of.interval
    step = 10 ** (digits - 1)
    ends = (math.floor(factor * low * step), math.ceil(factor * high * step))
    bounds = ", ".join(f"{end / step:.{digits - 1}f}" for end in ends)
    details: dict[str, float | str] = {"low": low, "high": high}
    if scale:
        details["scale"] = scale
    return Entry(text=f"{text} [{bounds}]", value=of.value, details=details)


def _heat(temperatures: Floats) -> Entry:
    """Print the median temperature of the cells, and the range."""
    low, middle, high = (float(f(temperatures)) for f in (np.min, np.median, np.max))
    alone = f"{low:.2f}" == f"{high:.2f}"
    text = f"{middle:.2f}" + ("" if alone else f" ({low:.2f}–{high:.2f})")
    return Entry(text=text, value=middle, details={"lowest": low, "highest": high})


def _at_ends(temperatures: Floats) -> int:
    """Count the cells whose temperature is at an end of what is tried."""
    return int((np.abs(np.log(temperatures)) > 0.99 * np.log(HOTTEST)).sum())


def _extreme(cells: int) -> Iterator[str]:
    if cells:
        yield (
            f"{counted(cells, 'cell')} with a temperature at an end of what is tried, "
            f"{1 / HOTTEST:g} to {HOTTEST:g}, as their validation part is predicted no "
            "better than by guessing, or nearly without a fault."
        )


def _unstored(names: list[str]) -> Iterator[str]:
    """Name the figures whose cells hold no validation predictions, and what helps."""
    if names:
        yield (
            f"No temperature is fitted where a cell was stored without predictions of "
            f"its validation part, as older versions did: {'; '.join(names)}. "
            "'harness run … --again all' computes such cells anew."
        )
