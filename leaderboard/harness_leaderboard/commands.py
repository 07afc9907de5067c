"""The leaderboard's verbs: tables to stdout, what was left out to stderr."""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import ExitCode, HarnessError, UnknownNameError
from harness.files import replacing
from harness_leaderboard import figures
from harness_leaderboard.analysis import facets, tables
from harness_leaderboard.render import terminal
from harness_leaderboard.render import text as render
from harness_leaderboard.render.entries import counted
from harness_leaderboard.results import folders, store, upkeep
from harness_leaderboard.site import site
from harness_leaderboard.views import catalogue as views
from harness_leaderboard.views import changes
from harness_leaderboard.views import compare as comparison

if TYPE_CHECKING:
    import pyarrow as pa

    from harness.registry import Registry
    from harness.types import Render, Report, Table
    from harness_leaderboard.results.folders import Folder

PIPED_WIDTH = 100  # columns of a table that does not go to a terminal


class FormatOption(click.Option):
    """A renderer's name; ``--help`` lists what the plugins offer."""

    def make_metavar(self, ctx: click.Context | None = None) -> str:
        """List the names."""
        registry: Registry = (ctx or click.get_current_context()).obj
        return f"[{'|'.join(renderer.name for renderer in registry.renderers)}]"


_runs = partial(
    click.option,
    "--runs",
    default="runs",
    envvar="HARNESS_RUNS",
    show_default=True,
    show_envvar=True,
)
RUNS = _runs(
    type=folders.folder,
    help="Folder of results, read with all folders inside it; or the URI of one "
    "elsewhere, such as s3://bucket/runs.",
)
RUNS_HERE = _runs(
    type=click.Path(path_type=Path), help="Folder of results, on this machine."
)
METRIC = click.option(
    "--metric",
    type=click.Choice(list(tables.METRICS)),
    default="macro_f1",
    show_default=True,
    help="What is averaged. Macro-F1 and UAR weigh every emotion the same, weighted F1 "
    "and accuracy every utterance.",
)
ONLY = click.option(
    "--only",
    multiple=True,
    metavar="COLUMN=VALUE[,VALUE…]",
    help="Only results that have one of these values, such as split=loso or "
    "corpus=emodb,emovo. May be given several times.",
)


FORMAT = click.option(
    "--format",
    "form",
    cls=FormatOption,
    default="rich",
    show_default=True,
    help="How the table is printed. CSV and JSON hold fractions of one, the others "
    "percent.",
)


@click.command(
    epilog="\b\nExamples:\n  harness leaderboard\n"
    "  harness leaderboard --metric uar --format markdown --out board.md\n"
    "  harness leaderboard --format html --out site/"
)
@RUNS
@click.option(
    "--view",
    type=click.Choice(list(views.VIEWS)),
    default="board",
    show_default=True,
    help="Which table: "
    + "; ".join(f"{name}, {view.summary}" for name, view in views.VIEWS.items())
    + ".",
)
@METRIC
@FORMAT
@ONLY
@click.option(
    "--against",
    type=click.Choice(["published"]),
    help="Set the paper's figures beside these (classifiers, languages, corpora).",
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
    metric: str,
    form: str,
    only: tuple[str, ...],
    against: str | None,
    diff: tuple[Folder, Folder] | None,
    out: Path | None,
) -> None:
    """Show stored results as a table.

    Only results that are comparable are averaged: what differs in split, corpus
    version, feeding, recipe or selection stands in a row or column of its own. Nothing
    is computed again, so this is quick and safe to repeat.
    """
    renderer = registry.renderers[form]
    question = _question(registry, metric, against=against is not None)
    if out and form == "html" and (out.is_dir() or not out.suffix):
        if diff or against or view != "board":
            raise HarnessError(
                f"A page of every view goes into the folder {out}. For one view alone "
                f"name a file, such as {out / view}.html."
            )
        _save(_site(runs, question, _filters(only)), out / "index.html")
        return
    if diff:
        needed, filters = changes.columns(question), _filters(only)
        old, new = (_read(folder, needed, filters) for folder in diff)
        _print(changes.changes(old, new, question), renderer.render, out)
        return
    chosen = views.VIEWS[view]
    if against and not chosen.published:
        known = [name for name, view in views.VIEWS.items() if view.published]
        raise HarnessError(
            f"The paper has no figures for the view '{view}'. "
            f"It has for: {', '.join(known)}."
        )
    table = _read(runs, chosen.columns(question), _filters(only))
    _print(chosen.make(table, question), renderer.render, out)


def _site(runs: Folder, question: tables.Question, only: dict[str, set[str]]) -> str:
    """Write the page of every view; predictions are read for its figures alone."""
    from harness_leaderboard.site import details

    table = _read(runs, site.columns(question), only)
    chosen = details.chosen(table, question)
    needed = site.chosen_columns(question)
    results, _ = store.read_runs(runs, needed, run_ids=chosen)
    return site.site(table, results, question)


@click.command(
    epilog="\b\nExamples:\n  harness figure layers --out layers.pdf --out layers.png\n"
    "  harness figure confusion --only corpus=emodb --only downstream=linear"
)
@click.argument("name", metavar="NAME", type=click.Choice(list(figures.DRAWINGS)))
@RUNS
@METRIC
@ONLY
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
    metric: str,
    only: tuple[str, ...],
    out: tuple[Path, ...],
) -> None:
    """Draw stored results.

    layers and layers-spread show which layers the heads weigh, layers-probes what a
    head on each layer reaches, confusion what is taken for what, history the learning
    curves, speakers how many utterances of each speaker are right, cost the scores
    against seconds and parameters.
    """
    drawing = figures.DRAWINGS[name]
    question = _question(registry, metric)
    table = _read(runs, drawing.columns(question), _filters(only))
    paths = out or (Path(f"{name}.png"),)
    figures.save(drawing, table, question, paths)
    for path in paths:
        click.echo(path)


@click.command(
    epilog="\b\nExample:\n  harness compare whisper-base/linear whisper-base/multilayer"
)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@RUNS
@METRIC
@FORMAT
@ONLY
@click.pass_obj
def compare(
    registry: Registry,
    a: str,
    b: str,
    runs: Folder,
    metric: str,
    form: str,
    only: tuple[str, ...],
) -> None:
    """Tell whether two systems differ, corpus by corpus.

    A and B are UPSTREAM/DOWNSTREAM. Both must have been tested on the same utterances
    with the same seeds; speakers are what is resampled and swapped.
    """
    renderer = registry.renderers[form]
    question = _question(registry, metric)
    needed = (*tables.columns(metric), "labels", "predictions")
    table = _read(runs, needed, _filters(only))
    _print(comparison.compare(table, question, (a, b)), renderer.render)


def _question(
    registry: Registry, metric: str, *, against: bool = False
) -> tables.Question:
    return tables.Question(
        metric=metric,
        against=against,
        pretraining={one.name: one.languages for one in registry.upstreams},
    )


@click.group()
def runs() -> None:
    """Check, merge and pack folders of results."""


@runs.command()
@RUNS
def verify(runs: Folder) -> ExitCode:
    """Work every metric out again from the stored predictions.

    Prints each result that contradicts itself; the exit code is 2 if there is one.
    """
    found = 0
    for sentence in upkeep.verify(_existing(runs)):
        click.echo(render.plain(sentence))
        found += 1
    click.echo("Everything matches." if not found else f"{found} do not match.")
    return ExitCode.USER if found else ExitCode.OK


@runs.command()
@click.argument("sources", nargs=-1, required=True, type=folders.folder)
@RUNS_HERE
def merge(sources: tuple[Folder, ...], runs: Path) -> None:
    """Copy results of other folders, such as those of other machines, into --runs."""
    store.require_writable(runs)
    for source in sources:
        _existing(source)
    added, twice, left_out = upkeep.merge(sources, runs)
    _warn(tuple(left_out))
    click.echo(f"{counted(added, 'result')} added, {twice} were there already.")


@runs.command()
@RUNS_HERE
def compact(runs: Path) -> None:
    """Pack the many small files of a folder into one a corpus; nothing is lost."""
    folders.require_local(runs)
    _existing(runs)
    packed, count, left_out = upkeep.compact(runs)
    _warn(tuple(left_out))
    said = f"{counted(packed, 'result')} packed into {counted(count, 'file')}."
    click.echo(said)


def _existing(folder: Folder) -> Folder:
    if not folders.exists(folder):
        raise HarnessError(f"The folder {folder} does not exist; name one with --runs.")
    return folder


def show_report(report: Report) -> None:
    """Print the board of a run's own cells, if it has any result."""
    run_ids = frozenset(cell.run_id for cell in report.cells)
    needed = tables.columns("macro_f1")
    table, left_out = store.read_runs(report.runs, needed, run_ids=run_ids)
    _warn(left_out)
    if len(table):
        _print(tables.board(table), terminal.rich)


def _print(table: Table, render: Render, out: Path | None = None) -> None:
    """Print a table, in colour and as wide as the terminal if it goes to one."""
    if out:
        _save(render(table, width=PIPED_WIDTH, colour=False), out)
        return
    terminal = sys.stdout.isatty()
    text = render(
        table,
        width=shutil.get_terminal_size((PIPED_WIDTH, 24)).columns,
        colour=terminal and not os.environ.get("NO_COLOR"),
    )
    click.echo(text, nl=False)


def _save(text: str, path: Path) -> None:
    """Write a file, and print its path."""
    if path.is_dir():
        raise HarnessError(f"{path} is a folder; name a file in it with --out.")
    with replacing(path) as beside:
        beside.write_text(text, "utf-8")
    click.echo(path)


def _filters(only: tuple[str, ...]) -> dict[str, set[str]]:
    """Read ``column=value,value`` options."""
    known = (*facets.KEYS, "fold", "seed", "device", "harness_version")
    filters = {}
    for words in only:
        column, _, values = words.partition("=")
        if column not in known:
            raise UnknownNameError("column", column, known)
        filters[column] = set(values.split(","))
    return filters


def _read(
    runs: Folder, columns: tuple[str, ...], only: dict[str, set[str]]
) -> pa.Table:
    """Read results that pass the filters, and name on stderr what is left out."""
    table, left_out = store.read_runs(runs, (*columns, *only))
    _warn(left_out)
    if not len(table):
        what = "holds no results" if folders.exists(runs) else "does not exist"
        raise HarnessError(
            f"The folder {runs} {what}. Make some with 'harness run --upstream … "
            f"--downstream … --corpus … --runs {runs}', or name another with --runs."
        )
    for column, values in only.items():
        present = {str(value) for value in table[column].unique().to_pylist()}
        if missing := sorted(values - present):
            raise UnknownNameError(column, missing[0], present)
        table = store.only(table, column, values)
    return table


def _warn(left_out: tuple[str, ...]) -> None:
    for sentence in left_out:
        click.echo(f"warning: {render.plain(sentence)}", err=True)
