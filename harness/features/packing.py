"""Many small shards become few big ones, while others read and write them.

A pack is on disk, and read back, before anything else changes. The shards that it was
made of are then moved out of the way, where processes that mapped them into memory go
on reading them, and are removed once no other process that read the store is left. So
whatever ends a process at whatever moment, an utterance is in at least one file; where
it is in two, they say the same, and the next packing puts that right.
"""

from __future__ import annotations

import functools
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from harness.features.index import index_of
from harness.features.shards import SUFFIX, read_header, read_whole, write_pieces
from harness.files import UNLOCKABLE
from harness.garbage import uncollected
from harness.leftovers import LOCKED, OLD, remove

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from harness.features.shards import Origin, Piece

SMALL = 8 * 2**20
"""Bytes: a file below this is worth packing; opening it takes as long as reading it."""

PACK = 64 * 2**20
"""Bytes of a pack, as many as are in memory while it is written."""

MANY = 64
"""Small files of a folder that are packed without being asked for."""

RETIRED, READERS = "retired", "readers"
"""Folders of a store: shards that were packed, and locks of who reads."""


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What became of a folder of shards.

    Attributes:
        before: How many files there were.
        after: How many there are.
        damaged: Those that are not as they were written, which stay as they are.
        busy: Whether another process packs this folder.
    """

    before: int = 0
    after: int = 0
    damaged: tuple[Path, ...] = ()
    busy: bool = False


def pack(folder: Path, *, least: int = 2) -> Packed:
    """Pack the small shards of a folder.

    Args:
        folder: Of one kind of a store.
        least: Do nothing where there are fewer.

    Raises:
        StoreError: Where the folder cannot be written or the disk is full.
    """
    sizes = _sizes(folder)
    done = Packed(before=len(sizes), after=len(sizes))
    if sum(size < SMALL for size in sizes.values()) < least:
        return done
    with _alone(folder.parent / "locks" / f"pack-{folder.name}{LOCKED}") as alone:
        if not alone:
            return replace(done, busy=True)
        small = {path: size for path, size in sizes.items() if size < SMALL}
        twice = _held_twice(folder, small)
        retire(twice)
        done = replace(done, after=done.after - len(twice))
        for path in twice:
            del small[path]
        for group in _groups(small):
            damaged = _pack(group)
            gone = len(group) - len(damaged)
            done = replace(
                done,
                after=done.after - gone + bool(gone),
                damaged=done.damaged + damaged,
            )
    return done


def _sizes(folder: Path) -> dict[Path, int]:
    """List the shards of a folder in the order in which they were written."""
    found = {}
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):
            status = path.stat()
            found[path] = (status.st_mtime_ns, path.name, status.st_size)
    return {path: found[path][2] for path in sorted(found, key=found.__getitem__)}


def _held_twice(folder: Path, small: Collection[Path]) -> list[Path]:
    """Find what a packing was made of that was killed before it had moved all."""
    index = index_of(folder)
    index.refresh()
    shards = index.shards()
    packs = {path: keys for path, keys in shards.items() if path not in small}
    holder = {key: path for path, keys in packs.items() for key in keys}
    whole = functools.cache(lambda path: read_whole(path) is not None)
    return [
        path
        for path in small
        if (keys := shards.get(path))
        and keys <= holder.keys()
        and all(map(whole, {holder[key] for key in keys}))
    ]


def _groups(sizes: dict[Path, int]) -> Iterator[list[Path]]:
    """Divide files into groups of at most ``PACK`` bytes, of at least two each."""
    group: list[Path] = []
    held = 0
    for path, size in sizes.items():
        if held + size > PACK and len(group) > 1:
            yield group
            group, held = [], 0
        group.append(path)
        held += size
    if len(group) > 1:
        yield group


@uncollected()
def _pack(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Put files into one; return those that are damaged, which are left alone."""
    pieces: dict[str, Piece] = {}
    origins: list[Origin] = []
    whole: list[Path] = []
    damaged: list[Path] = []
    for path in paths:
        held, shard = _pieces(path), read_header(path)
        if held is None or shard is None:
            if path.exists():  # else another process has removed it
                damaged.append(path)
            continue
        whole.append(path)
        if not shard.keys <= pieces.keys():
            pieces |= held
            origins += shard.origins
    if len(whole) > 1:
        made = write_pieces(paths[0].parent, pieces, *origins)
        if read_whole(made.path) is not None:
            index_of(made.path.parent).note(made)
            retire([path for path in whole if path != made.path])
    return tuple(damaged)


def _pieces(path: Path) -> dict[str, Piece] | None:
    """Read the tensors of a file as bytes; ``None`` where they cannot be read."""
    from safetensors import SafetensorError, deserialize

    data = read_whole(path)
    try:
        return None if data is None else dict(deserialize(data))  # type: ignore[no-untyped-call]
    except SafetensorError:
        return None


# ---------------------------------------------------------------- files in use


def retire(paths: Sequence[Path]) -> None:
    """Move files to where nobody looks for them, and whoever reads them can go on."""
    for path in paths:
        there = path.parent.parent / RETIRED / f"{path.parent.name}-{path.name}"
        there.parent.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            path.replace(there)
    if paths:
        index_of(paths[0].parent).forget(paths)


def remove_retired(store: Path) -> int:
    """Remove retired shards unless another process may read them; return the bytes.

    Those that were retired a week ago are removed in any case.
    """
    retired = list((store / RETIRED).glob(f"*{SUFFIX}"))
    if not retired:
        return 0
    used = _is_read(store)
    old = time.time() - OLD
    freed = 0
    for path in retired:
        with suppress(FileNotFoundError):
            if not used or path.stat().st_ctime < old:
                freed += remove(path)
    with suppress(OSError):  # others are still there
        (store / RETIRED).rmdir()
    return freed


@functools.cache
def reading(store: Path) -> FileLock | None:
    """Say, once a process, that this one reads a store, for as long as it lives.

    ``None`` where nothing can be written or locked, such as a store of others.
    """
    lock = FileLock(store / READERS / f"{uuid.uuid4().hex}{LOCKED}", timeout=0)
    try:
        (store / READERS).mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except UNLOCKABLE:
        return None
    return lock


def stop_reading() -> None:
    """Say that this process reads no store any more."""
    reading.cache_clear()


def _is_read(store: Path) -> bool:
    """Return whether another process reads a store, as far as is known."""
    own = reading(store)
    if own is None:
        return True
    for path in (store / READERS).glob(f"*{LOCKED}"):
        if str(path) == own.lock_file:
            continue
        try:
            with FileLock(path, timeout=0):
                path.unlink(missing_ok=True)
        except (Timeout, *UNLOCKABLE):
            return True
    return False


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Hold a lock; yield whether nobody else has it.

    Where nothing can be locked, two may pack at once: that is safe, and work for two.
    """
    lock = FileLock(path, timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        yield False
        return
    except UNLOCKABLE:
        yield True
        return
    try:
        yield True
    finally:
        lock.release()
