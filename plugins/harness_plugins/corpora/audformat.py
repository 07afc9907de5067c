"""Databases in audEERING's format: ``--corpus audformat:PATH``.

What     A folder with db.yaml, such as ``audb.load`` writes. It needs the scheme
         speaker; emotion, gender, language, the numbers arousal, dominance and valence,
         and number:NAME for the target of a plugin are read where they exist, also as
         properties of speakers. What has no emotion has no value for that target.
         Its splits train, dev and test are those of --split column.
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
from harness_plugins.corpora._rows import (
    RATED,
    corpus_of,
    number_name,
    text_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Key = tuple[str, Any, Any]

PREFIX = "audformat:"
HEADER = "db.yaml"
ABOUT = ("speaker", "gender", "language")
"""Schemes that are read of files, whether they have an emotion or a number or not."""


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
    if "speaker" not in database.schemes:
        have = ", ".join(database.schemes) or "none"
        raise DataError(
            f"{folder} has no scheme 'speaker'. It has: {have}. Convert it to a table "
            "for --corpus csv:PATH."
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
    """Yield a row for each file or segment with an emotion or a number, or a speaker.

    A file that is known by its speaker alone is one where none of its segments is one.
    """
    numbers = _numbers(database)
    rated = ("emotion", *numbers)
    try:
        found = _found(database, rated)
        parts = _parts(database, (*rated, *ABOUT))
    except _FAULTS as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".:")
        raise DataError(
            f"Cannot read the tables of {folder}: {reason}.{_way_out(database)}"
        ) from error
    for key, cells in found.items():
        if all(cells.get(name) is None for name in (*rated, "speaker")):
            continue
        file, start, end = key
        yield {
            "path": file,
            "label": cells["emotion"],
            "speaker": cells["speaker"],
            "gender": cells.get("gender"),
            "language": _language(cells.get("language")),
            "start": start.total_seconds() or None,
            "end": end.total_seconds(),
            "split": parts.get(key),
            **{name: cells.get(name) for name in numbers},
        }


def _numbers(database: Any) -> tuple[str, ...]:  # noqa: ANN401 - audformat is not typed
    """Return the names of numbers that a database may have."""
    return tuple(dict.fromkeys((*RATED, *filter(number_name, database.schemes))))


def _found(database: Any, rated: Sequence[str]) -> dict[Key, dict[str, Any]]:  # noqa: ANN401 - audformat is not typed
    """Return the cells of each file and segment, by file, start and end."""
    found: dict[Key, dict[str, Any]] = {}
    names = (*rated, *ABOUT)
    for name in names:
        files = () if name in rated else {file for file, *_ in found}
        new = {
            key
            for key in _keys(database.get(name))
            if key not in found and key[0] not in files
        }
        if new:
            table = database.get(name, [one for one in names if one != name])
            found |= {key: row for key, row in _records(table) if key in new}
    return found


def _records(table: Any) -> Iterable[tuple[Key, dict[str, Any]]]:  # noqa: ANN401 - audformat is not typed
    table = table.astype(object)
    cells = table.where(table.notna(), None).to_dict("records")
    return zip(_keys(table), cells, strict=True)


def _parts(database: Any, names: Sequence[str]) -> dict[Key, str]:  # noqa: ANN401 - audformat is not typed
    """Return the split of each file and segment, the first that names it."""
    parts: dict[Key, str] = {}
    for name in names:
        for split in database.splits:
            for key in _keys(database.get(name, splits=[split])):
                parts.setdefault(key, split)
    return parts


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


def _keys(table: Any) -> list[Key]:  # noqa: ANN401 - audformat is not typed
    """Return file, start and end of each row; of whole files, 0 and ``NaT``."""
    import audformat

    return list(audformat.utils.to_segmented_index(table).index)


def _language(code: object) -> str:
    """Convert ISO 639-3, which audformat uses, to BCP-47."""
    from iso639 import Lang
    from iso639.exceptions import InvalidLanguageValue

    try:
        known = Lang(str(code))
    except InvalidLanguageValue:
        return str(code) if isinstance(code, str) else ""
    return str(known.pt1 or known.pt3)
