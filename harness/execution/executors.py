"""Where tasks run: in worker processes of this machine, or in this one process.

An executor of another kind (a cluster's engine) is a plugin that offers ``Executor``.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.hookspecs import hookimpl
from harness.types import Executor, Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.types import Map


@contextmanager
def serial(workers: int) -> Iterator[Map]:
    """Run one task after another in this process."""

    def run(
        function: Callable[[Task], Outcome], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Outcome | Exception]]:
        for task in tasks:
            try:
                outcome: Outcome | Exception = function(task)
            except Exception as error:  # given to the caller, who names the task
                outcome = error
            yield task, outcome

    yield run


@contextmanager
def local(workers: int) -> Iterator[Map]:
    """Run tasks in fresh processes of this machine, which end with this one."""
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
    )

    def run(
        function: Callable[[Task], Outcome], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Outcome | Exception]]:
        futures = {pool.submit(function, task): task for task in tasks}
        for future in as_completed(futures):
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                raise HarnessError(
                    "A worker process died, most likely for want of memory. What was "
                    "finished is kept; run the same command again with fewer --workers."
                ) from error
            if error is not None and not isinstance(error, Exception):
                raise error
            yield futures[future], error or future.result()

    try:
        yield run
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    finally:
        pool.shutdown()


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and do not outlive it, whatever ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@hookimpl
def harness_executors() -> Iterator[Executor]:
    """Offer the two ways to run on one machine."""
    yield Executor(
        name="local", summary="worker processes of this machine", start=local
    )
    yield Executor(
        name="serial", summary="one task after another, in this process", start=serial
    )
