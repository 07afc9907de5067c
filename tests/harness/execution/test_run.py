"""The program end to end, on tones: plan, run, resume, fail, tidy."""

from __future__ import annotations

import dataclasses
import os
import time
from itertools import product

import pyarrow.parquet
import pytest
from toys import GRID, TOY, write_tone

from harness import Downstream, HarnessError, Reads, hookimpl

LINEAR = (*GRID, "--downstream", "linear")
PLANNED = (
    *("--upstream", "toy", "--corpus", "tones", "--downstream", "linear"),
    "--no-controls",
)


def rows(tmp_path, **columns):
    table = pyarrow.parquet.read_table(tmp_path / "runs")
    return table.select(list(columns) or table.column_names).to_pylist()


def results(tmp_path):
    """Every number of every stored result, by cell."""
    return {
        (row["condition"]["downstream"]["name"], row["fold"], row["seed"]): (
            row["run_id"],
            sorted(row["scores"]),
            row["history"],
            row["predictions"],
            row["layer_weights"],
        )
        for row in rows(tmp_path)
    }


def test_a_run_ends_with_its_board(harness, tmp_path):
    code, out, err = harness("run", *LINEAR, "--seeds", "0-1")
    assert code == 0
    assert "linear" in out
    assert "tones" in out
    assert "2 cells" in err
    assert len(rows(tmp_path)) == 2


def test_a_finished_cell_is_never_computed_again(harness, tmp_path):
    harness("run", *LINEAR)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    code, out, err = harness("run", *LINEAR)
    assert code == 0
    assert "1 of them done before" in err
    assert "linear" in out
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").iterdir()}


def test_a_result_says_what_it_was_computed_from(harness, tmp_path):
    harness("run", *LINEAR, "--split", "loso")
    row = rows(tmp_path)[0]
    upstream, downstream, corpus = (
        row["condition"][axis] for axis in ("upstream", "downstream", "corpus")
    )
    assert upstream["name"] == "toy"
    assert (upstream["layers"], upstream["dim"], upstream["hop"]) == (3, 8, 0.02)
    assert (corpus["trained"], corpus["folds"]) == (["tones"], 5)
    plugins = dict(row["training"]["plugins"])
    assert plugins["upstream"] == "toy-plugin"
    assert plugins["downstream"].startswith("linear (speech-harness ")
    assert dict(row["training"]["versions"]).keys() >= {"torch", "python"}
    assert row["n_train"] + row["n_valid"] + row["n_test"] == 40
    assert downstream["recipe"]["name"] == "peft-ser"
    assert downstream["recipe"]["deviations"]
    extraction = row["extraction"]
    assert extraction["seconds"] > 0
    assert extraction["devices"][0].startswith("cpu (")
    assert dict(extraction["versions"]).keys() >= {"torch", "python"}
    assert extraction["first"] <= extraction["last"] <= row["training"]["created"]
    assert dict(extraction["certificate"])["batched_delta"] == 0
    assert len(row["predictions"]) == row["n_test"]


def test_leaving_one_speaker_out_validates_on_the_next(harness, tmp_path):
    harness("run", *LINEAR, "--split", "loso")
    parts = {
        r["fold"]: (r["speakers_test"], r["speakers_valid"]) for r in rows(tmp_path)
    }
    assert parts == {f"s{n}": ([f"s{n}"], [f"s{(n + 1) % 5}"]) for n in range(5)}


def test_the_same_command_elsewhere_gives_the_same_numbers(harness, tmp_path):
    grid = (*GRID, "--downstream", "linear,multilayer", "--split", "loso")
    harness("run", *grid)
    first = results(tmp_path)
    again = tmp_path / "again"
    harness("run", *grid, "--cache", str(again / "c"), "--runs", str(again / "runs"))
    assert results(again) == first


def test_worker_processes_give_the_same_numbers(harness, tmp_path):
    def run(executor):
        folder = tmp_path / executor
        code, _, err = harness(
            *("run", "--upstream", "toy", "--corpus", "tones", "--split", "loso"),
            *("--downstream", "linear", "--executor", executor, "--workers", "2"),
            "--no-controls",
            *("--cache", str(folder), "--runs", str(folder / "runs")),
        )
        assert code == 0, err
        return results(folder)

    assert run("local") == run("serial")


def test_a_plan_says_what_would_be_done_and_does_nothing(harness, tmp_path):
    code, out, _ = harness("plan", *PLANNED)
    assert code == 0
    assert "1 cell, 0 of them done" in out
    assert "speaker-independent" in out
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("asked", "sentences"),
    [
        ((), ["linear, layerwise: seed 0", "nonlinear: seeds 0-2"]),
        (("--seeds", "0"), ["linear, nonlinear, layerwise: seed 0"]),
        (("--seeds", "5,0"), ["linear, nonlinear, layerwise: seeds 5,0"]),
    ],
)
def test_a_plan_says_which_seeds_each_head_runs(harness, asked, sentences):
    grid = ("--upstream", "toy", "--corpus", "tones", "--no-controls")
    heads = ("--downstream", "linear,nonlinear,layerwise")
    _, out, _ = harness("plan", *grid, *heads, *asked)
    said = [line for line in out.splitlines() if ": seed" in line]
    assert said == sentences


def test_a_plan_knows_what_is_done(harness):
    harness("run", *LINEAR)
    code, out, _ = harness("plan", *PLANNED)
    assert code == 0
    assert "1 cell, 1 of them done" in out


def test_frames_are_dropped_after_the_last_cell(harness, tmp_path):
    grid = (*GRID, "--downstream", "nonlinear,multilayer")
    harness("run", *grid, "--keep-features", "pooled")
    kept = {p.parent.name for p in (tmp_path / "cache").rglob("*.safetensors")}
    assert kept == {"pooled"}


def test_bad_audio_stops_a_run_before_any_work(harness, tones, tmp_path):
    (tones / "s0_low_0.wav").write_text("not audio")
    code, out, err = harness("run", *LINEAR)
    assert code == 2
    assert "s0_low_0.wav: unreadable" in err
    assert out == ""
    assert not (tmp_path / "runs").exists()


def test_bad_audio_can_be_left_out_and_is_stored_with_the_result(
    harness, tones, tmp_path
):
    (tones / "s0_low_0.wav").write_text("not audio")
    assert harness("run", *LINEAR, "--skip-bad")[0] == 0
    (row,) = rows(tmp_path)
    assert row["skipped"][0].startswith("s0_low_0.wav: unreadable")


def test_a_split_from_a_file_is_the_same_split(harness, tmp_path):
    path = str(tmp_path / "tones.json")
    assert harness("split", "tones", "--split", "loso", "--out", path)[0] == 0
    harness("run", *LINEAR, "--split", "loso")
    _, _, err = harness("run", *LINEAR, "--split", path)
    assert "5 cells, 5 of them done before" in err


def test_frames_in_half_precision_are_another_result(harness, tmp_path):
    grid = (*GRID, "--downstream", "multilayer", "--seeds", "0")
    harness("run", *grid)
    harness("run", *grid, "--frame-type", "float16")
    one, other = rows(tmp_path)
    assert one["run_id"] != other["run_id"]
    scores = [dict(row["scores"])["macro_f1"] for row in (one, other)]
    assert scores[0] == pytest.approx(scores[1], abs=0.2)


@pytest.mark.parametrize("head", ["nonlinear", "multilayer"])
def test_every_head_reads_frames_in_half_precision(harness, head):
    grid = (*GRID, "--downstream", head, "--frame-type", "float16")
    code, _, err = harness("run", *grid)
    assert code == 0, err


def test_a_cell_does_not_depend_on_what_else_is_asked_for(harness, tones, manager):
    """An upstream that needs longer clips leaves out its own short ones alone."""

    class Plugin:
        @hookimpl
        def harness_upstreams(self):
            yield dataclasses.replace(TOY, name="patient", min_seconds=0.35)

    manager.register(Plugin())
    both = [word if word != "toy" else "toy,patient" for word in PLANNED]
    code, _, err = harness("run", *both)
    assert code == 2
    assert "too short" in err
    assert harness("run", *both, "--skip-bad", "--executor", "serial")[0] == 0
    _, _, err = harness("run", *PLANNED, "--executor", "serial")
    assert "1 cell, 1 of them done before" in err


def test_an_upstream_that_does_not_load_fails_its_cells_alone(
    harness, manager, tmp_path
):
    def load(checkpoint, *, device, feeding):
        raise RuntimeError("no such layer")

    class Plugin:
        @hookimpl
        def harness_upstreams(self):
            yield dataclasses.replace(TOY, name="broken", load=load)

    manager.register(Plugin(), name="broken-plugin")
    asked = [word if word != "toy" else "broken,toy" for word in LINEAR]
    code, out, err = harness("run", *asked, "--keep-going", "--seeds", "0-1")
    assert code == 3
    assert err.count("failed: broken · linear · tones") == 2
    assert "broken-plugin" in err
    assert "no such layer" in err
    names = [row["condition"]["upstream"]["name"] for row in rows(tmp_path)]
    assert names == ["toy", "toy"]
    assert "toy" in out


def test_every_checkpoint_that_is_named_belongs_to_an_upstream(harness, tmp_path):
    code, _, err = harness("run", *LINEAR, "--checkpoint", f"toi={tmp_path}")
    assert code == 2
    assert "'toi'" in err
    assert "Did you mean 'toy'?" in err


def test_a_split_that_takes_no_folds_refuses_a_number_of_them(harness):
    code, _, err = harness("run", *LINEAR, "--split", "loso", "--folds", "5")
    assert code == 2
    assert "takes no number of folds" in err


def test_a_folder_for_results_is_written_to_before_anything_is_fetched(
    harness, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    fetched = []
    monkeypatch.setattr(
        "harness.execution.run.find_checkpoint", lambda *a, **k: fetched.append(a)
    )
    asked = [word if word != "toy" else "wav2vec2-base" for word in LINEAR]
    code, _, err = harness("run", *asked, "--runs", str(tmp_path / "file" / "runs"))
    assert code == 2
    assert "cannot be written" in err
    assert not fetched


class Moody:
    """Offers a head that fails when it is built a second time."""

    def __init__(self):
        self.built = 0

    @hookimpl
    def harness_downstreams(self):
        def fit(train, labels, *, valid, classes, seed):
            self.built += 1
            if self.built == 2:
                raise HarnessError("The second is unlucky. Try again.")
            return lambda batch: batch.pooled[:, :classes]

        reads = Reads(layers="last", frames=False)
        yield Downstream(name="moody", summary="", reads=reads, fit=fit)


def test_a_run_whose_results_nobody_would_store_is_refused(harness, manager):
    manager.unregister(name="leaderboard")
    code, out, err = harness("run", *LINEAR)
    assert (code, out) == (2, "")
    assert "No plugin stores results" in err


def test_a_failed_cell_ends_a_run(harness, manager):
    manager.register(Moody())
    code, _, err = harness("run", *GRID, "--downstream", "moody", "--seeds", "0-1")
    assert code == 2
    assert "The second is unlucky" in err


def test_other_cells_go_on_if_asked(harness, manager, tmp_path):
    manager.register(Moody())
    grid = (*GRID, "--downstream", "moody", "--seeds", "0-2")
    code, out, err = harness("run", *grid, "--keep-going")
    assert code == 3
    assert "failed: toy · moody" in err
    assert sorted(row["seed"] for row in rows(tmp_path)) == [0, 2]
    assert "moody" in out


def test_the_cache_is_shown_and_pruned(harness, tmp_path):
    harness("run", *GRID, "--downstream", "multilayer")
    assert "toy-" in harness("cache")[1]
    code, _, err = harness("cache", "prune", "--only", "upstream=other")
    assert code == 2
    assert "No stored features are of upstream=other" in err
    assert harness("cache", "prune")[0] == 0
    kept = {p.parent.name for p in (tmp_path / "cache").rglob("*.safetensors")}
    assert kept == {"pooled"}


@pytest.fixture
def unfinished(tmp_path):
    """What work that was stopped left in the cache ten days ago."""

    def leave(*names, days=10):
        for name in names:
            path = tmp_path / "cache" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(2000))
            then = time.time() - days * 86_400
            os.utime(path, (then, then))

    return leave


LEFT = ("training/abc.pt", "downloads/x.part", "downloads/y.zip")


def test_a_corpus_that_is_not_whole_is_told_before_the_work(harness, tmp_path):
    root = tmp_path / "data" / "demos" / "DEMOS"
    root.mkdir(parents=True)
    for speaker, code in product(("01", "02", "03", "04"), ("rab", "tri")):
        path = root / f"NP_f_{speaker}_{code}01a.wav"
        write_tone(path, 300, seconds=0.5, seed=int(speaker) + 10 * (code == "tri"))
    asked = ("--upstream", "toy", "--downstream", "linear", "--corpus", "demos")
    code, out, _ = harness("plan", *asked, "--no-controls", "--quiet")
    assert code == 0
    assert "demos is not as it was published: 8 of 9697 utterances are used" in out


def test_unfinished_work_is_shown_with_size_and_age(harness, unfinished):
    unfinished(*LEFT)
    _, out, _ = harness("cache")
    rows = [line.split() for line in out.splitlines() if "ago" in line]
    assert [row[0] for row in rows] == sorted(LEFT)
    assert rows[0][1:] == ["2", "kB", "10", "days", "ago"]


def test_old_unfinished_work_is_pruned(harness, unfinished, tmp_path):
    unfinished(*LEFT, "downloads/x.etag")
    unfinished("training/fresh.pt", days=1)
    assert harness("cache", "prune")[1] == "6 kB freed\n"
    kept = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept == ["fresh.pt"]


def test_all_unfinished_work_is_pruned_on_demand(harness, unfinished, tmp_path):
    unfinished("training/fresh.pt", "downloads/x.part", days=0)
    harness("cache", "prune", "--all")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_the_state_of_a_training_that_has_a_result_is_pruned(
    harness, unfinished, tmp_path
):
    harness("run", *GRID, "--downstream", "linear")
    (row,) = rows(tmp_path)
    unfinished(f"training/{row['run_id']}.pt", "training/other.pt", days=0)
    harness("cache", "prune")
    assert [path.stem for path in (tmp_path / "cache/training").iterdir()] == ["other"]
