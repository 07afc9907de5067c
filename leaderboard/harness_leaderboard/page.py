"""The board as one self-contained page: sortable, filterable, dark and light.

Nothing is fetched. Names reach the page as escaped text alone, never as script or
style, and its content security policy lets no other script run.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from harness_leaderboard.render import name_columns, plain, second

if TYPE_CHECKING:
    from harness.types import Entry, Table

SHADES = 10  # steps of the heat map


def html(table: Table, *, width: int, colour: bool) -> str:
    """Write the page."""
    assets = files("harness_leaderboard")
    script = assets.joinpath("page.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    names = name_columns(table)
    ranges = [_range(table, column) for column in range(len(table.columns))]
    return Template(assets.joinpath("page.html").read_text("utf-8")).substitute(
        title=_text(table.title),
        script=script,
        script_hash=f"sha256-{digest}",
        shades=_shades(),
        second=", underlined the best of its group" if _has_second(table) else "",
        head="".join(
            _head(column, place < names, ranges[place])
            for place, column in enumerate(table.columns)
        ),
        body="\n".join(_row(row, names, ranges) for row in table.rows),
        notes="".join(f"<p>{_text(note)}</p>" for note in table.notes),
    )


def _text(text: str) -> str:
    return escape(plain(text))


def _shades() -> str:
    return "\n".join(
        f".s{step} {{ background: rgba(var(--hue), {0.05 * step:.2f}); }}"
        for step in range(1, SHADES + 1)
    )


def _has_second(table: Table) -> bool:
    return any(second(entry) for row in table.rows for entry in row)


def _range(table: Table, column: int) -> tuple[float, float] | None:
    """Give the lowest and the highest number of a column."""
    values = [_value(row[column]) for row in table.rows]
    numbers = [value for value in values if value is not None]
    return (min(numbers), max(numbers)) if numbers else None


def _value(entry: Entry) -> float | None:
    return None if isinstance(entry.value, str) else entry.value


def _head(name: str, is_name: bool, numbers: tuple[float, float] | None) -> str:
    kind = ' class="name"' if is_name else ""
    sorts = ' data-numbers="1"' if numbers else ""
    label = f'<button type="button">{_text(name)}</button>'
    return f'<th scope="col"{kind}{sorts}>{label}</th>'


def _row(
    row: tuple[Entry, ...], names: int, ranges: list[tuple[float, float] | None]
) -> str:
    cells = []
    for place, entry in enumerate(row):
        if place == 0:
            cells.append(f'<th scope="row">{_text(entry.text)}</th>')
        elif place < names:
            cells.append(f'<td class="name">{_text(entry.text)}</td>')
        else:
            cells.append(_cell(entry, ranges[place]))
    return f"<tr>{''.join(cells)}</tr>"


def _cell(entry: Entry, numbers: tuple[float, float] | None) -> str:
    value = _value(entry)
    kinds = ["best"] * entry.best + ["second"] * second(entry)
    if value is not None and numbers and numbers[1] > numbers[0]:
        share = (value - numbers[0]) / (numbers[1] - numbers[0])
        kinds.append(f"s{round(SHADES * share)}")
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    data = "" if value is None else f' data-value="{value}"'
    return f"<td{kind}{data}>{_text(entry.text)}</td>"
