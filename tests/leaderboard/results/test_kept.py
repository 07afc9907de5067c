"""Results that are stored are listed, shown, removed and exported."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from harness_leaderboard.results import describe, kept, store, tables, upkeep

ROOT = Path(__file__).parents[3]


@pytest.fixture
def stored(make_result, tmp_path, monkeypatch, manager, capsys):
    """Two seeds and another head in ``runs``, and the program to look at them."""
    from harness.cli.main import execute

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_RUNS", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    results = [make_result(seed=0), make_result(seed=1), make_result(downstream="ast")]
    for result in results:
        store.write_result(result, Path("runs"))

    def call(*words):
        code = execute(("runs", *words), manager)
        printed = capsys.readouterr()
        return int(code), printed.out, printed.err

    call.results = results  # type: ignore[attr-defined] # to compare with
    return call


def listed(run):
    rows = json.loads(run("list", "--format", "json")[1])["rows"]
    return {row[0]["value"] for row in rows}


def test_every_result_is_a_row(stored):
    code, out, _ = stored("list")
    assert code == 0
    assert out.startswith("3 stored results, Macro-F1 in percent")
    assert len([line for line in out.splitlines() if "whisper-base" in line]) == 3
    assert stored("list", "--only", "downstream=ast")[1].startswith("1 stored result,")


def test_a_run_is_shown_in_full_by_the_beginning_of_its_name(stored):
    run_id = stored.results[0].run_id
    code, out, _ = stored("show", run_id[:6])
    assert code == 0
    assert f"Run {run_id}: whisper-base · linear · emodb" in out
    for what in ("recipe.epochs", "peak_memory", "Learning curve", "Confusion"):
        assert what in out
    assert "1 wrong predictions of 2" in out
    assert "wav/10a01Fa.wav" in out


def test_a_wrong_prediction_has_its_file_where_the_corpus_is_here(
    stored, make_result, tones, monkeypatch
):
    monkeypatch.setenv("HARNESS_DATA", str(tones.parent))
    file = sorted(tones.iterdir())[0]
    one = make_result(seed=9).predictions[1]
    changed = {"utterance": file.name, "label": "anger", "predicted": "joy"}
    said = (type(one)(**{**vars(one), **changed}),)
    result = make_result(seed=9, corpus="tones", predictions=said, n_test=1)
    store.write_result(result, Path("runs"))
    assert str(file) in stored("show", result.run_id, "--format", "markdown")[1]
    (row,) = json.loads(stored("show", result.run_id, "--format", "json")[1])[
        "predictions"
    ]
    assert row["file"] == str(file)


def test_an_utterance_is_shown_as_each_result_has_it(stored):
    code, out, _ = stored("show", "--utterance", "wav/10a01Fa.wav")
    assert code == 0
    assert out.startswith("wav/10a01Fa.wav: 0 of 3 results are right")
    code, _, err = stored("show", "--utterance", "no.wav")
    assert (code, "No result tested the utterance 'no.wav'" in err) == (2, True)


@pytest.mark.parametrize("compact", [False, True])
def test_a_result_is_removed_wherever_it_lies(stored, compact):
    if compact:
        upkeep.compact(Path("runs"))
    gone, *rest = (one.run_id for one in stored.results)
    assert stored("remove", gone[:8], "--yes")[:1] == (0,)
    assert listed(stored) == set(rest)
    assert store.finished_runs(Path("runs")) == set(rest)
    assert stored("verify")[0] == 2  # by the scores that these results have


def test_a_packed_file_without_results_goes(stored):
    upkeep.compact(Path("runs"))
    assert stored("remove", "--only", "corpus=emodb", "--yes")[::2] == (0, "")
    assert list(Path("runs").iterdir()) == []


def test_nothing_is_removed_unless_that_is_confirmed(stored):
    before = listed(stored)
    assert "3 stored results" in stored("remove", "--only", "seed=0,1", "--dry-run")[1]
    code, _, err = stored("remove", "--only", "seed=0")
    assert (code, "Answer yes, or add --yes" in err) == (2, True)
    assert stored("remove", "--yes")[0] == 2
    assert listed(stored) == before


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("zzz", "No run is called 'zzz' here"), ("", "begins the names of 3 runs")],
)
def test_a_name_must_begin_one_run(stored, name, sentence):
    code, _, err = stored("show", name, "--runs", "runs")
    assert (code, sentence in err) == (2, True)


def test_results_replace_older_ones_in_packed_files(stored, make_result):
    upkeep.compact(Path("runs"))
    path = store.write_result(stored.results[0], Path("runs"))
    assert kept.remove(Path("runs"), {stored.results[0].run_id}, but=path) == 1
    assert path.exists()
    assert len(list(kept.whole(Path("runs"), listed(stored)))) == 3


# ---------------------------------------------------------------- export


def test_results_are_exported_as_text_and_as_parquet(stored):
    rows = list(csv.DictReader(io.StringIO(stored("export")[1])))
    assert {row["downstream"] for row in rows} == {"linear", "ast"}
    assert {row["macro_f1"] for row in rows} == {"0.8"}
    assert json.loads(rows[0]["labels"]) == ["anger", "joy"]
    assert json.loads(rows[0]["training_versions"])["torch"] == "2.11.0"
    assert len(json.loads(stored("export", "--format", "json")[1])) == 3
    assert stored("export", "--out", "all.parquet")[0] == 0
    table = pq.read_table("all.parquet")
    assert table.column_names[:6] == list(tables.NAMES)


def test_predictions_are_exported_a_row_each(stored):
    out = stored("export", "--predictions", "--only", "seed=1", "--format", "json")[1]
    first, second = json.loads(out)
    assert (first["utterance"], first["gender"]) == ("wav/10a01Wa.wav", "male")
    assert (second["predicted"], second["score_joy"]) == ("anger", 0.4)
    assert first["upstream"] == "whisper-base"


def test_a_file_that_is_there_is_not_replaced_unless_asked_for(stored):
    assert stored("export", "--out", "a.csv")[0] == 0
    code, _, err = stored("export", "--out", "a.csv")
    assert (code, "a.csv exists already" in err) == (2, True)
    assert stored("export", "--out", "a.csv", "--overwrite")[0] == 0
    assert stored("export", "--out", "a.txt")[0] == 2
    assert stored("export", "--format", "parquet")[0] == 2


# ---------------------------------------------------------------- the page of columns


def test_the_page_of_columns_is_that_of_the_types():
    assert (ROOT / "docs/columns.md").read_text("utf-8") == describe.page()


def test_every_column_is_described():
    rows = [line for line in describe.page().splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert not [row for row in rows if row.endswith("|  |")]
