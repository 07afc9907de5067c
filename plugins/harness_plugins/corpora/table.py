r"""Your own data without a plugin: ``--corpus csv:PATH``.

What     A table with one row an utterance. Required columns: path and speaker.
         Optional: label (the emotion), gender, language (BCP-47), sentence, intensity,
         start and end (seconds in the file), split (train, valid or test, for --split
         column), and the numbers arousal, dominance, valence: targets (see 'harness
         list targets'). number:NAME is a number for the target of a plugin. Others are
         ignored. Labels are converted to lower case, so that corpora can share them. A
         row without one has no value for the target emotion, and one for others. Words
         such as nan, n/a and unknown count as an empty cell.
Form     CSV in UTF-8 with commas, semicolons or tabs; Parquet by the file's ending.
Name     The file's name and the first digits of its hash, such as csv:mine@1a2b3c4d:
         the same table in another folder is the same corpus.
Paths    Relative ones start from the table's folder and may not leave it, neither by
         .. nor by a link; \ is read as /. An absolute path is taken as it is, and is
         then the utterance's id, too.
Run      harness corpus check csv:my/utterances.csv
         harness run --upstream whisper-base --downstream linear \
                     --corpus csv:my/utterances.csv
"""

from __future__ import annotations

import csv
import io
import os
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Corpus, DataError, hookimpl
from harness.files import sha256_bytes
from harness_plugins.corpora._rows import (
    REQUIRED,
    check_columns,
    column_name,
    corpus_of,
    is_read,
    text_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "csv:"
SEPARATORS = ",;\t"


@hookimpl
def harness_corpus(name: str) -> Corpus | None:
    """Build the description of a corpus from a table."""
    if not name.startswith(PREFIX):
        _refuse_bare(name)
        return None
    table = Path(name.removeprefix(PREFIX)).expanduser()
    try:
        content = table.read_bytes()
        rows = _parquet(table, content) if _is_parquet(table) else _csv(table, content)
        version = sha256_bytes(content)[:12]
        return corpus_of(PREFIX, table, rows, folder=table.parent, version=version)
    except UnicodeDecodeError as error:
        raise DataError(f"{table} is not UTF-8 text. {_advice(content)}") from error
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"Cannot read the table {table}: {reason}.") from error


def _refuse_bare(name: str) -> None:
    """Say how recordings of one's own are read to who names their file or folder."""
    if Path(name).is_file():
        raise DataError(f"{name} is a file. To read it as a table, use {PREFIX}{name}.")
    if os.sep in name and Path(name).expanduser().is_dir():
        raise DataError(
            f"{name} is a folder. Write a table of its recordings with the columns "
            f"{', '.join(REQUIRED)} and what is to be predicted, such as label, and "
            f"name it by {PREFIX}FILE; or, if it is a database of audformat's, write "
            f"audformat:{name}."
        )


@hookimpl
def harness_corpus_root(corpus: Corpus) -> Path | None:
    """Return the folder of a corpus that names its own."""
    return corpus.root


def _is_parquet(table: Path) -> bool:
    return table.suffix.lower() in (".parquet", ".pq")


def _advice(content: bytes) -> str:
    """Return how to save the table as UTF-8 from a spreadsheet program."""
    if content.startswith(b"PK"):
        return "It is a workbook: in Excel, save the sheet as «CSV UTF-8»."
    return "In Excel, save it as «CSV UTF-8»; elsewhere choose UTF-8 as its encoding."


def _csv(table: Path, content: bytes) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file; nothing but a line's end ends a line."""
    text = io.StringIO(content.decode("utf-8-sig"), newline="")
    header = next((line for line in text if line.strip()), "")
    text.seek(0)
    separator = max(SEPARATORS, key=header.count)
    lines = filter(None, csv.reader(text, delimiter=separator, strict=True))
    columns = [column_name(name) for name in next(lines, [])]
    check_columns(table, columns)
    for number, cells in enumerate(lines, start=1):
        if any(cell.strip() for cell in cells[len(columns) :]):
            raise ValueError(f"row {number} has more cells than there are columns")
        yield dict(zip_longest(columns, cells[: len(columns)], fillvalue=""))


def _parquet(table: Path, content: bytes) -> list[dict[str, str]]:
    """Read the rows of a Parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    read = parquet.read_table(pa.BufferReader(content))
    columns = [column_name(name) for name in read.column_names]
    check_columns(table, columns)
    wanted = [place for place, name in enumerate(columns) if is_read(name)]
    chosen = read.select(wanted).rename_columns([columns[place] for place in wanted])
    rows: list[Mapping[str, object]] = chosen.to_pylist()
    return list(text_rows(table, rows))
