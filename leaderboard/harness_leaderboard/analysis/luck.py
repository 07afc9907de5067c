"""How far figures of one seed would move with another, as far as heads say so."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.registry import Registry
    from harness_leaderboard.analysis.figures import Figure


def spreads_of(registry: Registry) -> dict[str, float]:
    """Return the deviation of each head's figures over seeds, as a fraction of one."""
    return {one.name: one.spread for one in registry.downstreams if one.spread}


def of_one_seed(
    figures: Iterable[Figure], spreads: Mapping[str, float]
) -> Iterator[str]:
    """Say of heads whose figures are of one seed how far another would move them."""
    heads: dict[float, set[str]] = defaultdict(set)
    for figure in figures:
        name = figure.place.system.downstream.name.partition(":")[0]
        if figure.seeds == 1 and name in spreads:
            heads[spreads[name]].add(name)
    for spread, names in sorted(heads.items()):
        yield (
            f"{', '.join(sorted(names))}: one seed; such a figure moves with the seed "
            f"by ±{100 * spread:.1f} points (a standard deviation, where it was "
            "measured). Run more, such as --seeds 0-2."
        )
