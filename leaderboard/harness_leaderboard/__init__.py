"""The leaderboard: a plugin that stores results and makes tables of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl
from harness_leaderboard import commands, render, store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import click

    from harness.types import Cell, Renderer, Report, Result


@hookimpl
def harness_renderers() -> Iterable[Renderer]:
    """Offer the forms that come with the harness."""
    return render.renderers()


@hookimpl
def harness_finished_runs(runs: Path) -> frozenset[str]:
    """Read off file names what is stored."""
    return store.finished_runs(runs)


@hookimpl
def harness_run_started(cells: tuple[Cell, ...], finished: int, runs: Path) -> None:
    """Refuse a folder that cannot be written to, before there is any work to lose."""
    if finished < len(cells):
        store.require_writable(runs)


@hookimpl
def harness_result(result: Result, runs: Path) -> None:
    """Store a finished cell."""
    store.write_result(result, runs)


@hookimpl
def harness_run_finished(report: Report) -> None:
    """Print the board of this command's cells."""
    commands.show_report(report)


@hookimpl
def harness_commands(app: click.Group) -> None:
    """Add the leaderboard's verbs."""
    app.add_command(commands.leaderboard)
