"""Renderers: a table as text for a README, a spreadsheet or a program.

Names come from plugins and from recordings' folders, so every renderer escapes what its
form takes for markup, and those that a person reads show control characters as codes.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from typing import TYPE_CHECKING

from harness_leaderboard.render.entries import extreme

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


def headings(table: Table) -> tuple[str, ...]:
    """Return the columns' headings in one line each, after their group."""
    if not table.groups:
        return table.columns
    return tuple(
        f"{group}: {column}" if group else column
        for group, column in zip(table.groups, table.columns, strict=True)
    )


SORTED = {"ascending": "↑", "descending": "↓"}
"""Behind the heading of the column that rows are sorted by."""


def sort_mark(table: Table, column: int) -> str:
    """Return what stands behind a column's heading, if rows are sorted by it."""
    if table.sorted_by is None or table.sorted_by[0] != column:
        return ""
    return SORTED[table.sorted_by[1]]


def marked_headings(table: Table) -> list[str]:
    """Return the headings, with a mark on what rows are sorted by."""
    return [
        f"{heading} {sort_mark(table, column)}".rstrip()
        for column, heading in enumerate(table.columns)
    ]


def facts_of(table: Table, column: int) -> tuple[str, ...]:
    """Return the lines in small print below a heading."""
    return table.facts[column] if table.facts else ()


def column_parts(
    widths: Sequence[float], names: int, room: float, least: float | None = None
) -> Iterator[list[int]]:
    """Share columns out over as many tables as the room demands, names in each.

    Args:
        widths: Of all columns, gaps included.
        names: How many of the first hold names.
        room: The width that there is.
        least: What the names take at least, where they can be folded.
    """
    taken = sum(widths[:names]) if least is None else least
    part, used = list(range(names)), taken
    for column in range(names, len(widths)):
        if used + widths[column] > room and len(part) > names:
            yield part
            part, used = list(range(names)), taken
        part.append(column)
        used += widths[column]
    yield part


def detail_names(table: Table, column: int) -> list[str]:
    """Name what more the entries of a column hold, such as the ends of intervals."""
    return list(
        dict.fromkeys(name for row in table.rows for name in row[column].details)
    )


TIE = "="
"""Before a figure that may be the best, though another that may be is ahead."""


def best_legend(table: Table, bold: str) -> Iterator[str]:
    """Say what the marks mean of what may be the best, where there are any.

    Args:
        table: With its entries.
        bold: The sign of the one that is ahead.
    """
    entries = [entry for row in table.rows for entry in row]
    if any(entry.best and not entry.tie for entry in entries):
        yield f"{bold}: may be the best."
    if any(entry.tie for entry in entries):
        yield f"{TIE}: tied, no other is shown to be better."


def legend(table: Table, bold: str, underlined: str) -> Iterator[str]:
    """Say what every mark means that the table has.

    Args:
        table: With its entries.
        bold: The sign of the one that is ahead.
        underlined: The sign of the highest of a group.
    """
    yield from best_legend(table, bold)
    if any(entry.second for row in table.rows for entry in row):
        yield f"{underlined}: the {extreme(lowest=table.lowest)} of its group."


# ---------------------------------------------------------------- for a person


def markdown(table: Table, *, width: int, colour: bool) -> str:
    """Write a GitHub table, the best of a column in bold, its ties with a sign."""
    names = name_columns(table)
    rules = ["---"] * names + ["---:"] * (len(table.columns) - names)
    rows = [[_head(table, column) for column in range(len(table.columns))], rules]
    for row in table.rows:
        rows.append([_markdown_entry(entry) for entry in row])
    lines = [f"**{_markdown(table.title)}**", ""]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    for note in (" ".join(legend(table, "Bold", "Underlined")), *table.notes):
        lines += ["", _markdown(note)] if note else []
    return "\n".join(lines) + "\n"


def _head(table: Table, column: int) -> str:
    lines = (headings(table)[column], *facts_of(table, column))
    head = "<br>".join(map(_markdown, lines))
    return f"{head} {sort_mark(table, column)}".rstrip()


def _markdown_entry(entry: Entry) -> str:
    text = _markdown(entry.text)
    if entry.second:
        text = f"<u>{text}</u>"
    if entry.tie:
        return f"{TIE}{text}"
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
    details = [detail_names(table, column) for column in range(len(table.columns))]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        header
        for column, names in zip(headings(table), details, strict=True)
        for header in (column, *(f"{column} {name}" for name in names))
    )
    for row in table.rows:
        writer.writerow(
            value
            for entry, names in zip(row, details, strict=True)
            for value in (
                entry.text if entry.value is None else entry.value,
                *(entry.details.get(name, "") for name in names),
            )
        )
    return file.getvalue()


def to_json(table: Table, *, width: int, colour: bool) -> str:
    """Write everything that the table holds."""
    rows = [[_entry(entry) for entry in row] for row in table.rows]
    content = {
        "title": table.title,
        "columns": table.columns,
        "groups": table.groups,
        "rows": rows,
        "notes": table.notes,
        "facts": table.facts,
        "sorted_by": table.sorted_by,
        "name": table.name,
        "command": table.command,
        "run_ids": table.run_ids,
    }
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _entry(entry: Entry) -> dict[str, object]:
    written = vars(entry) | {"value": _finite(entry.value)}
    return {name: value for name, value in written.items() if name != "key"}


def _finite(value: float | int | str | None) -> float | int | str | None:
    """Leave out what JSON cannot say."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
