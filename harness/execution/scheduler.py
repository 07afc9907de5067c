"""Keep tasks in flight: in the order of a plan, as soon as what they need is done.

All pairs of a plan are in flight at once, within a window: a head starts when its
features are there, while other features are being extracted. A task that fails fails
those that need its stage, and no others. A task whose worker was lost is tried again;
alone where a lost worker takes the others with it, so that one that kills its worker is
found. A task that another process has claimed is left to it, and asked for again until
it is done.
"""

from __future__ import annotations

import heapq
import logging
import time
from collections import Counter, defaultdict
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.execution.claims import Claim
from harness.types import perform

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from concurrent.futures import Future

    from harness.types import Pool, Task

LOG = logging.getLogger(__name__)

TRIES = 3
"""How often a task whose worker is lost is started in all."""


RETRY = 0.2
"""Seconds until a task that another process has claimed is asked for again."""


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes:
        task: Which one.
        value: What it returned; ``None`` if another process did it.
        error: What it raised, or what a task that it needs raised.
    """

    task: Task
    value: object = None
    error: Exception | None = None


def run_tasks(
    tasks: Sequence[Task],
    pool: Pool,
    *,
    window: int,
    memory: int | None = None,
    claim: Callable[[Task], Claim] = lambda task: Claim.OURS,
    until: float | None = None,
    alone: bool = True,
) -> Generator[Outcome, None, None]:
    """Run tasks, and yield how each ended, as they end.

    Where the consumer stops, tasks in flight are cancelled if they can be.

    Args:
        tasks: In the order in which they are best started.
        pool: Anything with the interface of ``concurrent.futures.Executor``.
        window: How many are in flight at once.
        memory: What tasks in flight may take together, in bytes; a task that takes more
            runs alone. ``None`` for no bound.
        claim: Says of a task that is about to start who does it.
        until: Start none after this time, by ``time.monotonic``; those that then run
            are waited for, and of the others nothing is yielded.
        alone: Try a task whose worker was lost when nothing else is in flight: for a
            pool that loses all of its workers with one.
    """
    schedule = _Schedule(tasks, pool, window, memory, claim, alone)
    schedule.until = until
    try:
        yield from schedule.run()
    finally:
        for future in schedule.flying:
            future.cancel()


class _Schedule:
    """Tasks that wait, that are ready and that are in flight."""

    def __init__(
        self,
        tasks: Sequence[Task],
        pool: Pool,
        window: int,
        memory: int | None,
        claim: Callable[[Task], Claim],
        alone: bool,
    ) -> None:
        self.tasks, self.pool = tasks, pool
        self.window, self.memory = window, memory
        self.claim, self.alone = claim, alone
        self.until: float | None = None
        self.left = Counter(task.stage for task in tasks)
        self.failed: dict[str, Exception] = {}
        self.lacking: dict[int, set[str]] = {}
        self.waiting: dict[str, list[int]] = defaultdict(list)
        self.ready: list[int] = []
        self.suspects: list[int] = []
        self.elsewhere: list[int] = []
        self.losses: Counter[int] = Counter()
        self.flying: dict[Future[object], int] = {}
        self.done: SimpleQueue[Future[object]] = SimpleQueue()
        self.taken = 0
        for number, task in enumerate(tasks):
            needed = {stage for stage in task.needs if self.left[stage]}
            if needed:
                self.lacking[number] = needed
                for stage in needed:
                    self.waiting[stage].append(number)
            else:
                self.ready.append(number)

    def run(self) -> Iterator[Outcome]:
        """Submit what is ready and fits, and collect what is done."""
        while self.ready or self.suspects or self.flying or self.elsewhere:
            if self.until is not None and time.monotonic() > self.until:
                yield from self._drain()
                return
            yield from self._submit()
            if self.flying:
                for future in self._wait(RETRY if self.elsewhere else None):
                    yield from self._collect(future)
            elif self.elsewhere:
                time.sleep(RETRY)
            while self.elsewhere:
                heapq.heappush(self.ready, self.elsewhere.pop())

    def _drain(self) -> Iterator[Outcome]:
        """Collect what is in flight, and start nothing more."""
        while self.flying:
            for future in self._wait(None):
                yield from self._collect(future)

    def _wait(self, patience: float | None) -> list[Future[object]]:
        """Return what has ended, once something has, in the order of the plan.

        What this takes does not grow with the number of tasks in flight.
        """
        ended = []
        with suppress(Empty):
            ended.append(self.done.get(timeout=patience))
            while True:
                ended.append(self.done.get_nowait())
        return sorted(ended, key=self.flying.__getitem__)

    # ------------------------------------------------------------ starting

    def _submit(self) -> Iterator[Outcome]:
        """Start tasks while there is room; suspects alone."""
        while self.ready and not self.suspects and self._fits(self.ready[0]):
            number = heapq.heappop(self.ready)
            task = self.tasks[number]
            if error := self.failed.get(task.stage):
                yield Outcome(task, error=error)
            else:
                yield from self._take(number, self.claim(task))
        if self.suspects and not self.flying:
            self._start(self.suspects.pop(0))

    def _fits(self, number: int) -> bool:
        """Whether a task may be in flight beside those that are."""
        if not self.flying:
            return True
        if len(self.flying) >= self.window:
            return False
        more = self.tasks[number].resources.memory
        return self.memory is None or self.taken + more <= self.memory

    def _take(self, number: int, claim: Claim) -> Iterator[Outcome]:
        """Start a task, leave it to another process, or note that this one did it."""
        match claim:
            case Claim.OURS:
                self._start(number)
            case Claim.ELSEWHERE:
                self.elsewhere.append(number)
            case Claim.DONE:
                self._finish(self.tasks[number].stage)
                yield Outcome(self.tasks[number])

    def _start(self, number: int) -> None:
        task = self.tasks[number]
        LOG.debug("start %s", task.id)
        future = self.pool.submit(perform, task)
        self.flying[future] = number
        self.taken += task.resources.memory
        future.add_done_callback(self.done.put)

    # ------------------------------------------------------------ ending

    def _collect(self, future: Future[object]) -> Iterator[Outcome]:
        """Note how a task ended, and what that means for others."""
        number = self.flying.pop(future)
        task = self.tasks[number]
        self.taken -= task.resources.memory
        error = future.exception()
        if isinstance(error, BrokenExecutor):
            self.losses[number] += 1
            LOG.info("the worker of %s was lost", task.id)
            if self.losses[number] < TRIES:
                if self.alone:
                    self.suspects.append(number)
                else:
                    heapq.heappush(self.ready, number)
                return
            error = HarnessError(
                f"The worker of '{task.id}' was lost {TRIES} times, most likely for "
                "want of memory. What was finished is kept; run the same command again "
                "with fewer --workers, or where there is more memory. The last time: "
                f"{_first_line(error)}"
            )
        LOG.debug("%s %s", "end" if error is None else "failed", task.id)
        if error is None:
            self._finish(task.stage)
            yield Outcome(task, value=future.result())
        elif isinstance(error, Exception):
            yield Outcome(task, error=error)
            yield from self._fail(task.stage, error)
        else:  # KeyboardInterrupt, SystemExit
            raise error

    def _finish(self, stage: str) -> None:
        """Count a task of a stage; when it is done, release those that need it."""
        self.left[stage] -= 1
        if self.left[stage] or stage in self.failed:
            return
        for number in self.waiting.pop(stage, ()):
            lacking = self.lacking.get(number)
            if lacking is not None:
                lacking.discard(stage)
                if not lacking:
                    del self.lacking[number]
                    heapq.heappush(self.ready, number)

    def _fail(self, stage: str, error: Exception) -> Iterator[Outcome]:
        """Fail whatever needs a stage."""
        self.failed.setdefault(stage, error)
        for number in self.waiting.pop(stage, ()):
            if self.lacking.pop(number, None) is not None:
                task = self.tasks[number]
                yield Outcome(task, error=error)
                yield from self._fail(task.stage, error)


def _first_line(error: BaseException) -> str:
    """Return what an engine says in short of a worker that was lost."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
