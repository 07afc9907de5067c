"""Drawings of stored results by matplotlib, for screen and print.

Each is a function from results to a ``matplotlib.figure.Figure``. Colours are Okabe and
Ito's, which colour-blind readers can tell apart; the same results give the same bytes.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness_leaderboard.averages import require_common_mean
from harness_leaderboard.layers import LAYERED, layer_curves, shares
from harness_leaderboard.render import plain
from harness_leaderboard.tables import (
    CORPUS,
    METRICS,
    Grid,
    Key,
    System,
    columns,
    current,
    figures,
    labels,
    place_of,
    system_names,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness_leaderboard.tables import Question

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
MARKERS = "osD^vP*X"
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

    from harness.files import replacing

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
            with replacing(path) as beside:
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


# ---------------------------------------------------------------- layers, Figure 2


def layer_map(runs: pa.Table, question: Question) -> Figure:
    """Draw layer weights as a greyscale map, darker for higher, a row an upstream."""
    from matplotlib.figure import Figure

    curves = layer_curves(runs)
    if not curves:
        raise HarnessError(
            "No stored result has layer weights; run a downstream that learns them, "
            "such as 'multilayer'."
        )
    figure = Figure(figsize=(7, 0.5 + 0.42 * len(curves)))
    axes = figure.subplots(len(curves), 2, squeeze=False)
    for row, (names, of_tasks) in zip(axes, curves.items(), strict=True):
        maps = (
            [weights for weights, _ in of_tasks],
            [shares(weights, norms) for weights, norms in of_tasks],
        )
        for axis, of_corpora in zip(row, maps, strict=True):
            _strip(axis, _column_means(of_corpora))
        row[0].set_ylabel(_name(names, curves), rotation=0, ha="right", va="center")
    axes[0][0].set_title("weights")
    axes[0][1].set_title("weights × norms of the layers")
    for axis in axes[-1]:
        axis.set_xlabel("layer")
    return figure


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
    axis.set_xticks([1, *range(layers // 4, layers + 1, max(1, layers // 4))])
    axis.tick_params(labelsize=6, length=2)
    axis.spines[["top", "right"]].set_visible(True)


def layer_spread(runs: pa.Table, question: Question) -> Figure:
    """Draw layer weights as curves: the mean over corpora and their deviation."""
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    curves = layer_curves(runs)
    figure, axes = panels(len(curves))
    for axis, (names, of_tasks) in zip(axes, curves.items(), strict=True):
        kinds = {
            "weights": [weights for weights, _ in of_tasks],
            "weights × norms": [shares(weights, norms) for weights, norms in of_tasks],
        }
        for (label, of_corpora), colour in zip(kinds.items(), COLOURS, strict=False):
            values = np.array(of_corpora)
            mean, spread = values.mean(0), values.std(0)
            place = np.arange(1, len(mean) + 1)
            axis.plot(place, mean, color=colour, label=label)
            axis.fill_between(
                place, mean - spread, mean + spread, color=colour, alpha=0.2, lw=0
            )
        axis.axhline(1 / values.shape[1], color="0.6", lw=0.8, ls=":")
        axis.set_title(_name(names, curves))
        axis.set_ylim(bottom=0)
        axis.set_xlabel("layer")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("share")
    _legend(figure, axes[0])
    return figure


def _legend(figure: Figure, axis: Axes) -> None:
    """Explain the signs of one panel below all of them."""
    handles, names = axis.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))


def _column_means(rows: Sequence[Sequence[float]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def _name(names: tuple[str, str], among: Mapping[tuple[str, str], object]) -> str:
    """Name a system, without the downstream where all share it."""
    alone = len({downstream for _, downstream in among}) == 1
    return plain(names[0] if alone else " · ".join(names))


# ---------------------------------------------------------------- one panel a cell


def _cells(runs: pa.Table, question: Question) -> dict[str, list[dict[str, Any]]]:
    """Group current results by system and task, under a title."""
    kept, _ = current(runs, question.metric)
    groups: dict[tuple[System, Key], list[dict[str, Any]]] = defaultdict(list)
    for row in kept.to_pylist():
        groups[place_of(row)].append(row)
    names = system_names({system for system, _ in groups})
    tasks = labels(CORPUS, {task for _, task in groups})
    titled = {
        f"{plain(' · '.join(names[system]))}\n{plain(tasks[task])}": rows
        for (system, task), rows in groups.items()
    }
    return dict(sorted(titled.items()))


def confusion(runs: pa.Table, question: Question) -> Figure:
    """Draw what is taken for what: rows are true, shares of a row in percent."""
    import numpy as np

    cells = _cells(runs, question)
    figure, axes = panels(len(cells), width=3.6, height=3.6)
    for axis, (title, rows) in zip(axes, cells.items(), strict=True):
        known = rows[0]["labels"]
        counts = np.sum([row["confusion"] for row in rows], axis=0)
        share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for true, guess in np.ndindex(share.shape):
            axis.text(
                guess,
                true,
                f"{100 * share[true, guess]:.0f}",
                ha="center",
                va="center",
                color="white" if share[true, guess] > 0.55 else "black",
                fontsize=7,
            )
        names = [plain(label) for label in known]
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axis.set_yticks(range(len(names)), names)
        axis.set_title(title, fontsize=8)
    axes[0].set_ylabel("true")
    axes[0].set_xlabel("predicted")
    return figure


def history(runs: pa.Table, question: Question) -> Figure:
    """Draw learning curves: losses, validation macro-F1, and the epochs chosen."""
    import numpy as np

    cells = {
        title: rows
        for title, rows in _cells(runs, question).items()
        if any(row["history"] for row in rows)
    }
    figure, axes = panels(len(cells), height=2.8)
    curves = ("train_loss", "valid_loss", "valid_macro_f1")
    for axis, (title, rows) in zip(axes, cells.items(), strict=True):
        score = axis.twinx()
        for name, colour in zip(curves, COLOURS, strict=False):
            onto = score if name == "valid_macro_f1" else axis
            for row in rows:
                epochs = [epoch["epoch"] for epoch in row["history"]]
                values = [epoch[name] for epoch in row["history"]]
                onto.plot(epochs, values, color=colour, alpha=0.35, lw=0.8)
            axis.plot([], [], color=colour, label=name.replace("_", " "))
        chosen = [row["best_epoch"] for row in rows if row["history"]]
        axis.axvline(float(np.median(chosen)), color="0.4", lw=0.8, ls=":")
        score.set_ylim(0, 1)
        score.spines["right"].set_visible(True)
        axis.set_ylim(bottom=0)
        axis.set_title(title, fontsize=8)
        axis.set_xlabel("epoch")
    axes[0].set_ylabel("loss")
    score.set_ylabel("macro-F1")
    _legend(figure, axes[0])
    return figure


GENDERS = {"female": (COLOURS[1], "o"), "male": (COLOURS[0], "s"), None: ("0.5", "D")}


def speakers(runs: pa.Table, question: Question) -> Figure:
    """Draw the share of a speaker's utterances that is right, by speaker and gender."""
    cells = _cells(runs, question)
    right = {title: _right(rows) for title, rows in cells.items()}
    longest = max((len(of_cell) for of_cell in right.values()), default=0)
    figure, axes = panels(len(cells), height=max(2.4, 0.7 + 0.16 * longest))
    for axis, (title, of_cell) in zip(axes, right.items(), strict=True):
        ordered = sorted(of_cell, key=lambda speaker: (of_cell[speaker][1], speaker))
        for place, speaker in enumerate(ordered):
            gender, share = of_cell[speaker]
            colour, marker = GENDERS.get(gender, GENDERS[None])
            axis.plot(100 * share, place, marker, color=colour, ms=5)
        axis.set_yticks(
            range(len(ordered)), [plain(one) for one in ordered], fontsize=6
        )
        axis.set_xlim(0, 101)
        axis.grid(axis="x", lw=0.3)
        axis.set_title(title, fontsize=8)
        axis.set_xlabel("right, % of utterances")
    for gender, (colour, marker) in GENDERS.items():
        axes[0].plot([], [], marker, color=colour, label=gender or "not known")
    _legend(figure, axes[0])
    return figure


def _right(rows: Sequence[dict[str, Any]]) -> dict[str, tuple[str | None, float]]:
    """Give each speaker's gender and share of right predictions."""
    found: dict[str, list[bool]] = defaultdict(list)
    gender = {}
    for row in rows:
        for said in row["predictions"] or ():
            found[said["speaker"]].append(said["label"] == said["predicted"])
            gender[said["speaker"]] = said["gender"]
    return {
        speaker: (gender[speaker], sum(hits) / len(hits))
        for speaker, hits in found.items()
    }


# ---------------------------------------------------------------- cost


COSTS = ("seconds a run: extraction and training", "trainable parameters")


def cost(runs: pa.Table, question: Question) -> Figure:
    """Draw the mean over corpora against seconds and against trainable parameters."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    found, _ = figures(runs, question.metric)
    grid = Grid(found)
    require_common_mean(grid)
    spent = _spent(runs, question)
    figure, axes = panels(2, width=4, height=3.4)
    heads = sorted({downstream for _, downstream in grid.systems.values()})
    upstreams = sorted({upstream for upstream, _ in grid.systems.values()})
    for system, (upstream, downstream) in grid.systems.items():
        mean = grid.mean(system)
        if mean is None:
            continue
        for axis, value in zip(axes, spent[system], strict=True):
            axis.plot(
                max(value, 1),  # a log scale has no zero
                100 * mean,
                MARKERS[heads.index(downstream) % len(MARKERS)],
                color=COLOURS[upstreams.index(upstream) % len(COLOURS)],
            )
    for axis, label in zip(axes, COSTS, strict=True):
        axis.set_xscale("log")
        axis.set_xlabel(label)
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.tick_params(axis="x", labelsize=7)
        axis.grid(lw=0.3)
    for place, upstream in enumerate(upstreams):
        colour = COLOURS[place % len(COLOURS)]
        axes[0].plot([], [], "s", color=colour, label=plain(upstream))
    for place, head in enumerate(heads):
        marker = MARKERS[place % len(MARKERS)]
        axes[0].plot([], [], marker, color="0.5", label=plain(head))
    axes[0].set_ylabel(f"{METRICS[question.metric]}, %")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=7, loc="outside right upper")
    return figure


def _spent(runs: pa.Table, question: Question) -> dict[System, tuple[float, float]]:
    """Give mean seconds and mean trainable parameters of each system."""
    kept, _ = current(runs, question.metric)
    found: dict[System, list[tuple[float, float]]] = defaultdict(list)
    for row in kept.to_pylist():
        seconds = (row["seconds_extract"] or 0.0) + (row["seconds_train"] or 0.0)
        parameters = float(row["trainable_parameters"] or 0)
        found[place_of(row)[0]].append((seconds, parameters))
    return {
        system: (
            sum(seconds for seconds, _ in values) / len(values),
            sum(parameters for _, parameters in values) / len(values),
        )
        for system, values in found.items()
    }


def _reads(*more: str) -> Callable[[Question], tuple[str, ...]]:
    return lambda question: (*columns(question.metric), *more)


DRAWINGS = {
    "layers": Drawing(
        summary="the layers that heads weigh, as a greyscale map",
        columns=_reads("macro_f1", *LAYERED),
        draw=layer_map,
    ),
    "layers-spread": Drawing(
        summary="the same as curves with their spread over corpora",
        columns=_reads("macro_f1", *LAYERED),
        draw=layer_spread,
    ),
    "confusion": Drawing(
        summary="what is taken for what",
        columns=_reads("labels", "confusion"),
        draw=confusion,
    ),
    "history": Drawing(
        summary="learning curves", columns=_reads("history", "best_epoch"), draw=history
    ),
    "speakers": Drawing(
        summary="how many utterances of each speaker are right",
        columns=_reads("predictions"),
        draw=speakers,
    ),
    "cost": Drawing(
        summary="scores against seconds and trainable parameters",
        columns=_reads("seconds_extract", "seconds_train", "trainable_parameters"),
        draw=cost,
    ),
}
