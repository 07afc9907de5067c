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
    *(*GRID, "--quiet", "--downstream", "linear,multilayer"),
    *("--split", "loso", "--seeds", "0-1"),
)


def run(folder, command=COMMAND):
    """Run the program in this process, with its results below a folder."""
    manager = plugin_manager()
    manager.register(ToyPlugin())
    folders = ("--cache", str(folder / "cache"), "--runs", str(folder / "runs"))
    return execute(["run", *command, *folders], manager)


def results(folder):
    """Every number of every stored result below a folder."""
    rows = pyarrow.parquet.read_table(folder / "runs").to_pylist()
    numbers = ("scores", "best_epoch", "layer_weights", "history", "predictions")
    return {row["run_id"]: [str(row[name]) for name in numbers] for row in rows}


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
    """Start the program in worker processes, on so many cells that take long."""
    script = tmp_path / "script.py"
    script.write_text(WORKERS)

    def start(cells):
        words = (
            *("run", "--upstream", "toy", "--corpus", "tones", "--no-controls"),
            *("--downstream", "multilayer", "--seeds", f"0-{cells - 1}"),
            *("--executor", "local", "--workers", "2"),
            *("--cache", tmp_path / "cache", "--runs", tmp_path / "runs"),
        )
        tests = str(Path(__file__).parents[2])
        return subprocess.Popen(
            [sys.executable, str(script), *map(str, words)],
            env=os.environ | {"HARNESS_DATA": str(tones.parent), "PYTHONPATH": tests},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


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


def workers(session):
    """Those of them that are worker processes."""

    def is_worker(pid):
        try:
            return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    return sorted(filter(is_worker, alive(session)))


on_linux = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="reads Linux' /proc"
)


@on_linux
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_program(start, tmp_path, kill):
    process = start(cells=1000)
    wait_for_results(tmp_path / "runs", process)
    assert len(workers(process.pid)) == 2
    os.kill(process.pid, kill)
    _, errors = process.communicate(timeout=60)
    for _ in range(600):
        if not alive(process.pid):
            break
        time.sleep(0.05)
    assert alive(process.pid) == []
    if kill == signal.SIGINT:
        assert process.returncode == 130
        assert "the same command goes on" in errors
        assert "Traceback" not in errors


@on_linux
def test_a_worker_that_is_killed_costs_another_try_and_no_number(
    start, tmp_path, tones, monkeypatch
):
    process = start(cells=24)
    wait_for_results(tmp_path / "runs", process)
    before = workers(process.pid)
    os.kill(before[0], signal.SIGKILL)
    assert len(list((tmp_path / "runs").glob("*.parquet"))) < 24
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    interrupted = results(tmp_path)
    assert len(interrupted) == 24
    monkeypatch.setenv("HARNESS_DATA", str(tones.parent))
    command = (*GRID, "--quiet", "--downstream", "multilayer", "--seeds", "0-23")
    assert run(tmp_path / "whole", command) == 0
    assert interrupted == results(tmp_path / "whole")
