"""What utterances are grouped by: a field of their predictions, or a table's column."""

from __future__ import annotations

import csv
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError, UnknownNameError
from harness.text import counted
from harness_leaderboard.results.columns import GROUPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

KEYS = {"speaker": "speaker", "utterance": "utterance", "path": "utterance"}
"""Columns that say whom a row of a table is about, and the fields of predictions."""


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """Which group each utterance is of.

    Attributes:
        name: What the groups are, such as ``gender`` or ``age``.
        key: The field of predictions that rows of a table are found by; ``""`` where
            the groups are themselves a field, by this name.
        groups: By corpus, ``""`` for any, and key.
    """

    name: str = "gender"
    key: str = ""
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, said: pa.Array, corpus: str) -> pa.Array:
        """Return the groups of predictions (N,), null where none is known.

        Args:
            said: Predictions (N,).
            corpus: What they are of.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.key:
            return pc.struct_field(said, self.name)
        known = {**self.groups.get("", {}), **self.groups.get(corpus, {})}
        names = pc.struct_field(said, self.key).to_pylist()
        return pa.array([known.get(name) for name in names], pa.string())

    def require_one(self, corpora: Sequence[str]) -> None:
        """Refuse a table that does not say which corpus its names are of.

        Raises:
            HarnessError: Where there are several corpora.
        """
        if "" in self.groups and len(set(corpora)) > 1:
            raise HarnessError(
                f"The table that has '{self.name}' does not say which corpus its rows "
                f"are about, and there are {', '.join(sorted(set(corpora)))}: add a "
                f"column 'corpus', or choose one with --only corpus={corpora[0]}."
            )


def grouping(text: str) -> Grouping:
    """Return what a user groups by: a field, or ``FILE:COLUMN`` of a CSV table.

    Raises:
        HarnessError: Where there is no such field, file or column, or the table does
            not say whom a row is about.
    """
    if text in GROUPS:
        return Grouping(name=text)
    file, _, column = text.rpartition(":")
    if not file:
        raise UnknownNameError(
            *("field of predictions", text, GROUPS),
            "For groups of your own name a table: --by FILE.csv:COLUMN.",
        )
    rows = _rows(Path(file))
    if column not in rows[0]:
        raise UnknownNameError(f"column of {file}", column, rows[0])
    found = [name for name in KEYS if name in rows[0]]
    if not found:
        raise HarnessError(
            f"{file} has no column 'speaker' or 'utterance', so that it is not known "
            "whom a row is about. Add one of these, with the names that 'harness "
            "leaderboard --view fairness --by speaker' shows."
        )
    return _by_key(file, rows, column, found)


def _by_key(
    file: str, rows: Sequence[Mapping[str, str]], column: str, keys: Sequence[str]
) -> Grouping:
    """Take the first key that has one group each."""
    twice = ""
    for key in keys:
        groups: dict[str, dict[str, str]] = defaultdict(dict)
        clash = ""
        for row in rows:
            name, group = row[key], row[column]
            if name and group:
                first = groups[row.get("corpus", "")].setdefault(name, group)
                if first != group:
                    clash = clash or f"{key} '{name}' is '{first}' and '{group}'"
        if not clash:
            return Grouping(name=column, key=KEYS[key], groups=groups)
        twice = twice or clash
    raise HarnessError(
        f"{file}: by '{column}' {twice}. Give each one group, or name utterances in a "
        "column 'utterance'."
    )


def _rows(path: Path) -> list[dict[str, str]]:
    """Read a table, at least one row, as text without blanks around it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            heading, *rows = csv.reader(file, strict=True)
    except OSError as error:
        raise HarnessError(f"Cannot read {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise HarnessError(f"{path} is no table of UTF-8 text: {error}.") from error
    except ValueError:
        raise HarnessError(f"{path} is empty.") from None
    names = [name.strip() for name in heading]
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise HarnessError(f"{path} has several columns '{twice[0]}'. Leave one.")
    cells = [
        [unicodedata.normalize("NFC", cell).strip() for cell in row] for row in rows
    ]
    for number, row in enumerate(cells, start=1):
        if row and len(row) != len(names):
            raise HarnessError(
                f"{path}: row {number} has {counted(len(row), 'cell')}, and the "
                f"heading {len(names)}. Put quotes around a cell with a comma."
            )
    if not any(cells):
        raise HarnessError(f"{path} has no rows below its heading.")
    return [dict(zip(names, row, strict=True)) for row in cells if row]
