"""Where the emotion sits: learned weights of layers (Figure 2), and probes of each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.types import Entry, Table
from harness_leaderboard.analysis.facets import (
    CORPUS,
    Key,
    System,
    place_of,
    system_names,
)
from harness_leaderboard.analysis.tables import current
from harness_leaderboard.render.entries import NOTHING, word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from harness_leaderboard.analysis.tables import Question


BARS = "▁▂▃▄▅▆▇█"
LAYERED = ("layer_weights", "layer_norms", "layer_scores")
LANGUAGE = CORPUS.columns.index("language")
ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What a system has of layers 1…L in one task, a mean over its runs.

    Attributes:
        values: Learned weights, which sum to one, or the probes' test macro-F1.
        norms: Mean norms of the layers' states, empty where they are not known.
    """

    values: tuple[float, ...]
    norms: tuple[float, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """Values × norms where there are any, made to sum to one."""
        known = len(self.norms) == len(self.values)
        norms = self.norms if known else (1.0,) * len(self.values)
        scaled = [value * norm for value, norm in zip(self.values, norms, strict=True)]
        return tuple(value / (sum(scaled) or 1.0) for value in scaled)


@dataclass(frozen=True, kw_only=True)
class Layered:
    """A system that tells of its layers.

    Attributes:
        names: Of its upstream and its downstream.
        probes: Whether its curves are scores of a head on each layer, not weights.
        tasks: A curve a task.
    """

    names: tuple[str, str]
    probes: bool
    tasks: Mapping[Key, Curve]

    @property
    def layers(self) -> int:
        """L."""
        return len(next(iter(self.tasks.values())).values)

    @property
    def by_language(self) -> dict[str, list[Curve]]:
        """Give all curves, and, where there are several languages, those of each."""
        found: dict[str, list[Curve]] = defaultdict(list)
        for task, curve in self.tasks.items():
            found[str(task[LANGUAGE])].append(curve)
        everything = {ALL: list(self.tasks.values())}
        return everything | dict(sorted(found.items())) if len(found) > 1 else found


def layers(runs: pa.Table, question: Question) -> Table:
    """Show weights and probes layer by layer, over all languages and in each."""
    return Table(
        title="Where the emotion sits: layers 1 to L",
        columns=(
            *("upstream", "downstream", "language"),
            *("by layer", "range", "top layer", "centre", "× norms"),
        ),
        rows=tuple(
            (
                *map(word, system.names),
                _corpora(language, len(curves)),
                *_row(curves, system.probes),
            )
            for system in layered(runs)
            for language, curves in system.by_language.items()
        ),
        notes=(
            "A head that weighs layers: its learned weights, which sum to one. A head "
            "on each layer: the test macro-F1 of each, in percent. Both are means over "
            "runs, then over corpora; a bar's height is the share of the highest.",
            "A layer of large states counts for more than its weight says, hence the "
            "last column: weight × mean norm of the states. Centre is the mean layer.",
        ),
    )


def _corpora(language: str, count: int) -> Entry:
    text = language if count == 1 else f"{language}, {count} corpora"
    return Entry(text=text, value=language, details={"corpora": count})


def _row(curves: Sequence[Curve], probes: bool) -> tuple[Entry, ...]:
    values = mean([curve.values for curve in curves])
    top = max(range(len(values)), key=values.__getitem__) + 1
    low, high = min(values), max(values)
    ends = f"{100 * low:.1f}–{100 * high:.1f}" if probes else f"{low:.3f}–{high:.3f}"
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


def layered(runs: pa.Table) -> list[Layered]:
    """Give each system that tells of its layers, sorted by name."""
    kept, _ = current(runs, "macro_f1")
    found: dict[System, dict[Key, list[Curve]]] = defaultdict(lambda: defaultdict(list))
    probing = set()
    for row in kept.to_pylist():
        if values := row["layer_scores"] or row["layer_weights"]:
            system, task = place_of(row)
            curve = Curve(values=tuple(values), norms=tuple(row["layer_norms"] or ()))
            found[system][task].append(curve)
            if row["layer_scores"]:
                probing.add(system)
    names = system_names(found)
    return [
        Layered(
            names=names[system],
            probes=system in probing,
            tasks={task: _pooled(curves) for task, curves in found[system].items()},
        )
        for system in sorted(found, key=names.__getitem__)
    ]


def _pooled(curves: Sequence[Curve]) -> Curve:
    return Curve(
        values=mean([curve.values for curve in curves]),
        norms=mean([curve.norms for curve in curves]),
    )


def mean(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Average curves of the same length; those of another length do not belong."""
    alike = [row for row in rows if len(row) == len(rows[0])]
    return tuple(sum(column) / len(alike) for column in zip(*alike, strict=True))


def _bars(values: Sequence[float]) -> Entry:
    """Draw a curve in one line."""
    highest = max(values) or 1.0
    return Entry(
        text="".join(BARS[round(7 * value / highest)] for value in values),
        details={f"layer {place}": value for place, value in enumerate(values, 1)},
    )
