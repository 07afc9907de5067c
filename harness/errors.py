"""What a user can fix: errors with a next step, and the exit codes they lead to."""

from __future__ import annotations

import difflib
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """How the program ends."""

    OK = 0
    BUG = 1
    USER = 2
    SOME_CELLS_FAILED = 3
    HUNG_UP = 129
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


class HarnessError(Exception):
    """Something that the user can fix: what, where and the next step."""

    def __reduce__(self) -> tuple[object, ...]:
        """Cross to another process by the text, whatever the constructor takes."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[HarnessError], args: tuple[object, ...], state: dict[str, object]
) -> HarnessError:
    """Build an error again without its constructor."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


NEAR = 0.65
"""How alike two names are that may be meant: 'iemocap' and 'demo@a' are not (0.62)."""

MOST = 50
"""Names that are listed beside a near one; more would hide it."""


class UnknownNameError(HarnessError):
    """A name that no plugin offers."""

    def __init__(
        self, noun: str, name: str, known: Iterable[str], because: str = ""
    ) -> None:
        """Say which name was not found and which ones are near.

        Args:
            noun: What was looked for, such as ``upstream``.
            name: The name as the user wrote it.
            known: Every name that would have been found.
            because: A sentence on why it may be missing.
        """
        names = sorted(known)
        words = (name.lower(), name.lower().partition(":")[0])  # without its options
        near = [
            one
            for word in words
            for one in difflib.get_close_matches(word, names, n=1, cutoff=NEAR)
        ]
        hint = f" Did you mean '{near[0]}'?" if near else ""
        listing = "" if near and len(names) > MOST else ", ".join(names) or "none"
        known = f" Known: {listing}." if listing else ""
        text = f"No {noun} is called '{name}'.{hint}{known} {because}"
        super().__init__(text.rstrip())


class PluginError(HarnessError):
    """A plugin that does not keep the interface, named."""


class DataError(HarnessError):
    """A corpus, an audio file or a split that cannot be used as it is."""


class MissingCorpusError(DataError):
    """A corpus that is not on this machine."""


class CheckpointError(HarnessError):
    """A checkpoint that is missing, foreign, incomplete or damaged."""


class StoreError(HarnessError):
    """A folder that cannot be written, or a disk that is full."""


class FeaturesGoneError(StoreError):
    """Features that were removed or damaged since they were stored."""
