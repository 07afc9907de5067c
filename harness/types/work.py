"""How work is asked for and where it is done: suites, tasks, executors, progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FrameType = Literal["float32", "float16"]
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A named study: a TOML file with grids of upstreams, downstreams and corpora."""

    name: str
    summary: str
    file: Path


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a task takes, as far as that can be said before.

    Attributes:
        memory: Of the machine, in bytes.
        seconds: Of one core, or of a GPU where it has one.
        gpu: Whether it uses a GPU where there is one.
    """

    memory: int
    seconds: float
    gpu: bool = False


@dataclass(frozen=True, kw_only=True)
class Task:
    """A piece of work that can be done anywhere.

    Attributes:
        id: Its own.
        stage: What it contributes to; a stage is done when all its tasks are.
        needs: Stages that must be done before.
        resources: What it takes.
        function: Of a module, so that it can be pickled.
        payload: Its one argument: small, picklable, and by reference, so that a stage
            of thousands of tasks is a few megabytes.
    """

    id: str
    stage: str
    needs: tuple[str, ...] = ()
    resources: Resources
    function: Callable[[Any], Any]
    payload: Any


def perform(task: Task) -> object:
    """Do a task; this is what the scheduler submits to an executor."""
    return task.function(task.payload)


class Pool(Protocol):
    """What takes tasks: anything with a ``submit`` as ``concurrent.futures`` has it."""

    def submit(self, function: Callable[[Task], Any], task: Task, /) -> Future[Any]:
        """Call the function with the task, somewhere, placed by ``task.resources``.

        A task whose worker was lost is submitted again.
        """


@dataclass(frozen=True, kw_only=True)
class Executor:
    """Where tasks run.

    Attributes:
        name: The word after ``--executor``.
        summary: One line for ``harness list executors``.
        start: From a number of workers (0 for as many as there are) to what takes
            tasks: anything with the interface of ``concurrent.futures.Executor``, of
            which only ``submit(function, task)`` is called.
        window: How many tasks may be in flight at once; ``None`` for as many as there
            are workers on this machine, within its memory.
        options: A frozen dataclass whose fields, all with defaults, are what a user may
            set by ``NAME:field=value``; ``start`` is passed an instance.
        everywhere: For workers on other machines: calls a function without arguments
            once on each node that is there, by what ``start`` returned, and returns
            what it returned, or an exception, by a name of the node. So each node is
            asked before the work whether it can do it.
        explain: From an exception of a future to what the task raised, or to
            ``concurrent.futures.BrokenExecutor`` where its worker was lost.
    """

    name: str
    summary: str
    start: Callable[..., AbstractContextManager[Pool]]
    window: int | None = None
    options: type[Any] | None = None
    everywhere: Callable[[Any, Callable[[], Any]], Mapping[str, Any]] | None = None
    explain: Callable[[BaseException], BaseException] = lambda error: error


class Advance(Protocol):
    """Note that a part of a stage is done."""

    def __call__(self, amount: float, forecast: float = 0.0, /) -> None:
        """Add an amount, and the seconds that were forecast for it, if any were."""


class Stages(Protocol):
    """How long work reports its progress."""

    def __call__(
        self, title: str, total: float, unit: str, forecast: float = 0.0
    ) -> AbstractContextManager[Advance]:
        """Open a stage; what it yields is called with each amount done.

        Args:
            title: What is being done.
            total: How much there is to do.
            unit: ``files``, ``audio`` (seconds) or ``cells``.
            forecast: How long it may take, in seconds; 0 where nothing says.
        """


@contextmanager
def silence(
    title: str, total: float, unit: str, forecast: float = 0.0
) -> Iterator[Advance]:
    """Report nothing: the stages of quiet work."""
    yield lambda amount, forecast=0.0, /: None
