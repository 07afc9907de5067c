"""``harness cache``: what is kept on this machine, and how to remove it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.console import print_table
from harness.cli.options import CACHE, RUNS
from harness.errors import ExitCode
from harness.text import age, counted, size

if TYPE_CHECKING:
    from harness.registry import Registry


@click.group(invoke_without_command=True)
@CACHE
@click.pass_context
def cache(context: click.Context, cache_folder: Path) -> None:
    """Print which features and what unfinished work are kept, and their size."""
    if context.invoked_subcommand is not None:
        return
    _print_features(cache_folder)
    _print_unfinished(cache_folder)
    click.echo(f"in {cache_folder}")


def _print_features(folder: Path) -> None:
    from harness.features.shards import KINDS
    from harness.features.store import stored

    rows = [
        (
            store.folder.name,
            str(store.identity.get("feeding")),
            str(len(store.keys("pooled"))),
            *(size(store.bytes(kind)) for kind in KINDS),
        )
        for store in stored(folder / "features")
    ]
    print_table(("features", "feeding", "utterances", *KINDS), rows)


def _print_unfinished(folder: Path) -> None:
    from harness.leftovers import leftovers

    rows = [
        (str(one.path.relative_to(folder)), size(one.size), age(one.age))
        for one in leftovers(folder)
    ]
    if rows:
        click.echo()
        print_table(("unfinished", "size", "last written"), rows)


@cache.command("prune")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Means over time, too, and unfinished work of any age.",
)
@click.option("--only", metavar="TEXT", default="", help="Stores whose name has this.")
@RUNS
@click.pass_context
def prune_cache(
    context: click.Context, everything: bool, only: str, runs: Path
) -> None:
    """Remove stored frames (they are extracted again when a head needs them).

    Means over time are small and stay, unless --all is given. Of unfinished trainings
    and downloads those go that have a result in --runs, or are a week old.
    """
    from harness.leftovers import OLD, prune

    registry: Registry = context.find_root().obj
    folder: Path = context.parent.params["cache_folder"] if context.parent else Path()
    freed = _drop_features(folder, only, means=everything)
    if not only:
        finished = registry.hook.harness_finished_runs(runs=runs) or frozenset()
        freed += prune(folder, finished=finished, older=-1.0 if everything else OLD)
    click.echo(f"{size(freed)} freed")


def _drop_features(folder: Path, only: str, *, means: bool) -> int:
    """Remove frames, and means if so asked, of stores by name; return the bytes."""
    from harness.features.shards import KINDS
    from harness.features.store import stored

    return sum(
        store.drop(kind, store.keys(kind))
        for store in stored(folder / "features")
        if only in store.folder.name
        for kind in KINDS
        if means or kind != "pooled"
    )


@cache.command("verify")
@click.pass_context
def verify_cache(context: click.Context) -> ExitCode:
    """Read every stored feature, and remove files that are not as they were written.

    What is removed is extracted again when it is needed. Leaves with 2 where something
    was damaged.
    """
    from harness.features.store import stored

    folder: Path = context.parent.params["cache_folder"] if context.parent else Path()
    damaged = [
        path for store in stored(folder / "features") for path in store.damaged()
    ]
    for path in damaged:
        click.echo(f"removed {path.relative_to(folder)}: its bytes have changed")
        path.unlink(missing_ok=True)
    found = counted(len(damaged), "damaged file") if damaged else "no damaged file"
    click.echo(f"{found} in {folder}")
    return ExitCode.USER if damaged else ExitCode.OK
