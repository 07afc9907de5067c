"""The renderer for a terminal: tables that fit its width, with heat where it has colours.

The best of a column is bold and the best of its group underlined; without colour marks
stand before them instead.
"""

from __future__ import annotations

import io
import math
from itertools import groupby
from typing import TYPE_CHECKING

from harness_leaderboard.render import headings, name_columns, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, RenderableType
    from rich.text import Text

    from harness.types import Entry, Table

GAP = 3  # blanks between columns
NAME = 16  # columns that a name gets before figures go to another table
SHADES = ("#00204c", "#213d6b", "#555b6c", "#7b7a77", "#a59c74", "#d3c064", "#ffe945")
"""Cividis, from low to high: told apart by colour-blind readers, and by their lightness
alone; each is a background with a text colour of its own, so any terminal shows it."""
BRIGHT = 3  # shades from this one on bear black text


def rich(table: Table, *, width: int, colour: bool) -> str:
    """Draw for a terminal; a table that is too wide continues below itself."""
    from rich.console import Console, Group
    from rich.text import Text

    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=colour,
        color_system="auto" if colour else None,
        legacy_windows=False,
    )
    shades = _shades(table) if _many_colours(console) else {}
    widths = [_width(table, column) for column in range(len(table.columns))]
    parts: list[RenderableType] = [Text(plain(table.title), style="bold")]
    for columns in _parts(table, widths, width):
        shown = _folded(table, columns, widths, width)
        if any(table.groups):
            parts.append(_group_line(table, columns, shown))
        parts += [_drawn(table, columns, shown, shades, colour=colour), Text()]
    if legend := _legend(table, colour):
        parts.append(Text(legend))
    parts += [Text(plain(note), style="dim") for note in table.notes]
    console.print(Group(*parts))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def _legend(table: Table, colour: bool) -> str:
    entries = [entry for row in table.rows for entry in row]
    said = []
    if any(entry.best for entry in entries):
        said.append(f"{'bold' if colour else '*'}: the best.")
    if any(entry.second and not entry.best for entry in entries):
        said.append(f"{'underlined' if colour else chr(39)}: the best of its group.")
    return " ".join(said)


# ---------------------------------------------------------------- columns


def _width(table: Table, column: int) -> int:
    """Measure a column: its widest entry, or the longest word above it."""
    from rich.cells import cell_len

    entries = (row[column] for row in table.rows)
    widths = [cell_len(plain(entry.text)) + len(_mark(entry)) for entry in entries]
    words = plain(table.columns[column]).split()
    group = plain(table.groups[column]) if table.groups else ""
    return max([1, *widths, *map(cell_len, words), cell_len(group)])


def _parts(table: Table, widths: Sequence[int], width: int) -> Iterator[list[int]]:
    """Share the columns out over as many tables as the width demands."""
    names = list(range(name_columns(table)))
    least = sum(widths[name] + GAP for name in names)
    if least > width / 2:  # long names fold
        least = min(least, (NAME + GAP) * len(names))
    part, used = list(names), least
    for column in range(len(names), len(table.columns)):
        needed = widths[column] + GAP
        if used + needed > width and len(part) > len(names):
            yield part
            part, used = list(names), least
        part.append(column)
        used += needed
    yield part


def _folded(
    table: Table, columns: Sequence[int], widths: Sequence[int], room: int
) -> list[int]:
    """Give the widths of some columns, names narrower where they take too much room."""
    names = name_columns(table)
    room -= sum(widths[column] + GAP for column in columns[names:])
    if sum(widths[column] + GAP for column in columns[:names]) <= room:
        return [widths[column] for column in columns]
    narrow = max(4, room // names - GAP)
    return [
        narrow if column < names else min(widths[column], max(room, widths[column]))
        for column in columns
    ]


def _group_line(table: Table, columns: Sequence[int], widths: Sequence[int]) -> Text:
    """Write each group's name over its columns, between rules."""
    from rich.text import Text

    drawn = []
    of_columns = zip((table.groups[column] for column in columns), widths, strict=True)
    for group, members in groupby(of_columns, key=lambda member: member[0]):
        spanned = [width for _, width in members]
        room = sum(spanned) + GAP * (len(spanned) - 1)
        name = Text(f" {plain(group)} " if group else "")
        name.align("center", room, "─" if group else " ")
        drawn.append(name)
    return Text(" " * GAP).join(drawn)


def _drawn(
    table: Table,
    columns: Sequence[int],
    widths: Sequence[int],
    shades: dict[int, str],
    *,
    colour: bool,
) -> RenderableType:
    """Draw some columns."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    names = name_columns(table)
    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column, width in zip(columns, widths, strict=True):
        is_name = column < names
        drawn.add_column(
            Text(plain(table.columns[column])),
            justify="left" if is_name else "right",
            vertical="top" if is_name else "bottom",
            width=width,
            overflow="fold",
        )
    for row in table.rows:
        drawn.add_row(
            *(
                _cell(row[column], width, shades, colour=colour)
                for column, width in zip(columns, widths, strict=True)
            )
        )
    return drawn


# ---------------------------------------------------------------- entries


def _cell(entry: Entry, width: int, shades: dict[int, str], *, colour: bool) -> Text:
    from rich.text import Text

    text = Text(plain(entry.text))
    if not colour:
        return Text(_mark(entry)) + text
    if shade := shades.get(id(entry)):
        text.align("right", width)
        text.stylize(shade)
    if entry.best:
        text.stylize("bold")
    if entry.second:
        text.stylize("underline")
    return text


def _mark(entry: Entry) -> str:
    return "*" if entry.best else "'" if entry.second else ""


def _many_colours(console: Console) -> bool:
    """Tell whether the terminal has shades, beyond the sixteen colours of old."""
    return console.color_system in ("256", "truecolor")


def _shades(table: Table) -> dict[int, str]:
    """Give each score a background, from the lowest of the table to its highest."""
    scores = {
        id(entry): entry.value
        for row in table.rows
        for entry in row
        if table.heat and isinstance(entry.value, float) and math.isfinite(entry.value)
    }
    low, high = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
    steps = {
        key: int((value - low) / (high - low) * (len(SHADES) - 1) + 0.5)
        for key, value in scores.items()
        if high > low
    }
    return {
        key: f"{'black' if step >= BRIGHT else 'white'} on {SHADES[step]}"
        for key, step in steps.items()
    }
