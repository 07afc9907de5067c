"""Results go to MLflow where that is asked for, and are stored whatever it does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
from harness_plugins.trackers import mlflow as tracker
from results import make_result
from toys import GRID

from harness import CellFinished, HarnessError, PluginError, RunStarting

ROOT = Path(__file__).parents[3]
STARTING = RunStarting(runs=Path("runs"))
FINISHED = CellFinished(runs=Path("runs"), result=make_result())
RUN = ("run", *GRID, "--downstream", "linear", "--no-controls", "--seeds", "0")


class Server(ModuleType):
    """Stands in for MLflow, and notes what it is asked."""

    def __init__(self, fault: Exception | None = None):
        super().__init__("mlflow")
        self.__spec__ = ModuleSpec("mlflow", None)
        self.fault = fault
        self.noted: list[tuple[object, ...]] = []

    def search_experiments(self, max_results):
        if self.fault:
            raise self.fault

    @contextmanager
    def start_run(self, **named):
        if self.fault:
            raise self.fault
        self.noted.append(("run", named["run_name"]))
        yield

    def set_tag(self, key, value):
        self.noted.append(("tag", key, value))

    def log_params(self, params):
        self.noted.append(("params", params))

    def log_metrics(self, metrics, step=None):
        self.noted.append(("metrics", step, metrics))


@pytest.fixture
def server(monkeypatch):
    """MLflow is asked for, and there."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    server = Server()
    monkeypatch.setitem(sys.modules, "mlflow", server)
    return server


def test_nothing_happens_unless_it_is_asked_for(server, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    server.fault = OSError("no answer")
    tracker.harness_run_starting(event=STARTING)
    tracker.harness_result(event=FINISHED)
    assert server.noted == []


def test_condition_curve_and_scores_are_logged(server):
    tracker.harness_run_starting(event=STARTING)
    tracker.harness_result(event=FINISHED)
    run, tag, (_, params), (_, step, curve), (_, _, scores) = server.noted
    assert run == ("run", str(FINISHED.result.cell))
    assert tag == ("tag", "harness.run_id", FINISHED.result.run_id)
    assert params["upstream.name"] == "whisper-base"
    assert params["downstream.recipe.optimiser.learning_rate"] == 5e-4
    assert (params["fold"], params["seed"]) == ("0", 0)
    assert (step, curve["valid_loss"]) == (1, 0.6)
    assert scores == FINISHED.result.scores


def test_a_run_is_refused_where_the_server_does_not_answer(server):
    server.fault = OSError("connection refused")
    with pytest.raises(HarnessError, match=r"connection refused\. Unset") as caught:
        tracker.harness_run_starting(event=STARTING)
    assert not isinstance(caught.value, PluginError)


def test_without_the_library_a_run_says_so_once_and_goes_on(harness, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    code, _, err = harness(*RUN)
    assert code == 0
    assert err.count("pip install 'speech-harness[mlflow]'") == 1


def test_a_failure_of_it_names_the_plugin_and_loses_no_result(
    harness, server, tmp_path
):
    server.start_run = None  # what a broken library may be
    code, _, err = harness(*RUN)
    assert code == 0
    assert "The plugin mlflow cannot log to http://127.0.0.1:1" in err
    assert list((tmp_path / "runs").glob("*.parquet"))


def test_the_example_of_a_tracker_in_the_guide_tracks(harness, manager, tmp_path):
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    section = guide.split("## Add a tracker")[1]
    (code, *_) = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    module = ModuleType("example")
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
    manager.register(module, name="example")
    assert harness(*RUN)[0] == 0
    (line,) = (tmp_path / "runs/results.jsonl").read_text("utf-8").splitlines()
    assert '"macro_f1"' in line


REAL = """
import os, sys
from pathlib import Path
sys.path.insert(0, os.environ["TESTS"])
import mlflow
from harness_plugins.trackers import mlflow as tracker
from results import make_result
from harness import CellFinished, RunStarting
tracker.harness_run_starting(RunStarting(runs=Path("x")))
tracker.harness_result(CellFinished(runs=Path("x"), result=make_result()))
(run,) = mlflow.search_runs(output_format="list")
assert run.data.metrics["macro_f1"] == 0.8
assert run.data.params["upstream.name"] == "whisper-base"
"""


def test_the_library_itself_takes_what_is_logged(tmp_path):
    pytest.importorskip("mlflow", exc_type=ImportError)
    settings = {
        "MLFLOW_TRACKING_URI": (tmp_path / "store").as_uri(),
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "TESTS": str(ROOT / "tests"),
    }
    subprocess.run(
        [sys.executable, "-c", REAL],
        check=True,
        cwd=tmp_path,
        env=os.environ | settings,
    )
