"""Every number of stored results, to compare runs that must be equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.parquet

if TYPE_CHECKING:
    from pathlib import Path

PROVENANCE = ("training", "extraction")
"""Columns that say where and when; all others must be equal."""


def cells(runs: Path) -> dict[str, dict[str, Any]]:
    """Return each result below a folder by its id, without its provenance."""
    rows = pyarrow.parquet.read_table(runs).to_pylist()
    return {
        row["run_id"]: {k: v for k, v in row.items() if k not in PROVENANCE}
        for row in rows
    }
