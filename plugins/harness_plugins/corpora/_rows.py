"""Build a corpus from the rows of a table; every row is checked."""

from __future__ import annotations

import difflib
import functools
import math
import os
import re
import unicodedata
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Corpus, DataError, Utterance
from harness_plugins.corpora import _tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness import Gender

REQUIRED = ("path", "speaker")
RATED = ("arousal", "dominance", "valence")
"""Columns of numbers, each of which is a target of that name."""
OPTIONAL = (
    *("label", "gender", "language", "sentence", "intensity"),
    *("start", "end", "split"),
    *RATED,
)
NUMBER = "number:"
"""Before the name of any other column of numbers, for targets of plugins."""
NOT_KNOWN = frozenset(
    "? - -- . # #n/a (null) <na> missing n.a. n/a na nan nat nil none null unk unknown "
    "undefined".split()
) | {"", "not known", "not available", "not applicable"}
"""What people and programs write for what is not known, in lower case: pandas «nan»,
«<NA>» and «NaT», R «NA», databases «NULL», spreadsheets «#N/A», Python «None»."""

LABELS = 0.8
"""How like ``label`` or ``emotion`` a column must be called, by difflib's ratio, to be
taken for a slip: ``labels`` has 0.91, ``level`` 0.6."""

REPEATED = 4096
"""Cells that are remembered: labels, speakers and files come again and again."""

GENDERS: dict[str, Gender] = _tree.GENDERS | {
    **dict.fromkeys(("female", "woman", "girl", "w", "fem", "weiblich"), "female"),
    **dict.fromkeys(("male", "man", "boy", "masc", "männlich"), "male"),
}
OTHER_GENDERS = frozenset(
    ("other", "diverse", "d", "x", "nb", "non-binary", "nonbinary", "non binary", "div")
)
"""Genders that are known and neither; splits balance the two alone."""

PARTS = {
    "train": "train",
    "valid": "valid",
    "validation": "valid",
    "dev": "valid",
    "val": "valid",
    "test": "test",
}


def corpus_of(
    prefix: str,
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

    It is called by its title and the first digits of its version, which is a hash of
    its content: the same table in another folder is the same corpus.

    Args:
        prefix: What its name begins with.
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
    disk = Disk(folder)
    utterances = {
        number: _utterance(f"{table}, row {number}", row, disk)
        for number, row in enumerate(rows, start=1)
        if any(cell.strip() for cell in row.values())  # spreadsheets leave empty ones
    }
    if not utterances:
        raise DataError(f"{table} has no rows. Write one for each utterance.")
    _refuse_repeats(table, utterances)
    found = Counter(u.language for u in utterances.values() if u.language)
    return Corpus(
        name=f"{prefix}{_named(title or table.stem)}@{version[:8]}",
        title=title or table.stem,
        version=version,
        languages=languages or tuple(sorted(found)) or ("und",),
        labels=tuple(sorted({one.label for one in utterances.values()} - {""})),
        licence=licence,
        homepage="",
        citation="none: a table of the user's own",
        obtain=f"Fix {table}.",
        read=lambda root: utterances.values(),
        root=folder.absolute(),
    )


def _named(title: str) -> str:
    """Write a title as a word of the command line."""
    return re.sub(r"[^\w.-]+", "-", title)


def column_name(written: str) -> str:
    """Return the name of a column as it is looked for."""
    return unicodedata.normalize("NFKC", written).strip().casefold()


def check_columns(table: Path, columns: Iterable[str]) -> None:
    """Raise ``DataError`` where a required column is missing, or a name is there twice.

    So it is where labels seem to stand under another name. The message lists the
    columns that the table has, and a similar one.
    """
    have = list(columns)
    twice = [name for name, number in Counter(have).items() if name and number > 1]
    if twice:
        raise DataError(
            f"{table} has more than one column '{twice[0]}' (capitals and blanks make "
            "no difference). Rename or remove all but one."
        )
    for name in (*REQUIRED, "label"):
        near = _alike(name, have)
        if name not in have and (name in REQUIRED or near):
            hint = f" Is it the column '{near}'? Then call it '{name}'." if near else ""
            raise DataError(
                f"{table} has no column '{name}'. It has: "
                f"{', '.join(have) or 'none'}.{hint} A table has the columns "
                f"{', '.join(REQUIRED)}, and may have {', '.join(OPTIONAL)}."
            )


def _alike(name: str, have: Sequence[str]) -> str:
    """Return a column that may be meant by a name, or nothing."""
    if name in REQUIRED:
        return next(iter(difflib.get_close_matches(name, have, n=1)), "")
    names = ("label", "emotion")
    near = (difflib.get_close_matches(one, have, n=1, cutoff=LABELS) for one in names)
    return next(chain.from_iterable(near), "")


def number_name(column: str) -> str:
    """Return what the numbers of a column are called as a target; else nothing."""
    if column in RATED:
        return column
    return column.removeprefix(NUMBER) if column.startswith(NUMBER) else ""


def is_read(column: str) -> bool:
    """Return whether a column means anything here; others are ignored."""
    return column in (*REQUIRED, *OPTIONAL) or bool(number_name(column))


def _utterance(where: str, row: Mapping[str, str], disk: Disk) -> Utterance:
    written = {name: row.get(name) or "" for name in (*REQUIRED, *OPTIONAL)}
    _check_written(where, written)
    cells = {name: _canonical(cell) for name, cell in written.items()}
    path = _path(where, written["path"].strip(), disk)
    start, end = _seconds(where, "start", cells), _seconds(where, "end", cells)
    if end is not None and end <= (start or 0.0):
        raise DataError(
            f"{where}: it ends at {end:g} s, but starts at {start or 0:g} s."
        )
    span = f"#{_digits(start or 0.0)}-{'' if end is None else _digits(end)}"
    utterance = Utterance(
        id=unicodedata.normalize("NFC", path) + (span if start or end else ""),
        path=path,
        label=cells["label"].lower(),
        speaker=cells["speaker"],
        gender=_gender(where, cells["gender"]),
        sentence=cells["sentence"] or None,
        intensity=cells["intensity"].lower() or None,
        language=_language(cells["language"]),
        start=start or 0.0,
        end=end,
        part=_part(where, cells["split"]),
    )
    numbers = dict(_numbers(where, row))
    return replace(utterance, numbers=numbers) if numbers else utterance


def _numbers(where: str, row: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """Yield the name and value of each column of numbers that has a value."""
    for name, cell in row.items():
        if (of := number_name(name)) and (text := _canonical(cell)):
            yield of, _number(where, name, text)


def _number(where: str, name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where}: '{name}' is '{text}'. It must be a number like 0.5.")
    return number


@functools.lru_cache(maxsize=REPEATED)
def _canonical(cell: str) -> str:
    """Return a cell in NFC with single blanks; nothing where it says «not known»."""
    text = " ".join(unicodedata.normalize("NFC", cell).split())
    return "" if text.casefold() in NOT_KNOWN else text


def _check_written(where: str, written: Mapping[str, str]) -> None:
    """Refuse required cells that are empty, and characters that no name has."""
    for name in (*REQUIRED, "label"):
        cell = written[name].strip()
        if problem := _problem(cell, required=name in REQUIRED):
            raise DataError(f"{where}: '{name}' {problem}")


@functools.lru_cache(maxsize=REPEATED)
def _problem(cell: str, *, required: bool) -> str:
    """Say what is wrong with a cell; nothing where it is sound."""
    if required and not _canonical(cell):
        said = f"is '{cell}', which stands for «not known»" if cell else "is empty"
        return f"{said}. Fill it in, or delete the row."
    odd = [one for one in cell if unicodedata.category(one) == "Cc" and one != "\n"]
    return f"holds the control character {odd[0]!r}. Remove it." if odd else ""


def _digits(seconds: float) -> str:
    """Write a number so that no other number is written like it."""
    return repr(seconds).removesuffix(".0")


def _language(tag: str) -> str | None:
    """Return a BCP-47 tag as such tags are written: ``el-GR``, ``zh-Hant``."""
    first, *rest = tag.replace("_", "-").split("-")
    forms = {2: str.upper, 4: str.title}
    return "-".join([first.lower(), *(forms.get(len(r), str)(r) for r in rest)]) or None


class Disk:
    """The files of a table's folder, found however their names spell an accent."""

    def __init__(self, folder: Path) -> None:
        """Look at nothing yet."""
        self.folder = folder
        self.checked: dict[str, str] = {}
        self._names = functools.cache(_names)

    def holds(self, path: str) -> bool:
        """Return whether there is something at a path."""
        try:
            return Path(self.folder, path).exists()
        except OSError:  # the name is too long
            return False

    def spelt(self, path: str) -> str:
        """Return a path as this disk spells it: on one of a Mac, names are in NFD."""
        if self.holds(path):
            return path
        here = Path(Path(path).anchor)
        for part in Path(path).relative_to(here).parts:
            names = self._names(self.folder / here)
            here /= names.get(unicodedata.normalize("NFC", part), part)
        return here.as_posix()

    def is_inside(self, path: str) -> bool:
        """Return whether a path stays below the folder, links followed."""
        try:
            resolved = Path(self.folder, path).resolve()
        except (OSError, RuntimeError):  # the name is too long, or links form a cycle
            return False
        return resolved.is_relative_to(self.folder.resolve())


def _names(folder: Path) -> dict[str, str]:
    """Return the names in a folder by their NFC form; none where there is no folder."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return {}
    return {unicodedata.normalize("NFC", name): name for name in names}


def _path(where: str, written: str, disk: Disk) -> str:
    """Return a checked path: that of a file of many utterances is checked once."""
    if written not in disk.checked:
        disk.checked[written] = _checked_path(where, written, disk)
    return disk.checked[written]


def _checked_path(where: str, written: str, disk: Disk) -> str:
    """Check a path; an absolute one is deliberate and may lead anywhere."""
    if "\\" in written and not disk.holds(written):
        written = written.replace("\\", "/")  # written on Windows
    if Path(written).is_absolute():
        return disk.spelt(written)
    path = disk.spelt(Path(os.path.normpath(written)).as_posix())
    if path.startswith("..") or not disk.is_inside(path):
        raise DataError(
            f"{where}: '{written}' leads out of {disk.folder}. Put the file below it, "
            "or write its absolute path."
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
    word = text.casefold()
    if not word or word in OTHER_GENDERS:
        return None
    if word not in GENDERS:
        raise DataError(
            f"{where}: 'gender' is '{text}'. Known: female, male, other, or empty."
        )
    return GENDERS[word]


def _part(where: str, text: str) -> str | None:
    if text and text.lower() not in PARTS:
        raise DataError(f"{where}: 'split' is '{text}'. Known: {', '.join(PARTS)}.")
    return PARTS.get(text.lower())


def _refuse_repeats(table: Path, utterances: Mapping[int, Utterance]) -> None:
    rows: dict[str, int] = {}
    for number, utterance in utterances.items():
        first = rows.setdefault(utterance.id, number)
        if first != number:
            raise DataError(
                f"{table}: rows {first} and {number} are the same utterance, "
                f"'{utterance.id}'. Delete one of them, or add columns start and end."
            )


def text_rows(
    table: Path, rows: Iterable[Mapping[str, object]]
) -> Iterator[dict[str, str]]:
    """Convert the values of the columns that are read to text; missing ones are empty.

    Raises:
        DataError: Where a value is no text, number or time.
    """
    for number, row in enumerate(rows, start=1):
        yield {
            name: _text(f"{table}, row {number}: '{name}'", row[name])
            for name in row
            if is_read(name)
        }


def _text(where: str, value: object) -> str:
    """Convert a value to text: 1.0 to 1, bytes to what they spell."""
    if value is None or value != value:  # missing, or not a number
        return ""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bytes):
        return os.fsdecode(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float | Decimal):
        return str(value)
    kind = type(value).__name__
    raise DataError(f"{where} holds a value of type {kind}. Write text or a number.")
