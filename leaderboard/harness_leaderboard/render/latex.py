"""Tables for a paper: LaTeX with booktabs.

What is too wide for a line is printed smaller, then shared out over several tables, one
below the other; what is too long for a page goes on in another float.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from itertools import groupby
from typing import TYPE_CHECKING

from harness_leaderboard.render.text import column_parts, name_columns, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.types import Entry, Table

GAP = 2  # characters that the space between columns is worth
LINE = 76  # characters of a line of an A4 article
WIDEST = 112  # characters that are still legible if squeezed into a line
LONGEST = 48  # lines of tables that a page holds
NAME = 44  # characters of a name before it is set in several lines

ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # it would be taken for an argument of the row's end before it
    "*": "{*}",
    "±": r"$\pm$",
    "−": "$-$",
    "→": r"$\rightarrow$",
    "≈": r"$\approx$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "§": r"\S{}",
    "¶": r"\P{}",
    "–": "--",
    "…": r"\ldots{}",
    **{character: f"\\{character}" for character in "{}$&#%_"},
    **{
        bar: rf"\rule{{0.35em}}{{{height}pt}}"
        for height, bar in enumerate("▁▂▃▄▅▆▇█", 1)
    },
}
MINUS = r"(?P<minus>(?<![\w-])-(?=\d))"
ESCAPED = re.compile(
    "|".join([MINUS, *map(re.escape, ESCAPES), "-(?=-)", "[^\x00-\x7f]+"])
)
LETTERS = "ßæÆøØœŒłŁ¡¿"
ACCENTS = "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327"
"""What every LaTeX prints, whatever the font; other alphabets need LuaLaTeX."""

SHRUNK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""To the width of a line what is wider, and nothing else; graphicx has the width."""


def latex(table: Table, *, width: int, colour: bool) -> str:
    r"""Write a ``table``, or several, for ``\usepackage{booktabs,graphicx}``.

    What may be the best is bold, the highest of its group underlined. Text is UTF-8,
    as LaTeX expects since 2018; a letter that pdfLaTeX lacks is printed as its code
    there.
    """
    floats = list(_floats(list(_blocks(table))))
    lines = [r"% needs \usepackage{booktabs,graphicx}"]
    for number, blocks in enumerate(floats, start=1):
        several = f" ({number} of {len(floats)})" if len(floats) > 1 else ""
        again = [r"\addtocounter{table}{-1}"] if number > 1 else []
        lines += [r"\begin{table}", r"\centering\small", *again]
        lines += [rf"\caption{{{escape(table.title + several)}}}"]
        lines += [r"\setlength{\tabcolsep}{4pt}"]
        lines += [r"\par\medskip".join(f"{block}\n" for block in blocks)[:-1]]
        if number == len(floats):
            lines += [
                rf"\par\smallskip\raggedright\footnotesize {escape(note)}"
                for note in table.notes
            ]
        lines.append(r"\end{table}")
    return "\n".join(lines) + "\n"


def _floats(blocks: Sequence[str]) -> Iterator[list[str]]:
    """Put as many blocks into a float as a page holds."""
    held: list[str] = []
    for block in blocks:
        if held and _lines([*held, block]) > LONGEST:
            yield held
            held = []
        held.append(block)
    yield held


def _lines(blocks: Sequence[str]) -> int:
    return sum(block.count(r"\\") + 1 for block in blocks)


def _blocks(table: Table) -> Iterator[str]:
    """Write the table as one ``tabular``, or as several that fit line and page."""
    names = name_columns(table)
    widths = [_width(table, column) for column in range(len(table.columns))]
    for columns in column_parts([width + GAP for width in widths], names, WIDEST):
        head = _head(table, columns, widths)
        step = LONGEST - len(head)
        for start in range(0, max(1, len(table.rows)), step):
            body = [
                rule + _row(_entry(row[column]) for column in columns)
                for rule, row in _ruled(table)[start : start + step]
            ]
            spec = "".join(_spec(column < names, widths[column]) for column in columns)
            lines = [
                rf"\begin{{tabular}}{{{spec}}}",
                r"\toprule",
                *head,
                r"\midrule",
                *body,
                r"\bottomrule",
                r"\end{tabular}",
            ]
            if sum(min(widths[column], NAME) + GAP for column in columns) > LINE:
                lines = [SHRUNK, *lines[:-1], lines[-1] + "}"]
            yield "\n".join(lines)


def _ruled(table: Table) -> list[tuple[str, tuple[Entry, ...]]]:
    """Return rows with what stands before each: a rule before those that are apart."""
    line = len(table.rows) - table.apart if table.apart else None
    return [
        ("\\midrule\n" if place == line else "", row)
        for place, row in enumerate(table.rows)
    ]


def _width(table: Table, column: int) -> int:
    """Measure a column in characters: its widest entry, or what is above, broken."""
    entries = [len(plain(row[column].text)) for row in table.rows]
    pieces = re.findall(r"[^\s-]*-|[^\s-]+", plain(table.columns[column]))
    return max([1, *entries, *map(len, pieces)])


def _spec(is_name: bool, width: int) -> str:
    """Align a column; names that are very long are set in several lines."""
    if width > NAME:
        return f"p{{{NAME // 2}em}}"
    return "l" if is_name else "r"


def _head(table: Table, columns: Sequence[int], widths: Sequence[int]) -> list[str]:
    """Write the rows above the figures: groups, then headings, as high as they need."""
    headings = [_wrapped(table.columns[column], widths[column]) for column in columns]
    height = max(map(len, headings))
    padded = [[""] * (height - len(lines)) + lines for lines in headings]
    rows = [_row(map(escape, line)) for line in zip(*padded, strict=True)]
    if any(table.groups[column] for column in columns if table.groups):
        rows = [*_group_rows([table.groups[column] for column in columns]), *rows]
    return rows


def _wrapped(heading: str, width: int) -> list[str]:
    return textwrap.wrap(plain(heading), width) or [""]


def _group_rows(groups: Sequence[str]) -> list[str]:
    """Write each group's name over its columns, with a rule below."""
    cells, rules, place = [], [], 1
    for group, members in groupby(groups):
        count = len(list(members))
        if group:
            cells.append(rf"\multicolumn{{{count}}}{{c}}{{{escape(group)}}}")
            rules.append(rf"\cmidrule(lr){{{place}-{place + count - 1}}}")
        else:
            cells += [""] * count
        place += count
    return [_row(cells), "".join(rules)]


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _entry(entry: Entry) -> str:
    text = escape(entry.text)
    if entry.second:
        text = rf"\underline{{{text}}}"
    return rf"\textbf{{{text}}}" if entry.best else text


def escape(text: str) -> str:
    """Write text so that LaTeX prints it and does nothing else."""
    whole = unicodedata.normalize("NFC", plain(text))
    return ESCAPED.sub(
        lambda found: "$-$" if found["minus"] else _printed(found[0]), whole
    )


def _printed(found: str) -> str:
    """Print a character that means something to LaTeX, or letters beyond ASCII."""
    if found == "-":
        return "-{}"  # two of them would become a dash
    return "".join(
        _text(characters) if known else _codes(characters)
        for known, run in groupby(found, _known)
        for characters in ["".join(run)]
    )


def _text(characters: str) -> str:
    return "".join(ESCAPES.get(one, one) for one in characters)


def _known(character: str) -> bool:
    if character in ESCAPES or character in LETTERS:
        return True
    letter = unicodedata.normalize("NFD", character)
    return letter[0].isascii() and set(letter[1:]) <= set(ACCENTS)


def _codes(characters: str) -> str:
    """Print letters where the engine is of this century, else their codes."""
    codes = " ".join(f"U+{ord(one):04X}" for one in characters)
    return rf"\ifdefined\Umathchar {characters}\else {{[}}{codes}{{]}}\fi{{}}"
