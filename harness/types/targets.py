"""What a target plugin offers: what is predicted of an utterance, and by what split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.types.corpora import Utterance


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is predicted of an utterance: a class, or a number.

    Heads are trained on classes by cross-entropy, on numbers by 1 − CCC over the batch.

    Attributes:
        name: Kebab-case; the word after ``--target``.
        summary: One line for ``harness list targets``.
        value: From an utterance to its class or its number; ``None`` where it has none:
            then it is left out. ``language`` is filled in, and the speakers of corpora
            that are joined begin with the corpus' name.
        numbers: Whether ``value`` returns numbers.
        split: The split where the user names none.
        within_speakers: Whether a speaker must be in train and in test, as for the
            speaker; then splits with each speaker in one part are refused.
        selection: The validation metric that selects an epoch where the user names
            none; ``""`` is ``macro_f1`` of classes and ``ccc`` of numbers.
        version: Raised when its code changes a value.
    """

    name: str
    summary: str
    value: Callable[[Utterance], str | float | None]
    numbers: bool = False
    split: str = "speaker-independent"
    within_speakers: bool = False
    selection: str = ""
    version: int = 1

    @property
    def selected_by(self) -> str:
        """The metric that selects an epoch where the user names none."""
        return self.selection or ("ccc" if self.numbers else "macro_f1")
