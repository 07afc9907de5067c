"""Folders of results, on this machine or elsewhere: one place lists and opens files.

A folder elsewhere is a URI that pyarrow's file systems take, such as ``s3://bucket/runs``
or ``gs://bucket/runs``; it is read, and never written to.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import HarnessError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

Folder = Path | str
"""A folder of this machine, or the URI of one elsewhere."""

SMALL = 2**20  # bytes of a file that is read at once
PATIENCE = 20  # seconds that a server has for its first answer
AT_ONCE = 16  # files elsewhere that are read at the same time

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
Made = TypeVar("Made")


@dataclass(frozen=True)
class RemoteFile:
    """A file elsewhere, with what is needed of a ``Path``.

    Attributes:
        system: pyarrow's file system.
        path: Within it.
        size: In bytes.
        scheme: Of the URI, to name it by.
    """

    system: Any
    path: str
    size: int
    scheme: str

    @property
    def name(self) -> str:
        """Return the last part of its path."""
        return self.path.rpartition("/")[2]

    def read_bytes(self) -> bytes:
        """Read the whole file."""
        with self.system.open_input_file(self.path) as file:
            return bytes(file.read())

    def __str__(self) -> str:
        """Return it as a URI."""
        return f"{self.scheme}://{self.path}"


File = Path | RemoteFile


def folder(text: str) -> Folder:
    """Read what a user calls a folder."""
    return text if "://" in text else Path(text)


def files(runs: Folder) -> Iterator[File]:
    """Yield every Parquet file below a folder, sorted, hidden ones left out.

    Raises:
        HarnessError: Where a URI cannot be listed.
    """
    return _listed(runs) if isinstance(runs, str) else walked(runs)


def exists(runs: Folder) -> bool:
    """Say whether there is such a folder; elsewhere, whether it holds anything."""
    return any(True for _ in files(runs)) if isinstance(runs, str) else runs.is_dir()


def walked(runs: Path) -> Iterator[Path]:
    """Yield the Parquet files below a folder of this machine."""
    for folder, folders, names in os.walk(runs):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(".parquet") and not name.startswith("."):
                yield Path(folder, name)


def _listed(uri: str) -> Iterator[RemoteFile]:
    from pyarrow import fs

    scheme = uri.partition("://")[0]
    with _errors_about(uri):
        system, root = _in_time(lambda: fs.FileSystem.from_uri(uri), uri)
        selector = fs.FileSelector(root, recursive=True)
        found = _in_time(lambda: system.get_file_info(selector), uri)
    for info in sorted(found, key=lambda info: info.path):
        parts = info.path.removeprefix(root).strip("/").split("/")
        hidden = any(part.startswith(".") for part in parts)
        if info.is_file and parts[-1].endswith(".parquet") and not hidden:
            yield RemoteFile(system, info.path, info.size, scheme)


@contextmanager
def _errors_about(uri: str) -> Iterator[None]:
    """Turn what a file system raises into one sentence."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise HarnessError(
            f"Results at {_named(uri)} cannot be read: {reason(error)}. Check the "
            "address and the credentials, or copy the folder here and name it with "
            "--runs."
        ) from error


def reason(error: Exception) -> str:
    """Return the first line of what a file system says, without its ticket's number."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    first = str(words).splitlines()[0]
    return _named(re.sub(r" \(Request ID: .*?\)", "", first).rstrip("."))


def _named(text: str) -> str:
    """Leave out of URIs the user and the password that may stand in them."""
    return re.sub(r"://[^/@\s]*@", "://", text)


def _in_time(ask: Callable[[], Made], uri: str) -> Made:
    """Wait for a server, but not for ever: clients retry for minutes on end."""
    import queue
    import threading

    answers: queue.Queue[tuple[Made | None, Exception | None]] = queue.Queue()

    def work() -> None:
        try:
            answers.put((ask(), None))
        except Exception as error:  # raised again below, in the caller's thread
            answers.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        answer, error = answers.get(timeout=PATIENCE)
    except queue.Empty:
        raise HarnessError(
            f"No answer from {_named(uri)} within {PATIENCE} s. Check the address, or "
            "copy the folder here and name it with --runs."
        ) from None
    if error:
        raise error
    return answer  # type: ignore[return-value]


def source(file: File) -> pa.NativeFile:
    """Open a file for pyarrow: small ones at once, large ones as they are needed."""
    import pyarrow as pa

    if is_small(file):
        return pa.BufferReader(file.read_bytes())
    if isinstance(file, Path):
        return pa.memory_map(str(file))
    return file.system.open_input_file(file.path)


def is_near(file: File) -> bool:
    """Say whether all bytes of a file can be read as quickly as a few of them."""
    return isinstance(file, Path) or is_small(file)


def is_small(file: File) -> bool:
    """Say whether reading a file at once takes no room to speak of."""
    size = file.size if isinstance(file, RemoteFile) else file.stat().st_size
    return size < SMALL


def each(read: Callable[[File], Made], found: Sequence[File]) -> list[Made]:
    """Read files and return what was read, in order; those elsewhere several at once.

    Files here are read one by one: they are small, and threads would only contend.
    """
    if not any(isinstance(file, RemoteFile) for file in found):
        return list(map(read, found))
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(read, found))


def require_local(runs: Path) -> None:
    """Refuse to write to what is not a folder of this machine.

    Raises:
        StoreError: Where the path was meant as a URI.
    """
    if _URI.match(str(runs)):
        raise StoreError(
            "Results are written to folders of this machine, and "
            f"{_named(str(runs).replace(':/', '://', 1))} is elsewhere: "
            "name a folder with --runs, and copy it there afterwards."
        )
