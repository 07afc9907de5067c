"""The short form of ``benchmarks/certainty.py``: a broken estimator is far outside."""

from __future__ import annotations

import numpy as np
import pytest
from harness_leaderboard.analysis import sampling
from harness_leaderboard.analysis.statistics import interval
from worlds import WORLDS, draw, truth

from harness.training.metrics import macro_f1

TIMES = 150


@pytest.mark.parametrize(
    ("name", "speakers"),
    [
        ("balanced", 10),
        ("balanced, loso", 6),
        ("log-normal sizes", 10),
        ("rare and missing classes", 24),
        ("high accuracy", 10),
        ("near chance", 10),
        ("few utterances", 10),
        ("k-fold, planted", 68),  # with speakers drawn: 71 %, and 40 % false positives
        ("k-fold, a learner", 24),
        ("3 seeds, common effect", 68),  # with seeds held: 82 %, and 31 %
        ("3 seeds, no effect", 10),
    ],
)
def test_intervals_hold_the_truth_and_equal_systems_do_not_differ(
    name: str, speakers: int
):
    rng = np.random.default_rng(speakers)
    world = WORLDS[name]
    true = truth(rng, world, speakers, macro_f1, many=1500)
    covered, false = [], []
    for _ in range(TIMES):
        a, b = (
            sampling.draws(one, macro_f1)
            for one in draw(rng, world, speakers, (0.0, 0.0))
        )
        if a is None or b is None:
            continue
        made, gap = sampling.estimate(a), sampling.estimate(a - b)
        assert made is not None
        assert gap is not None
        low, high = interval(made)
        covered.append(low <= true <= high)
        false.append(gap.p <= 0.05)
    assert len(covered) > TIMES / 2
    assert np.mean(covered) >= 0.88  # 93 less three Monte-Carlo errors
    assert np.mean(false) <= 0.12


def test_one_seed_says_that_it_knows_nothing_of_others():
    rng = np.random.default_rng(0)
    (sample,) = draw(rng, WORLDS["1 seed, common effect"], 24)
    assert sampling.unknown(sample) == ("one fold", "one seed")
