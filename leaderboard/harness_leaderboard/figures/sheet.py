"""What all drawings share: the style, the sheet with its panels, and the files."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness_leaderboard.analysis.question import Question

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MOST_PANELS = 12
INCHES = {"column": 80 / 25.4, "page": 170 / 25.4}
"""The widths of a column and of a page of two columns; see ``render.latex``."""
STYLE: dict[Any, Any] = {
    **dict.fromkeys(
        (
            *("font.size", "axes.titlesize", "axes.labelsize", "legend.fontsize"),
            *("xtick.labelsize", "ytick.labelsize", "figure.labelsize"),
        ),
        8,  # points, in print too: a figure is as wide as it will stand there
    ),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 200,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "none",
    "svg.hashsalt": "harness",
    "text.parse_math": False,  # a name with $ is a name
}


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure by name.

    Attributes:
        summary: One line for ``harness list figures``.
        columns: Those that it reads for a question.
        draw: From results to the figure.
        mixed: Whether it shows classes and numbers side by side.
    """

    summary: str
    columns: Callable[[Question], tuple[str, ...]]
    draw: Callable[[pa.Table, Question], Figure]
    mixed: bool = False


def save(
    drawing: Drawing,
    runs: pa.Table,
    question: Question,
    paths: Sequence[Path],
    *,
    made_by: str = "",
) -> None:
    """Draw once and write every file; the ending says the format.

    Args:
        drawing: What to draw.
        runs: Results.
        question: Says the metric and the width.
        paths: To write.
        made_by: The command, for the file's metadata.

    Raises:
        HarnessError: Where an ending is no format, or nothing can be drawn.
    """
    import matplotlib as mpl

    from harness.files import saving

    with mpl.rc_context(STYLE):
        figure = drawing.draw(runs, question)
        known = figure.canvas.get_supported_filetypes()
        for path in paths:
            form = path.suffix.removeprefix(".").lower()
            if form not in known:
                raise HarnessError(
                    f"A figure cannot be written as '{path.name}': end it with .png, "
                    ".svg or .pdf."
                )
            with saving(path) as beside:
                metadata = _metadata(form, made_by)
                figure.savefig(beside, format=form, metadata=metadata)


def _metadata(form: str, made_by: str) -> dict[str, str | None] | None:
    """Say in a file what it was made by, and not when."""
    undated = {"svg": "Date", "pdf": "CreationDate"}.get(form)
    said = {"svg": "Description", "pdf": "Subject", "png": "Description"}.get(form)
    known: dict[str, str | None] = {undated: None} if undated else {}
    if said and made_by:
        known[said] = made_by
    return known or None


def inches(width: str, panels: int = 2) -> float:
    """Return how wide a sheet is; of one panel a column, where nothing is asked for."""
    return INCHES[width or ("column" if panels == 1 else "page")]


def panels(
    count: int, *, width: str, least: float = 1.9, height: float = 2.0
) -> tuple[Figure, list[Axes]]:
    """Lay out a few axes in rows.

    Args:
        count: How many.
        width: ``column``, ``page`` or ``""``.
        least: How wide a panel is at least, in inches; fewer stand side by side.
        height: Of a panel, in inches.

    Raises:
        HarnessError: Where there is none, or there are too many.
    """
    from matplotlib.figure import Figure

    if count == 0:
        raise HarnessError("None of these results has what this figure shows.")
    if count > MOST_PANELS:
        raise HarnessError(
            f"That would be {count} panels; choose at most {MOST_PANELS} with --only, "
            "for example --only corpus=emodb --only downstream=linear."
        )
    room = inches(width, count)
    across = min(count, max(1, int(room / least)))
    down = -(-count // across)
    figure = Figure(figsize=(room, height * down + 0.5))
    axes = figure.subplots(down, across, squeeze=False).ravel().tolist()
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, axes[:count]


def require_classes(question: Question, name: str, others: str) -> None:
    """Refuse a figure of right and wrong where numbers are predicted.

    Raises:
        HarnessError: Where the metric is of numbers.
    """
    if question.metric.of_numbers:
        raise HarnessError(
            f"Numbers are never right or wrong, so the figure '{name}' has nothing to "
            f"show of them. Draw {others}, or name a metric of classes."
        )


def legend(figure: Figure, axis: Axes) -> None:
    """Explain the signs of one panel above all of them."""
    handles, names = axis.get_legend_handles_labels()
    longest = max((len(name) for name in names), default=1)
    room = figure.get_size_inches()[0] * 72 / (4.2 * longest + 34)  # of a sign: 34 pt
    columns = min(len(names), max(1, int(room)))
    figure.legend(handles, names, loc="outside upper center", ncols=columns)


def note(figure: Figure, *sentences: str) -> None:
    """Say below a figure what it rests on, in lines that are no wider than it is."""
    letters = int(figure.get_size_inches()[0] * 72 / 4.4)  # of 8 pt, on average
    figure.supxlabel("\n".join(textwrap.wrap(" ".join(sentences), letters)))
