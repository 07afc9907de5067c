from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from harness_leaderboard.analysis import tables
from harness_leaderboard.results import store

if TYPE_CHECKING:
    from conftest import MakeResult

    from harness.types import Result, Table


def rows(*results: Result) -> pa.Table:
    return pa.Table.from_pylist(
        [store._row(result) for result in results], schema=store.schema()
    )


def texts(table: Table) -> list[list[str]]:
    return [[entry.text for entry in row] for row in table.rows]


def best(table: Table) -> list[list[bool]]:
    return [[entry.best for entry in row] for row in table.rows]


def test_a_row_is_a_system_and_a_column_a_corpus(make_result: MakeResult):
    table = tables.board(
        rows(
            make_result(macro_f1=0.8),
            make_result(downstream="majority", macro_f1=0.1),
            make_result(corpus="cafe", macro_f1=0.6),
            make_result(corpus="cafe", downstream="majority", macro_f1=0.2),
        )
    )
    assert table.columns == ("upstream", "downstream", "cafe", "emodb", "mean")
    assert texts(table) == [
        ["whisper-base", "linear", "60.0", "80.0", "70.0"],
        ["whisper-base", "majority", "20.0", "10.0", "15.0"],
    ]


def test_seeds_are_averaged_with_their_population_deviation(make_result: MakeResult):
    scores = [0.71, 0.74, 0.79]
    table = tables.board(
        rows(*(make_result(seed=i, macro_f1=score) for i, score in enumerate(scores)))
    )
    spread = statistics.pstdev(scores)
    assert texts(table)[0][2] == f"74.7 ± {100 * spread:.1f}"
    assert table.rows[0][2].value == pytest.approx(statistics.fmean(scores))


def test_the_spread_of_folds_and_seeds_is_over_all_runs(make_result: MakeResult):
    scores = {(0, "a"): 0.5, (0, "b"): 0.9, (1, "a"): 0.6, (1, "b"): 0.4}
    found, _ = tables.figures(
        rows(
            *(
                make_result(split="kfold", folds=2, fold=fold, seed=seed, uar=score)
                for (seed, fold), score in scores.items()
            )
        ),
        "uar",
    )
    assert found[0].mean == pytest.approx(0.6)
    assert found[0].spread == pytest.approx(statistics.pstdev(scores.values()))
    assert (found[0].runs, found[0].seeds) == (4, 2)


def test_the_best_of_a_column_is_marked(make_result: MakeResult):
    table = tables.board(
        rows(make_result(macro_f1=0.8), make_result(upstream="fbank", macro_f1=0.3))
    )
    assert best(table) == [[False, False, True], [False, False, False]]


def test_a_row_alone_is_not_the_best(make_result: MakeResult):
    assert best(tables.board(rows(make_result()))) == [[False, False, False]]


def test_figures_that_read_the_same_are_both_the_best(make_result: MakeResult):
    table = tables.board(
        rows(
            make_result(macro_f1=0.8001), make_result(upstream="fbank", macro_f1=0.8002)
        )
    )
    assert [row[2].best for row in table.rows] == [True, True]


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
    table = tables.board(rows(*folds, *whole))
    assert texts(table) == [
        ["fbank", "linear", "50.0 ± 0.0 (10)"],
        ["whisper-base", "linear", "90.0 ± 0.0 (7, 7/10 folds)"],
    ]
    assert not any(entry.best for row in table.rows for entry in row)
    assert table.rows[1][2].value is None


def test_a_seed_that_lacks_folds_does_not_count_beside_a_complete_one(
    make_result: MakeResult,
):
    def fold(seed: int, name: str, score: float) -> Result:
        return make_result(split="kfold", folds=2, fold=name, seed=seed, macro_f1=score)

    table = tables.board(rows(fold(0, "a", 0.5), fold(0, "b", 0.7), fold(1, "a", 0.9)))
    assert texts(table)[0][2] == "60.0 ± 10.0"
    assert "Not counted: 1 seed without all folds, beside complete ones." in table.notes


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"split": "loso"}, "emodb · loso"),
        ({"max_seconds": 6.0}, "emodb · ≤ 6 s"),
        ({"corpus_version": "2"}, "emodb · version 2"),
        ({"manifest_sha256": "f" * 64}, "emodb · data ffffffff"),
        ({"split_sha256": "f" * 64}, "emodb · split ffffffff"),
        ({"language": "en"}, "emodb · en"),
        ({"skipped": ("a: empty", "b: silent")}, "emodb · 2 files skipped"),
    ],
)
def test_results_of_different_tasks_are_never_averaged(
    changes: dict[str, object], label: str, make_result: MakeResult
):
    table = tables.board(
        rows(make_result(seed=0, macro_f1=0.2), make_result(**changes, macro_f1=0.6))
    )
    place = table.columns.index(label)
    assert len(table.columns) == 4
    assert texts(table)[0][place] == "60.0"
    assert "mean" not in table.columns


@pytest.mark.parametrize(
    ("changes", "place", "label"),
    [
        ({"upstream_feeding": "trimmed"}, 0, "whisper-base · trimmed"),
        ({"checkpoint_sha256": "f" * 64}, 0, "whisper-base · weights ffffffff"),
        ({"recipe": "mine"}, 1, "linear · mine"),
        ({"selection": "uar"}, 1, "linear · selected by uar"),
        ({"recipe_deviations": ("a",)}, 1, "linear · 1 deviations"),
    ],
)
def test_results_of_different_systems_are_never_averaged(
    changes: dict[str, object], place: int, label: str, make_result: MakeResult
):
    table = tables.board(
        rows(make_result(macro_f1=0.2), make_result(**changes, macro_f1=0.6))
    )
    assert len(table.rows) == 2
    assert texts(table)[0][place] == label
    assert texts(table)[0][2] == "60.0"


def test_labels_that_would_be_the_same_are_numbered(make_result: MakeResult):
    table = tables.board(
        rows(
            make_result(manifest_sha256="a" * 63 + "1"),
            make_result(manifest_sha256="a" * 63 + "2"),
        )
    )
    assert table.columns[2:] == ("emodb · data aaaaaaaa", "emodb · data aaaaaaaa #2")


def test_what_all_results_share_is_said_once(make_result: MakeResult):
    assert (
        "All runs: feeding full, recipe peft-ser, selected by macro_f1, "
        "split speaker-independent, clips whole."
        in tables.board(rows(make_result())).notes
    )


def test_versions_that_differ_between_corpora_qualify_no_label(make_result: MakeResult):
    table = tables.board(
        rows(
            make_result(),
            make_result(corpus="cafe", corpus_version="9", manifest_sha256="9" * 64),
        )
    )
    assert table.columns == ("upstream", "downstream", "cafe", "emodb", "mean")


def test_of_two_results_of_a_cell_the_newer_counts(make_result: MakeResult):
    table = tables.board(
        rows(
            make_result(macro_f1=0.9, created="2025-02-01T00:00:00+00:00"),
            make_result(macro_f1=0.5, created="2025-03-01T00:00:00+00:00"),
            make_result(macro_f1=0.7, created="2025-01-01T00:00:00+00:00"),
        )
    )
    assert texts(table)[0][2] == "50.0"
    assert any("superseded" in note for note in table.notes)


def test_a_row_that_lacks_a_corpus_has_no_mean_and_comes_last(make_result: MakeResult):
    table = tables.board(
        rows(
            make_result(macro_f1=0.99, upstream="partial"),
            make_result(macro_f1=0.5),
            make_result(macro_f1=0.6, corpus="cafe"),
        )
    )
    assert texts(table) == [
        ["whisper-base", "linear", "60.0", "50.0", "55.0"],
        ["partial", "linear", "", "99.0", "1 of 2"],
    ]


def test_splits_that_differ_between_corpora_have_no_mean(make_result: MakeResult):
    table = tables.board(
        rows(make_result(), make_result(corpus="cafe", split="loso", folds=1))
    )
    assert table.columns[2:] == ("cafe · loso", "emodb · speaker-independent")


def test_a_corpus_called_mean_keeps_its_column(make_result: MakeResult):
    table = tables.board(rows(make_result(), make_result(corpus="mean", macro_f1=0.1)))
    assert table.columns == ("upstream", "downstream", "emodb", "mean", "mean")


@pytest.mark.parametrize("metric", tables.METRICS)
def test_every_metric_has_a_board(metric: str, make_result: MakeResult):
    table = tables.board(rows(make_result(**{metric: 0.123})), metric)
    assert texts(table)[0][2] == "12.3"
    assert table.title == f"{tables.METRICS[metric]} in percent"


def test_a_result_without_the_metric_does_not_count(make_result: MakeResult):
    table = tables.board(rows(make_result(macro_f1=float("nan")), make_result(seed=1)))
    assert texts(table)[0][2] == "80.0"
    assert "Not counted: 1 result without macro_f1." in table.notes


def test_no_results_make_an_empty_table():
    assert tables.board(store.schema().empty_table()).rows == ()


def test_older_results_that_lack_columns_still_have_a_figure(make_result: MakeResult):
    table = rows(make_result())
    for name in ("folds", "selection", "skipped", "upstream_feeding"):
        place = table.column_names.index(name)
        field = table.schema.field(name)
        table = table.set_column(place, field, pa.nulls(1, field.type))
    assert texts(tables.board(table))[0][2] == "80.0"


def test_older_results_that_lack_a_column_are_not_mixed_with_others(
    make_result: MakeResult,
):
    table = rows(make_result(macro_f1=0.2), make_result(upstream="fbank"))
    place = table.column_names.index("selection")
    unknown = pa.nulls(2, pa.string())
    board = tables.board(table.set_column(place, "selection", unknown))
    assert texts(board) == [
        ["fbank", "linear", "80.0"],
        ["whisper-base", "linear", "20.0"],
    ]
    assert "unknown selection" in board.notes[1]


def test_results_whose_texts_are_numbered_make_the_same_board(make_result: MakeResult):
    table = rows(make_result(macro_f1=0.2), make_result(corpus="cafe"))
    numbered = table.cast(store._numbered(table.schema))
    assert tables.board(numbered) == tables.board(table)
