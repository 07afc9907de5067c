from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click
import harness_leaderboard
import pytest
from click.testing import CliRunner
from harness_leaderboard.results import folders, store
from harness_leaderboard.views import catalogue as views
from study import perturbed

from harness import HarnessError, PluginError, StoreError, hookimpl
from harness.cli.main import execute
from harness.errors import ExitCode, UnknownNameError
from harness.registry import Registry, plugin_manager
from harness.training import metrics
from harness.types import (
    CellFinished,
    Metric,
    Renderer,
    RunFinished,
    RunStarting,
    metric,
)

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result as Outcome
    from results import MakeResult


class Shout:
    @hookimpl
    def harness_renderers(self) -> list[Renderer]:
        def render(table, *, width, colour):
            return table.title.upper() + "\n"

        return [Renderer(name="shout", summary="loud", render=render)]


@metric("Error", higher_is_better=False)
def error(predictions):
    """Share of utterances whose label is not predicted."""
    return 1 - metrics.accuracy.score(predictions)


@metric("Confidence", of_confusion=False)
def confidence(predictions):
    """Mean of the highest score."""
    return predictions.scores.max(1).mean()


@metric("Broken")
def broken(predictions):
    """Fails whatever it is asked."""
    raise ValueError("no")


class Third:
    @hookimpl
    def harness_metrics(self) -> list[Metric]:
        return [error, confidence, broken]


@pytest.fixture
def registry() -> Registry:
    plugins = [harness_leaderboard, metrics, Shout(), Third()]
    return Registry.of(plugin_manager(plugins))


@pytest.fixture
def run(registry: Registry, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    app = click.Group("harness")
    registry.hook.harness_commands(app=app)

    def run(*words: object) -> Outcome:
        return CliRunner().invoke(
            app, [str(word) for word in words], obj=registry, catch_exceptions=False
        )

    return run


def test_hook_result_stores_what_hook_finished_runs_finds(
    registry: Registry, make_result: MakeResult, runs: Path
):
    result = make_result()
    registry.hook.harness_result(event=CellFinished(runs=runs, result=result))
    assert registry.hook.harness_finished_runs(runs=runs) == {result.run_id}


def test_hook_run_starting_refuses_a_folder_that_cannot_be_written_to(
    registry: Registry, tmp_path: Path
):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(StoreError, match="--runs"):
        registry.hook.harness_run_starting(event=RunStarting(runs=tmp_path / "runs"))


def test_hook_run_finished_prints_the_board_of_its_own_cells(
    registry: Registry,
    make_result: MakeResult,
    runs: Path,
    capsys: pytest.CaptureFixture[str],
):
    mine, other = (
        replace(result, run_id=result.cell.run_id)
        for result in (make_result(), make_result(upstream="someone-elses"))
    )
    store.write_result(mine, runs)
    store.write_result(other, runs)
    event = RunFinished(runs=runs, cells=(mine.cell,), computed=1, failed=())
    with click.Context(click.Command("run")):
        registry.hook.harness_run_finished(event=event)
    printed = capsys.readouterr().out
    assert "whisper-base" in printed
    assert "someone-elses" not in printed
    assert "\x1b" not in printed


def test_hook_run_finished_prints_nothing_where_every_cell_failed(
    registry: Registry,
    make_result: MakeResult,
    runs: Path,
    capsys: pytest.CaptureFixture[str],
):
    cell = make_result().cell
    event = RunFinished(runs=runs, cells=(cell,), computed=0, failed=((cell, "no"),))
    registry.hook.harness_run_finished(event=event)
    assert capsys.readouterr().out == ""


def test_hook_commands_adds_the_leaderboard(run, make_result: MakeResult, runs: Path):
    store.write_result(make_result(), runs)
    outcome = run("leaderboard", "--runs", runs)
    assert outcome.exit_code == 0
    words = "pooled over speakers, one test speaker, one seed"
    assert outcome.stdout.startswith(f"Macro-F1 in percent, {words}\nupstream ")
    assert outcome.stderr == ""


def test_the_folder_is_read_from_the_environment(
    run, make_result: MakeResult, runs: Path, monkeypatch: pytest.MonkeyPatch
):
    store.write_result(make_result(), runs)
    monkeypatch.setenv("HARNESS_RUNS", str(runs))
    assert "whisper-base" in run("leaderboard").stdout


def test_a_metric_is_asked_for(run, make_result: MakeResult, runs: Path):
    store.write_result(make_result(), runs)
    printed = run("leaderboard", "--runs", runs, "--metric", "uar").stdout
    assert "UAR in percent" in printed
    assert "82.0" in printed


def test_a_metric_of_a_third_party_works_on_results_from_before_it(
    run, make_result: MakeResult, runs: Path
):
    store.write_result(make_result(), runs)
    store.write_result(make_result(upstream="fbank", confusion=((1, 0), (0, 1))), runs)
    shown = run("leaderboard", "--runs", runs, "--metric", "error", "--format", "csv")
    values = {row["upstream"]: row["emodb"] for row in rows_of(shown)}
    assert values == {"fbank": "0.0", "whisper-base": "0.5"}
    shown = run("leaderboard", "--runs", runs, "--metric", "error").stdout
    assert "Error in percent" in shown
    assert "0.0" in shown


def test_a_metric_of_scores_works_on_boards_and_not_on_intervals(
    run, make_result: MakeResult, runs: Path
):
    store.write_result(make_result(), runs)
    words = ("leaderboard", "--runs", runs, "--metric", "confidence")
    assert "75.0" in run(*words).stdout
    with pytest.raises(HarnessError, match="Confidence is not computed from"):
        run(*words, "--view", "intervals")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--view", "runs"), "The view 'runs' pools nothing"),
        (("--metric", "confidence"), "not computed from confusions"),
    ],
)
def test_what_cannot_be_pooled_says_so(
    words: tuple[str, str], reason: str, run, make_result: MakeResult, runs: Path
):
    store.write_result(make_result(), runs)
    with pytest.raises(HarnessError, match=reason):
        run("leaderboard", "--runs", runs, "--pooled", *words)


def test_a_metric_that_fails_is_named(run, make_result: MakeResult, runs: Path):
    store.write_result(make_result(), runs)
    with pytest.raises(PluginError, match=r"'broken'.*failed on run"):
        run("leaderboard", "--runs", runs, "--metric", "broken")


def test_an_unknown_metric_suggests_a_near_one(run, make_result, runs: Path):
    store.write_result(make_result(), runs)
    with pytest.raises(UnknownNameError, match="Did you mean 'accuracy'"):
        run("leaderboard", "--runs", runs, "--metric", "accurac")


def test_help_lists_the_metrics_that_plugins_offer(run):
    help_text = " ".join(run("leaderboard", "--help").stdout.split())
    names = "accuracy|broken|ccc|confidence|error|macro_f1|pearson|rmse|uar|weighted_f1"
    assert names in help_text


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("board.html", "<!DOCTYPE html>"),
        ("board.HTM", "<!DOCTYPE html>"),
        ("board.md", "**Macro-F1"),
        ("board.csv", "upstream,"),
        ("board.json", "{"),
        ("board.tex", "%"),
        ("board.txt", "Macro-F1 in percent"),
    ],
)
def test_a_file_has_the_form_that_its_ending_stands_for(
    run, make_result: MakeResult, runs: Path, tmp_path: Path, name, begins
):
    store.write_result(make_result(), runs)
    assert run("leaderboard", "--runs", runs, "--out", tmp_path / name).exit_code == 0
    assert (tmp_path / name).read_text().startswith(begins)


@pytest.mark.parametrize("name", ["board", "board.pdf", "board.html.gz"])
def test_an_ending_that_stands_for_no_form_is_refused(
    run, make_result: MakeResult, runs: Path, tmp_path: Path, name
):
    store.write_result(make_result(), runs)
    with pytest.raises(HarnessError, match=r"--format, or name a file .*\.csv"):
        run("leaderboard", "--runs", runs, "--out", tmp_path / name)
    assert not (tmp_path / name).exists()
    words = ("leaderboard", "--runs", runs, "--out", tmp_path / name)
    assert run(*words, "--format", "csv").exit_code == 0
    assert (tmp_path / name).read_text().startswith("upstream,")


def test_where_predictions_are_too_many_it_is_said(
    run, make_result: MakeResult, runs: Path, monkeypatch: pytest.MonkeyPatch
):
    store.write_result(make_result(), runs)
    monkeypatch.setattr("harness_leaderboard.commands.board.MOST", 0)
    outcome = run("leaderboard", "--runs", runs)
    assert "too many to say how sure" in outcome.stderr
    assert "±" not in outcome.stdout


def test_a_system_is_not_compared_with_itself(run, make_result, runs: Path):
    store.write_result(make_result(), runs)
    with pytest.raises(HarnessError, match="stands on both sides"):
        run("compare", "whisper-base/linear", "whisper-base/linear", "--runs", runs)


def rows_of(outcome: Outcome) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(outcome.stdout)))


def test_left_out_files_are_named_on_stderr(run, make_result: MakeResult, runs: Path):
    store.write_result(make_result(), runs)
    (runs / "broken\x1b[2J.parquet").write_bytes(b"PAR1")
    outcome = run("leaderboard", "--runs", runs, "--format", "json")
    assert json.loads(outcome.stdout)["title"].startswith("Macro-F1 in percent")
    assert outcome.stderr.startswith("warning: ")
    assert "\x1b" not in outcome.stderr


def test_a_board_that_lacks_a_result_that_vanished_leaves_with_3(
    make_result: MakeResult, runs: Path, monkeypatch, capsys
):
    store.write_result(make_result(), runs)
    gone = store.write_result(make_result(seed=1), runs)
    is_small = folders.is_small

    def removing(file):
        gone.unlink(missing_ok=True)
        return is_small(file)

    monkeypatch.setattr(folders, "is_small", removing)
    code = execute(["leaderboard", "--runs", str(runs), "--format", "csv"])
    assert code == ExitCode.SOME_CELLS_FAILED
    printed = capsys.readouterr()
    assert len(list(csv.DictReader(io.StringIO(printed.out)))) == 1
    assert str(gone) in printed.err


def test_hook_renderers_takes_a_form_from_a_third_party(
    run, make_result: MakeResult, runs: Path
):
    store.write_result(make_result(), runs)
    outcome = run("leaderboard", "--runs", runs, "--format", "shout")
    assert outcome.stdout.startswith("MACRO-F1 IN PERCENT")


def test_help_lists_the_forms_that_plugins_offer(run):
    help_text = " ".join(run("leaderboard", "--help").stdout.split())
    assert "[csv|html|json|latex|markdown|rich|shout]" in help_text


def test_hook_commands_adds_figures(
    run, make_result: MakeResult, runs: Path, tmp_path: Path
):
    store.write_result(make_result(), runs)
    out = tmp_path / "figure.svg"
    outcome = run("figure", "confusion", "--runs", runs, "--out", out)
    assert outcome.stdout == f"{out}\n"
    assert out.exists()


def test_hook_commands_adds_the_upkeep_of_folders(
    run, make_result: MakeResult, runs: Path, tmp_path: Path
):
    store.write_result(make_result(), tmp_path / "other")
    merged = run("runs", "merge", tmp_path / "other", "--runs", runs)
    assert merged.stdout == "1 result added, 0 were there already.\n"
    packed = run("runs", "compact", "--runs", runs)
    assert packed.stdout == "1 result packed into 1 file.\n"
    assert "do not match" in run("runs", "verify", "--runs", runs).stdout


def test_hook_commands_adds_comparisons(run, make_result: MakeResult, runs: Path):
    store.write_result(make_result(), runs)
    store.write_result(make_result(downstream="multilayer"), runs)
    names = ("whisper-base/linear", "whisper-base/multilayer")
    assert "A−B" in run("compare", *names, "--runs", runs).stdout


def test_two_folders_are_compared(run, make_result: MakeResult, tmp_path: Path):
    store.write_result(make_result(), tmp_path / "old")
    store.write_result(make_result(macro_f1=0.5), tmp_path / "new")
    printed = run("leaderboard", "--diff", tmp_path / "old", tmp_path / "new").stdout
    assert "-30.00" in printed


def test_only_some_results_are_asked_for(run, make_result: MakeResult, runs: Path):
    store.write_result(make_result(corpus="emodb"), runs)
    store.write_result(make_result(corpus="cafe"), runs)
    printed = run("leaderboard", "--runs", runs, "--only", "corpus=cafe").stdout
    assert "cafe" in printed
    assert "emodb" not in printed


@pytest.mark.parametrize(
    "words",
    [
        "corpus=cafe",
        "corpus_trained=cafe",
        "split=loso",
        "corpus_strategy=loso",
        "frame_type=float16",
        "upstream_frame_type=float16",
        "device=cuda",
        "learning_rate=0.1",
        "seed=7",
    ],
)
def test_results_are_chosen_by_any_leaf_of_the_condition(
    words: str, run, make_result: MakeResult, runs: Path
):
    changes = {
        "corpus": "cafe",
        "split": "loso",
        "frame_type": "float16",
        "device": "cuda",
        "learning_rate": 0.1,
        "seed": 7,
    }
    store.write_result(make_result(upstream="chosen", **changes), runs)
    store.write_result(make_result(), runs)
    shown = run("leaderboard", "--runs", runs, "--only", words, "--format", "csv")
    assert [row["upstream"] for row in rows_of(shown)] == ["chosen"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("corpsu=cafe", "No field of --only is called .corpsu.. Did you mean .corpus."),
        ("corpus=cafes", "No corpus is called .cafes.. Did you mean .cafe."),
    ],
)
def test_a_filter_that_matches_nothing_suggests_a_near_one(
    words: str, message: str, run, make_result: MakeResult, runs: Path
):
    store.write_result(make_result(corpus="cafe"), runs)
    with pytest.raises(UnknownNameError, match=message):
        run("leaderboard", "--runs", runs, "--only", words)


def test_a_view_without_published_figures_says_which_have_some(
    run, make_result: MakeResult, runs: Path
):
    store.write_result(make_result(), runs)
    with pytest.raises(HarnessError, match="classifiers, languages, corpora"):
        run("leaderboard", "--runs", runs, "--view", "layers", "--against", "published")


@pytest.mark.parametrize("view", views.VIEWS)
def test_every_view_is_printed(view: str, run, make_result: MakeResult, runs: Path):
    special = {
        "transfer": make_result(test_corpus="cafe"),
        "map": replace(make_result(downstream="layerwise"), layer_scores=(0.4, 0.5)),
        "robustness": perturbed(make_result(), "noise:snr=0"),
    }
    store.write_result(special.get(view, make_result()), runs)
    assert run("leaderboard", "--runs", runs, "--view", view).exit_code == 0


def test_an_unknown_form_suggests_a_near_one(run, make_result: MakeResult, runs: Path):
    store.write_result(make_result(), runs)
    with pytest.raises(UnknownNameError, match="Did you mean 'markdown'"):
        run("leaderboard", "--runs", runs, "--format", "markdwn")


def test_an_empty_folder_names_the_next_step(run, runs: Path):
    runs.mkdir()
    with pytest.raises(HarnessError, match=r"holds no results.*harness run"):
        run("leaderboard", "--runs", runs)


def test_a_missing_folder_names_the_next_step(run, runs: Path):
    with pytest.raises(HarnessError, match=r"does not exist.*harness run"):
        run("leaderboard", "--runs", runs)


def test_loading_the_plugin_imports_nothing_heavy():
    code = (
        "import sys, harness_leaderboard;"
        "heavy = {'pyarrow', 'rich', 'numpy', 'torch', 'matplotlib'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code]) == b"[]\n"


def test_a_board_is_read_from_a_uri(run, make_result: MakeResult, runs: Path):
    store.write_result(make_result(), runs)
    shown = run("leaderboard", "--runs", runs.as_uri())
    assert "whisper-base" in shown.stdout


@pytest.mark.parametrize(
    "words", [("runs", "compact"), ("runs", "merge", "file:///tmp")]
)
def test_verbs_that_write_refuse_a_uri(run, words: tuple[str, ...]):
    with pytest.raises(StoreError, match="s3://bucket/runs is elsewhere"):
        run(*words, "--runs", "s3://bucket/runs")


def test_many_files_that_are_left_out_for_one_reason_are_one_warning(capsys):
    from harness_leaderboard.commands.output import warn

    warn(f"runs/{number}.parquet is left out: it is empty." for number in range(70))
    warn(["runs/a.parquet is left out: it is damaged."])
    assert capsys.readouterr().err.splitlines() == [
        "warning: 70 files are left out, the first is runs/0.parquet: it is empty.",
        "warning: runs/a.parquet is left out: it is damaged.",
    ]
