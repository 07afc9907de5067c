"""What a score costs: seconds and parameters."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness_leaderboard.analysis.figures import current, figures
from harness_leaderboard.analysis.matrix import Matrix
from harness_leaderboard.figures.sheet import COLOURS, legend, note, panels
from harness_leaderboard.render.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from matplotlib.figure import Figure

    from harness_leaderboard.analysis.places import System
    from harness_leaderboard.analysis.question import Question

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
    _require_distinct(upstreams, heads)
    figure, axes = panels(2, width=question.width, least=1.5, height=2.6)
    for system, (upstream, downstream) in matrix.systems.items():
        mean = matrix.mean(system)
        if mean is None:
            continue
        for axis, value in zip(axes, spent[system], strict=True):
            axis.plot(
                max(value, 1),  # a log scale has no zero
                (100 if matrix.unit.percent else 1) * mean,
                MARKERS[heads.index(downstream) % len(MARKERS)],
                color=COLOURS[upstreams.index(upstream) % len(COLOURS)],
            )
    for axis, label in zip(axes, COSTS, strict=True):
        axis.set_xscale("log")
        axis.set_xlabel(label)
        axis.xaxis.set_major_locator(LogLocator(subs=_subs(*axis.get_xlim())))
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.grid(lw=0.3)
    for place, upstream in enumerate(upstreams):
        colour = COLOURS[place % len(COLOURS)]
        axes[0].plot([], [], "s", color=colour, label=plain(upstream))
    for place, head in enumerate(heads):
        marker = MARKERS[place % len(MARKERS)]
        axes[0].plot([], [], marker, color="0.5", label=plain(head))
    unit = "%" if matrix.unit.percent else matrix.unit.said
    axes[0].set_ylabel(f"{question.metric.title}, {unit}")
    legend(figure, axes[0])
    note(
        figure,
        f"Mean over {len(matrix.corpora)} corpora ({len(kept)} runs); of the runs the",
        "mean seconds and parameters. Colour: upstream; shape: downstream.",
    )
    return figure


def _subs(low: float, high: float) -> tuple[float, ...]:
    """Return which multiples of powers of ten get a label, so that none touch.

    At least two stand on an axis of a power of ten, and at most six on any of five.
    """
    powers = math.log10(high / low)
    return (1, 2, 5) if powers < 1.5 else (1, 3) if powers < 3 else (1,)


def _require_distinct(upstreams: Sequence[str], heads: Sequence[str]) -> None:
    """Refuse what colours and shapes cannot distinguish.

    Raises:
        HarnessError: Where there are more than these.
    """
    for kind, names, signs in (
        ("upstream", upstreams, COLOURS),
        ("downstream", heads, MARKERS),
    ):
        if len(names) > len(signs):
            raise HarnessError(
                f"{len(names)} {kind}s cannot be told apart in one figure; choose at "
                f"most {len(signs)} with --only {kind}={','.join(names[:2])},…"
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
