"""What was tried, and what was wrong."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True)
class Try:
    """One try.

    Attributes:
        kind: Of try.
        what: It is, in words.
        wrongs: Does it, and says what was wrong.
        count: How many tries it stands for.
    """

    kind: str
    what: str
    wrongs: Callable[[], Iterable[str]]
    count: int = 1


@dataclass
class Tally:
    """Tries by kind, and a sentence for each that went wrong."""

    tries: Counter[str] = field(default_factory=Counter)
    wrongs: list[tuple[str, str]] = field(default_factory=list)

    def make(self, tries: Iterable[Try], at_once: int = 1) -> None:
        """Make tries, several at once."""
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(self._make, tries))

    def _make(self, one: Try) -> None:
        wrongs = list(one.wrongs())
        self.tries[one.kind] += one.count
        wrongs = wrongs[: one.count]
        self.wrongs += [(one.kind, f"{one.what}: {wrong}") for wrong in wrongs]

    def table(self) -> str:
        """Return a line for each kind, and one for all."""
        wrong = Counter(kind for kind, _ in self.wrongs)
        rows = [(kind, count, wrong[kind]) for kind, count in self.tries.items()]
        rows.append(("in all", self.tries.total(), wrong.total()))
        lines = [f"| {kind} | {tries} | {bad} |" for kind, tries, bad in rows]
        return "\n".join(["| what | tries | wrong |", "|---|--:|--:|", *lines])
