"""Tasks in flight: order, window, memory, failures, lost workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

from harness import HarnessError, Resources, Task
from harness.execution.executors import Processes, Serial
from harness.execution.scheduler import run_tasks


def task(name, function, payload=None, *, stage=None, needs=(), memory=1):
    return Task(
        id=name,
        stage=stage or name,
        needs=tuple(needs),
        resources=Resources(memory=memory, seconds=0.0),
        function=function,
        payload=payload,
    )


def same(value):
    return value


def fail(sentence):
    raise HarnessError(sentence)


def die(folder):
    """Kill the worker that does this, as often as a file in the folder says."""
    left = Path(folder) / "left"
    deaths = int(left.read_text())
    if deaths:
        left.write_text(str(deaths - 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def ended(tasks, executor=None, *, window=1, memory=None):
    """Run tasks; return what each returned, or the text of what it raised, in order."""
    outcomes = run_tasks(tasks, executor or Serial(), window=window, memory=memory)
    return {
        outcome.task.id: str(outcome.error) if outcome.error else outcome.value
        for outcome in outcomes
    }


class Recording(futures.ThreadPoolExecutor):
    """Threads, and how many tasks (and how much memory) were in flight at once."""

    def __init__(self):
        super().__init__(8)
        self.most = self.most_memory = 0
        self._flying = {}
        self._lock = threading.Lock()

    def submit(self, function, /, *arguments, **named):
        (task,) = arguments

        def work():
            time.sleep(0.01)
            try:
                return function(task)
            finally:
                with self._lock:
                    del self._flying[task.id]

        with self._lock:
            self._flying[task.id] = task.resources.memory
            self.most = max(self.most, len(self._flying))
            self.most_memory = max(self.most_memory, sum(self._flying.values()))
        return super().submit(work)


def test_tasks_run_in_the_order_of_the_plan():
    tasks = [task(str(number), same, number) for number in range(5)]
    assert list(ended(tasks).values()) == [0, 1, 2, 3, 4]


def test_a_task_waits_for_all_of_a_stage():
    tasks = [
        task("head", same, "h", needs=["features", "certificate"]),
        task("one", same, 1, stage="features"),
        task("two", same, 2, stage="features"),
    ]
    assert list(ended(tasks)) == ["one", "two", "head"]


def test_a_later_pair_is_in_flight_while_an_earlier_one_waits():
    started = threading.Event()

    def wait(_):
        assert started.wait(10), "the second pair never started"

    def start(_):
        started.set()

    tasks = [
        task("extract a", wait, stage="a"),
        task("fit a", same, needs=["a"]),
        task("extract b", start, stage="b"),
        task("fit b", same, needs=["b"]),
    ]
    with Recording() as threads:
        done = ended(tasks, threads, window=2)
    assert set(done.values()) == {None}


def test_a_failed_task_fails_what_needs_it_and_nothing_else():
    tasks = [
        task("extract a", fail, "no weights", stage="a"),
        task("fit a", same, 1, needs=["a"]),
        task("again a", same, 2, needs=["fit a"]),
        task("extract b", same, 3, stage="b"),
        task("fit b", same, 4, needs=["b"]),
    ]
    assert ended(tasks) == {
        "extract a": "no weights",
        "fit a": "no weights",
        "again a": "no weights",
        "extract b": 3,
        "fit b": 4,
    }


def test_the_rest_of_a_failed_stage_is_not_tried(tmp_path):
    def touch(name):
        (tmp_path / name).touch()

    tasks = [
        task("one", fail, "no", stage="a"),
        task("two", touch, "two", stage="a"),
    ]
    assert ended(tasks) == {"one": "no", "two": "no"}
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("window", [1, 3])
def test_no_more_tasks_are_in_flight_than_the_window_has(window):
    tasks = [task(str(number), same) for number in range(12)]
    with Recording() as threads:
        ended(tasks, threads, window=window)
    assert threads.most == window


def test_tasks_in_flight_fit_into_memory():
    tasks = [task(str(number), same, memory=4) for number in range(8)]
    with Recording() as threads:
        ended(tasks, threads, window=8, memory=10)
    assert threads.most_memory == 8


def test_a_task_that_is_larger_than_memory_runs_alone():
    tasks = [task("small", same, 1), task("huge", same, 2, memory=100)]
    with Recording() as threads:
        assert ended(tasks, threads, window=8, memory=10) == {"small": 1, "huge": 2}
    assert threads.most == 1


@pytest.mark.parametrize(("deaths", "end"), [(1, "alive"), (2, "alive"), (3, "lost")])
def test_a_lost_worker_costs_another_try_of_its_task(tmp_path, deaths, end):
    (tmp_path / "left").write_text(str(deaths))
    tasks = [task("mortal", die, str(tmp_path))]
    tasks += [task(str(number), same, number) for number in range(6)]
    with Processes(2) as processes:
        done = ended(tasks, processes, window=2)
    assert end in done.pop("mortal")
    assert sorted(done.values()) == list(range(6))


def test_tasks_that_wait_are_cancelled_where_the_consumer_stops():
    class Never(futures.Executor):
        def submit(self, function, /, *arguments, **named):
            future: futures.Future[Any] = futures.Future()
            if arguments[0].id == "0":
                future.set_result(None)
            submitted.append(future)
            return future

    submitted: list[futures.Future[Any]] = []
    outcomes = run_tasks(
        [task(str(number), same) for number in range(4)], Never(), window=3
    )
    next(outcomes)
    outcomes.close()
    assert [future.cancelled() for future in submitted] == [False, True, True]


def test_an_interrupt_in_a_task_ends_the_run():
    class Interrupted(futures.Executor):
        def submit(self, function, /, *arguments, **named):
            future: futures.Future[Any] = futures.Future()
            future.set_exception(KeyboardInterrupt())
            return future

    with pytest.raises(KeyboardInterrupt):
        ended([task("0", same)], Interrupted())


def test_nothing_is_started_after_the_time_that_is_given():
    tasks = [task(str(number), same, number) for number in range(3)]
    late = run_tasks(tasks, Serial(), window=1, until=time.monotonic() - 1)
    assert list(late) == []


def test_what_runs_when_the_time_is_over_is_finished():
    tasks = [task(str(number), time.sleep, 0.2) for number in range(4)]
    with futures.ThreadPoolExecutor(2) as pool:
        outcomes = run_tasks(tasks, pool, window=2, until=time.monotonic() + 0.1)
        assert [outcome.task.id for outcome in outcomes] == ["0", "1"]
