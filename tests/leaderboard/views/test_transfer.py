from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness_leaderboard.analysis.question import Question
from harness_leaderboard.results import reading, store
from harness_leaderboard.views.catalogue import VIEWS
from harness_leaderboard.views.transfer import transfer

from harness import HarnessError
from harness.training.metrics import uar

if TYPE_CHECKING:
    from pathlib import Path

    from results import MakeResult


@pytest.fixture
def matrix(make_result: MakeResult, runs: Path):
    """Show what stands in the matrix of some results, by training and test corpus."""

    def show(*results):
        for changes in results:
            store.write_result(make_result(**changes), runs)
        question = Question(metric=uar)
        table, _ = reading.read_runs(runs, VIEWS["transfer"].columns(question))
        made = transfer(table, question)
        return {
            (row[2].text, column): entry
            for row in made.rows
            for column, entry in zip(made.columns[3:], row[3:], strict=True)
        }

    return show


ABROAD = {"split": "transfer", "labels": ("a", "b"), "labels_absent": ()}


def test_chance_is_taken_off(matrix):
    shown = matrix(
        {"corpus": "emodb", "test_corpus": "emovo", "uar": 0.5, **ABROAD},
        {"corpus": "emovo", "test_corpus": "emodb", "uar": 0.75, **ABROAD},
    )
    assert shown["emodb", "emovo"].value == pytest.approx(0.0)
    assert shown["emovo", "emodb"].value == pytest.approx(0.5)


def test_labels_that_the_test_lacks_do_not_count(matrix):
    labels = {"labels": ("a", "b", "c"), "labels_absent": ("c",)}
    shown = matrix(
        {
            "corpus": "emodb",
            "test_corpus": "emovo",
            "uar": 0.75,
            "split": "transfer",
            **labels,
        }
    )
    assert shown["emodb", "emovo"].value == pytest.approx(0.5)


def test_seeds_are_averaged(matrix):
    shown = matrix(
        {"corpus": "emodb", "test_corpus": "emovo", "uar": 0.6, "seed": 0, **ABROAD},
        {"corpus": "emodb", "test_corpus": "emovo", "uar": 0.8, "seed": 1, **ABROAD},
    )
    assert shown["emodb", "emovo"].value == pytest.approx(0.4)
    assert shown["emodb", "emovo"].details["runs"] == 2


def test_home_stands_beside_and_is_never_the_best(matrix):
    shown = matrix(
        {"corpus": "emodb", "test_corpus": "emovo", "uar": 0.7, **ABROAD},
        {"corpus": "aesdd", "test_corpus": "emodb", "uar": 0.6, **ABROAD},
        {"corpus": "emodb", "uar": 0.9, "labels": ("a", "b"), "labels_absent": ()},
    )
    assert shown["emodb", "emodb"].value == pytest.approx(0.8)
    assert not shown["emodb", "emodb"].best
    assert shown["aesdd", "emodb"].value == pytest.approx(0.2)


def test_what_was_not_run_is_empty(matrix):
    shown = matrix(
        {"corpus": "emodb", "test_corpus": "emovo", "uar": 0.7, **ABROAD},
        {"corpus": "aesdd", "test_corpus": "emodb", "uar": 0.6, **ABROAD},
    )
    assert shown["aesdd", "emovo"].value is None


def test_without_any_transfer_it_says_how_to_make_some(matrix):
    with pytest.raises(HarnessError, match="--test-corpus"):
        matrix({"corpus": "emodb"})


def test_what_was_measured_in_several_ways_has_no_mean(matrix):
    labels = {"labels": ("a", "b"), "labels_absent": ()}
    with pytest.raises(HarnessError, match=r"'emodb' was measured in several ways"):
        matrix(
            {"corpus": "emodb", "test_corpus": "emovo", "uar": 0.7, **ABROAD},
            {"corpus": "emodb", "uar": 0.9, "split": "loso", **labels},
            {"corpus": "emodb", "uar": 0.5, "split": "kfold", **labels},
        )


def test_a_test_part_with_one_label_does_not_count(matrix):
    one = ABROAD | {"labels_absent": ("b",)}
    shown = matrix(
        {"corpus": "emodb", "test_corpus": "emovo", "uar": 1.0, "seed": 1, **one},
        {"corpus": "emodb", "test_corpus": "emovo", "uar": 0.6, **ABROAD},
    )
    assert shown["emodb", "emovo"].value == pytest.approx(0.2)
    assert shown["emodb", "emovo"].details["runs"] == 1
