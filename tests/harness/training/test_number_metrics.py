"""Metrics of numbers against audmetric, numpy and figures worked out by hand."""

from __future__ import annotations

import pickle

import audmetric
import numpy as np
import pytest

from harness import Predictions, metric
from harness.training.metrics import (
    ccc,
    moments_of,
    pearson,
    predictions_of_numbers,
    rmse,
)

RANDOM = np.random.default_rng(3)
TRUE = RANDOM.normal(3.0, 1.5, 200)
PREDICTED = 0.6 * TRUE + RANDOM.normal(0.5, 1.0, 200)


def root_mean_square(true, predicted):
    return float(np.sqrt(np.mean((true - predicted) ** 2)))


EXPECTED = {
    ccc: audmetric.concordance_cc,
    pearson: audmetric.pearson_cc,
    rmse: root_mean_square,
}


@pytest.mark.parametrize("of", EXPECTED, ids=lambda of: of.name)
@pytest.mark.parametrize("shift", [0.0, -7.0, 1e6])
def test_scores_are_those_of_audmetric_and_numpy(of, shift):
    found = of.score(predictions_of_numbers(TRUE + shift, PREDICTED + shift))
    assert float(found) == pytest.approx(EXPECTED[of](TRUE, PREDICTED), abs=1e-6)


@pytest.mark.parametrize("of", EXPECTED, ids=lambda of: of.name)
def test_many_weighted_moments_are_scored_at_once(of):
    each = moments_of(TRUE, PREDICTED, origin=2.0)
    weights = RANDOM.integers(0, 3, (4, len(TRUE)))
    found = of.score(Predictions(moments=weights @ each))
    repeated = [(np.repeat(TRUE, w), np.repeat(PREDICTED, w)) for w in weights]
    assert found == pytest.approx([EXPECTED[of](*pair) for pair in repeated])


def test_moments_of_two_parts_add_up_to_those_of_both():
    halves = [slice(0, 90), slice(90, None)]
    sums = [
        moments_of(TRUE[half], PREDICTED[half], origin=1.0).sum(0) for half in halves
    ]
    both = float(ccc.score(Predictions(moments=sum(sums))))
    assert both == pytest.approx(audmetric.concordance_cc(TRUE, PREDICTED))


@pytest.mark.parametrize("constant", [TRUE.mean(), 1e5, 0.1])
def test_a_constant_prediction_is_worth_nothing(constant):
    found = predictions_of_numbers(TRUE, np.full_like(TRUE, constant))
    assert float(ccc.score(found)) == pytest.approx(0.0, abs=1e-9)
    assert float(pearson.score(found)) == 0.0


@pytest.mark.parametrize("of", EXPECTED, ids=lambda of: of.name)
def test_nothing_predicted_scores_nothing(of):
    assert float(of.score(predictions_of_numbers(np.zeros(0), np.zeros(0)))) == 0.0


def test_perfect_predictions_are_perfect():
    found = predictions_of_numbers(TRUE, TRUE)
    scores = [float(of.score(found)) for of in (ccc, pearson, rmse)]
    assert scores == pytest.approx([1.0, 1.0, 0.0], abs=1e-7)


def test_a_metric_of_moments_is_of_numbers_and_additive():
    assert ccc.of_numbers
    assert ccc.additive
    assert not ccc.of_confusion
    assert ccc.in_percent
    assert not rmse.in_percent
    assert pickle.loads(pickle.dumps(rmse)) == rmse


@metric("MAE", of_numbers=True, higher_is_better=False, bounds=(0.0, float("inf")))
def mae(predictions):
    """Mean absolute error."""
    return np.abs(predictions.true - predictions.scores[:, 0]).mean()


def test_a_metric_of_numbers_may_read_the_numbers_themselves():
    found = mae.score(predictions_of_numbers(TRUE, PREDICTED))
    assert float(found) == pytest.approx(np.abs(TRUE - PREDICTED).mean())
    assert not mae.additive
    assert not mae.of_confusion
