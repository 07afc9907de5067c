"""``harness runs``: folders of results, checked, merged and packed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.errors import ExitCode, HarnessError
from harness.text import counted
from harness_leaderboard.commands import kept
from harness_leaderboard.commands.options import RUNS, RUNS_HERE
from harness_leaderboard.commands.output import warn
from harness_leaderboard.render.text import plain
from harness_leaderboard.results import folders, store, upkeep

if TYPE_CHECKING:
    from pathlib import Path

    from harness.registry import Registry
    from harness_leaderboard.results.folders import Folder


@click.group()
def runs() -> None:
    """List, show, remove, export, check, merge, pack results."""


for _verb in (kept.list_runs, kept.show_runs, kept.remove_runs, kept.export_runs):
    runs.add_command(_verb)


@runs.command()
@RUNS
@click.pass_obj
def verify(registry: Registry, runs: Folder) -> ExitCode:
    """Compute every metric again from the stored predictions.

    Prints each result that contradicts itself; the exit code is 2 if there is one.
    """
    found = 0
    for sentence in upkeep.verify(_existing(runs), tuple(registry.metrics)):
        click.echo(plain(sentence))
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
    warn(left_out)
    click.echo(f"{counted(added, 'result')} added, {twice} were there already.")


@runs.command()
@RUNS_HERE
def compact(runs: Path) -> None:
    """Pack the many small files of a folder into one a corpus; nothing is lost."""
    folders.require_local(runs)
    _existing(runs)
    packed, count, left_out = upkeep.compact(runs)
    warn(left_out)
    click.echo(f"{counted(packed, 'result')} packed into {counted(count, 'file')}.")


def _existing(folder: Folder) -> Folder:
    if not folders.exists(folder):
        raise HarnessError(f"The folder {folder} does not exist; name one with --runs.")
    return folder
