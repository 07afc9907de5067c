"""The paper's Figure 2, its spread, and probes of each layer above learned weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.text import counted
from harness.training.metrics import macro_f1
from harness_leaderboard.analysis.layers import ALL, layered, mean
from harness_leaderboard.analysis.question import of_kind
from harness_leaderboard.figures.sheet import COLOURS, inches, legend, note, panels
from harness_leaderboard.render.text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness_leaderboard.analysis.layers import Layered
    from harness_leaderboard.analysis.question import Question


def weights(runs: pa.Table, question: Question) -> Figure:
    """Draw layer weights as a greyscale map, darker for higher, a row an upstream."""
    from matplotlib.figure import Figure

    systems = _weighing(runs, question)
    figure = Figure(figsize=(inches(question.width), 1.1 + 0.42 * len(systems)))
    axes = figure.subplots(len(systems), 2, squeeze=False)
    for row, system in zip(axes, systems, strict=True):
        curves = system.corpora.values()
        _strip(row[0], mean([curve.values for curve in curves]))
        _strip(row[1], mean([curve.shares for curve in curves]))
        row[0].set_ylabel(_name(system, systems), rotation=0, ha="right", va="center")
    axes[0][0].set_title("weights")
    axes[0][1].set_title("weights × norms")
    for axis in axes[-1]:
        axis.set_xlabel("layer")
    note(
        figure,
        "The darker, the higher; each row is scaled to its own highest. Norms: of the "
        "states of a layer.",
        _over(systems),
    )
    return figure


def _over(systems: Sequence[Layered]) -> str:
    """Say what curves are means of."""
    counts = sorted({len(system.corpora) for system in systems})
    fewest = f"{counts[0]}–" * (len(counts) > 1)
    most = counted(counts[-1], "corpus", "corpora")
    return f"Means over runs, then over {fewest}{most}."


def _strip(axis: Axes, weights: Sequence[float]) -> None:
    """Draw one row of the map, scaled to its own highest layer."""
    layers = len(weights)
    axis.imshow(
        [weights],
        aspect="auto",
        cmap="Greys",
        vmin=0,
        vmax=max(weights),
        extent=(0.5, layers + 0.5, 0, 1),
    )
    axis.set_yticks([])
    axis.set_xticks(sorted({1, max(1, layers // 2), layers}))
    axis.tick_params(length=2)
    axis.spines[["top", "right"]].set_visible(True)


def spread(runs: pa.Table, question: Question) -> Figure:
    """Draw layer weights as curves: the mean over corpora and their deviation."""
    import numpy as np

    systems = _weighing(runs, question)
    figure, axes = panels(len(systems), width=question.width, height=1.7)
    for axis, system in zip(axes, systems, strict=True):
        curves = system.corpora.values()
        kinds = {
            "weights": [curve.values for curve in curves],
            "weights × norms": [curve.shares for curve in curves],
        }
        for (label, of_corpora), colour in zip(kinds.items(), COLOURS, strict=False):
            values = np.array(of_corpora)
            middle, reach = values.mean(0), values.std(0)
            place = np.arange(1, len(middle) + 1)
            axis.plot(place, middle, color=colour, label=label)
            axis.fill_between(
                place,
                middle - reach,
                middle + reach,
                color=colour,
                alpha=0.2,
                lw=0,
                label=f"{label}, deviation over corpora",
            )
        equal = 1 / values.shape[1]
        axis.axhline(equal, color="0.6", lw=0.8, ls=":", label="equal weights")
        axis.set_title(_name(system, systems))
        axis.set_ylim(bottom=0)
        _layer_axis(axis)
    axes[0].set_ylabel("share")
    legend(figure, axes[0])
    note(figure, _over(systems))
    return figure


def probes(runs: pa.Table, question: Question) -> Figure:
    """Draw the score of a head on each layer, a line a language, above the weights."""
    from matplotlib.figure import Figure

    metric = of_kind(question, macro_f1)
    systems = layered(runs, metric)
    probing = [system for system in systems if system.probes and system.layers > 1]
    if not probing:
        raise HarnessError(
            "No stored result has probes of several layers; run the downstream "
            "'layerwise' on an upstream that has some."
        )
    learned = [_learned(system, systems) for system in probing]
    heights = (3, 2) if any(learned) else (3,)
    size = (inches(question.width, len(probing)), 0.4 + 0.8 * sum(heights))
    figure = Figure(figsize=size)
    axes = figure.subplots(
        *(len(heights), len(probing)),
        squeeze=False,
        sharex="col",
        sharey="row",
        height_ratios=heights,
    )
    colours = _language_colours(probing)
    for column, system, shares in zip(axes.T, probing, learned, strict=True):
        above, below = column[0], column[-1]
        places = range(1, system.layers + 1)
        for language, curves in system.by_language.items():
            values = [100 * value for value in mean([curve.values for curve in curves])]
            colour, width = colours[language], 2.0 if language == ALL else 1.0
            above.plot(places, values, ".-", color=colour, lw=width)
        if shares:
            below.bar(places, shares, color="0.75")
        elif any(learned):
            below.text(0.5, 0.5, "no such head", ha="center", transform=below.transAxes)
        above.set_title(_name(system, probing))
        _layer_axis(below)
    axes[0][0].set_ylabel(f"probe's {metric.title}, %")
    if any(learned):
        axes[1][0].set_ylabel("learned weight × norm")
    for language, colour in colours.items():
        axes[0][0].plot([], [], ".-", color=colour, label=language)
    legend(figure, axes[0][0])
    note(figure, "Grey: what heads that weigh layers learned.", _over(probing))
    return figure


def _learned(system: Layered, systems: Sequence[Layered]) -> Sequence[float]:
    """Return the shares that heads learned of an upstream's layers, if any did."""
    curves = [
        curve
        for other in systems
        if not other.probes
        and (other.target, other.names[0]) == (system.target, system.names[0])
        for curve in other.corpora.values()
    ]
    return mean([curve.shares for curve in curves]) if curves else ()


def _language_colours(systems: Sequence[Layered]) -> Mapping[str, str]:
    """Return black to the mean of all languages, and a colour to each."""
    found = sorted({language for system in systems for language in system.by_language})
    several = [language for language in found if language != ALL]
    chosen = {one: COLOURS[place % 6] for place, one in enumerate(several)}
    return chosen | ({ALL: COLOURS[6]} if ALL in found else {})


def _layer_axis(axis: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_xlabel("layer")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _weighing(runs: pa.Table, question: Question) -> list[Layered]:
    """Return the systems that learned weights of layers."""
    found = layered(runs, of_kind(question, macro_f1))
    systems = [system for system in found if not system.probes]
    if not systems:
        raise HarnessError(
            "No stored result has layer weights; run a downstream that learns them, "
            "such as 'multilayer'."
        )
    return systems


def _name(system: Layered, among: Sequence[Layered]) -> str:
    """Name a system, without the downstream and the target where all share them."""
    alone = len({one.names[1] for one in among}) == 1
    names = system.names[:1] if alone else system.names
    several = len({one.target for one in among}) > 1
    return plain(" · ".join((*names, *[system.target] * several)))
