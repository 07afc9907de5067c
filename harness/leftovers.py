"""What unfinished work keeps: to continue from, or of no use any more."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.files import is_scratch, size_below, sweep

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

TRAINING = "training"
"""The cache's folder of the states of long trainings, ``RUN_ID.pt``."""

DOWNLOADS = "downloads"
"""The cache's folder of archives that were fetched in part."""

LOGS = "log"
"""The cache's folder of tracebacks."""

LOCKED = ".lock"
"""The ending of files in the cache that a process holds while it works."""

OLD = 7 * 24 * 3600.0
"""Seconds, a week, after which nobody is expected to continue unfinished work."""


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A file or folder of unfinished work, its size in bytes and its age in seconds."""

    path: Path
    size: int
    age: float


def leftovers(cache: Path) -> Iterator[Leftover]:
    """Find what unfinished work keeps below a cache."""
    now = time.time()
    for path in sorted(_paths(cache)):
        try:
            size = size_below(path) if path.is_dir() else path.stat().st_size
            yield Leftover(path=path, size=size, age=now - path.stat().st_mtime)
        except FileNotFoundError:  # its process has just finished
            continue


def _paths(cache: Path) -> Iterator[Path]:
    yield from (cache / TRAINING).glob("*.pt")
    yield from (cache / DOWNLOADS).glob("*.part")
    yield from (cache / DOWNLOADS).glob("*.zip")
    yield from (cache / LOGS).glob("*.txt")
    for folder, names, _ in os.walk(cache):
        yield from (Path(folder, name) for name in names if is_scratch(name))


def tidy(cache: Path) -> int:
    """Remove scratch folders and lock files that no process holds; return the bytes.

    It lists every folder below the cache, so it is called once a command.
    """
    freed = 0
    for name, names, files in os.walk(cache):
        folder = Path(name)
        if any(map(is_scratch, names)):
            freed += sweep(folder)
            names[:] = [one for one in names if not is_scratch(one)]
        for file in files:
            if file.endswith(LOCKED):
                _remove_lock(folder / file)
    return freed


@contextmanager
def tidied(cache: Path, *folders: Path) -> Iterator[None]:
    """Remove what processes that are gone left in a cache and in folders beside it.

    Its lock files are removed again at the end, but for those that are still held.
    """
    for folder in folders:
        sweep(folder)
    tidy(cache)
    try:
        yield
    finally:
        tidy(cache)


def _remove_lock(path: Path) -> None:
    """Remove a lock file that nobody holds.

    Who waits for it meanwhile sees that its file is gone, and makes another.
    """
    from filelock import FileLock, Timeout

    with suppress(OSError, Timeout), FileLock(path, timeout=0):
        path.unlink()


def forget(cache: Path, finished: Collection[str]) -> int:
    """Remove the states of trainings that have a result; return the bytes."""
    states = (cache / TRAINING).glob("*.pt")
    return sum(remove(path) for path in states if path.stem in finished)


def remove(path: Path) -> int:
    """Remove a file; return its bytes, none where another process was faster."""
    try:
        size = path.stat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    return size


def prune(cache: Path, *, finished: Collection[str] = (), older: float = OLD) -> int:
    """Remove what nobody continues; return the bytes that this freed.

    Args:
        cache: The cache's folder.
        finished: The runs that have a result, whose states are of no use.
        older: Remove everything that is older than this, in seconds. What a process
            left half written goes as soon as that process is gone.
    """
    freed = tidy(cache) + forget(cache, finished)
    for one in leftovers(cache):
        if one.path.is_file() and one.age > older:
            freed += remove(one.path)
            one.path.with_suffix(".etag").unlink(missing_ok=True)
    return freed
