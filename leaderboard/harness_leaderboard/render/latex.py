r"""Tables for a paper: LaTeX with booktabs, for a column or a page of two columns.

A table is measured before it is written: nothing is wider than was asked for, and
nothing smaller than 8 pt. What is too wide is shared out over several tables, one below
the other; what is too long for a page goes on in another float.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from harness_leaderboard.render.escapes import escape
from harness_leaderboard.render.metrics import width_of
from harness_leaderboard.render.text import (
    TIE,
    column_parts,
    facts_of,
    legend,
    marked_headings,
    name_columns,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.types import Entry, Table

    Row = tuple[Entry, ...]

COLUMN, PAGE = 80, 170
"""Millimetres of a column and of a page: Interspeech, IEEE and ACL have 77 to 89, and
160 to 183."""

WIDTHS = {"": 0, "column": COLUMN, "page": PAGE}
POINT = 25.4 / 72.27  # millimetres
SIZES = (9, 8)  # of letters, in points: 8 is what most publishers want at least
SEP = 3.0  # points to each side of a column
TALL = 460  # points of a page's height that are left to tables, below a long caption
NAMES = 0.5  # of the width that names may take before they are set in several lines
LISTED = 1_000  # run ids that a comment lists


def latex(table: Table, *, width: int, colour: bool) -> str:
    r"""Write a ``table``, or several, for ``\usepackage{booktabs,array}``.

    What may be the best is bold, its ties have a sign, and the highest of its group is
    underlined. Text is UTF-8, as LaTeX expects since 2018; a letter that pdfLaTeX lacks
    is printed as its code there. Caption and comments say what the figures are and
    where they come from.

    Args:
        table: What to write.
        width: In millimetres; 0 for a column where the table fits it, else a page.
        colour: Not used.
    """
    sheet = _sheet(table, width)
    floats = list(_floats(list(_blocks(sheet)), sheet.lines))
    kind = "table" if sheet.room <= COLUMN / POINT else "table*"
    lines = [r"% needs \usepackage{booktabs,array}", *_origin(table)]
    for number, blocks in enumerate(floats, start=1):
        lines += [rf"\begin{{{kind}}}", r"\centering\emergencystretch=3em"]
        lines += [r"\setlength{\belowcaptionskip}{4pt}"]
        lines += _caption(table, number, len(floats))
        lines += [rf"\fontsize{{{sheet.size}}}{{{sheet.size * 1.2:.1f}}}\selectfont"]
        lines += [rf"\setlength{{\tabcolsep}}{{{SEP:g}pt}}"]
        lines += [r"\par\medskip".join(f"{block.text}\n" for block in blocks)[:-1]]
        lines.append(rf"\end{{{kind}}}")
    return "\n".join(lines) + "\n"


def _origin(table: Table) -> Iterator[str]:
    """Say in comments what made the table, of which results."""
    if table.command:
        yield f"% {plain(table.command)}"
    if len(table.run_ids) > LISTED:
        digest = hashlib.sha256("\n".join(table.run_ids).encode()).hexdigest()
        yield f"% of {len(table.run_ids)} results; sha256 of their ids: {digest}"
    elif table.run_ids:
        ids = textwrap.wrap(f"run ids: {' '.join(table.run_ids)}", 86)
        yield from (f"% {line}" for line in ids)


def _caption(table: Table, number: int, count: int) -> Iterator[str]:
    """Say all that a reader needs; a float that goes on has the same number."""
    several = f" ({number} of {count})" if count > 1 else ""
    short = escape(table.title)
    if number > 1:
        yield r"\addtocounter{table}{-1}"
        yield rf"\caption[]{{{short}{several}}}"
        return
    said = " ".join([f"{table.title}{several}.", *map(plain, _notes(table))])
    made = rf" Made by \texttt{{{escape(table.command)}}}." if table.command else ""
    yield rf"\caption[{{{short}}}]{{{escape(said)}{made}}}"
    if table.name:
        yield rf"\label{{tab:{table.name}}}"


def _notes(table: Table) -> Iterator[str]:
    """Yield what stands in the caption, marks explained first."""
    yield from legend(table, "Bold", "Underlined")
    yield from table.notes


@dataclass(frozen=True, kw_only=True)
class _Block:
    """A ``tabular``, and how many lines high it is."""

    text: str
    lines: int


def _floats(blocks: Sequence[_Block], longest: int) -> Iterator[list[_Block]]:
    """Put as many blocks into a float as a page holds."""
    held: list[_Block] = []
    for block in blocks:
        if held and sum(one.lines + 1 for one in (*held, block)) > longest:
            yield held
            held = []
        held.append(block)
    yield held


# ---------------------------------------------------------------- measured


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    """A table that was measured.

    Attributes:
        table: Which.
        room: Its greatest width, in points.
        size: Of letters, in points.
        widths: Of the columns, in points, without what stands between them.
        names: How many columns hold names.
    """

    table: Table
    room: float
    size: int
    widths: tuple[float, ...]
    names: int

    @property
    def parts(self) -> list[list[int]]:
        """The columns of each of the tables that it takes."""
        taken = [width + 2 * SEP for width in self.widths]
        return list(column_parts(taken, self.names, self.room))

    @property
    def lacking(self) -> float:
        """By how many points the widest of them is too wide."""
        wide = (sum(self.widths[one] + 2 * SEP for one in part) for part in self.parts)
        return max(max(wide) - self.room - 2 * SEP, 0.0)

    @property
    def floats(self) -> int:
        """How many floats it takes."""
        return len(list(_floats(list(_blocks(self)), self.lines)))

    @property
    def lines(self) -> int:
        """How many lines a page holds."""
        return int(TALL / (1.2 * self.size))


def _sheet(table: Table, width: int) -> _Sheet:
    """Measure a table: in few pieces, and then in the widest letters that there are."""
    rooms = [width] if width else [COLUMN, PAGE]
    tried = [
        _measured(table, room / POINT, size, folded=folded)
        for room in rooms
        for size in SIZES
        for folded in (False, True)
    ]
    return min(tried, key=lambda one: (one.lacking > 0, len(one.parts), one.floats))


def _measured(table: Table, room: float, size: int, *, folded: bool) -> _Sheet:
    """Measure the columns; names that take too much are set in several lines.

    Args:
        table: Which.
        room: In points.
        size: Of letters, in points.
        folded: Whether names are kept to their share of the room.
    """
    names = name_columns(table)
    widths = [_width(table, column, size) for column in range(len(table.columns))]
    kept = (NAMES if folded else 0.9) * room - 2 * SEP * names
    over = sum(widths[:names]) - kept
    for column in sorted(range(names), key=lambda column: -widths[column]):
        least = max(_unbroken(table, column, size), widths[column] - max(over, 0.0))
        over -= widths[column] - min(widths[column], least)
        widths[column] = min(widths[column], least)
    kept = room - sum(widths[:names]) - 2 * SEP * (names + 1)
    for column in range(names, len(widths)):
        least = max(_unbroken(table, column, size), kept)
        widths[column] = min(widths[column], least)
    return _Sheet(table=table, room=room, size=size, widths=tuple(widths), names=names)


def _width(table: Table, column: int, size: int) -> float:
    """Measure a column: its widest entry, or what is above, broken."""
    entries = [
        width_of(plain(_signed(row[column])), size, bold=row[column].best)
        for row in table.rows
    ]
    above = [*_pieces(marked_headings(table)[column]), *facts_of(table, column)]
    above += _pieces(table.groups[column]) if table.groups else []
    return max([1.0, *entries, *(width_of(plain(one), size) for one in above)])


def _unbroken(table: Table, column: int, size: int) -> float:
    """Measure the widest piece of a column of names that cannot be broken."""
    texts = [table.columns[column], *(row[column].text for row in table.rows)]
    pieces = [piece for text in texts for piece in _pieces(text)]
    return max(width_of(plain(piece), size) for piece in pieces)


def _pieces(text: str) -> list[str]:
    """Part a text where LaTeX may break it."""
    return re.findall(r"[^\s-]*-|[^\s-]+", plain(text)) or [""]


# ---------------------------------------------------------------- written


def _blocks(sheet: _Sheet) -> Iterator[_Block]:
    """Write the table as one ``tabular``, or as several that fit width and page."""
    for columns in sheet.parts:
        head = _head(sheet, columns)
        for rows in _pages(sheet, sheet.lines - len(head)):
            body = [
                rule + _row(_entry(row[column]) for column in columns)
                for rule, row in rows
            ]
            height = len(head) + sum(_height(sheet, row) for _, row in rows)
            spec = "".join(_spec(sheet, column) for column in columns)
            lines = [
                rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
                r"\toprule",
                *head,
                r"\midrule",
                *body,
                r"\bottomrule",
                r"\end{tabular}",
            ]
            yield _Block(text="\n".join(lines), lines=height)


def _pages(sheet: _Sheet, room: int) -> Iterator[list[tuple[str, Row]]]:
    """Yield the rows that a page holds below their heading, each with its rule."""
    held: list[tuple[str, Row]] = []
    for rule, row in _ruled(sheet.table):
        rows = [*(one for _, one in held), row]
        if held and sum(_height(sheet, one) for one in rows) > room:
            yield held
            held = []
        held.append((rule, row))
    yield held


def _ruled(table: Table) -> Iterator[tuple[str, Row]]:
    """Yield rows with what stands before each: a rule before those that are apart."""
    line = len(table.rows) - table.apart if table.apart else None
    for place, row in enumerate(table.rows):
        yield "\\midrule\n" if place == line else "", row


def _height(sheet: _Sheet, row: Row) -> int:
    """Return the lines of a row, of which some entries may take several."""
    texts = zip(row, sheet.widths, strict=True)
    broken = (_broken(entry.text, width, sheet.size) for entry, width in texts)
    return max(map(len, broken), default=1)


def _spec(sheet: _Sheet, column: int) -> str:
    """Align a column; entries that are too wide are set in several lines."""
    name = column < sheet.names
    if sheet.widths[column] < _width(sheet.table, column, sheet.size):
        ragged = "raggedright" if name else "raggedleft"
        return rf">{{\{ragged}\arraybackslash}}p{{{sheet.widths[column]:.1f}pt}}"
    return "l" if name else "r"


def _head(sheet: _Sheet, columns: Sequence[int]) -> list[str]:
    """Write the rows above the figures: groups, then headings, as high as they need."""
    table = sheet.table
    above = [_wrapped(sheet, column) for column in columns]
    below = [list(facts_of(table, column)) for column in columns]
    height, depth = max(map(len, above)), max(map(len, below))
    padded = [
        [""] * (height - len(head)) + head + facts + [""] * (depth - len(facts))
        for head, facts in zip(above, below, strict=True)
    ]
    rows = [_row(map(escape, line)) for line in zip(*padded, strict=True)]
    if any(table.groups[column] for column in columns if table.groups):
        rows = [*_group_rows(sheet, columns), *rows]
    return rows


def _wrapped(sheet: _Sheet, column: int) -> list[str]:
    """Break a heading into lines that are no wider than its column."""
    return _broken(
        marked_headings(sheet.table)[column], sheet.widths[column], sheet.size
    )


def _broken(text: str, width: float, size: int) -> list[str]:
    """Break a text into lines that are no wider, in points."""
    lines = [""]
    for piece in re.findall(r"\s*(?:[^\s-]+-?|-)", plain(text)):
        joined = lines[-1] + piece if lines[-1] else piece.lstrip()
        if lines[-1] and width_of(joined, size) > width + 0.01:
            lines.append(piece.lstrip())
        else:
            lines[-1] = joined
    return lines


def _group_rows(sheet: _Sheet, columns: Sequence[int]) -> list[str]:
    """Write each group's name over its columns, with a rule below."""
    cells, rules, place = [], [], 1
    for group, members in groupby(columns, lambda column: sheet.table.groups[column]):
        of = list(members)
        if group:
            room = sum(sheet.widths[column] for column in of) + 2 * SEP * (len(of) - 1)
            lines = r"\\".join(map(escape, _broken(group, room, sheet.size)))
            name = rf"\shortstack{{{lines}}}" if r"\\" in lines else lines
            cells.append(rf"\multicolumn{{{len(of)}}}{{c}}{{{name}}}")
            rules.append(rf"\cmidrule(lr){{{place}-{place + len(of) - 1}}}")
        else:
            cells += [""] * len(of)
        place += len(of)
    return [_row(cells), "".join(rules)]


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _entry(entry: Entry) -> str:
    text = escape(entry.text)
    if entry.second:
        text = rf"\underline{{{text}}}"
    if entry.tie:
        return f"{TIE}{text}"
    return rf"\textbf{{{text}}}" if entry.best else text


def _signed(entry: Entry) -> str:
    return f"{TIE}{entry.text}" if entry.tie else entry.text
