from __future__ import annotations

import math
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from boards import number
from harness_leaderboard.analysis import sampling
from harness_leaderboard.analysis.figures import columns, figures
from harness_leaderboard.analysis.question import Question
from harness_leaderboard.analysis.samples import sample_of
from harness_leaderboard.analysis.statistics import interval
from harness_leaderboard.results import reading, store
from harness_leaderboard.views import board as boards
from study import put, with_predictions

from harness.training.metrics import accuracy, harness_metrics, macro_f1, uar
from harness.types import Entry, Predictions

if TYPE_CHECKING:
    from results import MakeResult

    from harness.types import Metric, Result, Table


def rows(*results: Result, metric: Metric = macro_f1) -> pa.Table:
    """The columns of results that figures are made of."""
    return reading.flattened(store.table_of(results), columns(metric))


def board(runs: pa.Table, metric: Metric = macro_f1) -> Table:
    return boards.board(runs, Question(metric=metric))


def texts(table: Table) -> list[list[str]]:
    return [[entry.text for entry in row] for row in table.rows]


def column(table: Table, name: str = "emodb") -> list[Entry]:
    return [row[table.columns.index(name)] for row in table.rows]


def marked(table: Table, name: str = "emodb") -> set[str]:
    """The upstreams that are marked in a column."""
    shown = zip(table.rows, column(table, name), strict=True)
    return {row[0].text for row, entry in shown if entry.best}


def best(table: Table) -> list[list[bool]]:
    return [[entry.best for entry in row] for row in table.rows]


def test_a_row_is_a_system_and_a_column_a_corpus(make_result: MakeResult):
    table = board(
        rows(
            make_result(macro_f1=0.8),
            make_result(downstream="majority", macro_f1=0.1),
            make_result(corpus="cafe", macro_f1=0.6),
            make_result(corpus="cafe", downstream="majority", macro_f1=0.2),
        )
    )
    assert table.columns == ("upstream", "downstream", "mean", "cafe", "emodb")
    assert texts(table) == [
        ["whisper-base", "linear", "70.0", "60.0", "80.0"],
        ["whisper-base", "majority", "15.0", "20.0", "10.0"],
    ]
    assert table.sorted_by == (2, "descending")


def test_seeds_are_averaged(make_result: MakeResult):
    scores = [0.71, 0.74, 0.79]
    table = board(
        rows(*(make_result(seed=i, macro_f1=score) for i, score in enumerate(scores)))
    )
    assert texts(table)[0][2] == "74.7"
    assert table.rows[0][2].value == pytest.approx(statistics.fmean(scores))


def test_the_spread_of_folds_and_seeds_is_over_all_runs(make_result: MakeResult):
    scores = {(0, "a"): 0.5, (0, "b"): 0.9, (1, "a"): 0.6, (1, "b"): 0.4}
    results = [
        make_result(split="kfold", folds=2, fold=fold, seed=seed, uar=score)
        for (seed, fold), score in scores.items()
    ]
    found, _ = figures(rows(*results, metric=uar), uar)
    assert found[0].mean == pytest.approx(0.6)
    assert found[0].spread == pytest.approx(statistics.pstdev(scores.values()))
    assert (found[0].runs, found[0].seeds) == (4, 2)


# ---------------------------------------------------------------- how sure


def sure(*results: Result, metric: Metric = macro_f1, **question: Any) -> Table:
    """The board with the predictions that its errors are computed from."""
    needed = (*columns(metric), "labels", "predictions")
    runs = reading.flattened(store.table_of(results), needed)
    return boards.board(runs, Question(metric=metric, **question))


@pytest.fixture
def speaking(make_result: MakeResult):
    """Make results of a system that is right as often as asked, for each speaker."""

    def speaking(skill: float, speakers: int = 8, seed: int = 0, **more: Any) -> Result:
        random = np.random.default_rng([seed, int(1e6 * skill)])
        true = np.random.default_rng(speakers).integers(0, 3, (speakers, 30))
        right = random.random(true.shape) < skill
        said = np.where(right, true, random.integers(0, 3, true.shape))
        return with_predictions(make_result(seed=seed, **more), true, said)

    return speaking


def test_a_figure_has_its_interval(speaking):
    result = speaking(0.7)
    table = sure(result, speaking(0.7, seed=1), speaking(0.7, seed=2))
    (entry,) = column(table)
    of = sampling.draws(
        sample_of(
            reading.flattened(
                store.table_of([result, speaking(0.7, seed=1), speaking(0.7, seed=2)]),
                ("seed", "labels", "predictions"),
            )
        ),
        macro_f1,
    )
    made = sampling.estimate(of)
    assert made is not None
    assert entry.details["error"] == pytest.approx(made.error)
    low, high = interval(made)
    assert (entry.details["low"], entry.details["high"]) == (low, high)
    assert entry.text == (
        f"{100 * made.value:.1f} [{math.floor(100 * low)}, {math.ceil(100 * high)}]"
    )
    assert table.title == "Macro-F1 in percent, pooled over speakers, one fold"


def test_what_no_other_is_shown_to_beat_is_marked(speaking):
    table = sure(
        speaking(0.8, upstream="one"),
        speaking(0.81, upstream="other"),
        speaking(0.2, upstream="poor"),
    )
    assert marked(table) == {"one", "other"}
    ranks = {row[0].text: entry.text for row, entry in ranked(table)}
    assert ranks == {"one": "1–2", "other": "1–2", "poor": "3"}


def ranked(table: Table) -> zip[tuple[tuple[Entry, ...], Entry]]:
    return zip(table.rows, column(table, "rank"), strict=True)


def test_with_one_test_speaker_nothing_is_marked_and_a_note_says_why(speaking):
    table = sure(*(speaking(s, 1, upstream=f"u{s}") for s in (0.2, 0.9)))
    assert not marked(table)
    assert "one test speaker, one seed" in table.title
    assert any("too few units for any test to decide" in note for note in table.notes)


def test_where_all_may_be_the_best_nothing_is_marked_and_a_note_says_so(speaking):
    table = sure(*(speaking(s, upstream=f"u{s}") for s in (0.8, 0.81)))
    assert not marked(table)
    assert [entry.text for entry in column(table, "rank")] == ["1–2", "1–2"]
    assert any("no system is shown to be better than" in note for note in table.notes)


def test_a_heading_says_classes_chance_speakers_and_utterances(speaking):
    table = sure(speaking(0.8), metric=uar)
    facts = table.facts[table.columns.index("emodb")]
    assert facts == ("3 classes", "chance 33.3", "8 speakers", "n = 240")


def test_a_control_is_named_and_not_ranked(speaking):
    table = sure(
        speaking(0.9, upstream="one"),
        speaking(0.3, upstream="other"),
        speaking(0.95, downstream="majority"),
        controls=frozenset({"majority"}),
    )
    assert "majority (control)" in [row[1].text for row in table.rows]
    assert marked(table) == {"one"}


def test_a_row_alone_is_not_marked(speaking):
    assert best(sure(speaking(0.8))) == [[False, False, False]]


def test_without_predictions_nothing_is_marked(make_result: MakeResult):
    runs = rows(make_result(macro_f1=0.8), make_result(upstream="x", macro_f1=0.3))
    assert not any(entry.best for row in board(runs).rows for entry in row)


def test_a_mean_has_an_error_and_a_set_for_its_best(speaking):
    table = sure(
        *(
            speaking(skill, upstream=name, corpus=corpus)
            for name, skill in (("good", 0.9), ("poor", 0.4))
            for corpus in ("cafe", "emodb")
        )
    )
    good, poor = column(table, "mean")
    assert (good.best, poor.best) == (True, False)
    cafe, emodb = (column(table, name)[0] for name in ("cafe", "emodb"))
    errors = [float(one.details["error"]) for one in (cafe, emodb)]
    low, high = (float(good.details[end]) for end in ("low", "high"))
    assert low < number(good) < high
    assert good.details["error"] == pytest.approx(np.linalg.norm(errors) / 2)


def test_folds_may_be_pooled(speaking):
    folds = [
        speaking(0.7, 2 + fold, split="kfold", folds=4, fold=str(fold))
        for fold in range(4)
    ]
    for fold, result in enumerate(folds):
        folds[fold] = replace(
            result,
            predictions=tuple(
                replace(one, speaker=f"{fold} {one.speaker}", utterance=f"{fold} {i}")
                for i, one in enumerate(result.predictions)
            ),
        )
    apart, pooled = sure(*folds), sure(*folds, pooled=True)
    confusion = np.sum([result.confusion for result in folds], 0, float)
    expected = float(macro_f1.score(Predictions(confusion=confusion)))
    mean = statistics.fmean(result.scores["macro_f1"] for result in folds)
    assert apart.rows[0][2].value == pytest.approx(mean)
    assert pooled.rows[0][2].value == pytest.approx(expected)
    assert "mean over folds" in apart.title
    assert "pooled over speakers" in pooled.title


# ---------------------------------------------------------------- what counts


def test_a_set_that_lacks_folds_says_so_and_is_not_the_best(make_result: MakeResult):
    folds = [
        make_result(split="loso", folds=10, fold=f"{fold:02d}", macro_f1=0.9)
        for fold in range(7)
    ]
    whole = [
        make_result(
            split="loso", folds=10, fold=f"{fold:02d}", macro_f1=0.5, upstream="fbank"
        )
        for fold in range(10)
    ]
    table = board(rows(*folds, *whole))
    assert texts(table) == [
        ["fbank", "linear", "50.0 (10)"],
        ["whisper-base", "linear", "90.0 (7, 7/10 folds)"],
    ]
    assert not any(entry.best for row in table.rows for entry in row)
    assert table.rows[1][2].value is None


def test_a_seed_that_lacks_folds_does_not_count_beside_a_complete_one(
    make_result: MakeResult,
):
    def fold(seed: int, name: str, score: float) -> Result:
        return make_result(split="kfold", folds=2, fold=name, seed=seed, macro_f1=score)

    table = board(rows(fold(0, "a", 0.5), fold(0, "b", 0.7), fold(1, "a", 0.9)))
    assert texts(table)[0][2] == "60.0"
    assert "Not counted: 1 seed without all folds, beside complete ones." in table.notes


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"split": "loso"}, "emodb · loso"),
        ({"versions": "2"}, "emodb · version 2"),
        ({"manifest": "f" * 64}, "emodb · data ffffffff"),
        ({"division": "f" * 64}, "emodb · split ffffffff"),
        ({"language": "en"}, "emodb · en"),
        ({"folds": 5, "division": "f" * 64}, "emodb · 5 folds"),
    ],
)
def test_results_of_different_tasks_are_never_averaged(
    changes: dict[str, object], label: str, make_result: MakeResult
):
    table = board(
        rows(make_result(seed=0, macro_f1=0.2), make_result(**changes, macro_f1=0.6))
    )
    place = table.columns.index(label)
    assert len(table.columns) == 4
    assert texts(table)[0][place].startswith("60.0")
    assert "mean" not in table.columns


@pytest.mark.parametrize(
    ("changes", "place", "label"),
    [
        ({"upstream_feeding": "trimmed"}, 0, "whisper-base · trimmed"),
        ({"checkpoint": "f" * 64}, 0, "whisper-base · weights ffffffff"),
        ({"max_seconds": 6.0}, 0, "whisper-base · ≤ 6 s"),
        ({"frame_type": "float16"}, 0, "whisper-base · frame_type float16"),
        ({"upstream_version": 2}, 0, "whisper-base · version 2"),
        ({"upstream_plugin": "acme 1"}, 0, "whisper-base · plugin acme 1"),
        ({"recipe": "mine"}, 1, "linear · mine"),
        ({"selection": "uar"}, 1, "linear · selected by uar"),
        ({"deviations": ("a",)}, 1, "linear · 1 deviations"),
        ({"learning_rate": 0.1}, 1, "linear · learning_rate 0.1"),
    ],
)
def test_results_of_different_systems_are_never_averaged(
    changes: dict[str, object], place: int, label: str, make_result: MakeResult
):
    table = board(rows(make_result(macro_f1=0.2), make_result(**changes, macro_f1=0.6)))
    assert len(table.rows) == 2
    assert texts(table)[0][place] == label
    assert texts(table)[0][2] == "60.0"


def test_labels_that_would_be_the_same_are_numbered(make_result: MakeResult):
    table = board(
        rows(
            make_result(manifest="a" * 63 + "1"),
            make_result(manifest="a" * 63 + "2"),
        )
    )
    assert table.columns[2:] == ("emodb · data aaaaaaaa", "emodb · data aaaaaaaa #2")


def test_what_all_results_share_is_said_once(make_result: MakeResult):
    assert (
        "All runs: feeding full, clips whole, recipe peft-ser, selected by macro_f1, "
        "split speaker-independent." in board(rows(make_result())).notes
    )


def test_what_no_recipe_trains_is_named_beside_the_recipe(make_result: MakeResult):
    fitted = make_result()
    own = make_result(downstream="ridge")
    head = replace(own.condition.downstream, recipe=None)
    own = replace(own, condition=replace(own.condition, downstream=head))
    (said,) = [n for n in board(rows(fitted, own)).notes if n.startswith("All runs")]
    assert "clips whole, recipe peft-ser (not ridge), selected" in said
    (said,) = [n for n in board(rows(own)).notes if n.startswith("All runs")]
    assert "recipe" not in said


def test_versions_that_differ_between_corpora_qualify_no_label(make_result: MakeResult):
    table = board(
        rows(
            make_result(),
            make_result(corpus="cafe", versions="9", manifest="9" * 64),
        )
    )
    assert table.columns == ("upstream", "downstream", "mean", "cafe", "emodb")


def test_of_two_results_of_a_cell_the_newer_counts(make_result: MakeResult):
    table = board(
        rows(
            make_result(macro_f1=0.9, training_created="2025-02-01T00:00:00+00:00"),
            make_result(macro_f1=0.5, training_created="2025-03-01T00:00:00+00:00"),
            make_result(macro_f1=0.7, training_created="2025-01-01T00:00:00+00:00"),
        )
    )
    assert texts(table)[0][2] == "50.0"
    assert any("superseded" in note for note in table.notes)


def test_a_row_that_lacks_a_corpus_has_no_mean_and_comes_last(make_result: MakeResult):
    table = board(
        rows(
            make_result(macro_f1=0.99, upstream="partial"),
            make_result(macro_f1=0.5),
            make_result(macro_f1=0.6, corpus="cafe"),
        )
    )
    assert texts(table) == [
        ["whisper-base", "linear", "55.0", "60.0", "50.0"],
        ["partial", "linear", "1 of 2", "", "99.0"],
    ]


def test_splits_that_differ_between_corpora_have_no_mean(make_result: MakeResult):
    table = board(
        rows(make_result(), make_result(corpus="cafe", split="loso", folds=1))
    )
    assert table.columns[2:] == ("cafe · loso", "emodb · speaker-independent")


def test_a_corpus_called_mean_keeps_its_column(make_result: MakeResult):
    table = board(rows(make_result(), make_result(corpus="mean", macro_f1=0.1)))
    assert table.columns == ("upstream", "downstream", "mean", "emodb", "mean")


@pytest.mark.parametrize("metric", list(harness_metrics()), ids=lambda one: one.name)
def test_every_metric_has_a_board(metric: Metric, make_result: MakeResult):
    result = make_result(**{metric.name: 0.123})
    table = board(rows(result, metric=metric), metric)
    percent = metric.in_percent
    unit = "percent" if percent else "the units of the target"
    assert texts(table)[0][2] == ("12.3" if percent else "0.123")
    assert table.title == f"{metric.title} in {unit}"


def test_where_lower_is_better_the_lowest_is_the_best(make_result: MakeResult):
    error = replace(accuracy, name="error", higher_is_better=False)
    table = board(
        rows(
            make_result(error=0.4),
            make_result(error=0.1, upstream="fbank"),
            metric=error,
        ),
        error,
    )
    assert [row[0].text for row in table.rows] == ["fbank", "whisper-base"]


def test_where_lower_is_better_the_lowest_may_be_the_best(speaking):
    error = replace(
        accuracy,
        name="error",
        score=lambda predictions: 1 - accuracy.score(predictions),
        higher_is_better=False,
    )
    results = [
        replace(one, scores={"error": 1 - one.scores["accuracy"]})
        for one in (speaking(0.9, upstream="good"), speaking(0.3, upstream="poor"))
    ]
    table = sure(*results, metric=error)
    assert marked(table) == {"good"}
    assert table.sorted_by == (3, "ascending")


def test_a_result_without_the_metric_does_not_count(make_result: MakeResult):
    table = board(rows(make_result(macro_f1=float("nan")), make_result(seed=1)))
    assert texts(table)[0][2] == "80.0"
    assert "Not counted: 1 result without macro_f1." in table.notes


def test_no_results_make_an_empty_table():
    assert board(rows()).rows == ()


@pytest.mark.parametrize("name", ["corpus_folds", "downstream_selection"])
def test_older_results_that_lack_a_field_of_the_condition_have_a_row_of_their_own(
    name: str, make_result: MakeResult
):
    whole = rows(make_result(macro_f1=0.2))
    older = rows(make_result(macro_f1=0.6, seed=1))
    place = older.column_names.index(name)
    field = older.schema.field(name)
    older = older.set_column(place, field, pa.nulls(1, field.type))
    table = board(pa.concat_tables([whole, older]).unify_dictionaries())
    shown = {*table.columns, *(entry.text for row in table.rows for entry in row)}
    assert any("unknown" in text for text in shown)
    assert {"20.0", "60.0"} <= shown


def test_heads_without_a_recipe_qualify_no_label(make_result: MakeResult):
    chance = make_result(downstream="chance", macro_f1=0.9)
    chance = put(chance, ("condition", "downstream", "recipe"), None)
    table = board(rows(make_result(), chance))
    assert [row[1].text for row in table.rows] == ["chance", "linear"]


def test_a_head_with_and_without_a_recipe_stands_in_two_rows(make_result: MakeResult):
    own = make_result()
    own = put(own, ("condition", "downstream", "recipe"), None)
    table = board(rows(make_result(), replace(own, run_id="1" * 16)))
    assert sorted(row[1].text for row in table.rows) == [
        "linear · no recipe",
        "linear · peft-ser",
    ]


def test_a_plugin_that_broke_a_rule_marks_its_rows(make_result: MakeResult):
    table = board(
        rows(
            make_result(),
            make_result(
                upstream="acme",
                training_warnings=("batch-invariant: 0.3 apart",),
                training_plugins={"upstream": "acme (harness-acme 1.0)"},
            ),
        )
    )
    assert {row[0].text: row[0].value for row in table.rows} == {
        "acme ¶": "acme",
        "whisper-base": "whisper-base",
    }
    (note,) = [note for note in table.notes if note.startswith("¶")]
    assert "acme (harness-acme 1.0): batch-invariant: 0.3 apart" in note


def test_frames_of_two_types_are_never_averaged(make_result: MakeResult):
    folds = [
        make_result(split="kfold", folds=2, fold=fold, frame_type=kind, macro_f1=score)
        for fold, kind, score in (
            ("0", "float32", 0.2),
            ("1", "float32", 0.4),
            ("0", "float16", 0.6),
            ("1", "float16", 0.8),
        )
    ]
    assert {row[0].text: row[2].value for row in board(rows(*folds)).rows} == {
        "whisper-base · frame_type float32": pytest.approx(0.3),
        "whisper-base · frame_type float16": pytest.approx(0.7),
    }
