"""Reliability diagrams: how often a head is right, against how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import HarnessError
from harness_leaderboard.analysis.calibration import (
    binned,
    measured,
    predicted,
    temperatures_of,
)
from harness_leaderboard.analysis.held import held
from harness_leaderboard.figures.sheet import (
    COLOURS,
    legend,
    note,
    panels,
    require_classes,
)
from harness_leaderboard.render.entries import in_percent
from harness_leaderboard.render.text import plain
from harness_leaderboard.results.tables import PREDICTIONS, VALID

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness_leaderboard.analysis.calibration import Predicted
    from harness_leaderboard.analysis.question import Question

TENTHS = np.linspace(0, 1, 11)
"""Where the bars of the shares of predictions begin and end."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """How predictions are drawn.

    Attributes:
        name: In the legend.
        colour: Of points and bars.
        marker: Of points.
        filled: Whether they are filled.
    """

    name: str
    colour: str
    marker: str
    filled: bool

    @property
    def style(self) -> dict[str, Any]:
        """How matplotlib draws its points and the line between them."""
        face = self.colour if self.filled else "white"
        shape = {"marker": self.marker, "ms": 3.5, "mfc": face}
        return {"color": self.colour, "lw": 0.8, **shape}


BEFORE = Drawn(name="as trained", colour=COLOURS[0], marker="o", filled=False)
AFTER = Drawn(
    name="at a fitted temperature", colour=COLOURS[5], marker="s", filled=True
)


def reliability(runs: pa.Table, question: Question) -> Figure:
    """Draw accuracy against confidence in bins of equal mass, controls apart.

    Raises:
        HarnessError: Where there is nothing but controls, or numbers are predicted.
    """
    require_classes(question, "reliability", "history, cost or layers-probes")
    found = held(runs, question)
    shown = [
        (place, rows)
        for place, rows in found.ordered()
        if not found.matrix.is_control(place.system)
    ]
    if not shown:
        raise HarnessError("All of these results are of controls; choose others.")
    figure, axes = panels(len(shown), width=question.width, least=2.2, height=2.9)
    for axis, (place, rows) in zip(axes, shown, strict=True):
        names = " · ".join(found.matrix.systems[place.system])
        corpus = found.matrix.corpora[place.corpus]
        axis.set_title(f"{plain(names)}\n{plain(corpus)}, {_panel(axis, rows)}")
        axis.set_xlabel("confidence, %")
    axes[0].set_ylabel("right, %")
    for drawn in (BEFORE, AFTER):
        axes[0].plot([], [], **drawn.style, label=drawn.name)
    legend(figure, axes[0])
    note(
        figure,
        "A point is a bin of equally many predictions, of all seeds and folds; below",
        "the diagonal a head is more sure than right. Bars: shares of the predictions",
        "by tenths of confidence, on the same scale. ECE in percent.",
        *["Controls are left out."] * (len(shown) < len(found.runs)),
    )
    return figure


def _panel(axis: Axes, rows: pa.Table) -> str:
    """Draw a place; return how large its bins are, and its calibration errors."""
    test, valid = predicted(rows, PREDICTIONS), predicted(rows, VALID)
    if test is None:
        raise HarnessError("A result without predictions cannot be drawn.")
    axis.plot([0, 100], [0, 100], color="0.5", lw=0.6, ls="--")
    _draw(axis, test, BEFORE)
    before = f"ECE {_ece(rows, test)}"
    sizes = np.bincount(binned(test.confidence))
    number = "–".join(dict.fromkeys((str(sizes[sizes > 0].min()), str(sizes.max()))))
    if valid is None:
        return f"{number} a bin\n{before}, no temperature fitted"
    after = test.tempered(temperatures_of(valid))
    _draw(axis, after, AFTER)
    return f"{number} a bin\n{before} → {_ece(rows, after)}"


def _ece(rows: pa.Table, said: Predicted) -> str:
    """Print a calibration error in percent, as the view does."""
    return in_percent(measured(rows, said).ece.value)


def _draw(axis: Axes, said: Predicted, drawn: Drawn) -> None:
    """Draw predictions: a point a bin, and how confidences are spread."""
    bins, confidence = binned(said.confidence), said.confidence
    count = np.maximum(np.bincount(bins), 1)
    sure, right = (
        100 * np.bincount(bins, of) / count for of in (confidence, said.right)
    )
    there = np.bincount(bins) > 0
    shares = 100 * np.histogram(confidence, TENTHS)[0] / len(confidence)
    alpha = 0.3 if drawn.filled else 0.8
    axis.stairs(
        *(shares, 100 * TENTHS), color=drawn.colour, fill=drawn.filled, alpha=alpha
    )
    axis.plot(sure[there], right[there], **drawn.style)
    axis.set_xlim(0, 102)
    axis.set_ylim(0, 102)
