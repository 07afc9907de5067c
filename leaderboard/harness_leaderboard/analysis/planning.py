"""How large a difference can be found, and how many speakers or seeds it takes.

The power is that of a two-sided t test at 5 % whose statistic is noncentral t. An error
that was estimated from few units is rough, so every answer is a range: that of the
error's own 80 % interval, by chi-square.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from harness_leaderboard.analysis.statistics import reach

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness_leaderboard.analysis.sampling import Squares
    from harness_leaderboard.analysis.statistics import Estimate

MOST_AWAY = 36.0
"""Errors; the power is 1 there, and beyond it scipy's noncentral t is not a number."""
POWER = 0.8  # Cohen (1988)
TAILS = (0.9, 0.1)
MOST = 10_000
"""Units or seeds; beyond this a number says nothing."""


def power(difference: float, error: float, freedom: float) -> float:
    """Return how often a true difference has p ≤ 5 % and the sign that it has."""
    from scipy.special import nctdtr

    away = min(abs(difference) / error, MOST_AWAY)
    limit = reach(freedom)
    return float(1 - nctdtr(freedom, away, limit))


def least_detectable(of: Estimate) -> tuple[float, float, float]:
    """Return the least difference that is found with 80 % power, and its range.

    Args:
        of: A difference with its error.
    """
    away = _noncentrality(of.freedom) * of.error
    low, high = (math.sqrt(ratio) * away for ratio in _ratios(of.freedom))
    return away, low, high


def _noncentrality(freedom: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(lambda away: power(away, 1.0, freedom) - POWER, 0.0, MOST_AWAY))


def _ratios(freedom: float) -> tuple[float, float]:
    """Return true over estimated variance, low and high."""
    from scipy.special import chdtri

    low, high = (freedom / float(chdtri(freedom, 1 - tail)) for tail in TAILS)
    return low, high


def units_for(of: Squares, difference: float) -> tuple[float, float]:
    """Return how many units find a difference with 80 % power, from … to.

    Args:
        of: Of the difference of two systems, with the seeds that there are.
        difference: The true one, as a fraction of one.
    """

    def power_of(ratio: float, units: int) -> float:
        of_units = ratio * of.of_units * of.units / units
        return _power(difference, (of_units, units), (of.of_seeds, of.seeds))

    return _range(power_of, of, least=2)


def seeds_for(of: Squares, difference: float) -> tuple[float, float] | None:
    """Return how many seeds do it with the units that there are; see ``units_for``.

    Returns:
        ``None`` where one seed says nothing of others.
    """
    if of.rest is None:
        return None
    rest = of.rest / (of.seeds * of.units)
    lasting = max(of.of_units - rest, 0.0)

    def power_of(ratio: float, seeds: int) -> float:
        more = of.seeds / seeds
        of_units = ratio * (lasting + rest * more)
        return _power(difference, (of_units, of.units), (of.of_seeds * more, seeds))

    return _range(power_of, of, least=1)


def _range(
    power_of: Callable[[float, int], float], of: Squares, *, least: int
) -> tuple[float, float]:
    low, high = (
        _first(partial(power_of, ratio), least) for ratio in _ratios(of.unit_freedom)
    )
    return low, high


def _power(
    difference: float, units: tuple[float, int], seeds: tuple[float, int]
) -> float:
    """Return the power; of units and of seeds the variance of the mean, and number."""
    total = units[0] + seeds[0]
    if not total:
        return 1.0
    spent = sum(variance**2 / max(number - 1, 1) for variance, number in (units, seeds))
    return power(difference, math.sqrt(total), total**2 / spent)


def _first(power_of: Callable[[int], float], least: int) -> float:
    """Find the smallest number whose power is enough; infinite where none is."""
    low, high = least, MOST
    if power_of(high) < POWER:
        return math.inf
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle) >= POWER else (middle + 1, high)
    return low
