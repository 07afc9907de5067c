"""What a score costs: seconds and parameters."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.text import counted
from harness_leaderboard.analysis.figures import current, figures
from harness_leaderboard.analysis.matrix import Matrix
from harness_leaderboard.figures.labels import label_points
from harness_leaderboard.figures.sheet import COLOURS, legend, note, panels
from harness_leaderboard.render.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness_leaderboard.analysis.places import System
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.figures.labels import Point

MARKERS = "osD^vP*X"
SPENT = ("extraction_seconds", "training_seconds", "trainable_parameters")
COSTS = ("seconds a run: extraction and training", "trainable parameters")


def cost(runs: pa.Table, question: Question) -> Figure:
    """Draw the mean over corpora against seconds and against trainable parameters."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    found, _ = figures(runs, question.metric)
    matrix = Matrix(found, question.metric)
    matrix.require_common_mean()
    kept = current(runs, question.metric).runs
    spent = _spent(runs, question)
    heads = sorted({downstream for _, downstream in matrix.systems.values()})
    upstreams = sorted({upstream for upstream, _ in matrix.systems.values()})
    _require_distinct(heads)
    named = len(upstreams) > len(COLOURS)
    least, height = (3.0, 3.6) if named else (1.5, 2.6)
    figure, axes = panels(2, width=question.width, least=least, height=height)
    names: list[list[tuple[Point, str]]] = [[] for _ in axes]
    for system, (upstream, downstream) in matrix.systems.items():
        mean = matrix.mean(system)
        if mean is None:
            continue
        colour = "0.25" if named else COLOURS[upstreams.index(upstream)]
        height = matrix.unit.factor * mean
        for axis, value, labels in zip(axes, spent[system], names, strict=True):
            place = (max(value, 1), height)  # a log scale has no zero
            axis.plot(*place, MARKERS[heads.index(downstream)], color=colour)
            labels.append((place, plain(upstream)))
    for axis, label in zip(axes, COSTS, strict=True):
        axis.set_xscale("log")
        if named:
            axis.margins(x=0.5)  # for names on both sides
        axis.set_xlabel(label)
        axis.xaxis.set_major_locator(LogLocator(subs=_subs(*axis.get_xlim())))
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.grid(lw=0.3)
    if not named:
        for upstream, colour in zip(upstreams, COLOURS, strict=False):
            axes[0].plot([], [], "s", color=colour, label=plain(upstream))
    for head, marker in zip(heads, MARKERS, strict=False):
        axes[0].plot([], [], marker, color="0.5", label=plain(head))
    unit = "%" if matrix.unit.percent else matrix.unit.said
    axes[0].set_ylabel(f"{question.metric.title}, {unit}")
    legend(figure, axes[0])
    note(
        figure,
        f"Mean over {counted(len(matrix.corpora), 'corpus', 'corpora')}",
        f"({counted(len(kept), 'run')}); of the runs the mean seconds and parameters.",
        "Shape: downstream." if named else "Colour: upstream; shape: downstream.",
    )
    if named:
        _write_names(figure, axes, names)
    return figure


def _write_names(
    figure: Figure, axes: Sequence[Axes], names: Sequence[Sequence[tuple[Point, str]]]
) -> None:
    """Name each point of a finished figure.

    Raises:
        HarnessError: Where the names do not find room.
    """
    figure.draw_without_rendering()
    for axis, labels in zip(axes, names, strict=True):
        if name := label_points(axis, labels):
            raise HarnessError(
                f"{len(labels)} points have no room for their names ('{name}' is one); "
                "choose some with --only, for example --only downstream=linear, or at "
                f"most {len(COLOURS)} upstreams, which colours tell apart."
            )


def _subs(low: float, high: float) -> tuple[float, ...]:
    """Return which multiples of powers of ten get a label, so that none touch.

    At least two stand on an axis of a power of ten, and at most six on any of five.
    """
    powers = math.log10(high / low)
    return (1, 2, 5) if powers < 1.5 else (1, 3) if powers < 3 else (1,)


def _require_distinct(heads: Sequence[str]) -> None:
    """Refuse what shapes cannot distinguish.

    Raises:
        HarnessError: Where there are more than these.
    """
    if len(heads) > len(MARKERS):
        raise HarnessError(
            f"{len(heads)} downstreams cannot be told apart in one figure; choose at "
            f"most {len(MARKERS)} with --only downstream={','.join(heads[:2])},…"
        )


def _spent(runs: pa.Table, question: Question) -> dict[System, tuple[float, float]]:
    """Return mean seconds and mean trainable parameters of each system."""
    kept = current(runs, question.metric)
    found: dict[System, list[tuple[float, float]]] = defaultdict(list)
    for row in kept.runs.select(["place", *SPENT]).to_pylist():
        extracting, training, parameters = (float(row[name] or 0) for name in SPENT)
        system = kept.places[row["place"]].system
        found[system].append((extracting + training, parameters))
    return {
        system: (
            sum(seconds for seconds, _ in values) / len(values),
            sum(parameters for _, parameters in values) / len(values),
        )
        for system, values in found.items()
    }
