"""Cells are claimed: what one process computes, another one waits for.

A claim is a lock on a file in the cache; it goes with its process, however that ends.
Where nothing can be locked, nothing is claimed and a cell may be computed twice.
"""

from __future__ import annotations

import time
from enum import Enum, auto
from typing import TYPE_CHECKING

from harness.files import UNLOCKABLE
from harness.leftovers import LOCKED, TRAINING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from filelock import BaseFileLock

FEW = 200
"""Where fewer runs are finished, each claim lists them again, which is quick."""

FRESH = 1.0
"""Seconds for which a longer list is taken as it was, so that a cell may be computed
twice there; a claim that was waited for always asks again."""


class Claim(Enum):
    """Who computes a cell."""

    OURS = auto()
    ELSEWHERE = auto()
    DONE = auto()


class Claims:
    """The cells that this process has claimed."""

    def __init__(self, cache: Path, finished: Callable[[], Collection[str]]) -> None:
        """Claim nothing yet.

        Args:
            cache: The folder that processes share.
            finished: Lists the runs that have a result.
        """
        self.folder, self._finished = cache / TRAINING, finished
        self.held: dict[str, BaseFileLock] = {}
        self.awaited: set[str] = set()
        self._known: Collection[str] = ()
        self._asked = float("-inf")

    def take(self, run_id: str) -> Claim:
        """Claim a cell, unless it is done or another process has it."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / f"{run_id}{LOCKED}", timeout=0)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            self.awaited.add(run_id)
            return Claim.ELSEWHERE
        except UNLOCKABLE:
            return Claim.OURS
        if self._is_done(run_id):
            lock.release()
            return Claim.DONE
        self.held[run_id] = lock
        return Claim.OURS

    def release(self, run_id: str) -> None:
        """Let others have a cell, once its result is stored or it has failed."""
        if lock := self.held.pop(run_id, None):
            lock.release()

    def close(self) -> None:
        """Let others have what is not done."""
        for run_id in list(self.held):
            self.release(run_id)

    def _is_done(self, run_id: str) -> bool:
        """Return whether another process has computed a cell since it was planned."""
        now = time.monotonic()
        is_fresh = len(self._known) >= FEW and now - self._asked <= FRESH
        if run_id in self.awaited or not is_fresh:
            self._known, self._asked = self._finished(), now
        return run_id in self._known
