"""The entries of tables: figures, names, counts, and which is highest."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from harness.types import Entry

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping

Name = TypeVar("Name")


NOTHING = Entry(text="")


@dataclass(frozen=True, kw_only=True)
class Unit:
    """How figures are printed: in percent, or as numbers of three digits.

    Attributes:
        percent: Whether they are fractions of one.
    """

    percent: bool = True

    @property
    def said(self) -> str:
        """What stands behind a metric's title."""
        return "in percent" if self.percent else "in the units of the target"

    @property
    def points(self) -> str:
        """What stands behind differences."""
        return "in points" if self.percent else self.said

    @property
    def factor(self) -> int:
        """What a figure is multiplied by on an axis."""
        return 100 if self.percent else 1

    def text(self, value: float) -> str:
        """Spell a figure."""
        return in_percent(value) if self.percent else f"{value:.3g}"

    def entry(self, value: float) -> Entry:
        """Print a figure."""
        return Entry(text=self.text(value), value=value)

    def signed(self, difference: float, *, digits: int = 1) -> str:
        """Spell a difference, with its sign: in points, or as a number."""
        if self.percent:
            return f"{100 * difference:+.{digits}f}"
        return f"{difference:+.3g}"

    def bounds(self, value: float, low: float, high: float) -> str:
        """Spell a figure and its interval."""
        return f"{self.text(value)} [{self.text(low)}, {self.text(high)}]"

    def around(self, low: float, high: float) -> str:
        """Spell an interval, in whole percent rounded outward to cover as much."""
        if self.percent:
            return f"[{math.floor(100 * low)}, {math.ceil(100 * high)}]"
        return f"[{self.text(low)}, {self.text(high)}]"


def unit_of(bounds: tuple[float, float]) -> Unit:
    """Return how figures within these bounds are printed (see ``Metric.bounds``)."""
    return Unit(percent=math.isfinite(bounds[1]))


def marked(
    entries: Mapping[Name, Entry],
    *,
    lowest: bool = False,
    unit: Unit | None = None,
    controls: Collection[Name] = (),
) -> dict[Name, Entry]:
    """Mark the highest of at least two entries; several may read the same.

    It says nothing of how sure that is, so it is another mark than that of the best.

    Args:
        entries: By any names.
        lowest: Whether the lowest is the best.
        unit: How they are printed, by default in percent.
        controls: Names of entries that are never marked.
    """
    ranked = {name: entry for name, entry in entries.items() if name not in controls}
    first = highest(ranked, lowest=lowest, unit=unit)
    return {
        name: replace(entry, second=name in first) for name, entry in entries.items()
    }


def highest(
    entries: Mapping[Name, Entry], *, lowest: bool = False, unit: Unit | None = None
) -> set[Name]:
    """Find the highest of at least two entries that have a value."""
    texts = {
        name: (unit or Unit()).text(entry.value)
        for name, entry in entries.items()
        if isinstance(entry.value, float)
    }
    first = min if lowest else max
    best = first(texts.values(), key=float) if len(texts) > 1 else None
    return {name for name, text in texts.items() if text == best}


def extreme(*, lowest: bool) -> str:
    """Name what the best is of all."""
    return "lowest" if lowest else "highest"


def percent(fraction: float) -> Entry:
    """Print a fraction of one."""
    return Entry(text=in_percent(fraction), value=fraction)


def word(value: object, *, key: Hashable = None) -> Entry:
    """Print a name; ``key`` is what it stands for."""
    text = "" if value is None else str(value)
    return Entry(text=text, value=text, key=key)


def signed(difference: float, unit: Unit | None = None, *, digits: int = 1) -> Entry:
    """Print a difference with its sign, in points by default."""
    text = (unit or Unit()).signed(difference, digits=digits)
    return Entry(text=text, value=difference)


def number(value: int) -> Entry:
    """Print a count."""
    return Entry(text=str(value), value=value)


def spans(numbers: Iterable[int]) -> str:
    """Write numbers as spans: 0-2, 5."""
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(
        str(low) if low == high else f"{low}-{high}" for low, high in spans
    )


def in_percent(fraction: float) -> str:
    """Spell a fraction of one in percent."""
    return f"{round(100 * fraction, 1) + 0.0:.1f}"  # no −0.0
