"""Drawings of stored results by matplotlib, for screen and print.

Each is a function from results to a ``matplotlib.figure.Figure``. Colours are Okabe and
Ito's, which colour-blind readers can distinguish; the same results make the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.training.metrics import macro_f1
from harness_leaderboard.analysis.figures import columns
from harness_leaderboard.analysis.layers import LAYERED, LOCATED
from harness_leaderboard.analysis.question import of_kind
from harness_leaderboard.figures import cells, cost, layers
from harness_leaderboard.figures.sheet import Drawing, save

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from matplotlib.figure import Figure

    from harness_leaderboard.analysis.question import Question

__all__ = ["DRAWINGS", "Drawing", "save"]


def _reads(*more: str) -> Callable[[Question], tuple[str, ...]]:
    return lambda question: (*columns(question.metric), *more)


def _layers(question: Question) -> tuple[str, ...]:
    return (*columns(of_kind(question, macro_f1)), *LAYERED)


def _reliability(runs: pa.Table, question: Question) -> Figure:
    from harness_leaderboard.figures.reliability import reliability  # brings numpy

    return reliability(runs, question)


def _reads_map(question: Question) -> tuple[str, ...]:
    return (*columns(macro_f1), *LOCATED)


def _map(runs: pa.Table, question: Question) -> Figure:
    from harness_leaderboard.figures import located  # brings numpy

    return located.draw(runs, question)


def _robustness(runs: pa.Table, question: Question) -> Figure:
    from harness_leaderboard.figures.robustness import robustness  # brings numpy

    return robustness(runs, question)


DRAWINGS = {
    "layers": Drawing(
        summary="the layers that heads weigh, as a greyscale map",
        columns=_layers,
        draw=layers.weights,
    ),
    "layers-spread": Drawing(
        summary="the same as curves with their spread over corpora",
        columns=_layers,
        draw=layers.spread,
    ),
    "layers-probes": Drawing(
        summary="a probe on each layer above the weights that heads learn, by language",
        columns=_layers,
        draw=layers.probes,
    ),
    "map": Drawing(
        summary="where targets sit: targets against layers, chance taken off",
        columns=_reads_map,
        draw=_map,
        mixed=True,
    ),
    "confusion": Drawing(
        summary="what is taken for what",
        columns=_reads("labels", "confusion"),
        draw=cells.confusion,
    ),
    "history": Drawing(
        summary="learning curves",
        columns=_reads("history", "best_epoch"),
        draw=cells.history,
    ),
    "speakers": Drawing(
        summary="how many utterances of each speaker are right",
        columns=_reads("predictions"),
        draw=cells.speakers,
    ),
    "reliability": Drawing(
        summary="accuracy against confidence, before and after a temperature",
        columns=_reads("labels", "predictions", "valid_predictions"),
        draw=_reliability,
    ),
    "cost": Drawing(
        summary="scores against seconds and trainable parameters",
        columns=_reads(*cost.SPENT),
        draw=cost.cost,
    ),
    "robustness": Drawing(
        summary="what perturbed recordings cost, with intervals",
        columns=_reads("labels", "predictions"),
        draw=_robustness,
    ),
}
