"""What a cluster makes of many short tasks: the harness' scheduler on a real Ray.

    python benchmarks/cluster.py --workers 1,4,16,64 --seconds 1,10 --tasks 10000

Ray has as many logical CPUs as there are workers; a task sleeps, so that one machine
plays many. Printed for each: how much of the workers' time was work, and what a task
took beside its sleep. Few workers get fewer tasks: as many as keep each of them busy
for ``--minutes``.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass

from harness_plugins.executors import ray as engine

from harness import Resources, Task
from harness.execution.scheduler import run_tasks

WARM = 0.5
"""Seconds that a task of the round that starts all workers sleeps."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    workers: int
    tasks: int
    seconds: float
    took: float
    processor: float

    @property
    def efficiency(self) -> float:
        """Return the share of the workers' time that was sleep."""
        return self.tasks * self.seconds / (self.workers * self.took)

    @property
    def overhead(self) -> float:
        """Return the seconds of a worker that a task took beside its sleep."""
        return self.took * self.workers / self.tasks - self.seconds


def sleeping(count: int, seconds: float) -> list[Task]:
    resources = Resources(memory=0, seconds=seconds)
    return [
        Task(
            id=f"sleep {number}",
            stage=f"sleep {number}",
            resources=resources,
            function=time.sleep,
            payload=seconds,
        )
        for number in range(count)
    ]


def measure(pool: engine.Pool, workers: int, count: int, seconds: float) -> Measured:
    started, own = time.perf_counter(), time.process_time()
    window = max(1000, 4 * workers)
    outcomes = list(
        run_tasks(sleeping(count, seconds), pool, window=window, alone=False)
    )
    assert len(outcomes) == count
    assert all(outcome.error is None for outcome in outcomes)
    return Measured(
        workers=workers,
        tasks=count,
        seconds=seconds,
        took=time.perf_counter() - started,
        processor=time.process_time() - own,
    )


def warm(pool: engine.Pool, workers: int) -> None:
    """Let Ray start all of its worker processes, which takes a while."""
    for _ in range(3):
        measure(pool, workers, 4 * workers, WARM)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", default="1,4,16,64")
    parser.add_argument("--seconds", default="1,10")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=3.0)
    asked = parser.parse_args()
    os.environ.pop("RAY_ADDRESS", None)
    print(
        "| workers | tasks | s a task | wall s | efficiency | overhead a task, ms |",
        end="",
    )
    print(" scheduler and driver, ms a task |\n|---:|---:|---:|---:|---:|---:|---:|")
    for workers in map(int, asked.workers.split(",")):
        with engine.start(workers) as pool:
            warm(pool, workers)
            for seconds in map(float, asked.seconds.split(",")):
                most = int(workers * 60 * asked.minutes / seconds)
                one = measure(pool, workers, min(asked.tasks, most), seconds)
                print(
                    f"| {workers} | {one.tasks} | {seconds:g} | {one.took:.1f} "
                    f"| {one.efficiency:.3f} | {1000 * one.overhead:.0f} "
                    f"| {1000 * one.processor / one.tasks:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
