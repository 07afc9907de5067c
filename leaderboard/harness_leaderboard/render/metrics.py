"""How wide text is in Computer Modern, the font that LaTeX takes unless told otherwise.

Times and Helvetica, which most publishers ask for, are narrower.
"""

from __future__ import annotations

import unicodedata

WIDTHS = {
    278: "il.,:;'|![]`",
    306: "fj_",
    333: " -",
    361: "I",
    389: "rst()",
    444: "cez†‡§",
    500: "agos0123456789/*–?",
    528: "kqvxy",
    556: "bdhnpuSß",
    625: "LZ",
    653: "F",
    681: "EPBJ",
    722: "wCTæœ",
    750: "ADHKNORUVXYQ¶",
    778: "+=&<>~^−≈≤≥×±↑↓",
    833: "m%G",
    1028: "WM→…ÆŒ#@{}\\",
}
"""Characters by their width in cmr10, in thousandths of its size, rounded up."""

OF = {character: width for width, group in WIDTHS.items() for character in group}
CODE = 6000  # of a letter that pdfLaTeX lacks, and that is printed as its code
BARS = "▁▂▃▄▅▆▇█"
BAR = 350  # of a bar of a curve

SMALLER = {8: 1.0625, 9: 1.0278}
"""How much wider cmr8 and cmr9 are for their size than cmr10."""

BOLD = 1.16
"""How much wider the bold letters are (cmbx10: 575 for a digit, not 500)."""


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a text is, in points.

    Args:
        text: In one line.
        size: Of the font, in points.
        bold: Whether it is set in bold.
    """
    thousandths = sum(map(_width, text))
    stretch = SMALLER.get(int(size), 1.0) * (BOLD if bold else 1.0)
    return thousandths / 1000 * size * stretch


def _width(character: str) -> int:
    base = unicodedata.normalize("NFD", character)[0]
    if base in BARS:
        return BAR
    return OF.get(base, CODE)
