"""Build a corpus from the rows of a table; every row is checked."""

from __future__ import annotations

import difflib
import os
import unicodedata
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Corpus, DataError, Utterance
from harness_plugins.corpora import _tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness import Gender

REQUIRED = ("path", "label", "speaker")
OPTIONAL = ("gender", "language", "sentence", "start", "end", "split")
GENDERS: dict[str, Gender] = _tree.GENDERS | {"female": "female", "male": "male"}
UNKNOWN_GENDERS = ("", "unknown", "other", "diverse", "none")
PARTS = {
    "train": "train",
    "valid": "valid",
    "validation": "valid",
    "dev": "valid",
    "val": "valid",
    "test": "test",
}


def corpus_of(
    name: str,
    table: Path,
    rows: Iterable[Mapping[str, str]],
    *,
    folder: Path,
    version: str,
    title: str = "",
    licence: str = "the owner's",
    languages: tuple[str, ...] = (),
) -> Corpus:
    """Build the description of a corpus from a table.

    Args:
        name: The corpus' name, as the user wrote it.
        table: The table's path, for error messages.
        rows: Cells by column, all text.
        folder: The folder that relative paths start from.
        version: The table's version.
        title: The corpus' title; by default the table's name.
        licence: The corpus' licence.
        languages: BCP-47 tags of the rows that name no language.

    Raises:
        DataError: Where a column is missing, or a row cannot be used.
    """
    utterances = [
        _utterance(f"{table}, row {number}", row, folder)
        for number, row in enumerate(rows, start=1)
    ]
    _refuse_repeats(table, utterances)
    found = Counter(u.language for u in utterances if u.language)
    return Corpus(
        name=name,
        title=title or table.stem,
        version=version,
        languages=languages or tuple(sorted(found)) or ("und",),
        labels=tuple(sorted({utterance.label for utterance in utterances})),
        licence=licence,
        homepage="",
        citation="none: a table of the user's own",
        obtain=f"Fix {table}.",
        read=lambda root: utterances,
        root=folder,
    )


def require_columns(table: Path, columns: Iterable[str]) -> None:
    """Raise ``DataError`` where a required column is missing.

    The message lists the columns that the table has, and a similar one.
    """
    have = list(columns)
    for required in REQUIRED:
        if required not in have:
            near = difflib.get_close_matches(required, have, n=1)
            hint = f" Is it the column '{near[0]}'?" if near else ""
            raise DataError(
                f"{table} has no column '{required}'. It has: "
                f"{', '.join(have) or 'none'}.{hint} A table has the columns "
                f"{', '.join(REQUIRED)}, and may have {', '.join(OPTIONAL)}."
            )


def _utterance(where: str, row: Mapping[str, str], folder: Path) -> Utterance:
    cells = {name: (row.get(name) or "").strip() for name in (*REQUIRED, *OPTIONAL)}
    for name in REQUIRED:
        if not cells[name]:
            raise DataError(
                f"{where}: '{name}' is empty. Fill it in, or delete the row."
            )
    path = _path(where, cells["path"], folder)
    start, end = _seconds(where, "start", cells), _seconds(where, "end", cells)
    if end is not None and end <= (start or 0.0):
        raise DataError(
            f"{where}: it ends at {end:g} s, but starts at {start or 0:g} s."
        )
    span = f"#{start or 0:g}-{'' if end is None else f'{end:g}'}"
    return Utterance(
        id=unicodedata.normalize("NFC", path) + (span if start or end else ""),
        path=path,
        label=cells["label"].lower(),
        speaker=cells["speaker"],
        gender=_gender(where, cells["gender"]),
        sentence=cells["sentence"] or None,
        language=cells["language"] or None,
        start=start or 0.0,
        end=end,
        part=_part(where, cells["split"]),
    )


def _path(where: str, written: str, folder: Path) -> str:
    """Return a checked path; an absolute one is deliberate and may lead anywhere."""
    if "\\" in written and not (folder / written).exists():
        written = written.replace("\\", "/")  # written on Windows
    if Path(written).is_absolute():
        return written
    path = Path(os.path.normpath(written)).as_posix()
    inside = (folder / path).resolve().is_relative_to(folder.resolve())
    if path.startswith("..") or not inside:
        raise DataError(
            f"{where}: '{written}' leads out of {folder}. Put the file below it, or "
            "write its absolute path."
        )
    return path


def _seconds(where: str, name: str, cells: Mapping[str, str]) -> float | None:
    text = cells[name]
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds < float("inf"):
        raise DataError(
            f"{where}: '{name}' is '{text}'. It must be a number of seconds like 1.25."
        )
    return seconds


def _gender(where: str, text: str) -> Gender | None:
    if text.lower() in UNKNOWN_GENDERS:
        return None
    if text.lower() not in GENDERS:
        raise DataError(
            f"{where}: 'gender' is '{text}'. Known: female, male, or empty."
        )
    return GENDERS[text.lower()]


def _part(where: str, text: str) -> str | None:
    if text and text.lower() not in PARTS:
        raise DataError(f"{where}: 'split' is '{text}'. Known: {', '.join(PARTS)}.")
    return PARTS.get(text.lower())


def _refuse_repeats(table: Path, utterances: Iterable[Utterance]) -> None:
    rows: dict[str, int] = {}
    for number, utterance in enumerate(utterances, start=1):
        first = rows.setdefault(utterance.id, number)
        if first != number:
            raise DataError(
                f"{table}: rows {first} and {number} are the same utterance, "
                f"'{utterance.id}'. Delete one of them, or add columns start and end."
            )


def text_rows(rows: Iterable[Mapping[str, object]]) -> Iterator[dict[str, str]]:
    """Convert values to text; missing ones become empty."""
    for row in rows:
        yield {
            name: "" if value is None or value != value else str(value)
            for name, value in row.items()
        }
