"""``harness figure``: stored results as a drawing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from harness.choices import Described
from harness.training.metrics import macro_f1
from harness_leaderboard import figures
from harness_leaderboard.analysis.figures import current
from harness_leaderboard.commands.options import (
    METRIC,
    ONLY,
    RUNS,
    WIDTH,
    Reading,
    asked,
    filters_of,
    made_by,
    question_of,
)
from harness_leaderboard.commands.output import warn
from harness_leaderboard.results.columns import scored

if TYPE_CHECKING:
    from harness.registry import Registry
    from harness_leaderboard.results.folders import Folder


DRAWINGS = Described(
    "figures", {name: one.summary for name, one in figures.DRAWINGS.items()}
)


@click.command(
    cls=Reading,
    epilog="\b\nExamples:\n  harness figure layers --out layers.pdf --out layers.png\n"
    "  harness figure confusion --only corpus=emodb --only downstream=linear",
)
@click.argument("name", metavar="NAME", type=DRAWINGS)
@RUNS
@METRIC
@ONLY
@WIDTH
@click.option(
    "--out",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write, .png, .svg or .pdf. May be given several times.  "
    "[default: NAME.png]",
)
@click.pass_obj
def figure(
    registry: Registry,
    name: str,
    runs: Folder,
    metric: str | None,
    only: tuple[str, ...],
    width: Literal["column", "page"] | None,
    out: tuple[Path, ...],
) -> None:
    """Draw stored results.

    layers and layers-spread show which layers the heads weigh, layers-probes what a
    head on each layer reaches, confusion what is taken for what, history the learning
    curves, speakers how many utterances of each speaker are right, reliability how
    often a head is right where it is so sure, cost the scores against seconds and
    parameters.
    """
    drawing = figures.DRAWINGS[name]
    question = replace(question_of(registry, metric), width=width or "")
    table, question = asked(runs, drawing.columns, filters_of(only), question, macro_f1)
    if not drawing.mixed and scored(question.metric) in table.column_names:
        warn(current(table, question.metric).notes)
    paths = out or (Path(f"{name}.png"),)
    figures.save(drawing, table, question, paths, made_by=made_by())
    for path in paths:
        click.echo(path)
