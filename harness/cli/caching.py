"""``harness cache``: what is kept on this machine, and how to remove it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.choices import FIELDS, chosen
from harness.cli.console import say, show
from harness.cli.options import CACHE, RUNS
from harness.cli.tables import print_table
from harness.errors import ExitCode, HarnessError
from harness.text import age, counted, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.registry import Registry


PRUNED_BY = {
    "upstream": "name",
    "feeding": "feeding",
    "precision": "precision",
    "frame_type": "frame_type",
    "code": "code",
}
"""Fields that features are chosen by, as a store spells them."""

ONLY = click.option(
    "--only",
    multiple=True,
    metavar=FIELDS,
    help="Only features that have one of these values, such as upstream=whisper-base. "
    f"Takes {', '.join(PRUNED_BY)}.",
)

OUTDATED = "outdated"
"""Of features that were made by another version of the code."""


@click.group(invoke_without_command=True)
@CACHE
@click.pass_context
def cache(context: click.Context, cache_folder: Path) -> None:
    """Print what features and unfinished work are kept."""
    if context.invoked_subcommand is not None:
        return
    _print_features(cache_folder)
    _print_unfinished(cache_folder)
    show(f"in {cache_folder}")


def _stores(folder: Path) -> list[Path]:
    """List the folders of stores, also of those that do not say what they hold."""
    from harness.features.shards import KINDS

    features = folder / "features"
    try:
        found = sorted(path for path in features.iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [one for one in found if any((one / kind).is_dir() for kind in KINDS)]


def _files(store: Path, kind: str) -> list[Path]:
    """List the files of a kind, whole or damaged."""
    from harness.features.shards import SUFFIX

    return sorted(one for one in (store / kind).glob(f"*{SUFFIX}") if one.is_file())


def _bytes(paths: Iterable[Path]) -> int:
    """Add up the sizes of files, of which some may be gone."""
    total = 0
    for path in paths:
        with suppress(OSError):
            total += path.stat().st_size
    return total


def _print_features(folder: Path) -> None:
    from harness.features.shards import KINDS, shards_in

    rows = [
        (
            store.name,
            _feeding(store),
            _age(store),
            str(len({key for one in shards_in(store / "pooled") for key in one.keys})),
            *(size(_bytes(_files(store, kind))) for kind in KINDS),
        )
        for store in _stores(folder)
    ]
    columns = ("features", "feeding", "code", "utterances", *KINDS)
    print_table(columns, rows)
    if any(row[2] == OUTDATED for row in rows):
        show()
        show(
            f"{OUTDATED}: made by code that another version of the harness has, and "
            "never read by this one. 'harness cache prune --all --only code=outdated' "
            "removes them."
        )


def _about(store: Path) -> dict[str, Any]:
    """Read what a store's features were made from; nothing where that is damaged."""
    try:
        about = json.loads((store / "about.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def _has(store: Path, only: Mapping[str, tuple[str, ...]]) -> bool:
    """Say whether what a store holds has one of the values of each field."""
    facts = _about(store) | {"code": _age(store)}
    return all(str(facts.get(PRUNED_BY[field])) in of for field, of in only.items())


def _feeding(store: Path) -> str:
    """Return how a store's model was fed, where that is known."""
    return str(_about(store).get("feeding", "?"))


def _age(store: Path) -> str:
    """Say whether a store is of this version of the harness."""
    from harness.data import audio
    from harness.features import extraction

    about = _about(store)
    made = about.get("decoding"), about.get("extraction")
    if None in made:
        return "?"
    return "current" if made == (audio.VERSION, extraction.VERSION) else OUTDATED


def _print_unfinished(folder: Path) -> None:
    from harness.leftovers import leftovers

    rows = [
        (str(one.path.relative_to(folder)), size(one.size), age(one.age))
        for one in leftovers(folder)
    ]
    if rows:
        show()
        print_table(("unfinished", "size", "last written"), rows)


@cache.command("prune", short_help="Remove stored frames.")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Means over time, too, and unfinished work of any age.",
)
@ONLY
@RUNS
@click.pass_context
def prune_cache(
    context: click.Context, everything: bool, only: tuple[str, ...], runs: Path
) -> None:
    """Remove stored frames (they are extracted again when a head needs them).

    Means over time are small and stay, unless --all is given or they are damaged. Of
    unfinished trainings and downloads those go that have a result in --runs, or are a
    week old.
    """
    from harness.leftovers import OLD, prune

    registry: Registry = context.find_root().obj
    folder: Path = context.parent.params["cache_folder"] if context.parent else Path()
    freed = _drop_features(folder, only, means=everything)
    if not only:
        finished = registry.hook.harness_finished_runs(runs=runs) or frozenset()
        freed += prune(folder, finished=finished, older=-1.0 if everything else OLD)
    show(f"{size(freed)} freed")


def _drop_features(folder: Path, only: tuple[str, ...], *, means: bool) -> int:
    """Remove frames, damaged means, and all means if so asked; return the bytes."""
    from harness.features.packing import remove_retired
    from harness.features.shards import KINDS, is_whole
    from harness.leftovers import remove

    stores = _chosen(folder, only)
    return sum(map(remove_retired, stores)) + sum(
        remove(path)
        for store in stores
        for kind in KINDS
        for path in _files(store, kind)
        if means or kind != "pooled" or not is_whole(path)
    )


@cache.command("compact")
@ONLY
@click.pass_context
def compact_cache(context: click.Context, only: tuple[str, ...]) -> None:
    """Pack many small files of features into few big ones.

    Runs may go on meanwhile, on other machines, too: no utterance is lost or extracted
    again, whatever ends this command, and features stay the same, bit by bit. A
    damaged file is named and left; the run that needs it extracts it again.
    """
    from harness.features.packing import remove_retired, stop_reading

    folder: Path = context.parent.params["cache_folder"] if context.parent else Path()
    stores = _chosen(folder, only)
    rows = [row for store in stores for row in _compacted(store, folder)]
    freed = sum(map(remove_retired, stores))
    kept = sum(_bytes((store / "retired").glob("*")) for store in stores)
    stop_reading()
    if rows:
        print_table(("features", "kind", "files before", "after"), rows)
    show(f"{size(freed)} of old files removed" if rows else "nothing to pack")
    if kept:
        show(
            f"{size(kept)} of old files stay until the runs that read them end; the "
            "next run or 'harness cache compact' removes them"
        )


def _compacted(store: Path, cache: Path) -> Iterator[tuple[str, ...]]:
    """Pack each kind of a store, and yield a row for each that this changed."""
    from harness.features.packing import pack
    from harness.features.shards import KINDS

    for kind in KINDS:
        done = pack(store / kind)
        for path in done.damaged:
            say(f"{path.relative_to(cache)} is damaged, and left as it is")
        if done.busy:
            say(f"another process packs {(store / kind).relative_to(cache)}")
        if done.after < done.before:
            yield store.name, kind, str(done.before), str(done.after)


def _chosen(folder: Path, only: tuple[str, ...]) -> list[Path]:
    """List the stores that have values of fields; refuse what none has."""
    asked = chosen(only, PRUNED_BY)
    stores = [store for store in _stores(folder) if _has(store, asked)]
    if asked and not stores:
        words = " ".join(f"{field}={','.join(of)}" for field, of in asked.items())
        raise HarnessError(
            f"No stored features are of {words}. 'harness cache' lists what there is."
        )
    return stores


@cache.command("verify", short_help="Read all, and remove damaged files.")
@click.pass_context
def verify_cache(context: click.Context) -> ExitCode:
    """Read all that is stored, and remove files that are not as they were written.

    What is removed is made again when it is needed. Leaves with 2 where something was
    damaged.
    """
    folder: Path = context.parent.params["cache_folder"] if context.parent else Path()
    damaged = list(_damaged(folder))
    for path in damaged:
        show(f"removed {path.relative_to(folder)}: its bytes have changed")
        path.unlink(missing_ok=True)
    found = counted(len(damaged), "damaged file") if damaged else "no damaged file"
    show(f"{found} in {folder}")
    return ExitCode.USER if damaged else ExitCode.OK


def _damaged(folder: Path) -> Iterator[Path]:
    """Find files that are not as they were written: features, and what is sealed."""
    from harness.data import stored
    from harness.features.shards import KINDS, is_whole
    from harness.files import read_sealed
    from harness.leftovers import TRAINING
    from harness.memory import FOLDER as MEMORY
    from harness.memory import is_whole as all_lines_whole
    from harness.verdicts import FOLDER as VERDICTS

    for store in _stores(folder):
        for kind in KINDS:
            yield from (path for path in _files(store, kind) if not is_whole(path))
    for path in sorted((folder / MEMORY).glob("*")):
        if path.is_file() and not all_lines_whole(path):
            yield path
    for path in sorted((folder / stored.FOLDER).glob(f"*{stored.SUFFIX}")):
        if not stored.is_whole(path):
            yield path
    sealed = ("features/*/certificate*.json", f"{TRAINING}/*.pt", f"{VERDICTS}/*.json")
    for pattern in sealed:
        for path in sorted(folder.glob(pattern)):
            try:
                read_sealed(path)
            except ValueError:
                yield path
