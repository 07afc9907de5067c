"""``harness compare``: two systems side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from harness.choices import Worded
from harness.errors import HarnessError
from harness_leaderboard.analysis.figures import columns
from harness_leaderboard.commands.options import (
    FORMAT,
    METRIC,
    ONLY,
    POOLED,
    RUNS,
    WIDTH,
    Reading,
    asked,
    filters_of,
    made_by,
    question_of,
    renderer_of,
    width_of,
)
from harness_leaderboard.commands.output import show

if TYPE_CHECKING:
    from harness.registry import Registry
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.results.folders import Folder


def _needed(question: Question) -> tuple[str, ...]:
    return (*columns(question.metric), "labels", "predictions")


@click.command(
    cls=Reading,
    epilog="\b\nExample:\n"
    "  harness compare whisper-base/linear whisper-base/multilayer",
)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@RUNS
@METRIC
@FORMAT
@ONLY
@POOLED
@WIDTH
@click.option(
    "--detect",
    cls=Worded,
    type=click.FloatRange(0, min_open=True),
    metavar="POINTS",
    help="A difference that matters, in points, of an RMSE in the units of the target: "
    "how many speakers, or seeds, would find it four times in five is printed, too.",
)
@click.pass_obj
def compare(
    registry: Registry,
    a: str,
    b: str,
    runs: Folder,
    metric: str | None,
    form: str | None,
    only: tuple[str, ...],
    pooled: bool,
    width: str | None,
    detect: float | None,
) -> None:
    """Test whether two systems differ, corpus by corpus.

    A and B are UPSTREAM/DOWNSTREAM. Both must have been tested on the same utterances
    with the same seeds. What counts as one observation is a fold, that is a trained
    model with its test speakers, or with one fold a test speaker.
    """
    from harness_leaderboard.analysis.question import require_additive
    from harness_leaderboard.views import compare as comparison  # brings numpy

    if a == b:
        raise HarnessError(f"'{a}' stands on both sides; name two systems.")
    renderer = renderer_of(registry, form)
    question = question_of(registry, metric, pooled=pooled, detect=detect)
    require_additive(question.metric)
    table, question = asked(runs, _needed, filters_of(only), question)
    if question.detect and question.metric.in_percent:
        question = replace(question, detect=question.detect / 100)
    made = comparison.compare(table, question, (a, b))
    run_ids = tuple(sorted(table["run_id"].to_pylist()))
    made = replace(made, name="compare", command=made_by(), run_ids=run_ids)
    show(made, renderer.render, width=width_of(renderer, width))
