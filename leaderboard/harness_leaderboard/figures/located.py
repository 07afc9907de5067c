"""The map: targets against layers, a panel for each upstream and measure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from harness_leaderboard.analysis.located import ALL, located
from harness_leaderboard.figures.sheet import inches, note, panels
from harness_leaderboard.render.text import plain

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from harness_leaderboard.analysis.question import Question

    Row = tuple[str, NDArray[np.floating]]

COLOURS = "cividis"
"""Reads the same with and without red-green vision (Nuñez et al. 2018)."""
DIGITS = 14.0  # points: as wide as two digits of 8 pt, and a blank


def draw(runs: pa.Table, question: Question) -> Figure:
    """Draw where each target sits: rows targets, columns layers, in percent."""
    found: dict[tuple[tuple[str, str], str], list[Row]] = defaultdict(list)
    for one in located(runs):
        for language, of in one.by_language.items():
            alone = len(one.by_language) == 1 or language == ALL
            name = one.target if alone else f"{one.target}, {language}"
            found[one.names, one.measure].append((name, np.mean(of, axis=0)))
    longest = max(map(len, found.values()))
    layers = max(len(values) for rows in found.values() for _, values in rows)
    figure, axes = panels(
        len(found),
        width=question.width,
        least=3.0 if layers <= 14 else inches("page"),
        height=0.75 + 0.24 * longest,
    )
    several = len({names for names, _ in found}) > 1
    for axis, ((names, measure), rows) in zip(axes, found.items(), strict=True):
        image = _panel(axis, rows)
        name = plain(" · ".join(names))
        axis.set_title(f"{name}, {measure}" if several else f"{measure}, %")
    figure.colorbar(image, ax=axes, label="%", fraction=0.05, pad=0.02)
    _number(figure, axes, list(found.values()))
    note(
        figure,
        "Test macro-F1 (of numbers CCC) of a head on each layer, means over runs, then "
        "over corpora. Above chance: (score − chance) / (1 − chance). Selectivity: the "
        "score less that on permuted labels.",
    )
    return figure


def _panel(axis: Axes, rows: list[Row]) -> AxesImage:
    """Draw one panel: 0 and below is the darkest, 100 % the lightest."""
    layers = max(len(values) for _, values in rows)
    grid = np.full((len(rows), layers), np.nan)
    for place, (_, values) in enumerate(rows):
        grid[place, : len(values)] = 100 * values
    image = axis.imshow(grid, aspect="auto", cmap=COLOURS, vmin=0, vmax=100)
    axis.set_yticks(range(len(rows)), [plain(name) for name, _ in rows])
    step = -(-layers // 12)
    shown = range(0, layers, step)
    axis.set_xticks(shown, [str(place + 1) for place in shown])
    axis.set_xlabel("layer")
    axis.tick_params(length=2)
    return image


def _number(figure: Figure, axes: list[Axes], found: list[list[Row]]) -> None:
    """Write the numbers into fields that are wide enough for them."""
    figure.draw_without_rendering()  # lays the panels out, so that they have a width
    for axis, rows in zip(axes, found, strict=True):
        layers = max(len(values) for _, values in rows)
        points = 72 * axis.get_window_extent().width / figure.dpi
        if points / layers < DIGITS:
            continue
        for row, (_, values) in enumerate(rows):
            for layer, value in enumerate(values):
                colour = "black" if value > 0.55 else "white"
                text = f"{100 * value:.0f}"
                axis.text(layer, row, text, ha="center", va="center", color=colour)
