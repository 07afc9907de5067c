"""``harness leaderboard``: stored results as a table, or as a page of all tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from harness.choices import Described
from harness.errors import HarnessError
from harness_leaderboard.analysis.grouping import grouping
from harness_leaderboard.analysis.luck import spreads_of
from harness_leaderboard.analysis.question import DEFAULTS, Question, suited
from harness_leaderboard.commands.options import (
    FORMAT,
    METRIC,
    ONLY,
    POOLED,
    RUNS,
    WIDTH,
    Reading,
    asked,
    controls_of,
    filters_of,
    made_by,
    question_of,
    read,
    renderer_of,
    width_of,
)
from harness_leaderboard.commands.output import save, show, warn
from harness_leaderboard.render import terminal
from harness_leaderboard.results import folders, reading
from harness_leaderboard.results.columns import GROUPS
from harness_leaderboard.results.rescore import scored_anew
from harness_leaderboard.results.store import run_id_of
from harness_leaderboard.site import site
from harness_leaderboard.views import changes
from harness_leaderboard.views.board import board
from harness_leaderboard.views.catalogue import PREDICTED, VIEWS

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from harness.registry import Registry
    from harness.types import Metric, RunFinished, Table
    from harness_leaderboard.commands.options import Filters
    from harness_leaderboard.results.folders import Folder

MOST = 2_000_000
"""Predictions that a board reads to say how sure it is: about 1 GB of memory."""


@click.command(
    cls=Reading,
    epilog="\b\nExamples:\n  harness leaderboard\n"
    "  harness leaderboard --metric uar --format markdown --out board.md\n"
    "  harness leaderboard --format html --out site/",
)
@RUNS
@click.option(
    "--view",
    type=Described("views", {name: view.summary for name, view in VIEWS.items()}),
    metavar="NAME",
    default="board",
    show_default=True,
    help="Which table: "
    + "; ".join(f"{name}, {view.summary}" for name, view in VIEWS.items())
    + ".",
)
@METRIC
@FORMAT
@ONLY
@POOLED
@WIDTH
@click.option(
    "--best-head",
    type=click.Choice(["validation", "test"]),
    help="What --view languages chooses the downstream of an upstream by. The paper "
    "chooses by the test, which makes its figures somewhat too high.  "
    "[default: validation]",
)
@click.option(
    "--by",
    metavar="FIELD|FILE.csv:COLUMN",
    shell_complete=lambda _, __, begun: [g for g in GROUPS if g.startswith(begun)],
    help=f"What --view fairness groups utterances by: {', '.join(GROUPS)}; or a column "
    "of a table of yours, such as speakers.csv:age, whose rows name a speaker or an "
    "utterance.  [default: gender]",
)
@click.option(
    "--against",
    type=click.Choice(["published"]),
    help="Set the paper's figures beside these (views classifiers, languages and "
    "corpora, and the page of every view).",
)
@click.option(
    "--diff",
    nargs=2,
    type=folders.folder,
    metavar="OLD NEW",
    help="Show which cells moved between two folders, and why, instead of a view.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File to write instead of printing. With --format html it may be a folder: "
    "its index.html then has every view, and the predictions behind each figure.",
)
@click.pass_obj
def leaderboard(
    registry: Registry,
    runs: Folder,
    view: str,
    metric: str | None,
    form: str | None,
    only: tuple[str, ...],
    pooled: bool,
    width: str | None,
    best_head: Literal["validation", "test"] | None,
    by: str | None,
    against: str | None,
    diff: tuple[Folder, Folder] | None,
    out: Path | None,
) -> None:
    """Show stored results as a table.

    Only results of the same condition are averaged, over folds and seeds: what differs
    in the model, its feeding and precision, the head and its recipe, or the corpus and
    its split stands in a row or column of its own. Nothing is trained again, so this is
    quick and safe to repeat.
    """
    renderer = renderer_of(registry, form, out)
    wide = width_of(renderer, width)
    question = question_of(registry, metric, against=against is not None, pooled=pooled)
    if best_head:
        _require_choice(view, diff=diff is not None, against=against is not None)
        question = replace(question, heads=best_head)
    if by:
        _require_groups(view, diff=diff is not None)
        question = replace(question, by=grouping(by))
    filters = filters_of(only)
    if out and renderer.name == "html" and (out.is_dir() or not out.suffix):
        if diff or view != "board":
            raise HarnessError(
                f"A page of every view goes into the folder {out}. For one view alone "
                f"name a file, such as {out / view}.html."
            )
        save(page_of(registry, runs, question, filters), out / "index.html")
    elif diff:
        if pooled:
            raise HarnessError("--diff compares stored scores; leave out --pooled.")
        made = _diff(diff, question, filters)
        show(made, renderer.render, out, width=wide)
    else:
        made = _view(view, runs, question, filters)
        show(made, renderer.render, out, width=wide)


def _require_choice(view: str, *, diff: bool, against: bool) -> None:
    """Refuse ``--best-head`` where no head is chosen."""
    if view != "languages" or diff or against:
        raise HarnessError(
            "--best-head says which downstream --view languages shows of each "
            "upstream; leave it out here."
        )


def _require_groups(view: str, *, diff: bool) -> None:
    """Refuse ``--by`` where nothing is grouped."""
    if view != "fairness" or diff:
        raise HarnessError(
            "--by says what --view fairness groups utterances by; leave it out here."
        )


def _view(name: str, runs: Folder, question: Question, only: Filters) -> Table:
    view = VIEWS[name]
    if question.against and not view.published:
        known = [name for name, view in VIEWS.items() if view.published]
        raise HarnessError(
            f"The paper has no figures for the view '{name}'. "
            f"It has for: {', '.join(known)}."
        )
    if question.pooled and not (view.sure or PREDICTED[-1] in view.columns(question)):
        raise HarnessError(f"The view '{name}' pools nothing; leave out --pooled.")
    metric = view.metric(question)
    table, question = asked(runs, view.columns, only, question, metric)
    if view.sure:
        table = _with_predictions(table, runs, question)
    made = view.table(table, question)
    run_ids = tuple(sorted(table["run_id"].to_pylist()))
    return replace(made, name=name, command=made_by(), run_ids=run_ids)


def _with_predictions(table: pa.Table, runs: Folder, question: Question) -> pa.Table:
    """Add the predictions that errors are computed from, if they are not too many."""
    import pyarrow.compute as pc

    metric = question.metric
    if not metric.additive or PREDICTED[-1] in table.column_names:
        return table
    if (many := pc.sum(table["n_test"]).as_py() or 0) > MOST:
        warn(
            [
                f"{many} predictions are too many to say how sure the figures are; "
                "choose fewer results with --only"
            ]
        )
        return table
    needed = tuple(dict.fromkeys((*table.column_names, *PREDICTED)))
    ids = frozenset(table["run_id"].to_pylist())
    found, _ = reading.read_runs(runs, needed, run_ids=ids)
    return scored_anew(found, metric, runs)


def _diff(
    folders_of: tuple[Folder, Folder], question: Question, only: Filters
) -> Table:
    old, question = asked(folders_of[0], changes.columns, only, question)
    needed = changes.columns(question)
    new = read(folders_of[1], needed, only, [question.metric])
    return changes.changes(old, new, question)


def _origin(registry: Registry, runs: Folder) -> site.Origin:
    """Say what a page is made by, from which files, and what to cite."""
    names = {
        run_id: str(file.relative_to(runs) if isinstance(file, Path) else file.name)
        for file in folders.files(runs)
        if (run_id := run_id_of(file))
    }
    sources = {
        one.name: f"{one.citation}. Licence: {one.licence}. {one.homepage}"
        for one in registry.corpora
    }
    return site.Origin(command=made_by(), files=names, sources=sources)


def page_of(registry: Registry, runs: Folder, question: Question, only: Filters) -> str:
    """Write the page of every view; predictions are read for its figures alone."""
    from harness_leaderboard.site import details

    table, question = asked(runs, site.columns, only, question, *_metrics(question))
    metrics = _metrics(question)
    chosen = details.chosen(table, question)
    needed = site.chosen_columns(question)
    results, _ = reading.read_runs(runs, needed, run_ids=chosen)
    for metric in metrics:
        results = scored_anew(results, metric, runs)
    return site.site(table, results, question, _origin(registry, runs))


def _metrics(question: Question) -> Collection[Metric]:
    """Return every metric that some view shows."""
    shown = [view.metric(question) for view in VIEWS.values()]
    return {metric.name: metric for metric in shown}.values()


def show_run(event: RunFinished) -> None:
    """Print the board of a run's own cells, unless it stopped before any result.

    A run that Python called has no command's context: it returns its results.
    """
    in_python = click.get_current_context(silent=True) is None
    if in_python or (event.stopped and not event.computed):
        return
    run_ids = frozenset(cell.run_id for cell in event.cells)
    needed = (*VIEWS["board"].columns(Question()), *DEFAULTS)
    table, left_out = reading.read_runs(event.runs, needed, run_ids=run_ids)
    warn(left_out)
    if len(table):
        asked = Question(controls=_controls(), named=False, spreads=_spreads())
        question = suited(asked, table)
        table = _with_predictions(table, event.runs, question)
        show(board(table, question), terminal.rich)


def _spreads() -> dict[str, float]:
    """Return how far heads of the running program's plugins move with the seed."""
    context = click.get_current_context()
    return spreads_of(context.obj) if context.obj else {}


def _controls() -> frozenset[str]:
    """Name the controls of the running program's plugins."""
    context = click.get_current_context()
    return controls_of(context.obj) if context.obj else frozenset()
