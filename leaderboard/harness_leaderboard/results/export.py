"""Arrow tables written for other programs: CSV, JSON, Parquet."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from harness.text import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa


def to_csv(table: pa.Table) -> str:
    """Write CSV; lists and what is nested stand in their cells as JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in rows(table):
        writer.writerow([_cell(value) for value in row.values()])
    return text.getvalue()


def to_json(table: pa.Table) -> str:
    """Write a JSON list with an object a row."""
    return json_text(list(rows(table))) + "\n"


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write Parquet that any program reads: flat columns, one row a row."""
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")


def rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield rows as JSON has them: a map is an object."""
    import pyarrow as pa

    maps = {field.name for field in table.schema if pa.types.is_map(field.type)}
    for batch in table.to_batches():
        for row in batch.to_pylist():
            yield {
                name: dict(value) if name in maps and value is not None else value
                for name, value in row.items()
            }


def _cell(value: object) -> object:
    nested = isinstance(value, (list, dict, tuple))
    return json.dumps(value, ensure_ascii=False) if nested else value


TEXTS: dict[str, Callable[[pa.Table], str]] = {"csv": to_csv, "json": to_json}
"""Forms that are text, by the word after ``--format``."""

FORMS = ("csv", "json", "parquet")
"""Every form, by the word after ``--format``, a file's ending."""
