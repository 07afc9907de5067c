"""Calibration against scikit-learn, scipy and sums written straight through."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from harness_leaderboard.analysis import calibration, statistics
from harness_leaderboard.results import reading, store
from scipy.optimize import minimize
from scipy.stats import t as student
from sklearn.metrics import log_loss
from study import LABELS

from harness.types import Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from results import MakeResult

    from harness.types import Result

    Floats = np.ndarray

COLUMNS = ("seed", "labels", "predictions", "valid_predictions")


def drawn(
    number: int, *, sharp: float = 1.0, seed: int = 0
) -> tuple[Floats, np.ndarray]:
    """Probabilities (N, 3), and classes that are as probable as they say.

    Args:
        number: N.
        sharp: What logits are multiplied by after the classes were drawn.
        seed: Of the random numbers.
    """
    random = np.random.default_rng(seed)
    logits = 2 * random.normal(size=(number, 3))
    true = np.array([random.choice(3, p=softmax(one)) for one in logits])
    return np.array([softmax(sharp * one) for one in logits]), true


def softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def said(scores: Floats, true: np.ndarray, speakers: int) -> tuple[Prediction, ...]:
    return tuple(
        Prediction(
            utterance=f"{place}.wav",
            speaker=f"s{place % speakers}",
            gender=None,
            label=LABELS[label],
            predicted=LABELS[int(row.argmax())],
            scores=tuple(row.tolist()),
        )
        for place, (row, label) in enumerate(zip(scores, true, strict=True))
    )


@pytest.fixture
def cell(make_result: MakeResult):
    """Make the result of a seed from test predictions, and maybe validation ones."""

    def cell(
        scores: Floats, true: np.ndarray, *, speakers: int = 8, seed: int = 0
    ) -> Result:
        result = make_result(seed=seed)
        predictions = said(scores, true, speakers)
        return replace(result, labels=LABELS, predictions=predictions)

    return cell


def rows(*results: Result) -> pa.Table:
    return reading.flattened(store.table_of(results), COLUMNS)


def measures(results: Sequence[Result]) -> calibration.Calibration:
    runs = rows(*results)
    found = calibration.predicted(runs, "predictions")
    assert found is not None
    return calibration.measured(runs, found)


def plain_ece(scores: Floats, true: np.ndarray, bins: int = calibration.BINS) -> float:
    confidence, right = scores.max(1), scores.argmax(1) == true
    order = np.argsort(confidence, kind="stable")
    return float(
        sum(
            abs(right[one].mean() - confidence[one].mean()) * len(one) / len(true)
            for one in np.array_split(order, bins)
        )
    )


def test_measures_are_those_of_sklearn_and_of_a_plain_sum(cell):
    scores, true = drawn(400, sharp=2.0)
    found = measures([cell(scores, true)])
    assert found.log_loss.value == pytest.approx(log_loss(true, scores))
    squares = ((scores - np.eye(3)[true]) ** 2).sum(1).mean()
    assert found.brier.value == pytest.approx(squares)
    assert found.ece.value == pytest.approx(plain_ece(scores, true))
    right = (scores.argmax(1) == true).mean()
    assert found.over == pytest.approx(scores.max(1).mean() - right)


def test_a_figure_is_the_mean_over_seeds(cell):
    pairs = [drawn(200, seed=seed) for seed in (0, 1)]
    found = measures([cell(*pair, seed=seed) for seed, pair in enumerate(pairs)])
    assert found.ece.value == pytest.approx(np.mean([plain_ece(*one) for one in pairs]))


def test_a_probability_of_nothing_is_no_infinite_loss(cell):
    scores = np.array([[1.0, 0.0, 0.0]] * 40)
    true = np.array([0, 1] * 20)
    assert measures([cell(scores, true)]).log_loss.value == pytest.approx(
        log_loss(true, scores, labels=[0, 1, 2]), rel=1e-6
    )


def test_a_temperature_is_the_one_that_scipy_finds():
    scores, true = drawn(300, sharp=3.0)

    def loss(heat: Floats) -> float:
        heated = np.array([softmax(np.log(one) / heat[0]) for one in scores])
        return float(log_loss(true, heated))

    found = calibration.temperature(scores, true)
    expected = minimize(loss, [1.0], method="Nelder-Mead", tol=1e-8).x[0]
    assert found == pytest.approx(expected, rel=1e-4)
    assert found == pytest.approx(3.0, rel=0.2)


@pytest.mark.parametrize(
    ("scores", "true", "low", "high"),
    [
        ([[0.9, 0.1]] * 9, [0] * 9, 1, 1),  # without a fault
        ([[0.5, 0.5]] * 9, [0] * 9, 1, 1),  # no temperature is better
        ([[0.9, 0.1]] * 8, [0, 1] * 4, 9.9, 10),  # no better than guessing
        ([[1.0, 0.0]] * 99, [1, *[0] * 98], 7.8, 7.9),  # 36 / T is the logit of 98 : 1
    ],
)
def test_temperatures_of_extreme_heads_are_finite(scores, true, low, high):
    found = calibration.temperature(np.array(scores), np.array(true))
    assert low <= found <= high


def test_each_cell_has_its_own_temperature(cell):
    results = [
        replace(one, valid_predictions=one.predictions)
        for seed, sharp in enumerate((1.0, 3.0))
        for one in [cell(*drawn(500, sharp=sharp, seed=seed), seed=seed)]
    ]
    runs = rows(*results)
    valid = calibration.predicted(runs, "valid_predictions")
    test = calibration.predicted(runs, "predictions")
    assert valid is not None
    assert test is not None
    heat = calibration.temperatures_of(valid)
    assert heat == pytest.approx([1.0, 3.0], rel=0.2)
    after = calibration.measured(runs, test.tempered(heat))
    assert after.log_loss.value < calibration.measured(runs, test).log_loss.value
    assert (test.tempered(heat).scores.argmax(1) == test.scores.argmax(1)).all()


def test_a_cell_without_validation_predictions_has_no_temperature(cell):
    stored = cell(*drawn(50))
    both = [replace(stored, valid_predictions=stored.predictions), stored]
    assert calibration.predicted(rows(*both), "valid_predictions") is None


def test_bins_have_equal_mass_and_equal_confidences_share_one():
    confidence = np.random.default_rng(0).random(307)
    sizes = np.bincount(calibration.binned(confidence))
    assert len(sizes) == calibration.BINS
    assert sizes.max() - sizes.min() <= 1
    assert set(calibration.binned(np.full(307, 0.5))) == {0}
    assert len(np.bincount(calibration.binned(confidence[:40]))) == 4


def test_chance_is_the_error_of_a_calibrated_head(cell):
    found = [measures([cell(*drawn(300, seed=seed))]) for seed in range(20)]
    mean = np.mean([one.ece.value for one in found])
    assert mean == pytest.approx(np.mean([one.chance for one in found]), rel=0.15)


def test_the_error_of_a_mean_over_speakers_is_that_of_a_t_test(cell):
    random = np.random.default_rng(0)
    confidence = np.repeat(random.uniform(0.6, 0.95, 8), 40)
    scores = np.stack([confidence, *[(1 - confidence) / 2] * 2], 1)
    order = np.arange(320).reshape(8, 40).T.ravel()  # said() deals speakers by turns
    found = measures([cell(scores[order], np.zeros(320, int))])
    estimate = found.brier.estimate
    assert estimate is not None
    of_speaker = ((scores - np.eye(3)[0]) ** 2).sum(1)[::40]
    assert estimate.error == pytest.approx(of_speaker.std(ddof=1) / np.sqrt(8))
    assert estimate.freedom == pytest.approx(7)
    interval = found.brier.interval
    assert interval is not None
    roots = np.sqrt(interval)
    assert roots.mean() == pytest.approx(np.sqrt(found.brier.value))
    width = estimate.error * student.ppf(0.975, 7)
    assert np.ptp(interval) == pytest.approx(2 * width)


def test_few_speakers_have_no_interval(cell):
    found = measures([cell(*drawn(90), speakers=3)])
    assert found.ece.interval is None


def test_no_interval_is_longer_than_a_measure_can_be(cell):
    made = calibration.Measure(
        value=0.2, estimate=statistics.Estimate(value=0.2, error=0.5, freedom=1.5)
    )
    for most in (1.0, 2.0):
        assert replace(made, most=most).interval == (0.0, most)
    assert made.interval is not None
    assert made.interval[1] > 2
