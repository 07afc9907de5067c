"""Facts of files that are cached, such as digests: many processes may write at once.

A cache is a folder of files of lines, each with its own digest, and none is written to
twice: what a process learns goes into a file of its own, so that nothing is rewritten
as a whole and no lock is needed, on a network file system either. A value is decoded
only when it is asked for.
"""

from __future__ import annotations

import json
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from harness import files
from harness.errors import StoreError
from harness.files import crc32, replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Known = TypeVar("Known")

FOLDER = "memory"
"""Of the cache."""

SUFFIX = ".lines"

MANY = 64
"""Files: where there are more, the next process that saves puts them into one."""


class Memory:
    """A cache of facts about files.

    A file counts as unchanged while its device, inode, size, modification and change
    time are the same. The change time cannot be set back by a user, so a file whose
    bytes differ is never taken for the old one.
    """

    def __init__(self, folder: Path) -> None:
        """Read which facts are cached in a folder that may not exist."""
        self._folder = folder
        self._files = sorted(_files(folder), key=_written)
        self._known = dict(line for path in self._files for line in _lines(path))
        self._new: dict[bytes, bytes] = {}

    def recall(self, file: Path, learn: Callable[[Path], Known], about: str) -> Known:
        """Return ``learn(file)``, a JSON value, from the cache if the file is the same.

        Args:
            file: The file.
            learn: Computes the value; called where it is not cached.
            about: Which value that is, and the version of the code that computes it.
        """
        status = file.stat()
        signature = [
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        ]
        key = json.dumps(f"{about} {file.resolve()}").encode()
        if (line := self._known.get(key)) is not None:
            seen, known = json.loads(line)
            if seen == signature:
                return known  # type: ignore[no-any-return]
        value = learn(file)
        if time.time() - status.st_ctime > files.SETTLED_SECONDS:
            self._new[key] = self._known[key] = json.dumps([signature, value]).encode()
        return value

    def save(self) -> None:
        """Write what is new; a cache that cannot be written is only slower."""
        if not self._new:
            return
        packs = len(self._files) >= MANY
        with suppress(StoreError, OSError):
            path = _write(self._folder, self._known if packs else self._new)
            self._new = {}
            if packs:
                for old in self._files:
                    old.unlink(missing_ok=True)
                self._files = []
            self._files.append(path)


def is_whole(path: Path) -> bool:
    """Return whether every line of a file is as it was written."""
    with path.open("rb") as file:
        return all(_is_sealed(line) for line in file)


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix == SUFFIX]
    except OSError:
        return []


def _written(path: Path) -> int:
    """Return when a file was written: a later one has the last word."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _lines(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a file, passing over damaged lines."""
    try:
        with path.open("rb") as file:
            for line in file:
                if _is_sealed(line):
                    _, key, value = line.split(b"\t", 2)
                    yield key, value
    except OSError:  # another process has packed it
        return


def _is_sealed(line: bytes) -> bool:
    digest, _, rest = line.partition(b"\t")
    return digest == crc32(rest).encode()


def _write(folder: Path, facts: dict[bytes, bytes]) -> Path:
    """Write a file of lines; JSON in ASCII has no tab and no end of line."""
    path = folder / f"{uuid.uuid4().hex}{SUFFIX}"
    with replacing(path) as beside, beside.open("wb") as file:
        for key, value in facts.items():
            rest = key + b"\t" + value.rstrip(b"\n") + b"\n"
            file.write(crc32(rest).encode() + b"\t" + rest)
    return path
