"""What a leaderboard shows: tables, and renderers that print them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a table: the text that a person reads and the value behind it.

    Attributes:
        text: As it stands in the table, percent signs and spreads included.
        value: For CSV and JSON: a fraction of one, a number or a string.
        best: Whether it may be the best of its column.
        tie: Whether it may be, while another that may be has a better figure.
        second: Whether it is the best of its group of columns.
        details: Further values by name, such as a spread: columns of their own in CSV.
        key: What the entry is about, such as the condition behind a figure: for code
            that arranges tables. It is never printed.
    """

    text: str
    value: float | int | str | None = None
    best: bool = False
    tie: bool = False
    second: bool = False
    details: Mapping[str, float | int | str] = field(default_factory=dict)
    key: Hashable = None


Order = tuple[int, Literal["ascending", "descending"]]
"""A column by its place, and how the rows follow each other in it."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a leaderboard's view returns and a renderer prints.

    Attributes:
        title: One line above it.
        columns: Header texts.
        rows: As many entries a row as there are columns.
        notes: Sentences below it: what is left out, and why.
        groups: What stands above the columns, one text a column, empty for none;
            neighbours with the same text stand under it together.
        heat: Whether numbers in it are scores on one scale, so that a renderer may
            colour them by value.
        bounds: The lowest and the highest that its scores may be, as of ``Metric``.
        lowest: Whether the lowest score is the best.
        facts: What stands in small print below each heading, such as how many classes
            a corpus has; as many tuples as there are columns, or none.
        sorted_by: The column that the rows are sorted by, and in which order.
        name: Which view it is, such as ``board``: a label in LaTeX.
        command: What made it, to be typed again.
        run_ids: Of the results that it was made from.
        apart: How many of the last rows stand below a line: controls, which are not
            ranked.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    heat: bool = False
    bounds: tuple[float, float] = (0.0, 1.0)
    lowest: bool = False
    facts: tuple[tuple[str, ...], ...] = ()
    sorted_by: Order | None = None
    name: str = ""
    command: str = ""
    run_ids: tuple[str, ...] = ()
    apart: int = 0


@dataclass(frozen=True, kw_only=True)
class Renderer:
    """A form that a table can be printed in.

    Attributes:
        name: The word after ``--format``.
        summary: One line for ``--help``.
        render: From a table to text; ``colour`` says whether the text goes to a
            terminal, ``width`` is its width in columns, or what ``widths`` has.
        endings: Of files that are written in this form where no other is asked for,
            such as ``.md``.
        widths: What ``--width`` takes, and what ``render`` is passed for it as
            ``width``, such as millimetres; ``""`` is what it is passed without.
    """

    name: str
    summary: str
    render: Render
    endings: tuple[str, ...] = ()
    widths: Mapping[str, int] = field(default_factory=dict)


class Render(Protocol):
    """Print a table."""

    def __call__(self, table: Table, *, width: int, colour: bool) -> str:
        """Return the table as text that ends with a newline."""
