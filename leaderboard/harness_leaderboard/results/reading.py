"""Results read back: a few flat columns of many files, or whole results.

A nested field is a column of its own in Parquet, so that only what is asked for is
read. Files that were written one after the other with the same columns are flattened
together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness_leaderboard.results import folders
from harness_leaderboard.results.columns import (
    absent,
    column_type,
    default_of,
    path_of,
)
from harness_leaderboard.results.digests import MAGIC, damage
from harness_leaderboard.results.schema import SCHEMA, lacking, result_of, schema
from harness_leaderboard.results.store import run_id_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from harness.types import Result
    from harness_leaderboard.results.columns import FieldPath
    from harness_leaderboard.results.folders import File, Folder

UNNUMBERED = ("run_id", "training_created")
"""Texts that are all different; others have few values, and are held as numbers."""

OLDER = "1"  # the schema before results held a condition

GONE = "it cannot be opened (No such file or directory)"

VANISHED = "it was removed while results were read; run the same command again"
"""The reason where a file that was listed is no longer there."""

LISTINGS = 4
"""How often a folder is listed where its files change meanwhile: packing results, which
replaces files by another, takes two; who packs more often gets a sentence."""


def read_runs(
    runs: Folder, columns: Sequence[str], *, run_ids: Collection[str] | None = None
) -> tuple[pa.Table, tuple[str, ...]]:
    """Read columns of every result below a folder.

    Args:
        runs: The folder, here or elsewhere; one that does not exist holds nothing.
        columns: Names of flat columns (see ``results.columns``). A file that lacks one,
            written before the column existed, gets nulls.
        run_ids: Only these results, all by default.

    Returns:
        The results, one row a ``run_id`` in the order of the files' names, and a
        sentence for each file that was left out, with the reason.
    """
    wanted = {name: path_of(name) for name in ("run_id", *columns)}
    read, gone = _settled(runs, run_ids, wanted)
    table, left_out = _joined(read, wanted)
    table = once_each(table)
    held = set(table["run_id"].to_pylist())
    left_out += tuple(
        _left_out(file, VANISHED) for file in gone if run_id_of(file) not in held
    )
    return table if run_ids is None else only(table, "run_id", run_ids), left_out


def read_file(file: File, columns: Sequence[str]) -> tuple[pa.Table, tuple[str, ...]]:
    """Read columns of one file, in the way of ``read_runs``."""
    wanted = {name: path_of(name) for name in ("run_id", *columns)}
    return _joined([(file, _read(file, wanted))], wanted)


def read_whole(file: File) -> tuple[pa.Table, tuple[str, ...]]:
    """Read everything of one file that this version knows, as it is stored.

    Returns:
        Rows for ``whole_results``, and a sentence if the file was left out.
    """
    found = _read(file, None)
    if isinstance(found, str):
        return schema().empty_table(), (_left_out(file, found),)
    return found, ()


def whole_results(table: pa.Table) -> Iterator[Result | str]:
    """Yield each row's result, or a sentence where the row lacks what one must have."""
    for row in table.to_pylist():
        if missing := list(lacking(row)):
            yield f"run {row.get('run_id')}: it lacks {', '.join(missing)}"
        else:
            yield result_of(row)


def flattened(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return flat columns of rows as they are stored."""
    return _flat(table, {name: path_of(name) for name in ("run_id", *columns)})


def empty(columns: Iterable[str]) -> pa.Table:
    """Return flat columns of no row."""
    return _empty({name: path_of(name) for name in ("run_id", *columns)})


# ---------------------------------------------------------------- files


def _settled(
    runs: Folder,
    run_ids: Collection[str] | None,
    wanted: Mapping[str, FieldPath],
) -> tuple[list[tuple[File, pa.Table | str]], list[File]]:
    """Read files until a new listing has none that was not read.

    Returns:
        Each file and what was read of it, and the files that vanished before.
    """
    read: dict[str, tuple[File, pa.Table | str]] = {}
    for _ in range(LISTINGS):
        found = list(_holding(runs, run_ids))
        new = [file for file in found if str(file) not in read]
        if read and not new:
            break
        outcomes = folders.each(lambda file: _read(file, wanted), new)
        read |= {str(f): (f, one) for f, one in zip(new, outcomes, strict=True)}
    there = set(map(str, found))
    pairs = [(f, one) for f, one in read.values() if one != GONE or str(f) in there]
    return pairs, [f for f, one in read.values() if one == GONE and str(f) not in there]


def _holding(runs: Folder, run_ids: Collection[str] | None) -> Iterator[File]:
    """List the files that may hold some results; those of many may hold any."""
    for file in folders.files(runs):
        run_id = run_id_of(file)
        if run_ids is None or run_id is None or run_id in run_ids:
            yield file


def _read(file: File, wanted: Mapping[str, FieldPath] | None) -> pa.Table | str:
    """Read the stored columns that are needed, or say why the file is left out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        small, source = folders.is_small(file), folders.source(file)
        damaged = folders.is_near(file) and damage(memoryview(source.read_buffer()))
        source.seek(0)
    except FileNotFoundError:
        return GONE
    except OSError as error:
        return f"it cannot be opened ({folders.reason(error)})"
    if damaged:
        return _why_damaged(file)
    needed = None if wanted is None else [_stored(path) for path in wanted.values()]
    texts = [] if small or wanted is None else _texts(wanted)
    try:
        with pq.ParquetFile(
            source,
            read_dictionary=texts,
            pre_buffer=False,
            page_checksum_verification=True,
        ) as opened:
            if reason := _foreign(opened.metadata.metadata or {}):
                return reason
            return opened.read(columns=needed, use_threads=not small)
    except (pa.ArrowException, OSError):
        return _why_damaged(file)


def _why_damaged(file: File) -> str:
    if file.read_bytes()[: len(MAGIC)] != MAGIC:
        return "it is no Parquet file"
    return (
        "it is damaged, or another program changed it; delete it, and the command that "
        "wrote it computes it again"
    )


def _stored(path: FieldPath) -> str:
    """Return what Parquet calls a path; scores are read together."""
    return path[0] if path[0] == "scores" else ".".join(path)


def _texts(wanted: Mapping[str, FieldPath]) -> list[str]:
    """List the columns that hold texts of few values."""
    import pyarrow as pa

    return [
        _stored(path)
        for name, path in wanted.items()
        if column_type(path) == pa.string() and name not in UNNUMBERED
    ]


def _foreign(metadata: Mapping[bytes, bytes]) -> str:
    """Say why a file is not one of ours, or nothing if it is."""
    version = metadata.get(b"harness.schema", b"").decode(errors="replace")
    if not version:
        return "it was not written by this program"
    if version == OLDER:
        return (
            "it was written before results held their whole condition; run its command "
            "again, and it is computed and stored anew"
        )
    if version != SCHEMA:
        return f"its schema is {version!r}, this program reads {SCHEMA!r}"
    return ""


# ---------------------------------------------------------------- flat tables


def _joined(
    read: Any,  # noqa: ANN401 - pairs of a file and what was read of it
    wanted: Mapping[str, FieldPath],
) -> tuple[pa.Table, tuple[str, ...]]:
    """Flatten what was read and put it together; name what is left out."""
    import pyarrow as pa

    tables, left_out = [_empty(wanted)], []
    for files, outcome in _alike(read):
        flat = outcome if isinstance(outcome, str) else _try_flat(outcome, wanted)
        if isinstance(flat, str):
            left_out += [_left_out(file, flat) for file in files]
        else:
            tables.append(flat)
    if len(tables) == 2:
        return tables[1], tuple(left_out)
    joined = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    return joined, tuple(left_out)


def _alike(read: Any) -> Iterator[tuple[list[File], pa.Table | str]]:  # noqa: ANN401
    """Put tables together that follow one another and have the same columns."""
    import pyarrow as pa

    files: list[File] = []
    tables: list[pa.Table] = []
    for file, outcome in read:
        alike = not isinstance(outcome, str)
        if tables and not (alike and outcome.schema.equals(tables[0].schema)):
            yield files, pa.concat_tables(tables).combine_chunks()
            files, tables = [], []
        if alike:
            files.append(file)
            tables.append(outcome)
        else:
            yield [file], outcome
    if tables:
        yield files, pa.concat_tables(tables).combine_chunks()


def _left_out(file: File, reason: str) -> str:
    return f"{file} is left out: {reason}."


def _try_flat(table: pa.Table, wanted: Mapping[str, FieldPath]) -> pa.Table | str:
    """Flatten a table, or say which of its columns is of another kind."""
    import pyarrow as pa

    if "run_id" not in table.column_names:
        return "it was not written by this program"
    try:
        return _flat(table, wanted)
    except pa.ArrowException:
        for name, path in wanted.items():
            try:
                _flat(table, {name: path})
            except pa.ArrowException:
                held = table.schema.field(path[0]).type
                return f"its column '{name}' holds {held} values"
        raise


def _flat(table: pa.Table, wanted: Mapping[str, FieldPath]) -> pa.Table:
    import pyarrow as pa

    return pa.table({name: _column(table, name, path) for name, path in wanted.items()})


def _column(table: pa.Table, name: str, path: FieldPath) -> pa.ChunkedArray:
    """Return one flat column, of nulls or the default where the files had none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    target, default = _flat_type(name, path), default_of(path)
    if path[0] not in table.column_names or not _has(table, path):
        nulls = pa.chunked_array([pa.nulls(len(table), target)])
        return nulls if default is None else _filled(nulls, default, target)
    column = table[path[0]]
    if path[0] == "scores":
        key = pa.scalar(path[1])
        return pc.map_lookup(column, query_key=key, occurrence="first").cast(target)
    if path[1:]:
        column = pc.struct_field(column, list(path[1:]))
    if default is not None and column.null_count:
        return _filled(column, default, target)
    return column if column.type == target else column.cast(target)


def _filled(column: Any, default: Any, kind: Any) -> pa.ChunkedArray:  # noqa: ANN401
    """Put a value where a column has none, and encode texts as others are."""
    import pyarrow as pa

    encoded = pa.types.is_dictionary(kind)
    plain = column.cast(kind.value_type) if encoded else column.cast(kind)
    filled = plain.fill_null(default)
    return filled.dictionary_encode() if encoded else filled


def _has(table: pa.Table, path: FieldPath) -> bool:
    """Say whether a path leads to a field.

    Raises:
        ArrowTypeError: Where it leads through what has no fields.
    """
    import pyarrow as pa

    kind = table.schema.field(path[0]).type
    for name in path[1:] if path[0] != "scores" else ():
        if not pa.types.is_struct(kind):
            raise pa.ArrowTypeError(f"{kind} has no field {name}")
        if kind.get_field_index(name) < 0:
            return False
        kind = kind.field(name).type
    return True


def _flat_type(name: str, path: FieldPath) -> pa.DataType:
    import pyarrow as pa

    kind = column_type(path)
    few = kind == pa.string() and name not in UNNUMBERED
    return pa.dictionary(pa.int32(), kind) if few else kind


def _empty(wanted: Mapping[str, FieldPath]) -> pa.Table:
    import pyarrow as pa

    return pa.schema(
        [(name, _flat_type(name, path)) for name, path in wanted.items()]
    ).empty_table()


# ---------------------------------------------------------------- rows


def once_each(table: pa.Table) -> pa.Table:
    """Keep the first row of every ``run_id``."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.count_distinct(table["run_id"]).as_py() == len(table):
        return table
    numbered = pa.table({"run_id": table["run_id"], "row": pa.array(range(len(table)))})
    first = numbered.group_by("run_id").aggregate([("row", "min")]).sort_by("row_min")
    return table.take(first["row_min"])


def only(table: pa.Table, column: str, values: Collection[str]) -> pa.Table:
    """Keep the rows whose column, as text, is one of the values, or a list with one."""
    import pyarrow as pa

    texts = (_spoken(one, column) for one in table[column].to_pylist())
    return table.filter(
        pa.array([not of.isdisjoint(values) for of in texts], pa.bool_())
    )


def values(table: pa.Table, column: str) -> set[str]:
    """Return every value of a column, or of its lists, as text."""
    return {text for one in table[column].to_pylist() for text in _spoken(one, column)}


def _spoken(value: object, column: str) -> set[str]:
    """Return a value as text, or the values of a list; a word where there is none."""
    of = value if isinstance(value, list) else [] if value is None else [value]
    return set(map(str, of)) or {absent(column)}
