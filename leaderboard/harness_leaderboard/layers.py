"""The paper's Figure 2: which layers the heads that weigh them chose."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from harness.types import Entry, Table
from harness_leaderboard.tables import (
    Key,
    System,
    current,
    number,
    place_of,
    system_names,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from harness_leaderboard.tables import Question


BARS = "▁▂▃▄▅▆▇█"
LAYERED = ("layer_weights", "layer_norms")


def layers(runs: pa.Table, question: Question) -> Table:
    """Show which layers the heads that weigh them chose."""
    body = []
    for system, names, tasks in _layered(runs):
        weights = _mean([weights for weights, _ in tasks.values()])
        scaled = _mean([shares(weights, norms) for weights, norms in tasks.values()])
        centre = sum(place * weight for place, weight in enumerate(weights, 1))
        top = max(range(len(weights)), key=weights.__getitem__) + 1
        body.append(
            (
                *map(word, names[system]),
                number(len(tasks)),
                _curve(weights),
                _curve(scaled),
                Entry(text=f"{centre:.1f}", value=centre),
                Entry(text=f"{top} of {len(weights)}", value=top),
            )
        )
    return Table(
        title="Where the emotion sits: learned weights of layers 1 to L",
        columns=(
            *("upstream", "downstream", "corpora"),
            *("weights", "weights × norms", "centre", "top layer"),
        ),
        rows=tuple(body),
        notes=(
            "Weights sum to one: a mean over runs, then over corpora. A layer of large "
            "states counts for more than its weight says, hence the second curve: "
            "weight × mean norm of the states, summing to one. Each curve is scaled to "
            "its own highest layer. Centre is the mean layer.",
        ),
    )


def layer_curves(runs: pa.Table) -> dict[tuple[str, str], list[Curve]]:
    """Give the curves of each system, one a corpus, by the system's names."""
    return {
        names[system]: list(tasks.values()) for system, names, tasks in _layered(runs)
    }


Curve = tuple[list[float], list[float]]
"""The mean weights and the mean norms of layers 1 to L."""


def _layered(
    runs: pa.Table,
) -> Iterator[tuple[System, dict[System, tuple[str, str]], dict[Key, Curve]]]:
    """Give each system that learned layer weights, all names, its curves by task."""
    kept, _ = current(runs, "macro_f1")
    found: dict[System, dict[Key, list[Curve]]] = defaultdict(lambda: defaultdict(list))
    for row in kept.to_pylist():
        if row["layer_weights"]:
            system, task = place_of(row)
            curve = row["layer_weights"], row["layer_norms"] or []
            found[system][task].append(curve)
    names = system_names(found)
    for system in sorted(found, key=names.__getitem__):
        tasks = {
            task: (_mean([w for w, _ in curves]), _mean([n for _, n in curves]))
            for task, curves in found[system].items()
        }
        yield system, names, tasks


def _mean(rows: Sequence[Sequence[float]]) -> list[float]:
    """Average curves of the same length; those of another length do not belong."""
    alike = [row for row in rows if len(row) == len(rows[0])]
    return [sum(column) / len(alike) for column in zip(*alike, strict=True)]


def shares(weights: Sequence[float], norms: Sequence[float]) -> list[float]:
    """Multiply weights by norms where there are any, and make them sum to one."""
    if len(norms) != len(weights):
        norms = [1.0] * len(weights)
    scaled = [weight * norm for weight, norm in zip(weights, norms, strict=True)]
    return [value / (sum(scaled) or 1.0) for value in scaled]


def _curve(values: Sequence[float]) -> Entry:
    """Draw a curve in one line."""
    highest = max(values) or 1.0
    return Entry(
        text="".join(BARS[round(7 * value / highest)] for value in values),
        details={f"layer {place}": value for place, value in enumerate(values, 1)},
    )
