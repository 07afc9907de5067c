"""Stored results, found by the beginning of their names, read whole, and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness_leaderboard.results import folders, reading, store, upkeep

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from harness.types import Result
    from harness_leaderboard.results.folders import Folder


def named(names: Sequence[str], run_ids: Collection[str]) -> list[str]:
    """Return the runs that names begin, each name one of them.

    Raises:
        HarnessError: Where a name begins none, or several.
    """
    return [_named(name, run_ids) for name in names]


def _named(name: str, run_ids: Collection[str]) -> str:
    found = sorted(one for one in run_ids if one.startswith(name))
    if len(found) == 1:
        return found[0]
    if found:
        raise HarnessError(
            f"'{name}' begins the names of {len(found)} runs: {', '.join(found[:3])}, "
            "… Write more of it."
        )
    raise HarnessError(
        f"No run is called '{name}' here. 'harness runs list' has their names."
    )


def whole(runs: Folder, run_ids: Collection[str]) -> Iterator[Result]:
    """Yield results with everything that is stored of them, in the order of files."""
    for file in folders.files(runs):
        own = store.run_id_of(file)
        if own is not None and own not in run_ids:
            continue
        table, left_out = reading.read_whole(file)
        if left_out:
            continue
        for result in reading.whole_results(reading.only(table, "run_id", run_ids)):
            if not isinstance(result, str):
                yield result


def remove(runs: Path, run_ids: Collection[str], *, but: Path | None = None) -> int:
    """Remove results, also out of files of many; return how many were there.

    Args:
        runs: A folder of this machine.
        run_ids: Which.
        but: A file that stays as it is.

    Raises:
        StoreError: Where a file cannot be written.
    """
    paths = [path for path in folders.walked(runs) if path != but]
    return sum(_without(path, run_ids) for path in paths)


def _without(path: Path, run_ids: Collection[str]) -> int:
    """Take results out of a file; remove one that holds no other."""
    own = store.run_id_of(path)
    if own is not None:
        if own in run_ids:
            path.unlink(missing_ok=True)
        return int(own in run_ids)
    if not _may_hold(path, run_ids):
        return 0
    table, left_out = reading.read_whole(path)
    if left_out:
        return 0
    kept = table.filter([one not in run_ids for one in table["run_id"].to_pylist()])
    if len(kept) < len(table):
        _write(kept.combine_chunks(), path)
    return len(table) - len(kept)


def _may_hold(packed: Path, run_ids: Collection[str]) -> bool:
    """Say whether a file of many results has some, by the list beside it."""
    listed = store.listed(packed)
    return listed is None or not set(listed).isdisjoint(run_ids)


def _write(table: pa.Table, path: Path) -> None:
    """Put rows in the place of a file of many results, and of the list beside it."""
    if not len(table):
        path.unlink()
        path.with_suffix(store.LISTED).unlink(missing_ok=True)
        return
    path.with_suffix(store.LISTED).unlink(missing_ok=True)
    store.write_table(table, path)
    upkeep.write_list(path, table["run_id"].to_pylist())


def ids_of(table: pa.Table) -> frozenset[str]:
    """Return the names of a table's results."""
    found: Iterable[str] = table["run_id"].to_pylist()
    return frozenset(found)


def among(table: pa.Table, run_ids: Collection[str]) -> pa.Table:
    """Keep the rows of some results."""
    return reading.only(table, "run_id", run_ids)
