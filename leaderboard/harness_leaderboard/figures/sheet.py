"""What all drawings share: the style, the sheet with its panels, and the files."""

from __future__ import annotations

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
STYLE: dict[Any, Any] = {
    "font.size": 9,
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
    """A figure by name: the columns that it reads, and how it is drawn."""

    summary: str
    columns: Callable[[Question], tuple[str, ...]]
    draw: Callable[[pa.Table, Question], Figure]


def save(
    drawing: Drawing, runs: pa.Table, question: Question, paths: Sequence[Path]
) -> None:
    """Draw once and write every file; the ending says the format.

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
            undated = {"svg": "Date", "pdf": "CreationDate"}.get(form)
            with saving(path) as beside:
                figure.savefig(
                    beside, format=form, metadata={undated: None} if undated else None
                )


def panels(
    count: int, *, width: float = 3.2, height: float = 2.4
) -> tuple[Figure, list[Axes]]:
    """Lay out a few axes in rows of at most four; sizes in inches."""
    from matplotlib.figure import Figure

    if count == 0:
        raise HarnessError("None of these results has what this figure shows.")
    if count > MOST_PANELS:
        raise HarnessError(
            f"That would be {count} panels; choose at most {MOST_PANELS} with --only, "
            "for example --only corpus=emodb --only downstream=linear."
        )
    across = count if count <= 4 else 3 if count <= 6 else 4
    down = -(-count // across)
    figure = Figure(figsize=(width * across, height * down))
    axes = figure.subplots(down, across, squeeze=False).ravel().tolist()
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, axes[:count]


def legend(figure: Figure, axis: Axes) -> None:
    """Explain the signs of one panel below all of them."""
    handles, names = axis.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
