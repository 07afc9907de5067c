"""The leaderboard: a plugin that stores results and makes tables of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Renderer, hookimpl
from harness_leaderboard import commands
from harness_leaderboard.render import latex, page, terminal
from harness_leaderboard.render import text as render
from harness_leaderboard.results import kept, store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import click

    from harness.types import CellFinished, Results, RunFinished, RunStarting


@hookimpl
def harness_renderers() -> Iterable[Renderer]:
    """Offer the forms that come with the harness."""
    offers = (
        ("rich", "for the terminal", terminal.rich, (".txt",)),
        ("markdown", "for a README", render.markdown, (".md",)),
        ("csv", "values for a program", render.to_csv, (".csv",)),
        ("json", "all of it", render.to_json, (".json",)),
        ("latex", "for a paper", latex.latex, (".tex",)),
        ("html", "a page of its own", page.html, (".html", ".htm")),
    )
    for name, summary, write, endings in offers:
        yield Renderer(
            name=name,
            summary=summary,
            render=write,
            endings=endings,
            widths=latex.WIDTHS if name == "latex" else {},
        )


@hookimpl
def harness_finished_runs(runs: Path) -> frozenset[str]:
    """Read off file names what is stored."""
    return store.finished_runs(runs)


@hookimpl
def harness_stored_results(
    options: Mapping[str, object], run: RunFinished | None
) -> Results:
    """Read results for Python."""
    return commands.stored_results(options, run)


@hookimpl
def harness_run_starting(event: RunStarting) -> None:
    """Refuse a folder that cannot be written to, before there is any work to lose."""
    store.require_writable(event.runs)


@hookimpl
def harness_result(event: CellFinished) -> None:
    """Store a finished cell, in the place of an older one if it has such."""
    path = store.write_result(event.result, event.runs)
    if event.again:
        kept.remove(event.runs, {event.result.run_id}, but=path)


@hookimpl
def harness_run_finished(event: RunFinished) -> None:
    """Print the board of this command's cells."""
    commands.show_run(event)


@hookimpl
def harness_commands(app: click.Group) -> None:
    """Add the leaderboard's verbs."""
    app.add_command(commands.leaderboard)
    app.add_command(commands.figure)
    app.add_command(commands.compare)
    app.add_command(commands.runs)
    app.add_command(commands.publish)
