"""A panel for each system and corpus: confusions, learning curves, test speakers."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from harness.training.metrics import macro_f1
from harness_leaderboard.analysis.facets import labels, system_names
from harness_leaderboard.analysis.figures import current
from harness_leaderboard.analysis.question import of_kind
from harness_leaderboard.figures.sheet import (
    COLOURS,
    legend,
    note,
    panels,
    require_classes,
)
from harness_leaderboard.render.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa
    from matplotlib.figure import Figure

    from harness_leaderboard.analysis.question import Question


def _cells(
    runs: pa.Table, question: Question, *columns: str
) -> dict[str, list[dict[str, Any]]]:
    """Group columns of current results by system and corpus, under a title."""
    kept = current(runs, question.metric)
    rows = kept.runs.select(columns).to_pylist()
    groups = kept.by_place()
    names = system_names(place.system for place in groups)
    corpora = labels(place.corpus for place in groups)
    titled = {
        f"{plain(' · '.join(names[place.system]))}\n{plain(corpora[place.corpus])}": [
            rows[member] for member in members
        ]
        for place, members in groups.items()
    }
    return dict(sorted(titled.items()))


def confusion(runs: pa.Table, question: Question) -> Figure:
    """Draw what is taken for what: rows are true, shares of a row in percent."""
    import numpy as np

    require_classes(question, "confusion", "history, cost or layers-probes")
    cells = _cells(runs, question, "labels", "confusion")
    longest = max((len(rows[0]["labels"]) for rows in cells.values()), default=1)
    side = max(2.2, 1.0 + 0.27 * longest)  # a field holds three digits
    figure, axes = panels(len(cells), width=question.width, least=side, height=side)
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
            )
        names = [plain(label) for label in known]
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axis.set_yticks(range(len(names)), names)
        axis.set_title(f"{title}, n = {int(counts.sum())}")
    axes[0].set_ylabel("true")
    axes[0].set_xlabel("predicted")
    runs_each = _counts(map(len, cells.values()))
    note(
        figure,
        "Percent of each true label, so that a row adds up to 100; n counts the",
        f"predictions of {runs_each} runs. The darker, the more.",
    )
    return figure


def _counts(numbers: Iterable[int]) -> str:
    """Say a number, or the least and the most."""
    found = sorted(set(numbers))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def history(runs: pa.Table, question: Question) -> Figure:
    """Draw learning curves: losses, scores in validation, and the epochs chosen."""
    import numpy as np

    cells = {
        title: rows
        for title, rows in _cells(runs, question, "history", "best_epoch").items()
        if any(row["history"] for row in rows)
    }
    figure, axes = panels(len(cells), width=question.width, height=2.2)
    reached = of_kind(question, macro_f1)
    curves = ("train_loss", "valid_loss", f"valid_{reached.name}")
    epochs = [one for rows in cells.values() for row in rows for one in row["history"]]
    least = min((one[curves[-1]] or 0.0 for one in epochs), default=0.0)
    for axis, (title, rows) in zip(axes, cells.items(), strict=True):
        score = axis.twinx()
        for name, colour in zip(curves, COLOURS, strict=False):
            onto = score if name == curves[-1] else axis
            for row in rows:
                epochs = [epoch["epoch"] for epoch in row["history"]]
                values = [epoch[name] or 0.0 for epoch in row["history"]]
                onto.plot(epochs, values, color=colour, alpha=0.35, lw=0.8)
            axis.plot([], [], color=colour, label=name.replace("_", " "))
        chosen = [row["best_epoch"] for row in rows if row["history"]]
        median = float(np.median(chosen))
        axis.axvline(median, color="0.4", lw=0.8, ls=":", label="epoch chosen (median)")
        score.set_ylim(min(least, 0), 1)
        score.spines["right"].set_visible(True)
        axis.set_ylim(bottom=0)
        axis.set_title(f"{title}, {len(rows)} runs")
        axis.set_xlabel("epoch")
    axes[0].set_ylabel("loss")
    score.set_ylabel(reached.title)
    legend(figure, axes[0])
    return figure


GENDERS = {"female": (COLOURS[1], "o"), "male": (COLOURS[0], "s"), None: ("0.5", "D")}


def speakers(runs: pa.Table, question: Question) -> Figure:
    """Draw the share of a speaker's utterances that is right, by speaker and gender."""
    require_classes(question, "speakers", "history or cost")
    cells = _cells(runs, question, "predictions")
    right = {title: _right(rows) for title, rows in cells.items()}
    longest = max((len(of_cell) for of_cell in right.values()), default=0)
    high = max(2.2, 0.8 + 0.17 * longest)
    figure, axes = panels(len(cells), width=question.width, height=high)
    for axis, (title, of_cell) in zip(axes, right.items(), strict=True):
        ordered = sorted(of_cell, key=lambda speaker: (of_cell[speaker][1], speaker))
        for place, speaker in enumerate(ordered):
            gender, share, _ = of_cell[speaker]
            colour, marker = GENDERS.get(gender, GENDERS[None])
            axis.plot(100 * share, place, marker, color=colour, ms=5)
        axis.set_yticks(range(len(ordered)), [plain(one) for one in ordered])
        axis.set_xlim(0, 101)
        axis.grid(axis="x", lw=0.3)
        axis.set_title(f"{title}, n = {sum(count for *_, count in of_cell.values())}")
        axis.set_xlabel("right, % of predictions")
    for gender, (colour, marker) in GENDERS.items():
        axes[0].plot([], [], marker, color=colour, label=gender or "not known")
    legend(figure, axes[0])
    note(figure, "n counts predictions, of all seeds and folds.")
    return figure


def _right(
    rows: Sequence[dict[str, Any]],
) -> dict[str, tuple[str | None, float, int]]:
    """Return each speaker's gender, share of right predictions, and their number."""
    found: dict[str, list[bool]] = defaultdict(list)
    gender = {}
    for row in rows:
        for said in row["predictions"] or ():
            found[said["speaker"]].append(said["label"] == said["predicted"])
            gender[said["speaker"]] = said["gender"]
    return {
        speaker: (gender[speaker], sum(hits) / len(hits), len(hits))
        for speaker, hits in found.items()
    }
