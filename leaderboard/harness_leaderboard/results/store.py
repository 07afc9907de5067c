"""Results in Parquet: one file a cell, written whole, and found by its name.

A file's name ends in the ``run_id``, so that what is finished is known from names and
digests, without importing pyarrow.
"""

from __future__ import annotations

import re
import tempfile
from typing import TYPE_CHECKING

from harness.errors import StoreError
from harness.files import read_sealed, replacing
from harness.types import TargetCondition
from harness_leaderboard.results import folders
from harness_leaderboard.results.digests import damage, marked, unmarked
from harness_leaderboard.results.schema import row_of, schema

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pyarrow as pa

    from harness.types import Result
    from harness_leaderboard.results.folders import File

LISTED = ".run_ids"
"""Beside a file of many results lies a list of their ``run_id`` with this ending."""

_NAME = re.compile(r".+_(?P<run_id>[0-9a-f]{8,64})\.parquet")
_LONGEST = 28  # characters of a name that go into a file name


# ---------------------------------------------------------------- writing


def require_writable(runs: Path) -> None:
    """Make the folder and write to it, so that no work is done for nothing.

    Raises:
        StoreError: Where that fails.
    """
    folders.require_local(runs)
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=runs) as file:
            file.write(b"\0")
    except OSError as error:
        raise StoreError(
            f"Results cannot be written to {runs}: {error.strerror or error}. "
            "Choose another folder with --runs, or fix its permissions."
        ) from error


def write_result(result: Result, runs: Path) -> Path:
    """Store a result as one file, whole or not at all, and return its path.

    Raises:
        StoreError: Where the folder cannot be written or the disk is full.
    """
    path = runs / file_name(result)
    write_table(table_of([result]), path)
    return path


def table_of(results: Iterable[Result]) -> pa.Table:
    """Return results as they are stored, a row each."""
    import pyarrow as pa

    return pa.Table.from_pylist([row_of(one) for one in results], schema=schema())


def write_table(table: pa.Table, path: Path) -> None:
    """Write rows beside ``path``, then rename the file into place.

    A dictionary or statistics of one row would only make its file slower to read, as
    would Arrow's own copy of the schema, which says no more than Parquet's.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    many = len(table) > 1
    buffer = pa.BufferOutputStream()
    metadata = (table.schema.metadata or {}) | unmarked()
    table = table.replace_schema_metadata(None)
    with pq.ParquetWriter(
        buffer,
        table.schema,
        compression="zstd" if many else "lz4",
        use_dictionary=many,
        write_statistics=many,
        store_schema=False,
        write_page_checksum=True,
    ) as file:
        file.write_table(table)
        file.add_key_value_metadata(metadata)
    with replacing(path) as beside:
        beside.write_bytes(marked(buffer.getvalue().to_pybytes()))


def file_name(result: Result) -> str:
    """Name a result's file, for a person to read and for ``finished_runs`` to parse."""
    of = result.condition
    pieces = (
        of.upstream.name,
        of.upstream.feeding,
        of.downstream.name,
        of.corpus.name,
        *[of.target.name] * (of.target != TargetCondition()),
        f"{of.corpus.strategy}-{result.fold}",
        f"s{result.seed}",
    )
    name = "_".join([*map(safe, pieces), result.run_id]) + ".parquet"
    if not _NAME.fullmatch(name):
        raise ValueError(f"run_id is not 8 to 64 hex digits: {result.run_id!r}")
    return name


def safe(piece: str) -> str:
    """Keep what is safe in a file name, so that no name leaves its folder."""
    return re.sub(r"[^A-Za-z0-9.@]+", "-", piece).strip("-.")[:_LONGEST] or "-"


# ---------------------------------------------------------------- finding


def run_id_of(path: File) -> str | None:
    """Return the ``run_id`` that a file name ends in, if it is a result's."""
    match = _NAME.fullmatch(path.name)
    return match["run_id"] if match else None


def finished_runs(runs: Path) -> frozenset[str]:
    """Return the ``run_id`` of every stored result that can be read.

    Each file is compared with its digest, so that what is damaged is computed again.
    """
    return frozenset(run_id for path in folders.walked(runs) for run_id in _held(path))


def _held(path: Path) -> Iterable[str]:
    """Return which results a file holds, none if it is damaged."""
    try:
        damaged = damage(memoryview(path.read_bytes()))
    except OSError:
        return ()
    if damaged:
        return ()
    run_id = run_id_of(path)
    known = [run_id] if run_id else listed(path)
    return _rows(path) if damaged is None or known is None else known


def listed(packed: Path) -> list[str] | None:
    """Read the list beside a file of many results, if it is there and whole."""
    try:
        return read_sealed(packed.with_suffix(LISTED)).decode().split()
    except (OSError, ValueError):
        return None


def _rows(path: Path) -> list[str]:
    """Return the results of a file from its rows."""
    from harness_leaderboard.results.reading import read_file

    table, _ = read_file(path, ())
    run_ids: list[str] = table["run_id"].to_pylist()
    return run_ids
