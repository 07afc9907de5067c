from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from harness.training.metrics import score

TRUE = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 2, 2])


def test_scores_are_those_computed_by_hand():
    scores = score(TRUE, PREDICTED, classes=3)
    # recalls 2/3, 1/2, 1; precisions 1, 1/2, 1/2; so F1 4/5, 1/2, 2/3
    assert scores.uar == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert scores.macro_f1 == pytest.approx((4 / 5 + 1 / 2 + 2 / 3) / 3)
    assert scores.weighted_f1 == pytest.approx((3 * 4 / 5 + 2 / 2 + 2 / 3) / 6)
    assert scores.accuracy == pytest.approx(4 / 6)


def test_rows_of_the_confusion_are_true_labels():
    scores = score(TRUE, PREDICTED, classes=3)
    assert scores.confusion == ((2, 1, 0), (0, 1, 1), (0, 0, 1))


def test_a_label_without_utterances_is_named():
    scores = score(np.array([0, 2]), np.array([0, 2]), classes=4)
    assert scores.labels_absent == (1, 3)


def test_a_label_without_utterances_is_not_in_the_means():
    scores = score(np.array([0, 2]), np.array([0, 2]), classes=4)
    assert (scores.macro_f1, scores.uar) == (1.0, 1.0)


def test_predicting_an_absent_label_costs_only_the_true_one():
    scores = score(np.array([0, 0, 1, 1]), np.array([0, 3, 1, 1]), classes=4)
    # label 0 has recall 1/2 and precision 1, label 1 is perfect, label 3 is no label
    assert scores.macro_f1 == pytest.approx((2 / 3 + 1) / 2)
    assert scores.uar == pytest.approx((1 / 2 + 1) / 2)


def test_an_absent_label_that_is_predicted_stands_in_the_confusion():
    scores = score(np.array([0, 0, 1, 1]), np.array([0, 3, 1, 1]), classes=4)
    assert scores.confusion[0] == (1, 0, 0, 1)


def test_always_the_same_answer_has_the_recall_of_chance():
    scores = score(np.array([0, 1, 2, 2]), np.array([2, 2, 2, 2]), classes=3)
    assert scores.uar == pytest.approx(1 / 3)
    assert scores.macro_f1 == pytest.approx(2 * 0.5 * 1 / 1.5 / 3)
    assert scores.accuracy == 0.5


def test_nothing_right_is_zero_without_a_warning():
    scores = score(np.array([0, 0]), np.array([1, 1]), classes=2)
    assert scores.macro_f1 == scores.weighted_f1 == scores.uar == scores.accuracy == 0


def test_scores_are_plain_python_numbers():
    scores = score(TRUE, PREDICTED, classes=3)
    assert type(scores.macro_f1) is type(scores.accuracy) is float
    assert type(scores.confusion[0][0]) is int


PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
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
    scores = score(true, predicted, classes=5)
    assert (
        scores.macro_f1,
        scores.weighted_f1,
        scores.uar,
        scores.accuracy,
    ) == pytest.approx(expected)
