"""A copy of stored results that may be read by all: what every form is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_leaderboard.results import folders, reading, store
from harness_leaderboard.results.schema import schema

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from harness_leaderboard.publish.private import Private
    from harness_leaderboard.results.folders import Folder


def copy(
    runs: Folder, run_ids: Collection[str], private: Private, target: Path
) -> None:
    """Write results without anything private, in as many files as there were.

    Args:
        runs: The folder of results.
        run_ids: Those that are wanted.
        private: What must not be in them.
        target: An empty folder.

    Raises:
        HarnessError: Where a result holds what cannot be taken out.
    """
    import pyarrow as pa

    columns = schema()
    for number, file in enumerate(folders.files(runs)):
        stored = reading.read_whole(file)[0].to_pylist()
        rows = [private.clean(row) for row in stored if row.get("run_id") in run_ids]
        if rows:
            table = pa.Table.from_pylist(rows, schema=columns)
            store.write_table(table, target / f"packed-{number}.parquet")
