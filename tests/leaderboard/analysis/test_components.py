from __future__ import annotations

import math

import numpy as np
import pytest
from harness_leaderboard.analysis.components import components, spread_of
from harness_leaderboard.analysis.samples import Sample
from samples import DYESTUFF
from voices import part, said, sample, skills

from harness.training.metrics import uar

SEED, FOLD, SPEAKER, REST = 0.03, 0.05, 0.08, 0.04


def planted(rng, seeds: int, folds: int, each: int, fold: float = FOLD):
    """Values (K, S) whose deviations are known, and the speakers' folds (S,)."""
    speakers = folds * each
    of_fold = np.repeat(fold * rng.standard_normal(folds), each)
    values = (
        0.7
        + SEED * rng.standard_normal((seeds, 1))
        + of_fold
        + SPEAKER * rng.standard_normal(speakers)
        + REST * rng.standard_normal((seeds, speakers))
    )
    return values, np.repeat(np.arange(folds), each)


def test_planted_parts_are_found():
    rng = np.random.default_rng(0)
    found = [components(*planted(rng, 5, 8, 4)) for _ in range(400)]
    for name, deviation in (
        ("seed", SEED),
        ("fold", FOLD),
        ("speaker", SPEAKER),
        ("rest", REST),
    ):
        mean = np.mean([getattr(one, name) for one in found])
        assert math.sqrt(mean) == pytest.approx(deviation, rel=0.05), name


def test_parts_are_those_of_the_formulas():
    values = np.array([[0.5, 0.7, 0.9], [0.6, 0.8, 0.7]])
    found = components(values, np.zeros(3, int))
    left = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    rest = (left**2).sum() / 2
    assert found.rest == pytest.approx(rest)
    assert found.seed == 0  # the moments are below zero
    assert found.speaker == pytest.approx(values.mean(0).var(ddof=1) - rest / 2)
    assert found.fold is None


def test_folds_and_speakers_are_those_of_lme4():
    values = np.array(DYESTUFF)[None]
    found = components(values, np.repeat(np.arange(6), 5))
    assert found.fold is not None
    assert math.sqrt(found.fold) == pytest.approx(42.00, abs=0.005)
    assert math.sqrt(found.speaker) == pytest.approx(49.51, abs=0.005)


def test_one_seed_tells_nothing_of_seeds():
    found = components(np.array([[0.5, 0.7, 0.9]]), np.zeros(3, int))
    assert (found.seed, found.rest) == (None, None)
    assert found.speaker == pytest.approx(0.04)


def test_folds_of_one_speaker_are_not_told_from_speakers():
    found = components(np.array([[0.5, 0.7, 0.9], [0.6, 0.8, 0.7]]), np.arange(3))
    assert found.fold is None


def test_seeds_with_other_speakers_are_not_taken_apart():
    counts = np.ones((3, 2, 2))
    of = Sample(
        speakers=("a", "b", "c"),
        parts=(part(counts[:2], [0, 1], seed=0), part(counts, [0, 1, 2], seed=1)),
    )
    assert spread_of(of, uar) is None


def test_one_speaker_has_no_spread():
    assert spread_of(sample(np.ones((1, 2, 2)), "one"), uar) is None


def test_a_difference_has_only_the_spread_that_its_systems_do_not_share():
    rng = np.random.default_rng(0)
    of = sample(said(rng, skills(rng, 8)), "loso")
    spread = spread_of(of, uar, of)
    assert spread is not None
    assert (spread.speaker, spread.fold) == (0, None)
