"""Ctrl-C, SIGTERM and SIGHUP end the program in order, however often they come."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from harness.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
]

PATIENT = 2
"""So many signals wait for an orderly end; the next one ends the program at once."""

PATIENCE = 20.0
"""Seconds that an orderly end may take; then the program ends at once.

What is stored is whole at every moment, so that nothing is lost but a little time. An
exception that a signal raises may come where nobody can pass it on, such as in a
finalizer, or may leave a lock of the standard library taken.
"""


class Terminated(KeyboardInterrupt):
    """A signal that ends the program as Ctrl-C does, with a code of its own."""

    def __init__(self, number: int) -> None:
        """Note the signal's number."""
        super().__init__()
        self.code = ExitCode(128 + number)


@contextmanager
def orderly_end() -> Iterator[None]:
    """Turn the first signal into an exception; the second waits for what that does.

    Nothing is changed in another thread than the main one, or for a signal that the
    caller handles or ignores, as ``nohup`` does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            _end_after_patience(number)
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated(number)
        if len(received) > PATIENT:
            os._exit(128 + number)
        with suppress(OSError):
            os.write(2, b"Ending; once more ends it at once.\n")

    unhandled = (signal.SIG_DFL, signal.default_int_handler)
    before = {
        number: signal.signal(number, end)
        for number in SIGNALS
        if signal.getsignal(number) in unhandled
    }
    try:
        yield
    finally:
        if received and hasattr(signal, "SIGALRM"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def end_unheard(number: int) -> None:
    """Ignore what comes while the interpreter ends, where all work is done.

    Args:
        number: The signal that the program ends of.
    """
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    _end_after_patience(number)


def _end_after_patience(number: int) -> None:
    """End the program in a while as a signal would, if it still runs then."""
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, lambda *_: os._exit(128 + number))
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
