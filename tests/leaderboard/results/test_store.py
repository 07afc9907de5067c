from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from harness_leaderboard.results import folders, store

from harness import StoreError
from harness.types import Result

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeResult

HOSTILE = ["../../etc/passwd", "a|b", "[red]x[/]", "line\nbreak", "", "." * 300, "Ωß/"]


def test_what_is_written_is_read_back_in_every_column(
    make_result: MakeResult, runs: Path
):
    results = [make_result(), make_result(max_seconds=6.0, labels_absent=("joy",))]
    for result in results:
        store.write_result(result, runs)
    table, left_out = store.read_runs(runs)
    assert sorted(store.results(table), key=lambda result: result.run_id) == sorted(
        results, key=lambda result: result.run_id
    )
    assert left_out == ()


def test_columns_are_the_fields_of_a_result():
    assert store.schema().names == [field.name for field in fields(Result)]


def test_a_file_says_which_schema_it_has(make_result: MakeResult, runs: Path):
    path = store.write_result(make_result(), runs)
    assert pq.read_schema(path).metadata[b"harness.schema"] == b"1"


def test_a_file_name_tells_the_cell_and_ends_in_the_run_id(make_result: MakeResult):
    result = make_result(split="loso", fold="03", run_id="0123456789abcdef")
    assert store.file_name(result) == (
        "whisper-base_full_linear_emodb_loso-03_s0_0123456789abcdef.parquet"
    )


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("field", ["upstream", "downstream", "corpus", "fold"])
def test_no_name_leaves_the_folder_or_hides_the_run_id(
    field: str, name: str, make_result: MakeResult, runs: Path
):
    result = make_result(**{field: name})
    path = store.write_result(result, runs)
    assert path.parent == runs
    assert len(path.name) < 256
    assert store.finished_runs(runs) == {result.run_id}


def test_a_run_id_that_is_no_hash_is_refused(make_result: MakeResult):
    with pytest.raises(ValueError, match="hex"):
        store.file_name(make_result(run_id="../x"))


def test_finished_runs_are_found_in_folders_inside(make_result: MakeResult, runs: Path):
    first, second = make_result(seed=1), make_result(seed=2)
    store.write_result(first, runs)
    store.write_result(second, runs / "machine-2")
    assert store.finished_runs(runs) == {first.run_id, second.run_id}


@pytest.mark.parametrize(
    "name",
    [
        "notes.parquet",
        "a_0123456789abcdef.parquet.part",
        ".a_0123456789abcdef.parquet",
        "a_0123456789ABCDEF.parquet",
        "a_0123.parquet",
        "a_0123456789abcdef.csv",
    ],
)
def test_other_files_are_not_finished_runs(name: str, runs: Path):
    runs.mkdir()
    (runs / name).touch()
    assert store.finished_runs(runs) == frozenset()


def test_a_folder_that_does_not_exist_holds_nothing(runs: Path):
    assert store.finished_runs(runs) == frozenset()
    assert len(store.read_runs(runs)[0]) == 0


def test_finding_finished_runs_imports_no_pyarrow(runs: Path):
    code = (
        "import sys; from pathlib import Path; from harness_leaderboard import store;"
        "store.finished_runs(Path('.')); sys.exit('pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_id_counts_once(make_result: MakeResult, runs: Path):
    result = make_result()
    store.write_result(result, runs / "a")
    store.write_result(replace(result, macro_f1=0.1), runs / "b")
    other = store.write_result(make_result(seed=1), runs / "c")
    table, _ = store.read_runs(runs, ["macro_f1"])
    assert table["macro_f1"].to_pylist() == [0.8, 0.8]
    assert store.run_id_of(other) in table["run_id"].to_pylist()


def test_only_the_asked_columns_are_read(make_result: MakeResult, runs: Path):
    store.write_result(make_result(), runs)
    table, _ = store.read_runs(runs, ["uar", "seed"])
    assert table.column_names == ["run_id", "uar", "seed"]


def test_only_the_asked_runs_are_read(make_result: MakeResult, runs: Path):
    for seed in range(3):
        store.write_result(make_result(seed=seed), runs)
    table, _ = store.read_runs(runs, run_ids={make_result(seed=1).run_id})
    assert table["seed"].to_pylist() == [1]


def test_a_truncated_file_is_named_and_left_out(make_result: MakeResult, runs: Path):
    store.write_result(make_result(seed=0), runs)
    path = store.write_result(make_result(seed=1), runs)
    path.write_bytes(path.read_bytes()[:-100])
    table, left_out = store.read_runs(runs, ["seed"])
    assert table["seed"].to_pylist() == [0]
    assert [str(path) in sentence for sentence in left_out] == [True]
    assert "damaged" in left_out[0]


def test_damage_inside_a_file_is_found(make_result: MakeResult, runs: Path):
    path = store.write_result(make_result(), runs)
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    table, left_out = store.read_runs(runs)
    assert len(table) == 0
    assert "damaged" in left_out[0]


def test_a_foreign_parquet_file_is_named_and_left_out(runs: Path):
    runs.mkdir()
    pq.write_table(pa.table({"run_id": ["a"]}), runs / "taxis.parquet")
    table, left_out = store.read_runs(runs)
    assert len(table) == 0
    assert "not written by this program" in left_out[0]


def test_a_file_of_another_schema_is_named_and_left_out(
    make_result: MakeResult, runs: Path
):
    path = store.write_result(make_result(), runs)
    table = pq.read_table(path).replace_schema_metadata({"harness.schema": "2"})
    pq.write_table(table, path)
    table, left_out = store.read_runs(runs)
    assert len(table) == 0
    assert "its schema is '2'" in left_out[0]


def test_an_older_file_has_nulls_in_a_column_that_it_lacks(
    make_result: MakeResult, runs: Path
):
    path = store.write_result(make_result(), runs)
    pq.write_table(pq.read_table(path).drop_columns(["max_seconds", "skipped"]), path)
    table, left_out = store.read_runs(runs)
    assert table["skipped"].to_pylist() == [None]
    assert table.schema.names == store.schema().names
    assert left_out == ()


def test_columns_that_are_not_ours_are_ignored(make_result: MakeResult, runs: Path):
    path = store.write_result(make_result(), runs)
    table = pq.read_table(path)
    pq.write_table(table.append_column("mood", pa.array(["good"])), path)
    assert "mood" not in store.read_runs(runs)[0].column_names


def test_a_column_of_another_type_is_cast(make_result: MakeResult, runs: Path):
    path = store.write_result(make_result(seed=3), runs)
    table = pq.read_table(path)
    place = table.column_names.index("seed")
    pq.write_table(table.set_column(place, "seed", pa.array([3], pa.int32())), path)
    assert store.read_runs(runs, ["seed"])[0]["seed"].to_pylist() == [3]


def test_a_file_in_the_place_of_the_folder_is_one_clear_error(
    make_result: MakeResult, tmp_path: Path
):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(StoreError, match="--runs"):
        store.require_writable(tmp_path / "runs")
    with pytest.raises(StoreError, match="runs"):
        store.write_result(make_result(), tmp_path / "runs")


def test_checking_that_a_folder_is_writable_leaves_nothing(runs: Path):
    store.require_writable(runs)
    assert list(runs.iterdir()) == []


@pytest.fixture
def packed(make_result: MakeResult, runs: Path) -> Path:
    """A file that is large enough to hold its texts as numbers."""
    rows = [store._row(make_result(seed=seed)) for seed in range(40)]
    table = pa.Table.from_pylist(rows, schema=store.schema())
    runs.mkdir()
    padding = {b"padding": b"x" * folders.SMALL}
    metadata = {**store.schema().metadata, **padding}
    pq.write_table(table.replace_schema_metadata(metadata), runs / "packed.parquet")
    return runs


def test_a_file_of_many_results_reads_as_the_files_of_one(
    packed: Path, make_result: MakeResult
):
    table, _ = store.read_runs(packed)
    assert pa.types.is_dictionary(table.schema.field("upstream").type)
    assert list(store.results(table)) == [make_result(seed=s) for s in range(40)]


def test_files_of_many_and_of_one_result_are_read_together(
    packed: Path, make_result: MakeResult
):
    store.write_result(make_result(upstream="another", seed=99), packed)
    table, left_out = store.read_runs(packed, ["upstream", "seed"])
    assert left_out == ()
    assert sorted(table["seed"].to_pylist()) == [*range(40), 99]
    assert set(table["upstream"].to_pylist()) == {"whisper-base", "another"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is no Parquet file"),
        (b"hello", "it is no Parquet file"),
        (b"PAR1 and no more", "it is damaged"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(content: bytes, reason: str, runs: Path):
    runs.mkdir()
    (runs / "bad.parquet").write_bytes(content)
    _, left_out = store.read_runs(runs)
    assert reason in left_out[0]


def test_a_column_of_another_type_is_named(make_result: MakeResult, runs: Path):
    path = store.write_result(make_result(), runs)
    table = pq.ParquetFile(path).read()
    place = table.column_names.index("macro_f1")
    store.write_table(table.set_column(place, "macro_f1", pa.array(["high"])), path)
    _, left_out = store.read_runs(runs)
    assert "its column 'macro_f1' holds string values" in left_out[0]


def test_a_link_to_nowhere_is_left_out(runs: Path):
    runs.mkdir()
    (runs / "gone.parquet").symlink_to(runs / "nowhere")
    _, left_out = store.read_runs(runs)
    assert "cannot be opened" in left_out[0]
