"""Renderers: a table as text for a terminal, a page, a spreadsheet or a program.

Names come from plugins and from recordings' folders, so every renderer escapes what its
form takes for markup, and those that a person reads show control characters as codes.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from harness.types import Entry, Table


def plain(text: str) -> str:
    """Show what is not printable as its code, so that no name moves the cursor."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape").decode()
        for character in text
    )


def name_columns(table: Table) -> int:
    """Count the leading columns that hold names; they are repeated, and never split."""
    count = 0
    for column in zip(*table.rows, strict=True):
        if not all(isinstance(entry.value, str) for entry in column):
            break
        count += 1
    return count


# ---------------------------------------------------------------- for a person


def rich(table: Table, *, width: int, colour: bool) -> str:
    """Draw for a terminal; a table that is too wide continues below itself.

    The best of a column is bold, or marked ``*`` where there is no colour.
    """
    from rich.console import Console, Group
    from rich.text import Text

    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )
    parts: list[RenderableType] = [Text(plain(table.title), style="bold")]
    widths = [_width(table, column) for column in range(len(table.columns))]
    for columns in _parts(table, widths, width):
        parts += [_drawn(table, columns, widths, width, colour=colour), Text()]
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
    if any(second(entry) and not entry.best for entry in entries):
        said.append(f"{'underlined' if colour else chr(39)}: the best of its group.")
    return " ".join(said)


GAP = 3  # blanks between columns of a terminal table
NAME = 16  # columns that a name gets before figures go to another table


def _drawn(
    table: Table,
    columns: Sequence[int],
    widths: Sequence[int],
    room: int,
    *,
    colour: bool,
) -> RenderableType:
    """Draw some columns, the names among them folded where they take too much room."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    names = name_columns(table)
    room -= sum(widths[column] + GAP for column in columns[names:])
    folded = sum(widths[column] + GAP for column in columns[:names]) > room
    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        is_name = column < names
        drawn.add_column(
            Text(plain(table.columns[column])),
            justify="left" if is_name else "right",
            vertical="top" if is_name else "bottom",
            width=max(4, room // names - GAP) if is_name and folded else widths[column],
            overflow="fold",
        )
    for row in table.rows:
        drawn.add_row(*(_cell(row[column], colour) for column in columns))
    return drawn


def _cell(entry: Entry, colour: bool) -> RenderableType:
    from rich.text import Text

    text = Text(plain(entry.text))
    if not colour:
        return Text(_star(entry)) + text
    if entry.best:
        text.stylize("bold")
    if second(entry):
        text.stylize("underline")
    return text


def _star(entry: Entry) -> str:
    return "*" if entry.best else "'" if second(entry) else ""


def second(entry: Entry) -> bool:
    """Tell whether an entry is the best of its group of columns."""
    return entry.second


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


def _width(table: Table, column: int) -> int:
    """Measure a column: its widest entry, or the longest word of its header."""
    from rich.cells import cell_len

    entries = (row[column] for row in table.rows)
    widths = [cell_len(plain(entry.text)) + len(_star(entry)) for entry in entries]
    words = plain(table.columns[column]).split()
    return max([1, *widths, *map(cell_len, words)])


def markdown(table: Table, *, width: int, colour: bool) -> str:
    """Write a GitHub table, the best of a column in bold."""
    names = name_columns(table)
    rules = ["---"] * names + ["---:"] * (len(table.columns) - names)
    rows = [[_markdown(name) for name in table.columns], rules]
    for row in table.rows:
        rows.append([_markdown_entry(entry) for entry in row])
    lines = [f"**{_markdown(table.title)}**", ""]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    for note in table.notes:
        lines += ["", _markdown(note)]
    return "\n".join(lines) + "\n"


def _markdown_entry(entry: Entry) -> str:
    text = _markdown(entry.text)
    if second(entry):
        text = f"<u>{text}</u>"
    return f"**{text}**" if entry.best else text


def _markdown(text: str) -> str:
    escaped = re.sub(r"([\\`*\[\]|~#])", r"\\\1", plain(text))
    escaped = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", escaped)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# ---------------------------------------------------------------- for a program


def to_csv(table: Table, *, width: int, colour: bool) -> str:
    """Write values, metrics as fractions of one; what has no value as its text.

    What more an entry holds, such as its interval, has columns of its own.
    """
    details = [
        list(
            dict.fromkeys(name for row in table.rows for name in _details(row[column]))
        )
        for column in range(len(table.columns))
    ]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        header
        for column, names in zip(table.columns, details, strict=True)
        for header in (column, *(f"{column} {name}" for name in names))
    )
    for row in table.rows:
        writer.writerow(
            value
            for entry, names in zip(row, details, strict=True)
            for value in (
                entry.text if entry.value is None else entry.value,
                *(_details(entry).get(name, "") for name in names),
            )
        )
    return file.getvalue()


def _details(entry: Entry) -> Mapping[str, float | int | str]:
    return entry.details


def to_json(table: Table, *, width: int, colour: bool) -> str:
    """Write everything that the table holds."""
    rows = [
        [asdict(entry) | {"value": _finite(entry.value)} for entry in row]
        for row in table.rows
    ]
    content = {
        "title": table.title,
        "columns": table.columns,
        "rows": rows,
        "notes": table.notes,
    }
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _finite(value: float | int | str | None) -> float | int | str | None:
    """Leave out what JSON cannot say."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
