from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from harness_leaderboard.results import columns, folders, reading, store, upkeep
from harness_leaderboard.results.digests import damage
from harness_leaderboard.results.schema import arrow_type, schema
from study import put

from harness import StoreError
from harness.types import Condition, Result, UpstreamCondition, leaves

if TYPE_CHECKING:
    from pathlib import Path

    from results import MakeResult

HOSTILE = ["../../etc/passwd", "a|b", "[red]x[/]", "line\nbreak", "", "." * 300, "Ωß/"]


def stored(runs: Path) -> list[Result]:
    """Every result below a folder, as its file holds it."""
    found: list[Result] = []
    for path in folders.files(runs):
        table, left_out = reading.read_whole(path)
        assert left_out == ()
        for result in reading.whole_results(table):
            assert isinstance(result, Result)
            found.append(result)
    return sorted(found, key=lambda result: result.run_id)


def read(runs: Path, *columns: str):
    return reading.read_runs(runs, columns)


def test_what_is_written_is_read_back_in_every_field(
    make_result: MakeResult, runs: Path
):
    own = put(make_result(seed=3), ("condition", "downstream", "recipe"), None)
    results = [
        make_result(),
        make_result(max_seconds=6.0, labels_absent=("joy",)),
        replace(own, run_id="f" * 16),
    ]
    for result in results:
        store.write_result(result, runs)
    assert stored(runs) == sorted(results, key=lambda result: result.run_id)


def test_every_type_of_a_field_has_a_column():
    @dataclass(frozen=True)
    class Part:
        name: str
        kind: Literal["a", "b"] = "a"

    @dataclass(frozen=True)
    class Whole:
        part: Part | None
        several: tuple[Part, ...]
        counts: Mapping[str, float]
        flag: bool
        number: int | None

    Whole.__annotations__ |= {
        "part": Part | None,
        "several": tuple[Part, ...],
        "counts": Mapping[str, float],
    }
    Part.__annotations__["kind"] = Literal["a", "b"]
    part = pa.struct([("name", pa.string()), ("kind", pa.string())])
    assert arrow_type(Whole) == pa.struct(
        [
            ("part", part),
            ("several", pa.list_(part)),
            ("counts", pa.map_(pa.string(), pa.float64())),
            ("flag", pa.bool_()),
            ("number", pa.int64()),
        ]
    )


def test_a_type_that_no_column_can_hold_is_named():
    with pytest.raises(TypeError, match="complex"):
        arrow_type(complex)


def test_columns_are_the_fields_of_a_result():
    assert schema().names == [field.name for field in fields(Result)]
    upstream = schema().field("condition").type.field("upstream").type
    assert [one.name for one in upstream] == [
        one.name for one in fields(UpstreamCondition)
    ]


def test_flat_columns_are_named_by_one_rule():
    names = columns.paths()
    assert names["upstream"] == ("condition", "upstream", "name")
    assert names["corpus_strategy"] == ("condition", "corpus", "strategy")
    assert names["downstream_recipe_optimiser_learning_rate"][-2:] == (
        "optimiser",
        "learning_rate",
    )
    assert names["training_device"] == ("training", "device")
    assert len(columns.KEYS) == len(list(leaves(Condition)))


def test_a_file_says_which_schema_it_has(make_result: MakeResult, runs: Path):
    path = store.write_result(make_result(), runs)
    assert pq.read_schema(path).metadata[b"harness.schema"] == b"2"


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
    assert len(read(runs, "seed")[0]) == 0


def test_finding_finished_runs_imports_no_pyarrow(runs: Path):
    code = (
        "import sys; from pathlib import Path;"
        "from harness_leaderboard.results import store;"
        "store.finished_runs(Path('.')); sys.exit('pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_id_counts_once(make_result: MakeResult, runs: Path):
    result = make_result()
    store.write_result(result, runs / "a")
    store.write_result(replace(result, scores={}), runs / "b")
    other = store.write_result(make_result(seed=1), runs / "c")
    table, _ = read(runs, "scores_macro_f1")
    assert table["scores_macro_f1"].to_pylist() == [0.8, 0.8]
    assert store.run_id_of(other) in table["run_id"].to_pylist()


def test_only_the_asked_columns_are_read(make_result: MakeResult, runs: Path):
    store.write_result(make_result(), runs)
    table, _ = read(runs, "scores_uar", "seed", "upstream")
    assert table.column_names == ["run_id", "scores_uar", "seed", "upstream"]


def test_only_the_asked_runs_are_read(make_result: MakeResult, runs: Path):
    for seed in range(3):
        store.write_result(make_result(seed=seed), runs)
    table, _ = reading.read_runs(runs, ["seed"], run_ids={make_result(seed=1).run_id})
    assert table["seed"].to_pylist() == [1]


def test_a_truncated_file_is_named_and_left_out(make_result: MakeResult, runs: Path):
    store.write_result(make_result(seed=0), runs)
    path = store.write_result(make_result(seed=1), runs)
    path.write_bytes(path.read_bytes()[:-100])
    table, left_out = read(runs, "seed")
    assert table["seed"].to_pylist() == [0]
    assert [str(path) in sentence for sentence in left_out] == [True]
    assert "damaged" in left_out[0]


def test_damage_inside_a_file_is_found(make_result: MakeResult, runs: Path):
    path = store.write_result(make_result(), runs)
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    table, left_out = read(runs, "seed")
    assert len(table) == 0
    assert "damaged" in left_out[0]


@pytest.mark.parametrize("many", [False, True])
def test_a_flipped_bit_anywhere_is_named_and_computed_again(
    many: bool, make_result: MakeResult, runs: Path
):
    path = runs / "packed.parquet"
    if many:
        store.write_table(store.table_of([make_result(), make_result(seed=1)]), path)
    else:
        path = store.write_result(make_result(), runs)
    whole = path.read_bytes()
    as_it_was = read(runs, *columns.KEYS, "scores_macro_f1", "confusion")
    rng = np.random.default_rng(many)
    for at in rng.integers(0, len(whole), 200):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << rng.integers(0, 8)
        path.write_bytes(flipped)
        table, left_out = read(runs, *columns.KEYS, "scores_macro_f1", "confusion")
        if left_out:
            assert str(path) in left_out[0]
            assert store.finished_runs(runs) == frozenset()
        else:  # the digest's own name
            assert (table, left_out) == as_it_was


def test_a_file_keeps_its_digest_when_it_is_renamed_or_merged(
    make_result: MakeResult, runs: Path
):
    path = store.write_result(make_result(), runs / "a")
    upkeep.merge([runs / "a"], runs / "b")
    copied = (runs / "b" / path.name).rename(runs / "b" / "best.parquet")
    assert damage(memoryview(copied.read_bytes())) is False


def test_a_file_without_a_digest_is_read(make_result: MakeResult, runs: Path):
    path = store.write_result(make_result(), runs)
    table = pq.read_table(path).replace_schema_metadata({"harness.schema": "2"})
    pq.write_table(table, path)
    assert damage(memoryview(path.read_bytes())) is None
    assert len(read(runs, "seed")[0]) == 1
    assert store.finished_runs(runs) == {make_result().run_id}


@pytest.mark.parametrize("keep", [0, 3, 4, 8, 100, 5000])
def test_a_truncated_result_is_not_finished(
    keep: int, make_result: MakeResult, runs: Path
):
    path = store.write_result(make_result(), runs)
    path.write_bytes(path.read_bytes()[:keep])
    assert store.finished_runs(runs) == frozenset()


@pytest.fixture
def removed(monkeypatch, runs: Path):
    """Do something when the first file is about to be read."""

    def before_reading(act):
        pending = [act]
        source = folders.source

        def acting(file):
            while pending:
                pending.pop()()
            return source(file)

        monkeypatch.setattr(folders, "source", acting)
        monkeypatch.setattr(folders, "is_small", lambda file: True)

    return before_reading


def test_results_that_are_packed_while_they_are_read_are_all_there(
    removed, make_result: MakeResult, runs: Path
):
    for seed in range(5):
        store.write_result(make_result(seed=seed), runs)
    removed(lambda: upkeep.compact(runs))
    table, left_out = read(runs, "seed")
    assert sorted(table["seed"].to_pylist()) == [0, 1, 2, 3, 4]
    assert left_out == ()


def test_a_result_that_is_removed_while_it_is_read_is_named(
    removed, make_result: MakeResult, runs: Path
):
    for seed in range(2):
        path = store.write_result(make_result(seed=seed), runs)
    removed(path.unlink)
    table, left_out = read(runs, "seed")
    assert len(table) == 1
    assert left_out == (f"{path} is left out: {reading.VANISHED}.",)


def test_a_foreign_parquet_file_is_named_and_left_out(runs: Path):
    runs.mkdir()
    pq.write_table(pa.table({"run_id": ["a"]}), runs / "taxis.parquet")
    table, left_out = read(runs, "seed")
    assert len(table) == 0
    assert "not written by this program" in left_out[0]


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1", "before results held their whole condition; run"),
        ("3", "its schema is '3'"),
    ],
)
def test_a_file_of_another_schema_is_named_and_left_out(
    version: str, reason: str, make_result: MakeResult, runs: Path
):
    path = store.write_result(make_result(), runs)
    table = pq.read_table(path).replace_schema_metadata({"harness.schema": version})
    pq.write_table(table, path)
    table, left_out = read(runs, "seed")
    assert len(table) == 0
    assert reason in left_out[0]


def lacking(path: Path, *removed: str) -> None:
    """Write a file again without some fields, as an older version would have."""

    def less(of: pa.DataType, at: str) -> pa.DataType:
        if pa.types.is_list(of):
            return pa.list_(less(of.value_type, at))
        if not pa.types.is_struct(of):
            return of
        kept = [one for one in of if f"{at}.{one.name}" not in removed]
        return pa.struct([(o.name, less(o.type, f"{at}.{o.name}")) for o in kept])

    rows = pq.ParquetFile(path).read().to_pylist()
    kept = [field for field in schema() if field.name not in removed]
    older = pa.schema(
        [(field.name, less(field.type, field.name)) for field in kept],
        metadata=schema().metadata,
    )
    store.write_table(pa.Table.from_pylist(rows, schema=older), path)


def test_an_older_file_has_nulls_in_a_column_that_it_lacks(
    make_result: MakeResult, runs: Path
):
    path = store.write_result(make_result(), runs)
    lacking(path, "condition.upstream.frame_type", "skipped")
    table, left_out = read(runs, "skipped", "upstream_frame_type", "upstream")
    (row,) = table.to_pylist()
    assert (row["skipped"], row["upstream_frame_type"]) == (None, None)
    assert row["upstream"] == "whisper-base"
    assert left_out == ()


def test_a_field_that_an_older_file_lacks_gets_its_default(
    make_result: MakeResult, runs: Path
):
    result = make_result()
    path = store.write_result(result, runs)
    lacking(
        path,
        "skipped",
        "training.warnings",
        "condition.downstream.recipe.permuted_labels",
    )
    assert stored(runs) == [result]


def test_a_result_from_before_there_were_targets_is_of_the_emotion(
    make_result: MakeResult, runs: Path
):
    lacking(store.write_result(make_result(), runs), "condition.target")
    store.write_result(make_result(target="gender"), runs)
    table, _ = read(runs, *columns.KEYS)
    rows = sorted(table.to_pylist(), key=lambda row: row["target"])
    assert [(row["target"], row["target_version"]) for row in rows] == [
        ("emotion", 1),
        ("gender", 1),
    ]
    assert columns.condition_of(rows[0]) == make_result().condition


LATER = tuple(f"predictions.{name}" for name in ("language", "sentence", "intensity"))


def test_predictions_of_an_older_file_say_nothing_of_what_they_lack(
    make_result: MakeResult, runs: Path
):
    result = make_result()
    lacking(store.write_result(result, runs), *LATER, "valid_predictions")
    assert stored(runs) == [result]
    (row,) = read(runs, "predictions", "valid_predictions")[0].to_pylist()
    assert row["predictions"][0]["language"] is None
    assert row["valid_predictions"] is None


def test_older_and_newer_results_are_packed_into_one_file(
    make_result: MakeResult, runs: Path
):
    made = [make_result(seed=0), make_result(seed=1)]
    spoken = replace(made[1].predictions[0], language="de", sentence="a01")
    made[1] = replace(made[1], predictions=(spoken,), valid_predictions=(spoken,) * 2)
    paths = [store.write_result(one, runs) for one in made]
    lacking(paths[0], *LATER, "valid_predictions")
    assert upkeep.compact(runs) == (2, 1, [])
    assert sorted(stored(runs), key=lambda one: one.seed) == made


def test_a_result_from_before_features_were_standardised_has_them_as_they_are(
    make_result: MakeResult, runs: Path
):
    older, newer = make_result(seed=1), make_result(seed=2)
    lacking(store.write_result(older, runs), "condition.downstream.reads.standardise")
    store.write_result(newer, runs)
    table, _ = read(runs, *columns.KEYS)
    conditions = {columns.condition_of(row) for row in table.to_pylist()}
    assert conditions == {older.condition}


def test_files_with_other_columns_are_read_in_their_order(
    make_result: MakeResult, runs: Path
):
    for seed in range(4):
        path = store.write_result(make_result(seed=seed), runs / str(seed))
        if seed % 2:
            lacking(path, "condition.upstream.frame_type")
    table, _ = read(runs, "seed", "upstream_frame_type")
    assert table["seed"].to_pylist() == [0, 1, 2, 3]
    kinds = table["upstream_frame_type"].to_pylist()
    assert kinds == ["float32", None, "float32", None]


def test_columns_that_are_not_ours_are_ignored(make_result: MakeResult, runs: Path):
    path = store.write_result(make_result(), runs)
    table = pq.read_table(path)
    store.write_table(table.append_column("mood", pa.array(["good"])), path)
    assert read(runs, "seed")[0].column_names == ["run_id", "seed"]
    assert len(read(runs, "seed")[0]) == 1


def test_a_column_of_another_type_is_cast(make_result: MakeResult, runs: Path):
    path = store.write_result(make_result(seed=3), runs)
    table = pq.read_table(path)
    place = table.column_names.index("seed")
    store.write_table(table.set_column(place, "seed", pa.array([3], pa.int32())), path)
    assert read(runs, "seed")[0]["seed"].to_pylist() == [3]


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
    table = store.table_of(make_result(seed=seed) for seed in range(40))
    runs.mkdir()
    padding = {b"padding": b"x" * folders.SMALL}
    metadata = {**table.schema.metadata, **padding}
    pq.write_table(table.replace_schema_metadata(metadata), runs / "packed.parquet")
    return runs


def test_a_file_of_many_results_reads_as_the_files_of_one(
    packed: Path, make_result: MakeResult
):
    needed = (*columns.KEYS, "seed", "training_created", "scores_uar")
    table, _ = read(packed, *needed)
    one_by_one = [make_result(seed=seed) for seed in range(40)]
    assert pa.types.is_dictionary(table.schema.field("upstream").type)
    assert table == reading.flattened(store.table_of(one_by_one), needed)
    assert len(stored(packed)) == 40


def test_files_of_many_and_of_one_result_are_read_together(
    packed: Path, make_result: MakeResult
):
    store.write_result(make_result(upstream="another", seed=99), packed)
    table, left_out = read(packed, "upstream", "seed")
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
    _, left_out = read(runs, "seed")
    assert reason in left_out[0]


def test_a_column_of_another_type_is_named(make_result: MakeResult, runs: Path):
    path = store.write_result(make_result(), runs)
    table = pq.ParquetFile(path).read()
    place = table.column_names.index("seed")
    changed = table.set_column(place, "seed", pa.array([["high"]]))
    store.write_table(changed.replace_schema_metadata(table.schema.metadata), path)
    _, left_out = read(runs, "n_test", "seed")
    assert "its column 'seed' holds" in left_out[0]


def test_a_link_to_nowhere_is_left_out(runs: Path):
    runs.mkdir()
    (runs / "gone.parquet").symlink_to(runs / "nowhere")
    _, left_out = read(runs, "seed")
    assert "cannot be opened" in left_out[0]
