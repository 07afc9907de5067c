"""What is said of figures of one seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_leaderboard.analysis.figures import columns
from harness_leaderboard.analysis.luck import spreads_of
from harness_leaderboard.analysis.question import Question
from harness_leaderboard.results import reading, store
from harness_leaderboard.views.board import board
from ratings import rated

from harness.registry import Registry, plugin_manager
from harness.training.metrics import ccc, macro_f1, rmse

if TYPE_CHECKING:
    from results import MakeResult

    from harness.types import Metric, Result

SPREADS = {"linear": 0.013, "nonlinear": 0.025}


def notes(*results: Result, metric: Metric = macro_f1) -> list[str]:
    """What a board says of heads that move with the seed."""
    runs = reading.flattened(store.table_of(results), columns(metric))
    said = board(runs, Question(metric=metric, spreads=SPREADS)).notes
    return [note for note in said if "move with the seed" in note]


def test_a_figure_of_one_seed_says_how_far_another_would_move_it(
    make_result: MakeResult,
):
    assert notes(make_result(downstream="linear")) == [
        "Figures of one seed move with the seed: linear by ±1.3 points (a standard "
        "deviation, where it was measured). Run more, such as --seeds 0-2."
    ]


def test_of_numbers_the_heads_are_named_as_how_far_was_measured_of_classes(
    make_result: MakeResult,
):
    result = rated(make_result(downstream="linear", target="arousal"), 0.7)
    for metric in (ccc, rmse):
        assert notes(result, metric=metric) == [
            "Figures of one seed move with the seed: linear. Run more, such as "
            "--seeds 0-2."
        ]


def test_nothing_is_said_of_several_seeds(make_result: MakeResult):
    assert (
        notes(*(make_result(downstream="linear", seed=seed) for seed in (0, 1))) == []
    )


def test_nothing_is_said_of_a_head_that_does_not_move(make_result: MakeResult):
    assert notes(make_result(downstream="logistic")) == []


def test_options_of_a_head_do_not_hide_it(make_result: MakeResult):
    assert len(notes(make_result(downstream="linear:width=8"))) == 1


def test_each_head_is_named_once(make_result: MakeResult):
    (note,) = notes(
        make_result(downstream="linear", upstream="a"),
        make_result(downstream="linear", upstream="b"),
        make_result(downstream="nonlinear"),
    )
    assert "seed: linear by ±1.3, nonlinear by ±2.5 points" in note


def test_heads_that_run_several_seeds_by_default_say_how_far_they_move():
    heads = list(Registry.of(plugin_manager()).downstreams)
    spreads = spreads_of(Registry.of(plugin_manager()))
    assert {head.name for head in heads if head.seeds > 1} <= spreads.keys()
    assert spreads.keys() >= {"linear", "nonlinear", "multilayer"}
    assert not spreads.keys() & {"logistic", "ridge", "knn", "majority"}
