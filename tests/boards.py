"""Tables that tests of several renderers draw."""

from __future__ import annotations

from typing import Any

from harness.types import Entry, Table


def table(*rows: tuple[str, ...], columns: tuple[str, ...] = (), **more: Any) -> Table:
    """A table of names and percentages; the first figure of the first row is best."""

    def entry(text: str, best: bool) -> Entry:
        if text.replace(".", "").isdigit():
            return Entry(text=text, value=float(text) / 100, best=best)
        return Entry(text=text, value=text)

    entries = tuple(
        tuple(entry(text, (down, across) == (0, 1)) for across, text in enumerate(row))
        for down, row in enumerate(rows)
    )
    return Table(title="UAR in percent", columns=columns, rows=entries, **more)


def number(entry: Entry) -> float:
    """Return the value of an entry that holds a number."""
    assert isinstance(entry.value, int | float)
    return entry.value


BOARD = table(
    ("whisper-base", "82.9", "60.1"),
    ("fbank", "41.0", "33.3"),
    columns=("upstream", "emodb", "cafe"),
    notes=("All runs: split loso.",),
)
HOSTILE = table(
    ("[red]x[/]", "82.9"),
    ("a|b", "1.0"),
    ("../x\nnewline\x1b[2J", "2.0"),
    ("*bold* _it_ `c` <b> &amp;", "3.0"),
    columns=("up\nstream", "em|odb"),
)
GROUPED = Table(
    title="T",
    columns=("upstream", "x", "y", "z"),
    groups=("", "English-only", "English-only", ""),
    rows=(
        (
            Entry(text="a", value="a"),
            Entry(text="80.0", value=0.8, best=True, second=True),
            Entry(text="70.0", value=0.7, second=True),
            Entry(text="60.0", value=0.6),
        ),
    ),
)


MARKED = Table(
    title="Macro-F1 in percent",
    columns=("upstream", "downstream", "emodb", "cafe"),
    rows=(
        (
            Entry(text="whisper_base", value="whisper_base"),
            Entry(text="linear †", value="linear †"),
            Entry(text="82.9 ± 1.0 (3)", value=0.829, best=True),
            Entry(text="60.0 (1)", value=0.6, second=True),
        ),
        (
            Entry(text="fbank", value="fbank"),
            Entry(text="linear", value="linear"),
            Entry(text="82.0 (1)", value=0.82, best=True, tie=True),
            Entry(text="7/10 folds"),
        ),
    ),
    notes=("100 % of runs.",),
)
