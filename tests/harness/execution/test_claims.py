"""Processes that want the same cells compute each of them once."""

from __future__ import annotations

import multiprocessing
import time

import pytest
from filelock import FileLock
from toys import GRID, ToyPlugin

from harness import hookimpl
from harness.cli.main import execute
from harness.execution.claims import FEW, Claim, Claims
from harness.leftovers import TRAINING
from harness.registry import plugin_manager


@pytest.fixture
def two(tmp_path):
    """Two processes' claims on one cache, and the set of finished runs."""
    finished: set[str] = set()
    return *(Claims(tmp_path, lambda: set(finished)) for _ in range(2)), finished


def test_a_cell_is_computed_by_who_claims_it_first(two):
    ours, others, _ = two
    assert ours.take("a") is Claim.OURS
    assert others.take("a") is Claim.ELSEWHERE
    assert others.take("b") is Claim.OURS
    assert ours.take("b") is Claim.ELSEWHERE


def test_a_cell_that_was_waited_for_is_done(two):
    ours, others, finished = two
    ours.take("a")
    assert others.take("a") is Claim.ELSEWHERE
    finished.add("a")
    ours.release("a")
    assert others.take("a") is Claim.DONE


def test_a_cell_that_failed_elsewhere_is_ours(two):
    ours, others, _ = two
    ours.take("a")
    assert others.take("a") is Claim.ELSEWHERE
    ours.close()
    assert others.take("a") is Claim.OURS


def test_what_another_process_has_just_finished_is_done(two):
    ours, others, finished = two
    assert ours.take("a") is Claim.OURS
    others.take("b")
    finished.add("b")
    others.release("b")
    assert ours.take("b") is Claim.DONE


def test_many_finished_runs_are_not_listed_for_each_cell(tmp_path):
    asked = []

    def finished():
        asked.append(1)
        return range(FEW)

    ours = Claims(tmp_path, finished)
    assert {ours.take(str(number)) for number in range(50)} == {Claim.OURS}
    assert len(asked) < 50


def test_without_locks_a_cell_is_ours(two, monkeypatch):
    def refuse(lock):
        raise OSError(95, "no locks here")

    monkeypatch.setattr(FileLock, "_acquire", refuse)
    ours, others, _ = two
    assert ours.take("a") is Claim.OURS
    assert others.take("a") is Claim.OURS


class Counting(ToyPlugin):
    """Notes each result, and takes its time to store it."""

    def __init__(self, log):
        self.log = log

    @hookimpl(tryfirst=True)
    def harness_result(self, event):
        with self.log.open("a") as file:
            file.write(event.result.run_id + "\n")
        time.sleep(0.05)


def run(folder):
    manager = plugin_manager()
    manager.register(Counting(folder / "log"))
    folders = ("--cache", str(folder / "cache"), "--runs", str(folder / "runs"))
    words = (*GRID, "--downstream", "linear", "--seeds", "0-3", "--quiet")
    raise SystemExit(execute(["run", *words, *folders], manager))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_equal_commands_at_once_compute_each_cell_once(tones, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(tones.parent))
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=run, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    computed = (tmp_path / "log").read_text().split()
    stored = {path.stem for path in (tmp_path / "runs").glob("*.parquet")}
    assert len(stored) == 4
    assert len(computed) == len(set(computed)) == 4
    assert list((tmp_path / "cache" / TRAINING).iterdir()) == []
