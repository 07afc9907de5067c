"""How far figures of one seed would move with another, as far as heads say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.registry import Registry
    from harness.types import Metric
    from harness_leaderboard.analysis.figures import Figure


def spreads_of(registry: Registry) -> dict[str, float]:
    """Return the deviation of each head's figures over seeds, as a fraction of one."""
    return {one.name: one.spread for one in registry.downstreams if one.spread}


def of_one_seed(
    figures: Iterable[Figure], spreads: Mapping[str, float], metric: Metric
) -> Iterator[str]:
    """Say of heads whose figures are of one seed how far another would move them.

    That was measured of classes, so that of numbers only the heads are named.
    """
    names = (
        figure.place.system.downstream.name for figure in figures if figure.seeds == 1
    )
    heads = sorted({name.partition(":")[0] for name in names} & spreads.keys())
    if heads:
        moved = ", ".join(f"{name} by ±{100 * spreads[name]:.1f}" for name in heads)
        moved += " points (a standard deviation, where it was measured)"
        moved = ", ".join(heads) if metric.of_numbers else moved
        yield (
            f"Figures of one seed move with the seed: {moved}. Run more, such as "
            "--seeds 0-2."
        )
