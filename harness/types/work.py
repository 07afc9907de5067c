"""How work is asked for and where it is done: suites, executors, progress."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

Selection = Literal["macro_f1", "uar"]
FrameType = Literal["float32", "float16"]
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A named study: a TOML file with grids of upstreams, downstreams and corpora."""

    name: str
    summary: str
    file: Path


Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


class Map(Protocol):
    """Map a pure function over picklable tasks, giving outcomes as they come."""

    def __call__(
        self, function: Callable[[Task], Outcome], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Outcome | Exception]]:
        """Yield each task with what it gave or raised, in order of completion."""


@dataclass(frozen=True, kw_only=True)
class Executor:
    """Where tasks run.

    Attributes:
        name: The word after ``--executor``.
        summary: One line for ``--help``.
        start: From a number of workers to a map that lasts as long as the context;
            tasks find neither shared memory nor open files there, only the stores.
    """

    name: str
    summary: str
    start: Callable[[int], AbstractContextManager[Map]]


class Stages(Protocol):
    """How long work tells of its progress."""

    def __call__(
        self, title: str, total: float, unit: str
    ) -> AbstractContextManager[Callable[[float], None]]:
        """Open a stage; what it gives is told of each amount that is done.

        Args:
            title: What is being done.
            total: How much there is to do.
            unit: ``files``, ``audio`` (seconds) or ``cells``.
        """


@contextmanager
def silence(title: str, total: float, unit: str) -> Iterator[Callable[[float], None]]:
    """Tell nobody: the stages of quiet work."""
    yield lambda amount: None
