"""The view ``layers``: where in an upstream the target sits (Figure 2), and probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.training.metrics import macro_f1
from harness.types import Entry, Table
from harness_leaderboard.analysis.facets import USUAL
from harness_leaderboard.analysis.figures import current
from harness_leaderboard.analysis.layers import layered, mean, targets_of
from harness_leaderboard.analysis.question import of_kind
from harness_leaderboard.render.entries import (
    NOTHING,
    in_percent,
    marked,
    percent,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow as pa

    from harness_leaderboard.analysis.layers import Curve, Layered
    from harness_leaderboard.analysis.question import Question

BARS = "▁▂▃▄▅▆▇█"
NAMES = ("upstream", "downstream", "language")


def layers(runs: pa.Table, question: Question) -> Table:
    """Show weights and probes layer by layer, over all languages and in each."""
    metric = of_kind(question, macro_f1)
    systems = layered(runs, metric)
    targets = targets_of(systems)
    return Table(
        title=_title(targets),
        columns=(
            *["target"] * bool(targets),
            *NAMES,
            *("by layer", "range", "top layer", "centre", "× norms"),
        ),
        rows=tuple(
            (
                *[word(system.target)] * bool(targets),
                *_names(system, language, curves),
                *_row(curves, system.probes),
            )
            for system in systems
            for language, curves in system.by_language.items()
        ),
        notes=(
            "A head that weighs layers: its learned weights, which sum to one. A head "
            f"on each layer: the test {metric.title} of each, in percent. Both are "
            "means over runs, then over corpora; a bar's height is the share of the "
            "highest.",
            "A layer of large states counts for more than its weight says, hence the "
            "last column: weight × mean norm of the states. Centre is the mean layer.",
            *current(runs, metric).notes,
        ),
    )


def _title(targets: Sequence[str]) -> str:
    """Name what sits in layers."""
    what = f"the {USUAL}" if not targets else targets[0]
    what = "each target" if len(targets) > 1 else what
    return f"Where {what} sits: layers 1 to L"


def _names(
    system: Layered, language: str, curves: Sequence[Curve]
) -> tuple[Entry, ...]:
    return (*map(word, system.names), _corpora(language, len(curves)))


def _corpora(language: str, count: int) -> Entry:
    text = language if count == 1 else f"{language}, {count} corpora"
    return Entry(text=text, value=language, details={"corpora": count})


def _row(curves: Sequence[Curve], probes: bool) -> tuple[Entry, ...]:
    values = mean([curve.values for curve in curves])
    top = max(range(len(values)), key=values.__getitem__) + 1
    low, high = min(values), max(values)
    ends = f"{in_percent(low)} to {in_percent(high)}"
    ends = ends if probes else f"{low:.3f} to {high:.3f}"
    row = (
        _bars(values),
        Entry(text=ends, value=ends, details={"low": low, "high": high}),
        Entry(text=f"{top} of {len(values)}", value=top),
    )
    if probes:
        return (*row, NOTHING, NOTHING)
    centre = sum(place * weight for place, weight in enumerate(values, 1))
    scaled = _bars(mean([curve.shares for curve in curves]))
    return (*row, Entry(text=f"{centre:.1f}", value=centre), scaled)


def _bars(values: Sequence[float]) -> Entry:
    """Draw a curve in one line."""
    highest = max(max(values), 0.0) or 1.0
    return Entry(
        text="".join(BARS[max(round(7 * value / highest), 0)] for value in values),
        details={f"layer {place}": value for place, value in enumerate(values, 1)},
    )


def maps(runs: pa.Table, question: Question) -> dict[str, Table]:
    """Return tables with a column a layer, in percent, by what they show.

    Args:
        runs: Results with what ``layered`` reads.
        question: Whether classes or numbers are shown.
    """
    systems = layered(runs, of_kind(question, macro_f1))
    weighing = [system for system in systems if not system.probes]
    made = {
        "by layer": _map("by layer", systems, lambda curve: curve.values),
        "× norms": _map("× norms", weighing, lambda curve: curve.shares),
    }
    return {name: table for name, table in made.items() if table.rows}


def _map(
    name: str, systems: Sequence[Layered], read: Callable[[Curve], Sequence[float]]
) -> Table:
    longest = max((system.layers for system in systems), default=0)
    targets = targets_of(systems)
    return Table(
        title=f"{_title(targets)}, {name}",
        columns=(
            *["target"] * bool(targets),
            *NAMES,
            *map(str, range(1, longest + 1)),
        ),
        rows=tuple(
            (
                *[word(system.target)] * bool(targets),
                *_names(system, language, curves),
                *_layers(map(read, curves), longest),
            )
            for system in systems
            for language, curves in system.by_language.items()
        ),
        heat=True,
    )


def _layers(curves: Iterable[Sequence[float]], longest: int) -> list[Entry]:
    """Print the layers of a row in percent, with the highest marked."""
    values = mean(list(curves))
    entries = marked(dict(enumerate(map(percent, values))))
    return [*entries.values(), *[NOTHING] * (longest - len(values))]
