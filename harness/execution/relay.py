"""What worker processes write to stderr, passed on by the process that draws there.

Live bars are drawn by one process, which makes room above them for a line that it knows
of. A line that a worker wrote to the terminal itself would leave half a bar behind.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

STDERR = 2
"""The stream that libraries in C write to, too."""

CHUNK = 65_536
"""Bytes that are read at once: what a pipe of Linux holds."""

PATIENCE = 1.0
"""Seconds to wait for last lines, as a process that a worker left may go on writing."""


class Relay:
    """A pipe that workers write to, and a thread that writes its lines to stderr."""

    def __init__(self) -> None:
        """Begin to pass on."""
        self._from, self.into = multiprocessing.Pipe(duplex=False)
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Pass on what workers that have ended wrote last."""
        self.into.close()
        self._thread.join(PATIENCE)

    def _pass_on(self) -> None:
        with self._from:
            for line in _lines(self._from):
                with suppress(OSError, ValueError):  # the terminal is gone
                    sys.stderr.write(f"{line}\n")
                    sys.stderr.flush()


def relayed() -> Relay | None:
    """Start a relay where bars may be drawn, in a terminal; elsewhere none is needed.

    Windows has terminals, but no way to give a process another stderr.
    """
    if os.name == "posix" and sys.stderr.isatty():
        return Relay()
    return None


def write_into(pipe: Connection) -> None:
    """Lead what this process, a worker, writes to stderr into a relay's pipe."""
    os.dup2(pipe.fileno(), STDERR)
    pipe.close()


def _lines(pipe: Connection) -> Iterator[str]:
    """Yield what is written, line by line; of a line that is drawn anew, the last."""
    rest = b""
    while chunk := os.read(pipe.fileno(), CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from map(_last, whole)
    if rest:
        yield _last(rest)


def _last(line: bytes) -> str:
    return line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="backslashreplace")
