"""The verbs from Python are the command line's own."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
from toys import TOY, ToyPlugin

import harness
from harness import Downstream, HarnessError, Reads, hookimpl, metric
from harness.api import FeatureOptions, PlanOptions, RunOptions
from harness.cli import exporting, running
from harness.cli.calling import keywords

TOYS: dict[str, Any] = {
    "upstream": "toy",
    "corpus": "tones",
    "controls": False,
    "quiet": True,
}
SERIAL: dict[str, Any] = {**TOYS, "executor": "serial", "downstream": "linear"}


@pytest.fixture
def toys(tmp_path, tones, monkeypatch):
    """The environment of a user who has the tones, and the plugin that offers them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_DATA", str(tones.parent))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_RUNS", raising=False)
    return [ToyPlugin()]


def ran(results):
    """How the run of these results went."""
    assert results.run is not None
    return results.run


class Fails:
    """Offers a head that does not work on the second seed."""

    @hookimpl
    def harness_downstreams(self):
        def fit(train, labels, *, valid, classes, seed):
            raise HarnessError("No.")

        reads = Reads(layers="last", frames=False)
        yield Downstream(name="never", summary="", reads=reads, fit=fit)


# ---------------------------------------------------------------- one definition


@pytest.mark.parametrize(
    ("verb", "options", "more"),
    [
        (running.run, RunOptions, set()),
        (running.plan, PlanOptions, {"format"}),
        (
            exporting.export,
            FeatureOptions,
            {"upstream", "corpus", "format", "out", "overwrite"},
        ),
    ],
)
def test_python_has_every_option_of_the_verb(verb, options, more):
    assert get_type_hints(options).keys() == keywords(verb).keys() - more


def test_the_signature_shows_the_defaults_of_the_command_line():
    shown = inspect.signature(harness.run).parameters
    assert shown["target"].default == "emotion"
    assert shown["split"].default is None  # the target's
    assert shown["controls"].default is True
    assert shown["runs"].default == "runs"
    assert shown["quiet"].default is False
    assert "split: How a corpus is divided" in (harness.run.__doc__ or "")


def test_importing_the_harness_and_a_verb_imports_nothing_heavy():
    code = (
        "import sys, harness; light = 'click' not in sys.modules; harness.run\n"
        "heavy = {'numpy', 'torch', 'pyarrow', 'pandas'} & set(sys.modules)\n"
        "sys.exit(not light or bool(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        harness.nothing  # noqa: B018


# ---------------------------------------------------------------- run and plan


def test_a_run_returns_its_results_and_prints_nothing(toys, capsys):
    results = harness.run(**SERIAL, seeds=range(2), plugins=toys)
    assert capsys.readouterr().out == ""
    table = results.to_pandas()
    assert table.seed.tolist() == [0, 1]
    assert table.downstream.unique().tolist() == ["linear"]
    assert table.corpus.unique().tolist() == ["tones"]
    assert table.macro_f1.between(0, 1).all()
    predictions = results.predictions.to_pandas()
    assert len(predictions) == table.n_test.sum()
    assert {"utterance", "speaker", "label", "predicted"} <= set(predictions)
    scores = predictions[["score_high", "score_low"]]
    assert np.allclose(scores.sum(axis=1), 1)


def test_predictions_have_the_score_that_decided(toys):
    rows = harness.run(**SERIAL, plugins=toys).predictions.to_pandas()
    best = rows[["score_high", "score_low"]].idxmax(axis=1)
    assert (best.str.removeprefix("score_") == rows.predicted.astype(str)).all()


def test_a_run_returns_what_the_command_line_stores(toys, harness_command):
    mine = harness.run(**SERIAL, seeds="0", plugins=toys)
    words = ["--upstream", "toy", "--corpus", "tones", "--downstream", "linear"]
    code, _, err = harness_command("run", *words, "--seeds", "0", "--no-controls")
    assert code == 0
    assert "1 of them done before" in err
    assert len(mine.results) == 1


@pytest.fixture
def harness_command(manager, capsys, toys):
    from harness.cli.main import execute

    def call(*arguments):
        code = execute(arguments, manager)
        printed = capsys.readouterr()
        return int(code), printed.out, printed.err

    return call


def test_the_results_of_a_run_are_its_own_alone(toys):
    harness.run(**SERIAL, seeds=[0, 1], plugins=toys)
    again = harness.run(**SERIAL, seeds=1, plugins=toys)
    assert again.results["seed"].to_pylist() == [1]
    assert ran(again).computed == 0
    assert len(again.board().table.rows) == 1
    assert len(harness.results(plugins=toys).results) == 2


def test_a_cell_that_fails_is_in_what_is_returned_if_others_go_on(toys):
    asked = {**SERIAL, "downstream": ["never", "linear"]}
    results = harness.run(**asked, keep_going=True, plugins=[*toys, Fails()])
    ((cell, reason),) = ran(results).failed
    assert (cell.condition.downstream.name, reason) == ("never", "HarnessError: No.")
    assert results.results["downstream"].to_pylist() == ["linear"]


def test_where_all_fail_there_are_columns_and_no_rows(toys):
    asked = {**SERIAL, "downstream": "never"}
    results = harness.run(**asked, keep_going=True, plugins=[*toys, Fails()])
    assert len(results.results) == len(results.predictions) == 0
    assert "macro_f1" in results.results.column_names


def test_a_cell_that_fails_raises_if_nothing_else_was_asked_for(toys):
    with pytest.raises(HarnessError, match=r"No\."):
        harness.run(**{**SERIAL, "downstream": "never"}, plugins=[*toys, Fails()])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"up_stream": "toy"},
            "No option of 'run' is called 'up_stream'",
        ),
        ({"upstream": "toi"}, "No upstream is called 'toi'. Did you mean 'toy'"),
        ({"folds": 2}, "--folds"),
        ({"corpus": None}, "Missing option '--corpus'"),
        ({"device": "tpu"}, "tpu"),
    ],
)
def test_a_mistake_is_an_exception(toys, options, sentence):
    with pytest.raises(HarnessError, match=sentence):
        harness.run(**{**SERIAL, **options}, plugins=toys)


def test_a_plan_reads_as_the_command_prints_it(toys, harness_command):
    planned = harness.plan(**TOYS, downstream="linear", seeds=[0, 2], plugins=toys)
    words = ["--upstream", "toy", "--corpus", "tones", "--downstream", "linear"]
    code, out, _ = harness_command("plan", *words, "--seeds", "0,2", "--no-controls")
    assert code == 0
    assert str(planned) == repr(planned) == out
    assert [cell.seed for cell in planned.cells] == [0, 2]
    assert planned.todo == planned.cells
    assert not Path("runs").exists()


def test_a_run_is_done_again_where_that_is_asked_for(toys):
    first = harness.run(**SERIAL, seeds=range(2), plugins=toys)
    run_id = first.results["run_id"].to_pylist()[0]
    again = harness.run(**SERIAL, seeds=range(2), again=run_id[:6], plugins=toys)
    assert ran(again).computed == 1
    assert again.results["macro_f1"] == first.results["macro_f1"]
    assert ran(harness.run(**SERIAL, again="all", plugins=toys)).computed == 1
    with pytest.raises(HarnessError, match="names the run 'abc', which is no cell"):
        harness.run(**SERIAL, again="abc", plugins=toys)


# ---------------------------------------------------------------- results


def test_results_are_chosen_as_on_the_command_line(toys):
    harness.run(**SERIAL, seeds=range(3), plugins=toys)
    for only in ({"seed": [0, 2]}, {"seed": "0,2"}, "seed=0,2"):
        chosen = harness.results("runs", only=only, plugins=toys)
        assert sorted(chosen.results["seed"].to_pylist()) == [0, 2]
    with pytest.raises(HarnessError, match="is called 'seeed'"):
        harness.results("runs", only={"seeed": "0"}, plugins=toys)


def test_a_folder_without_results_is_said_at_once(toys):
    with pytest.raises(HarnessError, match="The folder nowhere does not exist"):
        harness.results("nowhere", plugins=toys)


def test_views_come_as_tables_that_a_notebook_shows(toys):
    asked = {**SERIAL, "downstream": ["linear", "majority"]}
    results = harness.run(**asked, split="loso", plugins=toys)
    board = results.board(metric="uar")
    assert repr(board).startswith("UAR in percent")
    assert board._repr_markdown_().startswith("**UAR in percent")
    assert "tabular" in board.render("latex")
    compared = results.compare("toy/linear", "toy/majority", detect=5)
    assert "A is toy · linear" in compared.table.title
    with pytest.raises(HarnessError, match="stands on both sides"):
        results.compare("toy/linear", "toy/linear")


def test_a_metric_of_a_notebooks_own_is_a_column(toys):
    @metric("Half")
    def always_half(predictions):
        """One half."""
        return 0.5

    class Offers:
        @hookimpl
        def harness_metrics(self):
            yield always_half

    harness.run(**SERIAL, plugins=toys)
    results = harness.results(plugins=[*toys, Offers()])
    assert results.results["always_half"].to_pylist() == [0.5]


# ---------------------------------------------------------------- features


def test_features_are_arrays_with_the_utterances_beside(toys):
    features = harness.features("toy", "tones", quiet=True, plugins=toys)
    assert features.array.shape == (40, TOY.layers, TOY.dim)
    assert features.array.dtype == np.float32
    rows = features.utterances.to_pandas()
    assert rows.id.is_monotonic_increasing
    assert set(rows.label) == {"high", "low"}
    assert rows.speaker.nunique() == 5
    assert "40 utterances, 3 layers, 8 dims" in repr(features)


@pytest.mark.parametrize(("frames", "shape"), [("last", (8,)), ("all", (8,))])
def test_frames_come_clip_by_clip(toys, frames, shape):
    asked = {"quiet": True, "executor": "serial", "plugins": toys}
    features = harness.features("toy", "tones", frames=frames, **asked)
    means = harness.features("toy", "tones", **asked)
    one = features[3] if frames == "last" else features[3][-1]
    assert one.shape[1:] == shape
    assert np.allclose(one.mean(0), means.array[3, -1], atol=1e-6)
    with pytest.raises(HarnessError, match="no one array"):
        _ = features.array


def test_the_package_of_features_is_still_a_package():
    from harness.features.store import FeatureStore

    assert FeatureStore.__module__ == "harness.features.store"
    assert callable(harness.features)


def test_a_script_without_a_guard_runs_once(tmp_path, tones):
    """Worker processes do not run the script that started them."""
    script = tmp_path / "script.py"
    script.write_text(
        "import harness\n"
        "print('once')\n"
        "results = harness.run(upstream='fbank', downstream='majority',\n"
        "    corpus='csv:table.csv', controls=False, workers=2, quiet=True)\n"
        "print(len(results.results))\n"
    )
    rows = [
        f"data/tones/{p.name},{p.name.split('_')[1]},{p.name.split('_')[0]}\n"
        for p in sorted(tones.iterdir())
    ]
    (tmp_path / "table.csv").write_text("path,label,speaker\n" + "".join(rows))
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        env={"PATH": "", "HARNESS_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("once\n1\n", 0), done.stderr
