from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from harness_leaderboard.results import folders, reading, store, upkeep
from harness_leaderboard.results.schema import schema

from harness.training.metrics import harness_metrics
from harness.types import Result

if TYPE_CHECKING:
    from pathlib import Path

    from results import MakeResult

METRICS = tuple(harness_metrics())
HONEST = {
    "macro_f1": 1 / 3,
    "weighted_f1": 1 / 3,
    "uar": 0.5,
    "accuracy": 0.5,
    "confusion": ((1, 0), (1, 0)),
}


@pytest.mark.parametrize("layer", [{}, {"layer": 1, "layer_scores": (1 / 3, 0.9)}])
def test_a_result_that_is_honest_has_no_fault(
    layer: dict[str, object], make_result: MakeResult
):
    assert list(upkeep.faults(make_result(**HONEST | layer), METRICS)) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"macro_f1": 0.9}, "macro_f1 is 0.900000, the predictions give 0.333333"),
        ({"uar": 0.9}, "uar is 0.900000"),
        ({"accuracy": float("nan")}, "accuracy is nan"),
        ({"confusion": ((0, 1), (1, 0))}, "the confusion is not that"),
        ({"n_test": 3}, "2 predictions for 3 utterances"),
        ({"labels": ("anger", "fear")}, "labels that it does not list: joy"),
        ({"speakers_test": ("11",)}, "are not the test speakers"),
        ({"speakers_train": ("10",)}, "were trained on: .'10'"),
        ({"layer": 2, "layer_scores": (1 / 3, 0.9)}, "not the score of layer 2"),
        ({"layer": 3, "layer_scores": (1 / 3, 0.9)}, "not the score of layer 3"),
    ],
)
def test_a_result_that_contradicts_itself_is_found_out(
    changes: dict[str, object], fault: str, make_result: MakeResult
):
    faults = list(upkeep.faults(make_result(**HONEST | changes), METRICS))
    assert len(faults) == 1
    assert fault.replace(".'", "['") in faults[0]


def test_an_utterance_that_is_predicted_twice_is_found_out(make_result: MakeResult):
    result = make_result(**HONEST)
    twice = replace(result, predictions=(result.predictions[0],) * 2)
    assert "an utterance is predicted twice" in upkeep.faults(twice, METRICS)


def test_validation_predictions_that_contradict_a_result_are_found_out(
    make_result: MakeResult,
):
    result = make_result(**HONEST)
    one = replace(result.predictions[0], utterance="wav/09a01Wa.wav", speaker="09")
    other = replace(one, utterance="wav/09a01Fa.wav")
    stored = replace(result, valid_predictions=(one, other))
    assert list(upkeep.faults(stored, METRICS)) == []
    less = replace(stored, valid_predictions=(one,))
    assert "1 validation predictions for 2" in next(upkeep.faults(less, METRICS))
    tested = replace(stored, valid_predictions=result.predictions)
    assert len(list(upkeep.faults(tested, METRICS))) == 2


def test_verifying_names_the_file_and_the_run(make_result: MakeResult, runs: Path):
    store.write_result(make_result(**HONEST), runs)
    result = make_result(**HONEST | {"macro_f1": 0.9})
    path = store.write_result(result, runs)
    (runs / "broken.parquet").write_bytes(b"PAR1")
    said = list(upkeep.verify(runs, METRICS))
    assert len(said) == 2
    assert "broken.parquet is left out" in said[0]
    assert said[1].startswith(f"{path}: run {result.run_id}: macro_f1")


def test_merging_copies_what_is_new_and_counts_what_is_not(
    make_result: MakeResult, tmp_path: Path
):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for seed in (0, 1):
        store.write_result(make_result(seed=seed), ours)
    for seed in (1, 2):
        store.write_result(make_result(seed=seed), theirs)
    assert upkeep.merge([theirs], ours) == (1, 1, [])
    assert len(store.finished_runs(ours)) == 3
    assert len(store.finished_runs(theirs)) == 2


def test_packing_loses_nothing(make_result: MakeResult, runs: Path):
    results = [
        make_result(seed=seed, corpus=corpus)
        for seed in range(5)
        for corpus in ("emodb", "cafe")
    ]
    for result in results:
        store.write_result(result, runs)
    finished = store.finished_runs(runs)
    assert upkeep.compact(runs) == (10, 2, [])
    assert len(list(runs.glob("*.parquet"))) == 2
    assert store.finished_runs(runs) == finished
    found = [
        result
        for path in folders.files(runs)
        for result in reading.whole_results(reading.read_whole(path)[0])
        if isinstance(result, Result)
    ]
    found.sort(key=lambda result: result.run_id)
    assert found == sorted(results, key=lambda result: result.run_id)


def test_packing_keeps_columns_that_this_version_does_not_know(
    make_result: MakeResult, runs: Path
):
    store.write_result(make_result(seed=0), runs)
    path = store.write_result(make_result(seed=1), runs)
    table = pq.read_table(path)
    store.write_table(table.append_column("mood", pa.array(["good"])), path)
    upkeep.compact(runs)
    (packed,) = runs.glob("*.parquet")
    assert set(pq.read_table(packed)["mood"].to_pylist()) == {"good", None}


def test_packing_leaves_a_damaged_file_where_it_is(make_result: MakeResult, runs: Path):
    store.write_result(make_result(seed=0), runs)
    path = store.write_result(make_result(seed=1), runs)
    path.write_bytes(b"PAR1")
    packed, _, left_out = upkeep.compact(runs)
    assert packed == 1
    assert path.exists()
    assert str(path) in left_out[0]


def test_packed_results_are_found_by_their_run_id(make_result: MakeResult, runs: Path):
    for seed in range(3):
        store.write_result(make_result(seed=seed), runs)
    upkeep.compact(runs)
    wanted = make_result(seed=1).run_id
    table, _ = reading.read_runs(runs, ["seed"], run_ids={wanted})
    assert table["seed"].to_pylist() == [1]


def test_packed_results_are_merged_with_their_list(
    make_result: MakeResult, tmp_path: Path
):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    store.write_result(make_result(), theirs)
    upkeep.compact(theirs)
    assert upkeep.merge([theirs], ours) == (1, 0, [])
    assert store.finished_runs(ours) == store.finished_runs(theirs)


def test_a_result_that_lacks_a_column_is_named(make_result: MakeResult, runs: Path):
    path = store.write_result(make_result(**HONEST), runs)
    table = pq.ParquetFile(path).read()
    less = table.drop_columns(["labels"])
    store.write_table(less.replace_schema_metadata(schema().metadata), path)
    (said,) = upkeep.verify(runs, METRICS)
    assert "it lacks labels" in said


def test_a_result_from_before_a_column_that_may_lack_is_whole(
    make_result: MakeResult, runs: Path
):
    path = store.write_result(make_result(**HONEST), runs)
    table = pq.ParquetFile(path).read().drop_columns(["extraction"])
    store.write_table(table.replace_schema_metadata(schema().metadata), path)
    assert list(upkeep.verify(runs, METRICS)) == []


def test_packing_drops_what_is_there_twice(make_result: MakeResult, runs: Path):
    result = make_result()
    for folder in ("a", "b"):
        store.write_result(result, runs / folder)
    upkeep.compact(runs)
    (packed,) = runs.glob("*.parquet")
    assert pq.ParquetFile(packed).metadata.num_rows == 1


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"a" * 16, "old"])
def test_packed_results_are_finished_without_a_list_that_can_be_read(
    content: bytes | str | None, make_result: MakeResult, runs: Path
):
    for seed in range(3):
        store.write_result(make_result(seed=seed), runs)
    finished = store.finished_runs(runs)
    upkeep.compact(runs)
    (listed,) = runs.glob("*.run_ids")
    if content is None:
        listed.unlink()
    elif isinstance(content, str):
        listed.write_text("\n".join(sorted(finished)))
    else:
        listed.write_bytes(content)
    assert store.finished_runs(runs) == finished


def test_results_of_a_damaged_packed_file_are_not_finished(
    make_result: MakeResult, runs: Path
):
    for seed in range(3):
        store.write_result(make_result(seed=seed), runs)
    upkeep.compact(runs)
    (packed,) = runs.glob("*.parquet")
    content = bytearray(packed.read_bytes())
    content[len(content) // 3] ^= 1
    packed.write_bytes(content)
    assert store.finished_runs(runs) == frozenset()
    assert str(packed) in next(upkeep.verify(runs, METRICS))
