"""Tables for a paper: LaTeX with booktabs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness_leaderboard.render import name_columns, plain, second

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.types import Entry, Table

ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "≤": r"$\leq$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "§": r"\S{}",
    "–": "--",
    "…": r"\ldots{}",
    **{character: f"\\{character}" for character in "{}$&#%_"},
    **{
        bar: rf"\rule{{0.35em}}{{{height}pt}}"
        for height, bar in enumerate("▁▂▃▄▅▆▇█", 1)
    },
}
ESCAPED = re.compile("|".join(map(re.escape, ESCAPES)))


def latex(table: Table, *, width: int, colour: bool) -> str:
    r"""Write a ``table`` for ``\usepackage{booktabs}``.

    The best is bold, the best of its group underlined. Text is UTF-8, as LaTeX expects
    since 2018; alphabets that a font lacks need LuaLaTeX.
    """
    names = name_columns(table)
    columns = "l" * names + "r" * (len(table.columns) - names)
    body = [_row(_entry(entry) for entry in row) for row in table.rows]
    notes = [rf"\par\smallskip\footnotesize {escape(note)}" for note in table.notes]
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(table.title)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _row(escape(column) for column in table.columns),
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        *notes,
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _entry(entry: Entry) -> str:
    text = escape(entry.text)
    if second(entry):
        text = rf"\underline{{{text}}}"
    return rf"\textbf{{{text}}}" if entry.best else text


def escape(text: str) -> str:
    """Write text so that LaTeX prints it and does nothing else."""
    return ESCAPED.sub(lambda found: ESCAPES[found[0]], plain(text))
