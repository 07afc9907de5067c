"""For a terminal: tables that fit its width, with heat where there are colours.

What may be the best is bold and the highest of its group underlined; without colour
marks stand before them instead. Ties have a sign in both.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from harness_leaderboard.render.entries import extreme
from harness_leaderboard.render.text import (
    TIE,
    best_legend,
    column_parts,
    facts_of,
    marked_headings,
    name_columns,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from harness.types import Entry, Table

GAP = 3  # blanks between columns
NAME = 16  # columns that a name gets before figures go to another table
SHADES = ("#00204c", "#213d6b", "#555b6c", "#7b7a77", "#a59c74", "#d3c064", "#ffe945")
"""Cividis, from low to high: colour-blind readers can distinguish the shades, others by
lightness alone; each has a text colour of its own, so that any terminal shows it."""
BRIGHT = 3  # shades from this one on bear black text


def rich(table: Table, *, width: int, colour: bool) -> str:
    """Draw for a terminal; a table that is too wide continues below itself."""
    from rich.console import Console
    from rich.text import Text

    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=colour,
        force_jupyter=False,
        color_system="auto" if colour else None,
        legacy_windows=False,
    )
    paper = _Paper(
        console=console,
        colours=console.color_system if colour else None,
        scale=_scale(table),
    )
    console.print(Text(plain(table.title), style="bold"))
    widths = [_width(table, column) for column in range(len(table.columns))]
    for columns in _parts(table, widths, width):
        shown = _folded(table, columns, widths, width)
        file.writelines(f"{line}\n" for line in _drawn(table, columns, shown, paper))
        file.write("\n")
    if legend := _legend(table, colour):
        console.print(Text(legend))
    for note in table.notes:
        console.print(Text(plain(note), style="dim"))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


@dataclass(frozen=True, kw_only=True)
class _Paper:
    """What is drawn on.

    Attributes:
        console: Which wraps headings and names.
        colours: ``standard``, ``256`` or ``truecolor``, or ``None`` for none.
        scale: The worst and the best score, where colour is to show them.
    """

    console: Console
    colours: str | None
    scale: tuple[float, float] | None

    def paint(self, text: str, style: str) -> str:
        """Put the codes of a style around a text, if there are colours."""
        from rich.color import ColorSystem
        from rich.style import Style

        if not style or not self.colours:
            return text
        system = {"256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}
        chosen = system.get(self.colours, ColorSystem.STANDARD)
        return Style.parse(style).render(text, color_system=chosen)

    def wrap(self, text: str, width: int) -> list[str]:
        """Break a text into lines, at blanks where that is possible."""
        from rich.cells import cell_len
        from rich.text import Text

        if cell_len(text) <= width:
            return [text]
        lines = Text(text).wrap(self.console, width, overflow="fold")
        return [line.plain.rstrip() for line in lines]


def _legend(table: Table, colour: bool) -> str:
    entries = [entry for row in table.rows for entry in row]
    said = list(best_legend(table, "bold" if colour else "*"))
    if any(entry.second and not entry.best for entry in entries):
        sign = "underlined" if colour else "'"
        said.append(f"{sign}: the {extreme(lowest=table.lowest)} of its group.")
    return " ".join(said)


# ---------------------------------------------------------------- columns


def _width(table: Table, column: int) -> int:
    """Measure a column: its widest entry, or the longest word above it."""
    from rich.cells import cell_len

    entries = (row[column] for row in table.rows)
    widths = [cell_len(plain(entry.text)) + len(_mark(entry)) for entry in entries]
    words = _glued(marked_headings(table)[column]).split()
    words += map(plain, facts_of(table, column))
    return max([1, *widths, *map(cell_len, words)])


GLUE = "\ue000"  # stands for a blank at which a heading is not broken


def _glued(heading: str) -> str:
    """Keep a dot at the end of what stands before it."""
    return plain(heading).replace(" ·", f"{GLUE}·")


def _parts(table: Table, widths: Sequence[int], width: int) -> Iterator[list[int]]:
    """Share the columns out over as many tables as the width demands.

    A column that has nothing in any row is left out, where there are rows.
    """
    names = name_columns(table)
    kept = [
        column
        for column in range(len(table.columns))
        if column < names
        or not table.rows
        or any(row[column].text for row in table.rows)
    ]
    least = sum(widths[name] + GAP for name in range(names))
    if least > width / 2:  # long names fold
        least = min(least, (NAME + GAP) * names)
    sizes = [widths[column] + GAP for column in kept]
    for part in column_parts(sizes, names, width, least):
        yield [kept[place] for place in part]


def _folded(
    table: Table, columns: Sequence[int], widths: Sequence[int], room: int
) -> list[int]:
    """Return the widths of some columns, names narrower where they need it."""
    names = name_columns(table)
    room -= sum(widths[column] + GAP for column in columns[names:])
    if sum(widths[column] + GAP for column in columns[:names]) <= room:
        return [widths[column] for column in columns]
    narrow = max(4, room // names - GAP)
    return [narrow if column < names else widths[column] for column in columns]


# ---------------------------------------------------------------- lines


def _drawn(
    table: Table, columns: Sequence[int], widths: Sequence[int], paper: _Paper
) -> Iterator[str]:
    """Draw some columns, line by line."""
    names = name_columns(table)
    groups = [table.groups[column] for column in columns] if table.groups else []
    if any(groups):
        widths = _roomy(groups, widths)
        yield _group_line(groups, widths)
    shown = list(zip(columns, widths, strict=True))
    heads = [
        [
            line.replace(GLUE, " ")
            for line in paper.wrap(_glued(marked_headings(table)[column]), width)
        ]
        for column, width in shown
    ]
    below = [[plain(line) for line in facts_of(table, column)] for column in columns]
    for texts, style in ((_level(heads), "bold"), (_level(below, top=True), "dim")):
        for line in texts:
            cells = [
                _aligned(text, width, left=column < names)
                for text, (column, width) in zip(line, shown, strict=True)
            ]
            yield paper.paint((" " * GAP).join(cells).rstrip(), style)
    yield (rule := "─" * _room(widths))
    for place, row in enumerate(table.rows):
        if table.apart and place == len(table.rows) - table.apart:
            yield rule
        folded = [
            paper.wrap(plain(row[name].text), widths[name]) for name in range(names)
        ]
        for number in range(max([1, *map(len, folded)])):
            cells = [
                _aligned(lines[number] if number < len(lines) else "", width, left=True)
                for lines, width in zip(folded, widths, strict=False)
            ]
            cells += [
                _figure(row[column], width, paper) if not number else " " * width
                for column, width in shown[names:]
            ]
            yield (" " * GAP).join(cells)


def _level(
    columns: Sequence[list[str]], *, top: bool = False
) -> Iterator[tuple[str, ...]]:
    """Yield the lines of columns of different heights, level at the bottom or top."""
    height = max(map(len, columns), default=0)
    lacking = [[""] * (height - len(lines)) for lines in columns]
    levelled = [
        lines + less if top else less + lines
        for lines, less in zip(columns, lacking, strict=True)
    ]
    return zip(*levelled, strict=True)


def _spans(groups: Sequence[str]) -> Iterator[tuple[str, slice]]:
    """Yield each group and the columns that it stands above."""
    end = 0
    for group, members in groupby(groups):
        start, end = end, end + len(list(members))
        yield group, slice(start, end)


def _roomy(groups: Sequence[str], widths: Sequence[int]) -> list[int]:
    """Widen the last column of a group whose name is longer than its columns."""
    from rich.cells import cell_len

    roomy = list(widths)
    for group, of in _spans(groups):
        lacking = cell_len(plain(group)) - _room(widths[of])
        roomy[of.stop - 1] += max(0, lacking)
    return roomy


def _room(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _group_line(groups: Sequence[str], widths: Sequence[int]) -> str:
    """Write each group's name over its columns, between rules."""
    from rich.cells import cell_len

    drawn = []
    for group, of in _spans(groups):
        name, room = plain(group), _room(widths[of])
        ruled = bool(name) and room >= cell_len(name) + 2
        drawn.append((f" {name} " if ruled else name).center(room, " ─"[ruled]))
    return (" " * GAP).join(drawn)


def _aligned(text: str, width: int, *, left: bool) -> str:
    from rich.cells import cell_len

    room = " " * (width - cell_len(text))
    return text + room if left else room + text


def _figure(entry: Entry, width: int, paper: _Paper) -> str:
    """Print an entry that is no name, on its shade where there are enough colours."""
    from rich.cells import cell_len

    text = plain(entry.text)
    if not paper.colours:
        return _aligned(_mark(entry) + text, width, left=False)
    if entry.tie:
        text = TIE + text
    marks = ["bold"] * (entry.best and not entry.tie) + ["underline"] * entry.second
    shade = _shade(entry, paper.scale) if paper.colours != "standard" else ""
    room = paper.paint(" " * (width - cell_len(text)), shade)
    return room + paper.paint(text, " ".join([*marks, shade]))


def _mark(entry: Entry) -> str:
    if entry.tie:
        return TIE
    return "*" if entry.best else "'" if entry.second else ""


def _scale(table: Table) -> tuple[float, float] | None:
    """Return the worst and the best score, where they may be compared."""
    scores = [
        entry.value
        for row in table.rows
        for entry in row
        if isinstance(entry.value, float) and math.isfinite(entry.value)
    ]
    if not table.heat or not scores or min(scores) == max(scores):
        return None
    low, high = min(scores), max(scores)
    return (high, low) if table.lowest else (low, high)


def _shade(entry: Entry, scale: tuple[float, float] | None) -> str:
    """Return a score its colours, as rich spells them; nothing else has any."""
    if not scale or not isinstance(entry.value, float):
        return ""
    worst, best = scale
    share = min(max((entry.value - worst) / (best - worst), 0.0), 1.0)
    step = round(share * (len(SHADES) - 1))
    return f"{'#000000' if step >= BRIGHT else '#ffffff'} on {SHADES[step]}"
