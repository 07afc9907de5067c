"""What perturbed recordings cost: differences to clean ones, with their intervals."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness_leaderboard.analysis import statistics
from harness_leaderboard.analysis.estimates import gather
from harness_leaderboard.analysis.facets import labels
from harness_leaderboard.figures.sheet import COLOURS, legend, note, panels
from harness_leaderboard.render.text import plain
from harness_leaderboard.views.robustness import measured, names, ordered

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.types import PerturbationCondition
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.views.compare import Pair
    from harness_leaderboard.views.robustness import Robustness

LINE = 0.19
"""Inches of a perturbation: some two lines of 8 pt."""

APART = 0.7
"""Of the room of a perturbation, over which systems are spread."""


def robustness(runs: pa.Table, question: Question) -> Figure:
    """Draw the differences of each system, a panel a corpus.

    Args:
        runs: Results with ``labels`` and ``predictions``.
        question: Says the metric and the width.

    Raises:
        HarnessError: Where nothing is paired, or colours do not suffice.
    """
    gathered = gather(runs, question)
    paired = [
        row
        for row in measured(gathered, question.metric)
        if any(pair for _, pair in row.perturbed.values())
    ]
    changes = ordered(one for row in paired for one in row.perturbed)
    systems = sorted(
        {row.place.system for row in paired}, key=gathered.matrix.systems.__getitem__
    )
    if len(systems) > len(COLOURS):
        raise HarnessError(
            f"{len(systems)} systems cannot be told apart in one figure; choose at "
            f"most {len(COLOURS)} with --only upstream=…"
        )
    by_corpus: dict[str, list[Robustness]] = defaultdict(list)
    corpora = labels(row.place.corpus for row in paired)
    for row in paired:
        by_corpus[corpora[row.place.corpus]].append(row)
    unit = gathered.matrix.unit
    height = 1.0 + LINE * len(changes) * max(1, len(systems) / 2)
    figure, axes = panels(
        len(by_corpus), width=question.width, least=2.6, height=height
    )
    for axis, (corpus, rows) in zip(axes, sorted(by_corpus.items()), strict=True):
        for row in rows:
            place = systems.index(row.place.system)
            away = APART * ((place + 0.5) / len(systems) - 0.5)
            _draw(axis, row, changes, away, COLOURS[place])
        _lay_out(axis, plain(corpus), [plain(name) for name in names(changes)])
        axis.set_xlabel(f"difference to clean{', points' * unit.percent}")
    for place, system in enumerate(systems):
        name = plain(" · ".join(gathered.matrix.systems[system]))
        axes[0].plot([], [], "o", color=COLOURS[place], label=name)
    legend(figure, axes[0])
    note(
        figure,
        f"{question.metric.title} {unit.said} on perturbed recordings less that on",
        "clean ones,",
        "paired by speaker or fold and seed, with 95 % intervals.",
        f"{'Right' if gathered.matrix.lowest else 'Left'} of 0 is worse.",
    )
    return figure


def _draw(
    axis: Axes,
    row: Robustness,
    changes: Sequence[PerturbationCondition],
    away: float,
    colour: str,
) -> None:
    """Draw a system's differences, each a point with its interval."""
    for place, change in enumerate(changes):
        _, pair = row.perturbed.get(change, (0.0, None))
        if pair is not None:
            low, high = _ends(pair)
            axis.plot([low, high], [place + away] * 2, "-", color=colour, lw=1)
            value = pair.unit.factor * pair.value
            axis.plot(value, place + away, "o", color=colour, ms=3)


def _ends(pair: Pair) -> tuple[float, float]:
    """Return the interval's ends on the axis; the difference where there is none."""
    ends = pair.value, pair.value
    if pair.estimate is not None:
        ends = statistics.interval_of_difference(pair.estimate)
    low, high = (pair.unit.factor * end for end in ends)
    return low, high


def _lay_out(axis: Axes, title: str, rows: Sequence[str]) -> None:
    axis.set_title(title)
    axis.axvline(0, color="0.6", lw=0.6)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.grid(axis="x", lw=0.3)
