"""Garbage collection, held off while much is made that stays."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for no reference cycles meanwhile; also a decorator.

    The plan of a million utterances is ten million objects, none of which is garbage:
    to look through all of them whenever a quarter more is there takes a fifth of the
    time. What no cycle holds is freed as ever.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
