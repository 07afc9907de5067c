"""What unfinished work keeps in the cache: to continue from, or of no use any more."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.files import HALF_WRITTEN, SCRATCH, size_below, sweep

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

TRAINING = "training"
"""The cache's folder of the states of long trainings, ``RUN_ID.pt``."""

DOWNLOADS = "downloads"
"""The cache's folder of archives that were fetched in part."""

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
    yield from cache.glob(f".*{SCRATCH}")
    for path in cache.rglob(".*"):
        if HALF_WRITTEN.fullmatch(path.name) and path.is_file():
            yield path


def prune(cache: Path, *, finished: Collection[str] = (), older: float = OLD) -> int:
    """Remove what nobody continues; return the bytes that this freed.

    Args:
        cache: The cache's folder.
        finished: The runs that have a result, whose states are of no use.
        older: Remove everything that is older than this, in seconds. A scratch folder
            goes as soon as its process is gone.
    """
    freed = sweep(cache)
    for one in leftovers(cache):
        is_done = one.path.parent.name == TRAINING and one.path.stem in finished
        if one.path.is_file() and (is_done or one.age > older):
            one.path.unlink(missing_ok=True)
            one.path.with_suffix(".etag").unlink(missing_ok=True)
            freed += one.size
    return freed
