"""Tables as a page that needs nothing else: sortable, filterable, dark and light.

Nothing is fetched. Names reach the page as escaped text alone, never as script or
style, and its content security policy lets no other script run. Without its script a
reader still sees every table.
"""

from __future__ import annotations

import base64
import hashlib
import math
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from itertools import groupby
from string import Template
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from harness_leaderboard.render.entries import extreme
from harness_leaderboard.render.text import (
    detail_names,
    facts_of,
    headings,
    legend,
    name_columns,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.types import Entry, Table

SHADES = 10  # steps of the heat, whose colours page.css has
AXES = ("upstream", "downstream", "corpus")  # what readers choose rows and columns by

HEADS = 2  # leading names that are headings of their row, and stay while it is scrolled

Position = tuple[int, int]
"""The row and the column of an entry."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A table and how it stands on a page.

    Attributes:
        table: What it shows.
        name: Its id on the page, and the name of its CSV.
        scale: Whether scores are shaded by where they lie in the table or in their row.
        across: Which of ``AXES`` the columns after the names are, if any.
        cells: Which entry opens which cell of the board.
        names: What readers choose an entry by, where its text says more than that.
    """

    table: Table
    name: str = "table"
    scale: Literal["table", "row"] = "table"
    across: str = ""
    cells: Mapping[Position, int] = field(default_factory=dict)
    names: Mapping[Position, str] = field(default_factory=dict)


def html(table: Table, *, width: int, colour: bool) -> str:
    """Write a page of one table."""
    body = f"""\
<main>
<h1>{text(table.title)}</h1>
<div id="choice"></div>
{panel(Panel(table=table))}
</main>"""
    return document(
        table.title, body, styles=("render/page.css",), scripts=("render/page.js",)
    )


def document(
    title: str,
    body: str,
    *,
    styles: Sequence[str],
    scripts: Sequence[str],
    policy: str = "",
) -> str:
    """Write a page.

    Args:
        title: Of its window.
        body: In HTML.
        styles: Files of this package, from its root.
        scripts: Of files too.
        policy: What its content security policy allows besides its own script and
            style, such as ``media-src blob:``.
    """
    style, script = ("".join(map(_read, names)) for names in (styles, scripts))
    return Template(_read("render/page.html")).substitute(
        title=text(title),
        policy=f"; {policy}" if policy else "",
        style=style,
        style_hash=_hash(style),
        body=body,
        script=script,
        script_hash=_hash(script),
    )


def _read(name: str) -> str:
    return files("harness_leaderboard").joinpath(name).read_text("utf-8")


def _hash(source: str) -> str:
    """Return what a content security policy allows a script or a style by."""
    digest = hashlib.sha256(source.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def text(words: str) -> str:
    """Escape what a run or a plugin says, for text and for attributes."""
    return escape(plain(words))


# ---------------------------------------------------------------- a table


def panel(of: Panel) -> str:
    """Write a table and its notes."""
    table = of.table
    more = [detail_names(table, column) for column in range(len(table.columns))]
    shades = _shades(of)
    names = min(name_columns(table), HEADS)
    body = "\n".join(
        f"<tr{_apart(table, row)}>{''.join(_cells(of, row, more, shades, names))}</tr>"
        for row in range(len(table.rows))
    )
    notes = "".join(f"<p>{text(note)}</p>\n" for note in (*_legend(of), *table.notes))
    return f"""\
<div class="panel" id="{of.name}">
<div class="scroll" role="region" aria-label="{text(table.title)}" tabindex="0">
<table>
<caption>{text(table.title)}</caption>
<thead>
{_groups(table)}<tr>{"".join(_heads(of, more))}</tr>
</thead>
<tbody>
{body}
</tbody>
</table>
</div>
<div class="notes">
{notes}</div>
</div>"""


def _apart(table: Table, row: int) -> str:
    """Mark a row that stands below the line, however the others are sorted."""
    return ' class="apart"' if row >= len(table.rows) - table.apart else ""


def _legend(of: Panel) -> tuple[str, ...]:
    """Say what the marks mean that the table has."""
    said = []
    if _is_shaded(of.table):
        among = "row" if of.scale == "row" else "table"
        best = extreme(lowest=of.table.lowest)
        said.append(f"The stronger the blue, the nearer to the {best} of the {among}.")
    if span := _span(of.table):
        said.append(f"Bars are intervals, {_ends(span, of.table.bounds)}.")
    said += legend(of.table, "Bold, ★", "Underlined, ▴")
    return (" ".join(said),) * bool(said)


def _groups(table: Table) -> str:
    """Write what stands above several headings at once."""
    if not any(table.groups):
        return ""
    spans = ((name, len(list(group))) for name, group in groupby(table.groups))
    cells = (
        f'<th scope="colgroup" colspan="{columns}">{text(name)}</th>'
        if name
        else f'<td colspan="{columns}"></td>'
        for name, columns in spans
    )
    return f'<tr class="groups">{"".join(cells)}</tr>\n'


def _heads(of: Panel, more: Sequence[Sequence[str]]) -> Iterator[str]:
    names = name_columns(of.table)
    for column, (name, full) in enumerate(
        zip(of.table.columns, headings(of.table), strict=True)
    ):
        words = all(isinstance(row[column].value, str) for row in of.table.rows)
        kinds = ["name"] * words + ["held"] * (column < min(names, HEADS))
        marks = f' class="{" ".join(kinds)}"' if kinds else ""
        if column < names and name in AXES:
            marks += f' data-axis="{name}"'
        elif column >= names and of.across:
            marks += f' data-across="{of.across}"'
        if full != name:
            marks += f' data-full="{text(full)}"'
        if of.table.sorted_by and of.table.sorted_by[0] == column:
            marks += f' aria-sort="{of.table.sorted_by[1]}"'
        facts = "".join(
            f"<small>{text(line)}</small>" for line in facts_of(of.table, column)
        )
        head = f'<span class="head">{text(name)}</span>{facts}'
        yield f'<th scope="col"{marks}{_more(more[column])}>{head}</th>'


def _cells(
    of: Panel,
    row: int,
    more: Sequence[Sequence[str]],
    shades: Mapping[Position, int],
    names: int,
) -> Iterator[str]:
    span = _span(of.table)
    for column, entry in enumerate(of.table.rows[row]):
        place = row, column
        kinds = ["name"] * isinstance(entry.value, str)
        kinds += ["tie" if entry.tie else "best"] * entry.best
        kinds += ["second"] * entry.second
        kinds += [f"heat s{shades[place]}"] if place in shades else []
        marks = f' class="{" ".join(kinds)}"' if kinds else ""
        marks += _value(entry)
        marks += _more([str(entry.details.get(name, "")) for name in more[column]])
        if place in of.cells:
            marks += f' data-cell="{of.cells[place]}"'
        if place in of.names:
            marks += f' data-name="{text(of.names[place])}"'
        head = column < names and place not in of.cells
        opened, closed = ('th scope="row"', "th") if head else ("td", "td")
        bar = _reach(entry, span) if span else ""
        yield f"<{opened}{marks}>{text(entry.text)}{bar}</{closed}>"


def _value(entry: Entry) -> str:
    """Hold the value of a number, and of a name that is shown shortened."""
    if isinstance(entry.value, str):
        full = f' data-full="{text(entry.value)}"'
        return full if entry.value != entry.text else ""
    known = entry.value is not None and math.isfinite(entry.value)
    return f' data-value="{entry.value}"' if known else ""


def _more(values: Sequence[str]) -> str:
    """Hold what the CSV has besides; no value has a blank or markup when quoted."""
    written = " ".join(quote(value, safe="+") for value in values)
    return f' data-more="{written}"' if values else ""


Span = tuple[float, float]
"""The lowest and the highest that a bar can show."""


def _interval(entry: Entry) -> Span | None:
    """Return the ends of an interval that is drawn.

    What has a ``scale`` of its own, such as a difference, has none.
    """
    low, high = entry.details.get("low"), entry.details.get("high")
    if "scale" in entry.details or not isinstance(entry.value, float):
        return None
    return (low, high) if isinstance(low, float) and isinstance(high, float) else None


def _span(table: Table) -> Span | None:
    """Return what the bars of a table reach over, if it has any.

    Scores without a highest one reach as far as the longest interval, but no further
    than twice the highest score: an interval on a log scale may be endless.
    """
    shown = [
        (entry.value, ends[1])
        for row in table.rows
        for entry in row
        if (ends := _interval(entry))
    ]
    if table.heat or not shown:
        return None
    least, most = table.bounds
    if math.isinf(most):
        values, highs = zip(*shown, strict=True)
        most = min(max(highs), 2 * max(values)) or 1.0
    return least, most


def _ends(span: Span, bounds: Span) -> str:
    """Say what the bars reach over."""
    if math.isinf(bounds[1]):
        return f"from {span[0]:g} to {span[1]:.3g}"
    low, high = (f"{100 * end:.0f}".replace("-", "−") for end in span)
    return f"from {low} to {high} %"


def _reach(entry: Entry, span: Span) -> str:
    """Draw an interval, where the entry has one, below its text; a line is at 0."""
    ends = _interval(entry)
    if ends is None:
        return ""
    least, most = span
    low, zero, high = (
        100 * (min(max(place, least), most) - least) / (most - least)
        for place in (ends[0], 0.0, ends[1])
    )
    line = f'<path d="M{zero:.1f} 0v1"/>' if least < 0 else ""
    return (
        f'<svg class="reach" viewBox="0 0 100 1" preserveAspectRatio="none" '
        f'aria-hidden="true"><rect x="{low:.1f}" width="{high - low:.1f}" height="1"/>'
        f"{line}</svg>"
    )


# ---------------------------------------------------------------- heat


def _is_shaded(table: Table) -> bool:
    """Say whether scores have colours; where they have none, intervals are drawn."""
    return table.heat


def _shades(of: Panel) -> dict[Position, int]:
    """Return each score its step, from the worst to the best it is seen among."""
    if not _is_shaded(of.table):
        return {}
    groups: dict[int, dict[Position, float]] = {}
    for row, entries in enumerate(of.table.rows):
        for column, entry in enumerate(entries):
            if isinstance(entry.value, float) and math.isfinite(entry.value):
                group = groups.setdefault(row if of.scale == "row" else 0, {})
                group[row, column] = entry.value
    shades = {}
    for group in groups.values():
        ends = min(group.values()), max(group.values())
        worst, best = ends[::-1] if of.table.lowest else ends
        for place, value in group.items():
            shades[place] = round(SHADES * (value - worst) / ((best - worst) or 1.0))
    return shades
