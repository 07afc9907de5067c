"""Text for LaTeX: what it prints, and nothing that it does."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

from harness_leaderboard.render.text import plain

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
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
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
