from __future__ import annotations

import math

import numpy as np
import pytest
from harness_leaderboard.analysis.components import (
    Spread,
    components,
    fold_of_speakers,
    pseudo_values,
    spread_of,
)
from harness_leaderboard.analysis.samples import Sample
from harness_leaderboard.analysis.statistics import replicate, score
from voices import part, said, sample, skills

from harness.training.metrics import macro_f1, uar

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


def test_the_error_is_that_of_figures_with_other_seeds_and_speakers():
    rng = np.random.default_rng(1)
    made = [planted(rng, 3, 10, 2) for _ in range(2000)]
    errors = np.mean([components(*one).error() ** 2 for one in made[:400]])
    figures = np.std([values.mean() for values, _ in made])
    assert math.sqrt(errors) == pytest.approx(figures, rel=0.05)


def test_parts_are_those_of_the_formulas():
    values = np.array([[0.5, 0.7, 0.9], [0.6, 0.8, 0.7]])
    found = components(values, np.zeros(3, int))
    left = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    rest = (left**2).sum() / 2
    assert found.rest == pytest.approx(rest)
    assert found.seed == 0  # the moments are below zero
    assert found.speaker == pytest.approx(values.mean(0).var(ddof=1) - rest / 2)
    assert found.fold is None


def test_one_seed_tells_nothing_of_seeds():
    found = components(np.array([[0.5, 0.7, 0.9]]), np.zeros(3, int))
    assert (found.seed, found.rest) == (None, None)
    assert found.speaker == pytest.approx(0.04)
    assert found.error() == pytest.approx(math.sqrt(0.04 / 3))


def test_folds_of_one_speaker_are_not_told_from_speakers():
    found = components(np.array([[0.5, 0.7, 0.9], [0.6, 0.8, 0.7]]), np.arange(3))
    assert found.fold is None


SPREAD = Spread(
    seeds=2,
    speakers=10,
    fold_size=1.0,
    seed=0.0009,
    fold=None,
    speaker=0.0064,
    rest=0.001,
)


def test_the_seeds_that_are_needed_bring_the_error_down():
    seeds = SPREAD.seeds_for(0.027)
    assert seeds == pytest.approx((0.0009 + 0.0001) / (0.027**2 - 0.00064))
    assert 0.0009 / seeds + 0.00064 + 0.0001 / seeds == pytest.approx(0.027**2)


def test_no_number_of_seeds_does_what_speakers_prevent():
    assert SPREAD.seeds_for(0.025) == math.inf
    assert SPREAD.speakers_for(0.025) < math.inf


def test_no_number_of_speakers_does_what_seeds_prevent():
    assert SPREAD.speakers_for(0.02) == math.inf


def test_pseudo_values_of_folds_of_one_speaker_are_their_scores():
    rng = np.random.default_rng(0)
    counts = said(rng, skills(rng, 6))
    values = pseudo_values(sample(counts, "loso"), macro_f1)
    assert values == pytest.approx(score(counts, macro_f1)[None], abs=1e-4)


def test_pseudo_values_of_one_test_part_are_about_the_figure():
    rng = np.random.default_rng(0)
    of = sample(said(rng, skills(rng, 12)), "one")
    figure = replicate(of, np.ones((1, 12), np.float32), macro_f1)[0]
    values = pseudo_values(of, macro_f1)
    assert values is not None
    assert values.mean() == pytest.approx(figure, abs=0.01)


def test_seeds_with_other_speakers_are_not_taken_apart():
    counts = np.ones((3, 2, 2))
    of = Sample(
        speakers=("a", "b", "c"),
        parts=(part(counts[:2], [0, 1], seed=0), part(counts, [0, 1, 2], seed=1)),
    )
    assert spread_of(of, uar) is None


def test_one_speaker_has_no_spread():
    assert spread_of(sample(np.ones((1, 2, 2)), "one"), uar) is None


def test_speakers_who_stand_in_several_folds_are_of_no_fold():
    counts = np.ones((2, 2, 2))
    parts = (part(counts, [0, 1], name="a"), part(counts, [0, 1], name="b"))
    assert fold_of_speakers(Sample(speakers=("a", "b"), parts=parts)).tolist() == [0, 0]


def test_a_difference_has_only_the_spread_that_its_systems_do_not_share():
    rng = np.random.default_rng(0)
    of = sample(said(rng, skills(rng, 8)), "loso")
    spread = spread_of(of, uar, of)
    assert spread is not None
    assert spread.error() == 0
