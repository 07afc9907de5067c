"""Databases in audEERING's format: ``--corpus audformat:PATH``.

What     A folder with db.yaml, such as ``audb.load`` writes. It needs the schemes
         emotion and speaker; gender and language are read where they exist, also as
         properties of speakers, and so are arousal, dominance and valence. Its splits
         train, dev and test are those of --split column.
Safety   Headers that hold Python objects, and pickled tables, run code when they are
         read: both are refused.
Needs    pip install "speech-harness[audformat]"
Paper    Wagner, Wierstorf, Geng, Triantafyllopoulos, Burkhardt, Eyben, Schuller:
         https://audeering.github.io/audformat
Run      harness run --upstream whisper-base --downstream linear \
                     --corpus audformat:my/database --split column
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Corpus, DataError, hookimpl
from harness.files import sha256_bytes
from harness_plugins.corpora._rows import RATED, corpus_of, text_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "audformat:"
HEADER = "db.yaml"
NEEDED = ("emotion", "speaker")


@hookimpl
def harness_corpus(name: str) -> Corpus | None:
    """Build the description of a corpus from a database."""
    if not name.startswith(PREFIX):
        return None
    folder = Path(name.removeprefix(PREFIX)).expanduser()
    header = folder / HEADER
    if not header.is_file():
        raise DataError(f"{folder} is not a database: it has no {header}.")
    content = header.read_bytes()
    database = _load(folder, content)
    return corpus_of(
        PREFIX,
        header,
        text_rows(header, _rows(database, folder)),
        folder=folder,
        version=sha256_bytes(content)[:12],
        title=database.name,
        licence=str(database.license or "not stated"),
        languages=tuple(map(_language, database.languages)),
    )


def _load(folder: Path, content: bytes) -> Any:  # noqa: ANN401 - audformat is not typed
    """Load a database's header, without its tables.

    audformat reads headers by a loader that runs what is written in them, and prefers
    pickled tables, which run code, too: neither is handed to it.

    Raises:
        DataError: Where audformat is missing, or the header or tables cannot be used.
    """
    try:
        import audformat
        import yaml
    except ImportError as error:
        raise DataError(
            f"To read {folder}, install audEERING's library: "
            "pip install 'speech-harness[audformat]'."
        ) from error
    try:
        _refuse_code(folder, yaml.safe_load(content))
        database = audformat.Database.load(str(folder), load_data=False)
    except yaml.constructor.ConstructorError as error:
        raise DataError(
            f"{folder / HEADER} holds something else than text and numbers, which may "
            f"run code, and is not read: {error.problem}."
        ) from error
    except (*_FAULTS, yaml.YAMLError) as error:
        raise DataError(f"Cannot read {folder / HEADER}: {error}") from error
    for scheme in NEEDED:
        if scheme not in database.schemes:
            have = ", ".join(database.schemes) or "none"
            raise DataError(
                f"{folder} has no scheme '{scheme}'. It has: {have}. Convert it to a "
                "table for --corpus csv:PATH."
            )
    return database


def _refuse_code(folder: Path, header: object) -> None:
    """Refuse tables that are pickles, which run code when they are read.

    Raises:
        DataError: With their names.
    """
    if not isinstance(header, dict):
        raise TypeError("it is no header of a database.")
    ids = [
        str(id) for kind in ("tables", "misc_tables") for id in header.get(kind) or ()
    ]
    pickles = {path.name for path in folder.glob("*.pkl")}
    pickles |= {id for id in ids if "/" in id or os.sep in id}  # may lead to one
    if pickles:
        raise DataError(
            f"{folder} has tables that may run code and are not read: "
            f"{', '.join(sorted(pickles))}. Save the database with "
            "storage_format='csv', and remove them."
        )


_FAULTS = (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError)
"""What audformat raises of a damaged database."""


def _rows(database: Any, folder: Path) -> Iterator[dict[str, object]]:  # noqa: ANN401 - audformat is not typed
    """Yield a row for each file or segment that has an emotion."""
    import audformat

    try:
        table = database.get("emotion", ["speaker", "gender", "language", *RATED])
        parts = {
            key: split
            for split in database.splits
            for key in _keys(database.get("emotion", splits=[split]))
        }
    except _FAULTS as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".:")
        raise DataError(
            f"Cannot read the tables of {folder}: {reason}.{_way_out(database)}"
        ) from error
    table = table[table["emotion"].notna()].astype(object)
    table = table.where(table.notna(), None)
    segmented = audformat.utils.to_segmented_index(table)
    for key, span, cells in zip(
        _keys(table), segmented.index, table.to_dict("records"), strict=True
    ):
        file, start, end = span
        yield {
            "path": file,
            "label": cells["emotion"],
            "speaker": cells["speaker"],
            "gender": cells.get("gender"),
            "language": _language(cells.get("language")),
            "start": start.total_seconds() or None,
            "end": end.total_seconds(),
            "split": parts.get(key),
            **{name: cells.get(name) for name in RATED},
        }


def _way_out(database: Any) -> str:  # noqa: ANN401 - audformat is not typed
    """Say what to do where several columns, such as those of raters, differ."""
    found = [
        f"'{name}' of '{table}'"
        for table in database.tables
        for name, column in database[table].columns.items()
        if column.scheme_id == "emotion"
    ]
    if len(found) < 2:
        return ""
    return (
        f" Emotions stand in {', '.join(found)}, and do not agree. Make one column of "
        "them, such as the label that most raters chose, and remove the others."
    )


def _keys(table: Any) -> list[object]:  # noqa: ANN401 - audformat is not typed
    return list(table.index)


def _language(code: object) -> str:
    """Convert ISO 639-3, which audformat uses, to BCP-47."""
    from iso639 import Lang
    from iso639.exceptions import InvalidLanguageValue

    try:
        known = Lang(str(code))
    except InvalidLanguageValue:
        return str(code) if isinstance(code, str) else ""
    return str(known.pt1 or known.pt3)
