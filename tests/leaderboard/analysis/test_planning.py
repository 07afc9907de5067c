from __future__ import annotations

import math

import numpy as np
import pytest
from harness_leaderboard.analysis import planning
from harness_leaderboard.analysis.sampling import Squares, squares
from harness_leaderboard.analysis.statistics import Estimate
from scipy import stats


def squares_of(seeds: int, units: int, unit: float, **more: float) -> Squares:
    freedom = units - 1
    return Squares(seeds=seeds, units=units, unit=unit, unit_freedom=freedom, **more)


def of(units: int, deviation: float) -> Squares:
    return squares_of(1, units, deviation**2)


def test_power_is_that_of_the_noncentral_t():
    # statsmodels 0.15: TTestPower().power(0.8, 10, 0.05) and .solve_power(0.8, …, 0.8)
    assert planning.power(0.8, 10**-0.5, 9) == pytest.approx(0.6162, abs=1e-4)
    assert planning.power(0.8, 15**-0.5, 14) == pytest.approx(0.8213, abs=1e-4)


@pytest.mark.parametrize("freedom", [1, 4, 9, 67])
def test_the_least_detectable_difference_has_the_power(freedom: int):
    rng = np.random.default_rng(0)
    least, low, high = planning.least_detectable(
        Estimate(value=0.0, error=0.02, freedom=freedom)
    )
    scale = np.sqrt(rng.chisquare(freedom, 200_000) / freedom)
    t = (rng.standard_normal(200_000) + least / 0.02) / scale
    limit = stats.t.ppf(0.975, freedom)
    assert (t > limit).mean() == pytest.approx(0.8, abs=0.01)
    assert low < least < high


def test_the_range_of_speakers_is_that_of_the_error():
    low, high = planning.units_for(of(10, 0.08), 0.05)
    for units, tail in ((low, 0.9), (high, 0.1)):
        deviation = 0.08 * math.sqrt(9 / stats.chi2.ppf(tail, 9))
        enough = planning.power(0.05, deviation / units**0.5, units - 1)
        less = planning.power(0.05, deviation / (units - 1) ** 0.5, units - 2)
        assert less < 0.8 <= enough


def test_no_number_of_speakers_does_what_seeds_prevent():
    found = squares_of(3, 10, 0.006, seed=0.05, rest=0.001)
    assert planning.units_for(found, 0.02) == (math.inf, math.inf)


def test_no_number_of_seeds_does_what_speakers_prevent():
    values = np.random.default_rng(0).normal(0, 0.1, 10) + np.zeros((3, 1))
    assert planning.seeds_for(squares(values), 0.02) == (math.inf, math.inf)


def test_more_seeds_help_where_seeds_are_what_differs():
    found = squares_of(3, 30, 0.002, seed=0.05, rest=0.001)
    few, many = (planning.seeds_for(found, points) for points in (0.05, 0.02))
    assert few is not None
    assert many is not None
    assert few[0] < many[0] < math.inf


def test_one_seed_says_nothing_of_seeds():
    assert planning.seeds_for(of(10, 0.08), 0.05) is None
