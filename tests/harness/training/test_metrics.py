"""Metrics against figures worked out by hand, and against scikit-learn."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from harness import Predictions, metric
from harness.training.metrics import (
    accuracy,
    confusion_of,
    harness_metrics,
    macro_f1,
    predictions_of,
    score,
    uar,
    weighted_f1,
)

METRICS = tuple(one for one in harness_metrics() if not one.of_numbers)
TRUE = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 2, 2])


def scores(true, predicted, classes=3):
    """Score class indices by every metric."""
    confusion = confusion_of(np.array(true), np.array(predicted), classes=classes)
    return SimpleNamespace(**score(Predictions(confusion=confusion), METRICS))


def test_scores_are_those_computed_by_hand():
    found = scores(TRUE, PREDICTED)
    # recalls 2/3, 1/2, 1; precisions 1, 1/2, 1/2; so F1 4/5, 1/2, 2/3
    assert found.uar == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert found.macro_f1 == pytest.approx((4 / 5 + 1 / 2 + 2 / 3) / 3)
    assert found.weighted_f1 == pytest.approx((3 * 4 / 5 + 2 / 2 + 2 / 3) / 6)
    assert found.accuracy == pytest.approx(4 / 6)


def test_rows_of_the_confusion_are_true_labels():
    confusion = confusion_of(TRUE, PREDICTED, classes=3)
    assert confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]


def test_the_highest_score_is_what_is_predicted():
    rows = np.array([[0.1, 0.9], [0.6, 0.4], [0.5, 0.5]])
    found = predictions_of(np.array([0, 0, 1]), rows)
    assert found.confusion.tolist() == [[1, 1], [1, 0]]
    assert found.scores is rows


def test_a_label_without_utterances_is_not_in_the_means():
    found = scores([0, 2], [0, 2], classes=4)
    assert (found.macro_f1, found.uar) == (1.0, 1.0)


def test_predicting_an_absent_label_costs_only_the_true_one():
    found = scores([0, 0, 1, 1], [0, 3, 1, 1], classes=4)
    # label 0 has recall 1/2 and precision 1, label 1 is perfect, label 3 is no label
    assert found.macro_f1 == pytest.approx((2 / 3 + 1) / 2)
    assert found.uar == pytest.approx((1 / 2 + 1) / 2)


def test_an_absent_label_that_is_predicted_stands_in_the_confusion():
    confusion = confusion_of(np.array([0, 0, 1, 1]), np.array([0, 3, 1, 1]), classes=4)
    assert confusion[0].tolist() == [1, 0, 0, 1]


def test_always_the_same_answer_has_the_recall_of_chance():
    found = scores([0, 1, 2, 2], [2, 2, 2, 2])
    assert found.uar == pytest.approx(1 / 3)
    assert found.macro_f1 == pytest.approx(2 * 0.5 * 1 / 1.5 / 3)
    assert found.accuracy == 0.5


def test_nothing_right_is_zero_without_a_warning():
    found = scores([0, 0], [1, 1], classes=2)
    assert found.macro_f1 == found.weighted_f1 == found.uar == found.accuracy == 0


@pytest.mark.parametrize("one", METRICS, ids=lambda one: one.name)
def test_no_utterance_is_zero_without_a_warning(one):
    assert one.score(Predictions(confusion=np.zeros((3, 3)))) == 0
    assert one.score(Predictions(confusion=np.zeros((2, 3, 3)))).tolist() == [0, 0]


def test_scores_are_plain_python_numbers():
    found = scores(TRUE, PREDICTED)
    assert {type(value) for value in vars(found).values()} == {float}


@pytest.mark.parametrize("one", METRICS, ids=lambda one: one.name)
@settings(deadline=None)
@given(arrays(np.float64, (4, 2, 3, 3), elements=st.floats(0, 9)))
def test_many_weighted_confusions_are_scored_at_once(one, confusions):
    found = one.score(Predictions(confusion=confusions))
    assert found.shape == (4, 2)
    for place in np.ndindex(4, 2):
        alone = one.score(Predictions(confusion=confusions[place]))
        assert found[place] == pytest.approx(alone, abs=1e-12)


def test_a_metric_is_called_as_its_function_and_described_by_its_first_line():
    assert [one.name for one in METRICS] == [
        "macro_f1",
        "weighted_f1",
        "uar",
        "accuracy",
    ]
    assert (uar.title, uar.summary) == (
        "UAR",
        "Mean recall of the labels that are present.",
    )


@metric("Errors", higher_is_better=False)
def errors(predictions):
    """Share of utterances whose label is not predicted."""
    return 1 - accuracy.score(predictions)


@pytest.mark.parametrize("one", METRICS, ids=lambda one: one.name)
def test_a_metric_is_pickled_by_where_it_is_defined(one):
    assert pickle.loads(pickle.dumps(one)) is one
    assert len(pickle.dumps(one)) < 200


def test_a_metric_of_a_plugin_says_whether_high_is_good():
    confusion = confusion_of(TRUE, PREDICTED, classes=3)
    found = score(Predictions(confusion=confusion), (errors, macro_f1, weighted_f1))
    assert found["errors"] == pytest.approx(2 / 6)
    assert not errors.higher_is_better
    assert macro_f1.higher_is_better


PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(deadline=None)
@given(pairs=PAIRS)
def test_scores_agree_with_scikit_learn(pairs):
    true, predicted = np.array(pairs).T
    present = np.unique(true)
    expected = (
        f1_score(true, predicted, labels=present, average="macro", zero_division=0),
        f1_score(true, predicted, average="weighted", zero_division=0),
        balanced_accuracy_score(true, predicted),
        accuracy_score(true, predicted),
    )
    found = scores(true, predicted, classes=5)
    assert (
        found.macro_f1,
        found.weighted_f1,
        found.uar,
        found.accuracy,
    ) == pytest.approx(expected)
