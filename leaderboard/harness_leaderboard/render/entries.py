"""The entries of tables: figures in percent, names, counts, and which is highest."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from harness.types import Entry

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping

Name = TypeVar("Name")


NOTHING = Entry(text="")


def marked(
    entries: Mapping[Name, Entry],
    *,
    lowest: bool = False,
    controls: Collection[Name] = (),
) -> dict[Name, Entry]:
    """Mark the highest of at least two entries; several may read the same.

    It says nothing of how sure that is, so it is another mark than that of the best.

    Args:
        entries: By any names.
        lowest: Whether the lowest is the best.
        controls: Names of entries that are never marked.
    """
    ranked = {name: entry for name, entry in entries.items() if name not in controls}
    first = highest(ranked, lowest=lowest)
    return {
        name: replace(entry, second=name in first) for name, entry in entries.items()
    }


def highest(entries: Mapping[Name, Entry], *, lowest: bool = False) -> set[Name]:
    """Find the highest of at least two entries that have a value."""
    texts = {
        name: in_percent(entry.value)
        for name, entry in entries.items()
        if isinstance(entry.value, float)
    }
    first = min if lowest else max
    best = first(texts.values(), key=float) if len(texts) > 1 else None
    return {name for name, text in texts.items() if text == best}


def percent(fraction: float) -> Entry:
    """Print a fraction of one."""
    return Entry(text=in_percent(fraction), value=fraction)


def word(value: object, *, key: Hashable = None) -> Entry:
    """Print a name; ``key`` is what it stands for."""
    text = "" if value is None else str(value)
    return Entry(text=text, value=text, key=key)


def signed(difference: float, *, digits: int = 1) -> Entry:
    """Print a difference in points, with its sign."""
    return Entry(text=f"{100 * difference:+.{digits}f}", value=difference)


def number(value: int) -> Entry:
    """Print a count."""
    return Entry(text=str(value), value=value)


def bounds(value: float, low: float, high: float) -> str:
    """Print a figure and its interval, in percent."""
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def whole_bounds(low: float, high: float) -> str:
    """Print an interval in whole percent, rounded outward to cover as much."""
    return f"[{math.floor(100 * low)}, {math.ceil(100 * high)}]"


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
    return f"{100 * fraction:.1f}"


def counted(number: int, noun: str) -> str:
    """Say how many there are of something."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
