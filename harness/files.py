"""Files that are written whole or not at all, and digests that are computed once."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from harness.errors import StoreError
from harness.types.canonical import sha256_json as sha256_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Known = TypeVar("Known")

SETTLED_SECONDS = 2.0
"""A file that changed this recently may change again within the clock's grain, so what
is learnt of it is not remembered (git's «racy» rule for its index)."""


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
    """Give a path beside ``path`` to write to; rename it into place at the end.

    Whoever reads ``path`` sees the old file or the whole new one, even after a crash.

    Raises:
        StoreError: Where the folder cannot be written or the disk is full.
    """
    beside = path.with_name(f".{path.name[:100]}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise _store_error(path, error) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


SCRATCH = ".scratch"
"""The ending of a scratch folder, which begins with a dot."""
LOCK = "lock"
"""The file in a scratch folder that its process holds."""


@contextmanager
def scratch_beside(path: Path) -> Iterator[Path]:
    """Give a hidden folder beside ``path``, to fill and to rename from; it goes again.

    Those that killed processes left there go, too.

    Raises:
        OSError: Where the folder above cannot be written.
    """
    from filelock import FileLock

    start = f".{path.name}-"
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, start)
    with (
        TemporaryDirectory(
            SCRATCH, start, path.parent, ignore_cleanup_errors=True
        ) as name,
        FileLock(Path(name) / LOCK),
    ):
        yield Path(name)


def sweep(folder: Path, start: str = ".") -> int:
    """Remove scratch folders whose process is gone; give the bytes that this freed.

    A folder that is younger than its lock can be is left to the next time.
    """
    from filelock import FileLock, Timeout

    freed = 0
    for scratch in folder.glob(f"{start}*{SCRATCH}"):
        with suppress(OSError, Timeout):
            if time.time() - scratch.stat().st_mtime > SETTLED_SECONDS:
                with FileLock(scratch / LOCK, timeout=0):
                    freed += size_below(scratch)
                    shutil.rmtree(scratch)
    return freed


def size_below(folder: Path) -> int:
    """Add up the bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _store_error(path: Path, error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(
            f"The disk is full: {path.parent} took no more. Everything finished so far "
            "is kept; make room (see 'harness cache') and run the same command again."
        )
    return StoreError(
        f"Cannot write {path}: {error.strerror or error}. "
        "Choose another folder or mend its permissions."
    )


class Memory:
    """What was learnt of files, remembered as long as they do not change.

    A file counts as unchanged while its device, inode, size, modification and change
    time are the same. The change time cannot be set back by a user, so a file whose
    bytes differ is never taken for the old one.
    """

    def __init__(self, path: Path) -> None:
        """Read what is remembered in ``path``, a JSON file that may not exist."""
        self._path = path
        self._dirty = False
        try:
            self._known: dict[str, list[object]] = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def recall(self, file: Path, learn: Callable[[Path], Known], about: str) -> Known:
        """Give what ``learn(file)`` gave (a JSON value) when the file was the same.

        Args:
            file: The file.
            learn: Reads it.
            about: Names what is learnt and under which version of the code.
        """
        status = file.stat()
        signature = [
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        ]
        key = f"{about} {file.resolve()}"
        known = self._known.get(key)
        if known is not None and known[0] == signature:
            return known[1]  # type: ignore[return-value]
        value = learn(file)
        if time.time() - status.st_ctime > SETTLED_SECONDS:
            self._known[key] = [signature, value]
            self._dirty = True
        return value

    def save(self) -> None:
        """Write what is new; a memory that cannot be written is only slower."""
        if self._dirty:
            with suppress(StoreError), replacing(self._path) as beside:
                beside.write_text(json.dumps(self._known), "utf-8")
            self._dirty = False
