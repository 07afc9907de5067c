"""Where tasks run: in worker processes of this machine, or in this one process.

An executor of another kind (a cluster's engine) is a plugin that offers ``Executor``:
its ``start`` returns anything with the interface of ``concurrent.futures.Executor``.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from concurrent import futures
from contextlib import ExitStack, contextmanager
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import HarnessError, PluginError
from harness.execution.relay import relayed, write_into
from harness.hookspecs import hookimpl
from harness.registry.isolation import ended, reason
from harness.types import Executor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from types import TracebackType

    from harness.types import Pool

Value = TypeVar("Value")


class Serial(futures.Executor):
    """Runs each task when it is submitted, in this process."""

    def submit(
        self,
        fn: Callable[..., Value],
        /,
        *args: Any,  # noqa: ANN401 - the interface's
        **kwargs: Any,  # noqa: ANN401
    ) -> futures.Future[Value]:
        """Call the function, and return a future that is done."""
        future: futures.Future[Value] = futures.Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # the future holds it for the scheduler
            future.set_exception(error)
        return future


class Processes(futures.Executor):
    """Fresh processes of this machine; lost ones are replaced, and none outlives it."""

    def __init__(self, workers: int) -> None:
        """Start no process yet; each is started by a task that finds none free."""
        self._workers = workers
        self._others = set(multiprocessing.active_children())
        self._relay = relayed()
        self._pool = self._start()

    def _start(self) -> futures.ProcessPoolExecutor:
        stderr = self._relay.into if self._relay else None
        return futures.ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=partial(_start_worker, stderr),
        )

    def submit(
        self,
        fn: Callable[..., Value],
        /,
        *args: Any,  # noqa: ANN401 - the interface's
        **kwargs: Any,  # noqa: ANN401
    ) -> futures.Future[Value]:
        """Hand a call to a process, of a new pool if the last one was broken."""
        with _main_is_not_run():
            try:
                return self._pool.submit(fn, *args, **kwargs)
            except futures.BrokenExecutor:
                self._pool.shutdown(wait=False)
                self._pool = self._start()
                return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)
        if self._relay:
            self._relay.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the processes, at once where something was raised.

        They are killed then, and not waited for: their pool may wait for ever for a
        lock or for the rest of a message that was cut off.
        """
        if kind is not None:
            for worker in set(multiprocessing.active_children()) - self._others:
                worker.kill()
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)


@contextmanager
def _main_is_not_run() -> Iterator[None]:
    """Start processes that do not run the program's own script once more.

    A fresh process imports the main module, so that a script which calls
    ``harness.run`` would call it in each of its workers. Tasks are of modules, and need
    nothing of it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start_worker(stderr: Connection | None) -> None:
    """Leave Ctrl-C to the parent, and do not outlive it, whatever ends it.

    Args:
        stderr: What stands for it, if anything.
    """
    if stderr is not None:
        write_into(stderr)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def started(executor: Executor, workers: int) -> Iterator[Pool]:
    """Start an executor, and end it.

    Raises:
        HarnessError: Where its packages or its cluster are not there.
    """
    name, ending = executor.name, signal.getsignal(signal.SIGTERM)
    with ExitStack() as stack:
        try:
            pool = stack.enter_context(executor.start(workers))
        except ModuleNotFoundError as error:
            raise HarnessError(
                f"The executor '{name}' needs the package '{error.name}', which is not "
                f"installed: pip install 'speech-harness[{name.partition(':')[0]}]'."
            ) from error
        except HarnessError:
            raise
        except Exception as error:  # isolates the executor that is named
            raise PluginError(
                f"The executor '{name}' cannot start: {ended(reason(error))} "
                "docs/cluster.md says what it needs."
            ) from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ending)  # engines set their own
        yield pool


def serial(workers: int) -> futures.Executor:
    """Start the executor of this process."""
    return Serial()


def local(workers: int) -> futures.Executor:
    """Start the executor of worker processes."""
    return Processes(workers)


@hookimpl
def harness_executors() -> Iterator[Executor]:
    """Offer the two ways to run on one machine."""
    yield Executor(
        name="local", summary="worker processes of this machine", start=local
    )
    yield Executor(
        name="serial",
        summary="one task after another, in this process",
        start=serial,
        window=1,
    )
