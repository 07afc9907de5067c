"""Plain tables on stdout: in a terminal as wide as it is, piped a line a row."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from harness.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

GAP = 2
"""Blanks between columns."""

LEAST = 12
"""Columns of the screen that a text of several words gets, if it has so many."""

NUMBER = re.compile(r"[–?]|[+-]?\d[\d.]*( [A-Za-z]{1,5})?|\d+:[\d:]+")
"""A figure, perhaps with a unit: such columns stand to the right."""


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table to stdout; where it is piped, no line is ever broken.

    In a terminal that is too narrow texts are broken between words; in one that is too
    narrow for that, too, each row is printed as a paragraph.
    """
    from rich.console import Console

    heads = [plain(column) for column in columns]
    cells = [[plain(cell) for cell in row] for row in rows]
    console = Console()
    natural = [_longest(column) for column in _columns(heads, cells)]
    width = console.width if sys.stdout.isatty() else sum(natural) + GAP * len(natural)
    widths = _fitted(natural, [_word(one) for one in _columns(heads, cells)], width)
    lines = (
        _table(console, heads, cells, widths)
        if widths
        else _paragraphs(console, heads, cells)
    )
    for line in lines:  # by the stream's own encoding, which click passes over
        text = line if sys.stdout.isatty() else click.unstyle(line)
        sys.stdout.write(f"{text.rstrip()}\n")


def _columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [list(column) for column in zip(heads, *rows, strict=True)]


def _longest(texts: Sequence[str]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, texts))


def _word(texts: Sequence[str]) -> int:
    """Return the width below which a word would be broken, or a text stand on edge."""
    words = _longest([word for text in texts for word in text.split() or [""]])
    return max(words, min(LEAST, _longest(texts)))


def _fitted(natural: list[int], least: list[int], room: int) -> list[int] | None:
    """Return the widths of columns within a room, the widest cut first.

    Returns:
        ``None`` where the least widths do not fit.
    """
    room -= GAP * (len(natural) - 1)
    if sum(least) > room:
        return None
    widths = list(natural)
    while sum(widths) > room:
        spare = [place for place, one in enumerate(widths) if one > least[place]]
        widths[max(spare, key=widths.__getitem__)] -= 1
    return widths


def _table(
    console: Console,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
) -> Iterator[str]:
    """Draw rows below a heading."""
    columns = [[row[place] for row in rows] for place in range(len(heads))]
    right = [bool(one) and all(map(NUMBER.fullmatch, one)) for one in columns]
    for number, row in enumerate([heads, *rows]):
        folded = [
            _wrapped(console, text, width)
            for text, width in zip(row, widths, strict=True)
        ]
        height = max(map(len, folded))
        for line in range(height):
            text = (" " * GAP).join(
                _aligned(lines[line] if line < len(lines) else "", width, right=figures)
                for lines, width, figures in zip(folded, widths, right, strict=True)
            )
            yield click.style(text.rstrip(), bold=True) if number == 0 else text


def _aligned(text: str, width: int, *, right: bool) -> str:
    from rich.cells import cell_len

    room = " " * (width - cell_len(text))
    return room + text if right else text + room


def _wrapped(console: Console, text: str, width: int) -> list[str]:
    """Break a text between words."""
    from rich.text import Text

    return [line.plain.rstrip() for line in Text(text).wrap(console, width)] or [""]


def _paragraphs(
    console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[str]:
    """Write each row as its name and, indented, what else is known of it."""
    for name, *rest in rows:
        yield click.style(name, bold=True)
        known = zip(heads[1:], rest, strict=True)
        about = "; ".join(f"{head} {cell}" for head, cell in known if cell not in "–")
        yield from (f"  {line}" for line in _wrapped(console, about, console.width - 2))
