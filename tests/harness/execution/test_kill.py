"""Whatever ends a run, the same command goes on and ends with the same numbers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from toys import GRID, ToyPlugin

from harness.cli.main import execute
from harness.registry import plugin_manager

KILLS = 20
COMMAND = (
    *("run", *GRID, "--quiet", "--downstream", "linear,multilayer"),
    *("--split", "loso", "--seeds", "0-1"),
)


def run(folder):
    """Run the program in this process, with its results below a folder."""
    manager = plugin_manager()
    manager.register(ToyPlugin())
    folders = ("--cache", str(folder / "cache"), "--runs", str(folder / "runs"))
    return execute([*COMMAND, *folders], manager)


def results(folder):
    names = ["run_id", "macro_f1", "best_epoch", "layer_weights", "predictions"]
    table = pyarrow.parquet.read_table(folder / "runs", columns=names)
    return sorted(table.to_pylist(), key=lambda row: row["run_id"])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_numbers(
    tones, tmp_path, monkeypatch
):
    monkeypatch.setenv("HARNESS_DATA", str(tones.parent))
    started = time.monotonic()
    assert run(tmp_path / "whole") == 0
    whole = time.monotonic() - started
    expected = results(tmp_path / "whole")
    assert len(expected) == 20
    rng, context = np.random.default_rng(0), multiprocessing.get_context("fork")
    kills, folder = 0, tmp_path / "0"
    while kills < KILLS:
        child = context.Process(target=run, args=(folder,))
        child.start()
        child.join(rng.uniform(0, whole / 8))
        child.kill()
        child.join()
        kills += child.exitcode == -signal.SIGKILL
        if child.exitcode == 0:
            assert results(folder) == expected
            folder = tmp_path / str(kills)
    assert run(folder) == 0
    assert results(folder) == expected


WORKERS = """
import sys
from harness.cli.main import execute
from harness.registry import plugin_manager
from toys import ToyPlugin

if __name__ == "__main__":
    manager = plugin_manager()
    manager.register(ToyPlugin())
    sys.exit(execute(sys.argv[1:], manager))
"""


@pytest.fixture
def start(tones, tmp_path):
    """Start the program with worker processes, on cells that take long."""
    script = tmp_path / "script.py"
    script.write_text(WORKERS)
    grid = (
        "--upstream",
        "toy",
        "--corpus",
        "tones",
        "--downstream",
        "multilayer",
        "--no-controls",
    )
    folders = ("--cache", str(tmp_path / "cache"), "--runs", str(tmp_path / "runs"))
    return lambda: subprocess.Popen(
        [
            *(sys.executable, str(script), "run", *grid, *folders),
            *("--executor", "local", "--workers", "2", "--seeds", "0-999"),
        ],
        env=os.environ
        | {
            "HARNESS_DATA": str(tones.parent),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_results(runs, process):
    for _ in range(1200):
        if len(list(runs.glob("*.parquet"))) > 2:
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    raise TimeoutError


def alive(session):
    """The processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads Linux' /proc")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_program(start, tmp_path, kill):
    process = start()
    wait_for_results(tmp_path / "runs", process)
    assert len(alive(process.pid)) >= 3
    os.kill(process.pid, kill)
    code = process.wait(60)
    for _ in range(600):
        if not alive(process.pid):
            break
        time.sleep(0.05)
    assert alive(process.pid) == []
    errors = process.stderr.read()
    process.stderr.close()
    if kill == signal.SIGINT:
        assert code == 130
        assert "the same command goes on" in errors
        assert "Traceback" not in errors
