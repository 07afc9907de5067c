"""Results in Parquet: one file a cell, found by its name, read a few columns at a time.

A file's name ends in the ``run_id``, so that what is finished is known from a listing
of the folder alone, without opening a file or importing pyarrow.
"""

from __future__ import annotations

import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import StoreError
from harness.files import replacing
from harness.types import Epoch, Prediction, Result

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import pyarrow as pa

SCHEMA = "1"
"""Stands in every file's metadata under ``harness.schema``. It is raised only when a
column changes its meaning; a new column leaves it as it is."""

_NAME = re.compile(r".+_(?P<run_id>[0-9a-f]{8,64})\.parquet")
_LONGEST = 28  # characters of a name that go into a file name


def schema() -> pa.Schema:
    """Give the columns: the fields of ``Result``, in their order and with its names."""
    import pyarrow as pa

    types = {
        "str": pa.string(),
        "str | None": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "float | None": pa.float64(),
        "tuple[str, ...]": pa.list_(pa.string()),
        "tuple[float, ...]": pa.list_(pa.float64()),
        "tuple[tuple[int, ...], ...]": pa.list_(pa.list_(pa.int64())),
        "Mapping[str, str]": pa.map_(pa.string(), pa.string()),
    }

    def columns(of: type) -> list[tuple[str, pa.DataType]]:
        return [(field.name, types[str(field.type)]) for field in fields(of)]

    types["tuple[Epoch, ...]"] = pa.list_(pa.struct(columns(Epoch)))
    types["tuple[Prediction, ...]"] = pa.list_(pa.struct(columns(Prediction)))
    return pa.schema(columns(Result), metadata={"harness.schema": SCHEMA})


# ---------------------------------------------------------------- writing


def require_writable(runs: Path) -> None:
    """Make the folder and write to it, so that no work is done for nothing.

    Raises:
        StoreError: Where that fails.
    """
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=runs) as file:
            file.write(b"\0")
    except OSError as error:
        raise StoreError(
            f"Results cannot be written to {runs}: {error.strerror or error}. "
            "Choose another folder with --runs, or mend its permissions."
        ) from error


def write_result(result: Result, runs: Path) -> Path:
    """Store a result as one file, whole or not at all, and give its path.

    Raises:
        StoreError: Where the folder cannot be written or the disk is full.
    """
    import pyarrow as pa

    path = runs / file_name(result)
    write_table(pa.Table.from_pylist([_row(result)], schema=schema()), path)
    return path


def write_table(table: pa.Table, path: Path) -> None:
    """Write rows beside ``path``, then rename the file into place."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    with replacing(path) as beside:
        beside.write_bytes(buffer.getvalue())


def file_name(result: Result) -> str:
    """Name a result's file, for a person to read and for ``finished_runs`` to parse."""
    pieces = (
        result.upstream,
        result.upstream_feeding,
        result.downstream,
        result.corpus,
        f"{result.split}-{result.fold}",
        f"s{result.seed}",
    )
    name = "_".join([*map(_safe, pieces), result.run_id]) + ".parquet"
    if not _NAME.fullmatch(name):
        raise ValueError(f"run_id is not 8 to 64 hex digits: {result.run_id!r}")
    return name


def _safe(piece: str) -> str:
    """Keep what is safe in a file name, so that no name leaves its folder."""
    return re.sub(r"[^A-Za-z0-9.@]+", "-", piece).strip("-.")[:_LONGEST] or "-"


def _row(result: Result) -> dict[str, object]:
    row = {field.name: getattr(result, field.name) for field in fields(result)}
    row["history"] = [vars(epoch) for epoch in result.history]
    row["predictions"] = [vars(prediction) for prediction in result.predictions]
    row["versions"] = sorted(result.versions.items())
    row["plugin"] = sorted(result.plugin.items())
    return row


# ---------------------------------------------------------------- finding


def files(runs: Path) -> Iterator[Path]:
    """Give every Parquet file below a folder, sorted, hidden ones left out."""
    for folder, folders, names in os.walk(runs):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(".parquet") and not name.startswith("."):
                yield Path(folder, name)


def run_id_of(path: Path) -> str | None:
    """Give the ``run_id`` that a file name ends in, if it is a result's."""
    match = _NAME.fullmatch(path.name)
    return match["run_id"] if match else None


def finished_runs(runs: Path) -> frozenset[str]:
    """Give the ``run_id`` of every stored result, from file names alone."""
    return frozenset(run_id for path in files(runs) if (run_id := run_id_of(path)))


# ---------------------------------------------------------------- reading


def read_runs(
    runs: Path,
    columns: Sequence[str] | None = None,
    *,
    run_ids: Collection[str] | None = None,
) -> tuple[pa.Table, tuple[str, ...]]:
    """Read every result below a folder.

    Args:
        runs: The folder; one that does not exist holds nothing.
        columns: Those that are needed, all by default. A file that lacks one, written
            before the column existed, gets nulls.
        run_ids: Only these results, all by default.

    Returns:
        The results, one row a ``run_id`` in the order of the files' names, and a
        sentence for each file that was left out, with the reason.
    """
    import pyarrow as pa

    wanted = schema()
    if columns is not None:
        wanted = pa.schema([wanted.field(name) for name in dict.fromkeys(columns)])
    wanted = _with_run_id(wanted)
    paths = [p for p in files(runs) if run_ids is None or run_id_of(p) in run_ids]
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(lambda path: _read(path, wanted), paths))
    tables = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    left_out = tuple(
        f"{path} is left out: {outcome}."
        for path, outcome in zip(paths, outcomes, strict=True)
        if isinstance(outcome, str)
    )
    table = pa.concat_tables(tables) if tables else wanted.empty_table()
    return _once_each(table.combine_chunks()), left_out


def only(table: pa.Table, column: str, values: Collection[str]) -> pa.Table:
    """Keep the rows whose column, as text, is one of the values."""
    return table.filter([str(value) in values for value in table[column].to_pylist()])


def results(table: pa.Table) -> Iterator[Result]:
    """Turn rows that have every column back into results."""
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        row["history"] = tuple(Epoch(**epoch) for epoch in row["history"])
        row["predictions"] = tuple(
            Prediction(**{**prediction, "scores": tuple(prediction["scores"])})
            for prediction in row["predictions"]
        )
        row["confusion"] = tuple(map(tuple, row["confusion"]))
        row["versions"] = dict(row["versions"])
        row["plugin"] = dict(row["plugin"])
        for name, value in row.items():
            row[name] = tuple(value) if isinstance(value, list) else value
        yield Result(**row)


def _with_run_id(wanted: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    if "run_id" in wanted.names:
        return wanted
    return wanted.insert(0, pa.field("run_id", pa.string()))


def _read(path: Path, wanted: pa.Schema) -> pa.Table | str:
    """Give the wanted columns of a file, or the reason why it is left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow
            if reason := _foreign(found):
                return reason
            names = [name for name in wanted.names if name in found.names]
            return _aligned(file.read(columns=names), wanted)
    except (pa.ArrowException, OSError):
        return (
            "it is damaged; delete it, and the command that wrote it computes it again"
        )


def _foreign(found: pa.Schema) -> str:
    """Say why a file is not one of ours, or nothing if it is."""
    version = (
        (found.metadata or {}).get(b"harness.schema", b"").decode(errors="replace")
    )
    if not version or "run_id" not in found.names:
        return "it was not written by this program"
    if version != SCHEMA:
        return f"its schema is {version!r}, this program reads {SCHEMA!r}"
    return ""


def _aligned(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    import pyarrow as pa

    if table.schema.equals(wanted):
        return table.replace_schema_metadata(None)
    return pa.table(
        [
            table[field.name].cast(field.type)
            if field.name in table.column_names
            else pa.nulls(len(table), field.type)
            for field in wanted
        ],
        schema=wanted.remove_metadata(),
    )


def _once_each(table: pa.Table) -> pa.Table:
    """Keep the first row of every ``run_id``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.count_distinct(table["run_id"]).as_py() == len(table):
        return table
    numbered = pa.table({"run_id": table["run_id"], "row": pa.array(range(len(table)))})
    first = numbered.group_by("run_id").aggregate([("row", "min")]).sort_by("row_min")
    return table.take(first["row_min"])
