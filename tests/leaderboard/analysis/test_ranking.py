from __future__ import annotations

import numpy as np
import pytest
from harness_leaderboard.analysis.ranking import standings
from scipy import stats


def block(rng, lifts, units: int, seeds: int = 1, of_seed: float = 0.0):
    """Values (n, K, U) of systems that are so much better than the first."""
    count = len(lifts)
    values = 0.7 + np.asarray(lifts)[:, None, None] + 0.08 * rng.standard_normal(units)
    values = values + 0.05 * rng.standard_normal((count, 1, units))
    return values + of_seed * rng.standard_normal((count, seeds, 1))


def test_ranks_are_sure_where_systems_are_far_apart():
    found = standings([block(np.random.default_rng(2), [0, -0.4, 0], 12)])
    assert [(one.first, one.last) for one in found] == [(1, 2), (3, 3), (1, 2)]


def test_of_two_systems_p_is_scipys_permutation_test():
    a, b = block(np.random.default_rng(1), [0, 0.06], 9)[:, 0]
    theirs = stats.permutation_test(
        (b - a,),
        lambda gap, axis: gap.mean(axis) / gap.std(axis, ddof=1),
        permutation_type="samples",
        alternative="greater",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert standings([np.stack([a, b])[:, None]])[0].p == pytest.approx(theirs.pvalue)


def test_four_units_rule_nothing_out():
    found = standings([block(np.random.default_rng(0), [0, -0.5], 4)])
    assert [one.first for one in found] == [1, 1]


def test_five_units_do_however_many_are_far_behind():
    lifts = [0, -0.3, *[-0.6] * 10]
    found = standings([block(np.random.default_rng(0), lifts, 5)])
    assert [one.first > 1 for one in found[:2]] == [False, True]


def test_seeds_that_move_all_speakers_are_no_proof_of_a_difference():
    rng = np.random.default_rng(0)
    lost = [
        min(one.first for one in standings([block(rng, [0, 0], 24, 3, 0.03)])) > 1
        or max(one.first for one in standings([block(rng, [0, 0], 24, 3, 0.03)])) > 1
        for _ in range(150)
    ]
    assert np.mean(lost) < 0.25  # units alone: one in three


def test_the_best_over_corpora_is_the_best_of_the_mean():
    rng = np.random.default_rng(0)
    corpora = [block(rng, [0, -0.3, -0.02], units) for units in (6, 10)]
    found = standings(corpora)
    assert [one.first for one in found] == [1, 3, 1]


@pytest.mark.parametrize("lifts", [np.zeros(5), -np.linspace(0, 0.1, 5)])
@pytest.mark.parametrize("units", [6, 12])
def test_a_true_best_is_in_its_set(lifts, units: int):
    rng = np.random.default_rng(0)
    best = np.flatnonzero(lifts == lifts.max())
    lost = [
        np.mean([found[place].first > 1 for place in best])
        for _ in range(200)
        for found in [standings([block(rng, lifts, units)], flips=1000)]
    ]
    assert np.mean(lost) < 0.08
