"""Results in Parquet: one file a cell, found by its name, read a few columns at a time.

A file's name ends in the ``run_id``, so that what is finished is known from a listing
of the folder alone, without opening a file or importing pyarrow.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from harness.errors import StoreError
from harness.files import replacing
from harness.types import Epoch, Prediction, Result
from harness_leaderboard.results import folders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from harness_leaderboard.results.folders import File, Folder

SCHEMA = "1"
"""Stands in every file's metadata under ``harness.schema``. It is raised only when a
column changes its meaning; a new column leaves it as it is."""

LISTED = ".run_ids"
"""Beside a file of many results lies a list of their ``run_id`` with this ending."""

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
        "Mapping[str, float]": pa.map_(pa.string(), pa.float64()),
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
    folders.require_local(runs)
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
    """Write rows beside ``path``, then rename the file into place.

    A dictionary or statistics of one row would only make its file slower to read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    many = len(table) > 1
    buffer = pa.BufferOutputStream()
    pq.write_table(
        table,
        buffer,
        compression="zstd" if many else "lz4",
        use_dictionary=many,
        write_statistics=many,
    )
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
    name = "_".join([*map(safe, pieces), result.run_id]) + ".parquet"
    if not _NAME.fullmatch(name):
        raise ValueError(f"run_id is not 8 to 64 hex digits: {result.run_id!r}")
    return name


def safe(piece: str) -> str:
    """Keep what is safe in a file name, so that no name leaves its folder."""
    return re.sub(r"[^A-Za-z0-9.@]+", "-", piece).strip("-.")[:_LONGEST] or "-"


def _row(result: Result) -> dict[str, object]:
    row = {field.name: getattr(result, field.name) for field in fields(result)}
    row["history"] = [vars(epoch) for epoch in result.history]
    row["predictions"] = [vars(prediction) for prediction in result.predictions]
    for name in _mappings():
        row[name] = sorted(row[name].items())
    return row


def _mappings() -> list[str]:
    """Give the columns that map names to values."""
    return [field.name for field in fields(Result) if "Mapping" in str(field.type)]


# ---------------------------------------------------------------- finding


def run_id_of(path: File) -> str | None:
    """Give the ``run_id`` that a file name ends in, if it is a result's."""
    match = _NAME.fullmatch(path.name)
    return match["run_id"] if match else None


def finished_runs(runs: Path) -> frozenset[str]:
    """Give the ``run_id`` of every stored result, from names and lists alone."""
    found = set()
    for path in folders.walked(runs):
        if run_id := run_id_of(path):
            found.add(run_id)
        elif (listed := path.with_suffix(LISTED)).exists():
            found.update(listed.read_text("utf-8").split())
    return frozenset(found)


# ---------------------------------------------------------------- reading


def read_runs(
    runs: Folder,
    columns: Sequence[str] | None = None,
    *,
    run_ids: Collection[str] | None = None,
) -> tuple[pa.Table, tuple[str, ...]]:
    """Read every result below a folder.

    Args:
        runs: The folder, here or elsewhere; one that does not exist holds nothing.
        columns: Those that are needed, all by default. A file that lacks one, written
            before the column existed, gets nulls.
        run_ids: Only these results, all by default.

    Returns:
        The results, one row a ``run_id`` in the order of the files' names, and a
        sentence for each file that was left out, with the reason.
    """
    wanted = schema()
    if columns is not None:
        wanted = _chosen(wanted, columns)
    wanted = _with_run_id(wanted).remove_metadata()
    paths = list(_holding(runs, run_ids))
    outcomes = folders.each(lambda path: _read(path, wanted), paths)
    tables = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    left_out = tuple(
        f"{path} is left out: {outcome}."
        for path, outcome in zip(paths, outcomes, strict=True)
        if isinstance(outcome, str)
    )
    table = _joined(tables, wanted)
    if len(tables) > 1:
        table = once_each(table)
    return table if run_ids is None else only(table, "run_id", run_ids), left_out


def _holding(runs: Folder, run_ids: Collection[str] | None) -> Iterator[File]:
    """Give the files that may hold some results; those of many hold any."""
    for path in folders.files(runs):
        run_id = run_id_of(path)
        if run_ids is None or run_id is None or run_id in run_ids:
            yield path


def read_file(
    path: File, columns: Sequence[str] | None = None
) -> tuple[pa.Table, tuple[str, ...]]:
    """Read one file, in the way of ``read_runs``."""
    wanted = schema().remove_metadata()
    if columns is not None:
        wanted = _with_run_id(_chosen(wanted, columns))
    found = _read(path, wanted)
    if isinstance(found, str):
        return wanted.empty_table(), (f"{path} is left out: {found}.",)
    return found, ()


def only(table: pa.Table, column: str, values: Collection[str]) -> pa.Table:
    """Keep the rows whose column, as text, is one of the values."""
    import pyarrow as pa

    keep = [str(value) in values for value in table[column].to_pylist()]
    return table.filter(pa.array(keep, pa.bool_()))


def whole(table: pa.Table) -> tuple[pa.Table, Iterator[str]]:
    """Part the rows that every column of a result is known of from the others.

    Returns:
        The rows, and a sentence for each of the others.
    """
    import pyarrow as pa

    needed = [
        field.name
        for field in fields(Result)
        if field.default is field.default_factory and "None" not in str(field.type)
    ]
    holes = {name: table[name].is_null().to_pylist() for name in needed}
    lacking = [
        [name for name in needed if holes[name][row]] for row in range(len(table))
    ]
    said = (
        f"run {run_id}: it lacks {', '.join(names)}"
        for run_id, names in zip(table["run_id"].to_pylist(), lacking, strict=True)
        if names
    )
    return table.filter(pa.array([not names for names in lacking], pa.bool_())), said


def results(table: pa.Table) -> Iterator[Result]:
    """Turn rows that have every column back into results."""
    later = {field.name for field in fields(Result) if field.default is not MISSING}
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        row["history"] = tuple(Epoch(**epoch) for epoch in row["history"])
        row["predictions"] = tuple(
            Prediction(**{**prediction, "scores": tuple(prediction["scores"])})
            for prediction in row["predictions"]
        )
        row["confusion"] = tuple(map(tuple, row["confusion"]))
        for name in _mappings():
            row[name] = dict(row[name] or ())
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in row.items()
            if value is not None or name not in later
        }
        yield Result(**known)


def _chosen(wanted: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([wanted.field(name) for name in dict.fromkeys(columns)])


def _with_run_id(wanted: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    if "run_id" in wanted.names:
        return wanted
    return wanted.insert(0, pa.field("run_id", pa.string()))


def _read(path: File, wanted: pa.Schema) -> pa.Table | str:
    """Give the wanted columns of a file, or the reason why it is left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        small, source = folders.is_small(path), folders.source(path)
    except OSError as error:
        return f"it cannot be opened ({folders.reason(error)})"
    target = wanted if small else _numbered(wanted)
    texts = [field.name for field in target if pa.types.is_dictionary(field.type)]
    try:
        with pq.ParquetFile(source, read_dictionary=texts, pre_buffer=False) as file:
            if reason := _foreign(file.metadata.metadata or {}):
                return reason
            table = file.read(columns=wanted.names, use_threads=not small)
    except (pa.ArrowException, OSError):
        if path.read_bytes()[:4] != b"PAR1":
            return "it is no Parquet file"
        return (
            "it is damaged; delete it, and the command that wrote it computes it again"
        )
    return _aligned(table, target)


def _numbered(wanted: pa.Schema) -> pa.Schema:
    """Hold texts that have few values as numbers, for files of many results."""
    import pyarrow as pa

    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        field.with_type(text)
        if field.type == pa.string() and field.name not in ("run_id", "created")
        else field
        for field in wanted
    )


def _joined(tables: Sequence[pa.Table], wanted: pa.Schema) -> pa.Table:
    """Put files of one result and files of many together."""
    import pyarrow as pa

    few: list[pa.Table] = []
    many: list[pa.Table] = []
    for table in tables:
        (few if table.schema.equals(wanted) else many).append(table)
    joined = pa.concat_tables([wanted.empty_table(), *few]).combine_chunks()
    if not many:
        return joined
    parts = [*many, joined.cast(many[0].schema)] if few else many
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


def _foreign(metadata: Mapping[bytes, bytes]) -> str:
    """Say why a file is not one of ours, or nothing if it is."""
    version = metadata.get(b"harness.schema", b"").decode(errors="replace")
    if not version:
        return "it was not written by this program"
    if version != SCHEMA:
        return f"its schema is {version!r}, this program reads {SCHEMA!r}"
    return ""


def _aligned(table: pa.Table, wanted: pa.Schema) -> pa.Table | str:
    """Bring a table to the wanted columns, with nulls where it has none."""
    import pyarrow as pa

    if table.schema.equals(wanted):
        return table
    has = set(table.column_names)
    if "run_id" not in has:
        return "it was not written by this program"
    columns = []
    for field in wanted:
        try:
            columns.append(
                table[field.name].cast(field.type)
                if field.name in has
                else pa.nulls(len(table), field.type)
            )
        except pa.ArrowException:
            return f"its column '{field.name}' holds {table[field.name].type} values"
    return pa.table(columns, schema=wanted)


def once_each(table: pa.Table) -> pa.Table:
    """Keep the first row of every ``run_id``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.count_distinct(table["run_id"]).as_py() == len(table):
        return table
    numbered = pa.table({"run_id": table["run_id"], "row": pa.array(range(len(table)))})
    first = numbered.group_by("run_id").aggregate([("row", "min")]).sort_by("row_min")
    return table.take(first["row_min"])
