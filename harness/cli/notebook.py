"""Progress in a notebook: one output, written anew, and stored as it was last."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.cli.console import progress
from harness.cli.remaining import Remaining

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.types import Advance

EVERY = 0.5
"""Seconds between two states that are shown: each is sent to the browser."""


def is_here() -> bool:
    """Return whether this process is a notebook's kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class Shown:
    """A line a stage, all that are open in one output of the cell."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._lines: dict[int, str] = {}
        self._open = 0
        self._sent = 0.0
        self._output: Any = None

    @contextmanager
    def __call__(
        self, title: str, total: float, unit: str, forecast: float = 0.0
    ) -> Iterator[Advance]:
        """Show how far a stage is; one that is over at once is not worth a line."""
        if not self._open:
            self._lines, self._output, self._sent = {}, None, time.monotonic()
        started, place = time.monotonic(), len(self._lines)
        rest = Remaining(total, forecast)

        def advance(amount: float, forecast: float = 0.0, /) -> None:
            rest.advance(amount, forecast)
            write()

        def write() -> None:
            elapsed = time.monotonic() - started
            if not total:
                return
            self._lines[place] = f"{title}: {progress(rest, unit, elapsed)}"
            if time.monotonic() - self._sent >= EVERY:
                self._send()

        self._open += 1
        write()
        try:
            yield advance
        finally:
            self._open -= 1
            if self._output is not None:
                self._send()

    def _send(self) -> None:
        from IPython.display import display

        self._sent = time.monotonic()
        text = {"text/plain": "\n".join(self._lines.values())}
        if self._output is None:
            self._output = display(text, raw=True, display_id=True)
        else:
            self._output.update(text, raw=True)
