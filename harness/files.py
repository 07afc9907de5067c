"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
import zlib
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from harness.errors import StoreError
from harness.types.canonical import sha256_json as sha256_json

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTLED_SECONDS = 2.0
"""A file that changed this recently may change again within the clock's resolution, so
nothing about it is cached (git's «racy» rule for its index)."""

UNLOCKED_SECONDS = 60.0
"""A scratch folder without a lock that is younger may belong to a process that is about
to make one."""

SCRATCH = ".scratch"
"""The ending of a scratch folder, whose name begins with a dot."""

LOCK = "lock"
"""The file in a scratch folder that its process holds."""

NAME_BYTES = 100
"""Of the name of what a scratch folder is for; a name has at most 255 on any system."""


UNLOCKABLE = (OSError, NotImplementedError)
"""What a lock raises in a folder that cannot be written to, and on a file system
without locks, for which releases of filelock before 3.29 raise the latter."""


def sha256_bytes(*parts: bytes) -> str:
    """Hash byte strings, each with its length, so that no two sequences collide."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """Hash a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; rename it into place at the end.

    Whoever reads ``path`` sees the old file or the whole new one, even after a crash or
    a loss of power. Where ``path`` is a symbolic link or no regular file, such as
    ``/dev/stdout``, it is yielded itself and written directly.

    Raises:
        StoreError: Where the folder cannot be written or the disk is full.
    """
    try:
        if path.is_symlink() or _is_device(path):
            yield path
            return
        with _scratch(path) as scratch:
            beside = scratch / path.name
            yield beside
            with beside.open("rb+") as file:
                os.fsync(file.fileno())
            beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _store_error(path, error) from error


@contextmanager
def saving(path: Path) -> Iterator[Path]:
    """Replace a file that a user named; remove what killed processes left beside it.

    It lists the folder, which ``replacing`` does not: for a file that is written once.

    Raises:
        StoreError: Where the folder cannot be written or the disk is full.
    """
    sweep(path.parent)
    with replacing(path) as beside:
        yield beside


# ---------------------------------------------------------------- digests


def crc32(data: bytes | memoryview) -> str:
    """Return a digest that sees a flipped bit: eight hexadecimal digits."""
    return f"{zlib.crc32(data):08x}"


def write_sealed(path: Path, data: bytes) -> None:
    """Write a file that begins with the digest of what follows.

    Raises:
        StoreError: Where the folder cannot be written or the disk is full.
    """
    with replacing(path) as beside:
        beside.write_bytes(crc32(data).encode() + b"\n" + data)


def read_sealed(path: Path) -> bytes:
    """Read what ``write_sealed`` wrote.

    Raises:
        OSError: Where it cannot be read.
        ValueError: Where its bytes are not those that were written.
    """
    digest, _, data = path.read_bytes().partition(b"\n")
    if digest != crc32(data).encode():
        raise ValueError(f"{path} is damaged")
    return data


def write_json(path: Path, value: object) -> None:
    """Write a JSON value, sealed; in ASCII, which has any name that a file can have."""
    write_sealed(path, json.dumps(value).encode())


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever was written
    """Read what ``write_json`` wrote; raises as ``read_sealed`` does."""
    return json.loads(read_sealed(path))


# ---------------------------------------------------------------- beside, then rename


def _is_device(path: Path) -> bool:
    """Return whether something is there that is neither a file nor a folder."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _sync_folder(folder: Path) -> None:
    """Write a folder's names to disk, on file systems that can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """Yield a hidden folder beside ``path``, and hold its lock; remove it at the end.

    The lock goes with its process, however that ends, so ``sweep`` knows what is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    named = path.name.encode("utf-8", "replace")[:NAME_BYTES].decode("utf-8", "ignore")
    with ExitStack() as stack:
        yield _locked(path.parent, f".{named}-", stack)


def _locked(folder: Path, prefix: str, stack: ExitStack, tries: int = 5) -> Path:
    """Make a scratch folder and hold its lock until a stack is closed.

    Another process' ``sweep`` may remove it in the moment before it is locked; then
    another one is made.
    """
    from filelock import FileLock

    made = TemporaryDirectory(SCRATCH, prefix, folder, ignore_cleanup_errors=True)
    scratch = Path(stack.enter_context(made))
    try:
        stack.enter_context(FileLock(scratch / LOCK))
    except FileNotFoundError:
        if not tries:
            raise
        return _locked(folder, prefix, stack, tries - 1)
    return scratch


@contextmanager
def scratch_beside(path: Path) -> Iterator[Path]:
    """Yield a hidden folder beside ``path``, to fill and to rename from; remove it.

    What killed processes left beside ``path`` is removed, too.

    Raises:
        OSError: Where the folder above cannot be written.
    """
    sweep(path.parent)
    with _scratch(path) as scratch:
        yield scratch


def sweep(folder: Path) -> int:
    """Remove a folder's scratch folders whose process is gone; return the bytes freed.

    A folder without a lock is left for ``UNLOCKED_SECONDS``.
    """
    from filelock import FileLock, Timeout

    freed = 0
    for scratch in scratch_folders(folder):
        with suppress(OSError, Timeout):
            lock, age = scratch / LOCK, time.time() - scratch.stat().st_mtime
            if lock.exists() or age > UNLOCKED_SECONDS:
                with FileLock(lock, timeout=0):
                    freed += size_below(scratch)
                    shutil.rmtree(scratch)
    return freed


def scratch_folders(folder: Path) -> list[Path]:
    """List the scratch folders in a folder that may not exist."""
    try:
        return [path for path in folder.iterdir() if is_scratch(path.name)]
    except OSError:
        return []


def is_scratch(name: str) -> bool:
    """Return whether a folder of this name is a scratch folder."""
    return name.startswith(".") and name.endswith(SCRATCH)


def size_below(folder: Path) -> int:
    """Add up the bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _store_error(path: Path, error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(
            f"The disk is full: cannot write to {path.parent}. All finished work "
            "is kept; make room (see 'harness cache') and run the same command again."
        )
    return StoreError(
        f"Cannot write {path}: {error.strerror or error}. "
        "Choose another folder or fix its permissions."
    )
