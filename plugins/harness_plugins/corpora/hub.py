r"""Datasets of the Hugging Face hub: ``--corpus hf-dataset:ID@COMMIT:field=value,…``.

What     A dataset in one of the hub's layouts: Parquet with the audio in it, a folder
         of audio with metadata.csv or with a folder a label, what save_to_disk writes.
         In place of ID@COMMIT may stand a folder of this machine.
Columns  audio, label and speaker, or others by name: label=emotion,speaker=actor.
         gender, language, sentence, intensity, arousal, dominance, valence and
         number:NAME are read where they exist; numbers=age:snr reads columns as the
         numbers of these names, for targets of plugins; id=COLUMN names the utterances.
         config and split choose one of several. "none" reads no column: label=none is
         for a dataset without emotions.
Commit   12 digits or more: a branch moves, and its numbers with it. What ID@main is
         today is said by 'harness corpus download', which is also what fetches.
Speakers Without them nothing can be said of voices that a head was not trained on.
         speaker=none goes on, and then --split stratified is all that is left.
Safety   No code of a dataset is run. What it names outside of itself is refused.
Needs    pip install "speech-harness[datasets]"
Run      harness corpus download hf-dataset:acme/emotions@main
         harness run --upstream whisper-base --downstream linear \
                     --corpus hf-dataset:acme/emotions@0123456789ab:label=emotion
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Corpus, DataError, Download, configured, hookimpl, with_defaults
from harness.files import sha256_bytes
from harness_plugins.corpora import _hub, _layouts
from harness_plugins.corpora._rows import (
    NUMBER,
    PARTS,
    RATED,
    column_name,
    corpus_of,
    text_rows,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness import Utterance

PREFIX = "hf-dataset:"
FOLDER = "hf-dataset"
"""Of the data root for what is downloaded, of the cache for what is unpacked."""

WRITTEN = re.compile(r"(?P<place>.+?)(?::(?P<text>\w+=.*))?")
"""A place, and options."""

ID = re.compile(r"(?P<id>\w[\w.-]*(?:/\w[\w.-]*)?)(?:@(?P<revision>\w[\w./-]*))?")
COMMIT = re.compile(r"[0-9a-f]{12,40}")
SHORT = 12
"""Digits of a commit in a corpus' name, as of the hash that a table is named by."""

NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What a dataset calls things.

    Attributes:
        audio: The column of audio: files, or their bytes.
        label: Of the emotion; ``none`` where the dataset has none.
        speaker: Of the speaker; ``none`` where the dataset does not say.
        gender: Of the speaker's gender; by default ``gender``, if there is one.
        language: Of BCP-47 tags; by default ``language``, if there is one.
        sentence: Of the text's code; by default ``sentence``, if there is one.
        intensity: Of the emotion's; by default ``intensity``, if there is one.
        arousal: Of numbers; by default ``arousal``, if there is one.
        dominance: Of numbers; by default ``dominance``, if there is one.
        valence: Of numbers; by default ``valence``, if there is one.
        numbers: Other columns of numbers, with colons between them, each a number of
            that name; one that is called ``number:NAME`` need not be named.
        id: Of the utterance's name; by default its file's.
        split: The hub's part to read; by default all.
        config: The configuration to read, where there are several.
    """

    audio: str = "audio"
    label: str = "label"
    speaker: str = "speaker"
    gender: str = ""
    language: str = ""
    sentence: str = ""
    intensity: str = ""
    arousal: str = ""
    dominance: str = ""
    valence: str = ""
    numbers: str = ""
    id: str = ""
    split: str = ""
    config: str = ""


UNPACKED_BY = ("audio=", "config=", "split=")
"""The options that decide what is unpacked; the others choose of its columns."""

WHERE_THERE = ("gender", "language", "sentence", "intensity", *RATED)
READ = ("label", "speaker", *WHERE_THERE, "id")


@hookimpl
def harness_corpus(name: str) -> Corpus | None:
    """Describe a dataset of the hub, or one in a folder; nothing is fetched."""
    if not name.startswith(PREFIX):
        return None
    match = WRITTEN.fullmatch(name.removeprefix(PREFIX))
    place, text = (match["place"], match["text"] or "") if match else ("", "")
    folder = Path(place).expanduser()
    is_here = bool(place) and folder.is_dir()
    return _chosen(_local(folder) if is_here else _remote(place, text), text)


@hookimpl
def harness_corpus_root(corpus: Corpus, cache: Path) -> Path | None:
    """Return where a dataset is unpacked: below the data root if it was downloaded."""
    if not corpus.name.startswith(PREFIX):
        return None
    place, _, text = corpus.name.removeprefix(PREFIX).partition(":")
    given = [one for one in text.split(",") if one.startswith(UNPACKED_BY)]
    of_options = f"-{sha256_bytes(','.join(given).encode())[:8]}" if given else ""
    below = Path(FOLDER, place.replace("/", "--") + of_options)
    return cache / below if corpus.make else below


def _chosen(corpus: Corpus, text: str) -> Corpus:
    """Set the options that a name ends in."""
    return configured(corpus, text) if text else with_defaults(corpus)


def _local(folder: Path) -> Corpus:
    """Describe a folder of this machine, by what is in it."""
    name = re.sub(r"[^\w.-]+", "-", folder.resolve().name)
    return replace(
        _corpus(name, _layouts.fingerprint(folder)[:SHORT]),
        licence=_layouts.licence(_layouts.card(folder)) or "the owner's",
        obtain=f"It is unpacked from {folder}.",
        make=partial(_make, folder),
    )


def _remote(place: str, text: str) -> Corpus:
    """Describe a dataset of the hub, by its name alone."""
    match = ID.fullmatch(place)
    if match is None:
        raise DataError(
            f"{PREFIX}{place}: there is no such folder, and it is no id of the Hugging "
            f"Face hub. Write {PREFIX}ID@COMMIT, or {PREFIX}FOLDER."
        )
    id, revision = match["id"], match["revision"] or "main"
    is_commit = COMMIT.fullmatch(revision)
    version = revision[:SHORT] if is_commit else revision
    command = f"'harness corpus download {_name(id, version, text)}'"
    moving = (
        f"'{revision}' is no commit, and may be another one tomorrow: {command} "
        "fetches what it is today, and says the name of that."
    )
    return replace(
        _corpus(id, version),
        homepage=_hub.address(id),
        licence=f"see {_hub.address(id)}",
        obtain=f"{command} fetches it." if is_commit else moving,
        download=partial(_download, id, revision, text),
    )


def _name(id: str, version: str, text: str = "") -> str:
    return f"{PREFIX}{id}@{version}" + f":{text}" * bool(text)


def _corpus(id: str, version: str) -> Corpus:
    return Corpus(
        name=_name(id, version),
        title=id,
        version=version,
        languages=("und",),
        labels=(),
        licence="",
        homepage="",
        citation=f"see the card of {id}",
        obtain="",
        read=partial(read, id),
        about=__doc__ or "",
        options=Columns,
    )


# ---------------------------------------------------------------- fetch, unpack


def _make(folder: Path, target: Path, *, options: Columns) -> None:
    """Unpack a folder of this machine."""
    _layouts.Layout(
        folder=folder.absolute(),
        audio=options.audio,
        split=options.split,
        config=options.config,
    ).unpack(target)


def _download(id: str, revision: str, text: str) -> Download:
    """Ask the hub what it has at a revision, and describe that by its commit."""
    found = _hub.ask(id, revision)
    given = (one.split("=", 1) for one in text.split(",") if text)
    options = Columns(**{key.strip(): value.strip() for key, value in given})
    pinned = replace(
        _chosen(_corpus(id, found.commit[:SHORT]), text),
        licence=_layouts.licence({"license": found.licence}) or "not stated",
        homepage=_hub.address(id),
    )
    return Download(
        corpus=pinned,
        url=f"{_hub.address(id)}/tree/{found.commit}",
        size=found.size,
        fetch=lambda target: _make(found.snapshot(), target, options=options),
    )


# ---------------------------------------------------------------- read


def read(id: str, root: Path, *, options: Columns) -> Iterable[Utterance]:
    """List the utterances of an unpacked dataset, each checked like a table's row.

    Args:
        id: What messages call the dataset.
        root: Where it was unpacked.
        options: Its columns.

    Raises:
        DataError: Where a column is missing, or a row cannot be used.
    """
    rows, language = _layouts.rows_of(root), _layouts.language_of(root)
    have = [name for name in rows[0] if name not in (_layouts.AUDIO, _layouts.SPLIT)]
    columns = {name: _column(id, name, options, have) for name in READ}
    columns |= _numbers(id, options, have)
    table = Path(f"{PREFIX}{id}")
    cells = text_rows(table, (_cells(row, columns, language) for row in rows))
    try:
        corpus = corpus_of(str(table), table, cells, folder=root, version="")
    except DataError as error:
        raise DataError(
            f"{error} Or choose other columns by label=COLUMN and speaker=COLUMN, or a "
            "part of the dataset by split=NAME."
        ) from error
    utterances = list(corpus.read(root))
    return _named(id, utterances, rows, columns["id"])


def _column(id: str, name: str, options: Columns, have: Sequence[str]) -> str:
    """Return the column that holds something, or nothing where none needs to.

    Raises:
        DataError: Where a column is needed, or was named, and is not there.
    """
    given: str = getattr(options, name)
    wanted = given or (name if name in WHERE_THERE else "")
    if wanted in have:
        return wanted
    if not given or given == NONE:
        return ""
    raise _absent(id, name, wanted, have)


def _numbers(id: str, options: Columns, have: Sequence[str]) -> dict[str, str]:
    """Return the columns of numbers that plugins' targets read, as tables call them.

    Raises:
        DataError: Where one was named that is not there.
    """
    given = [] if options.numbers in ("", NONE) else options.numbers.split(":")
    for one in given:
        if one not in have:
            raise _absent(id, "numbers", one, have)
    called = {column_name(one): one for one in have}
    found = {name: one for name, one in called.items() if name.startswith(NUMBER)}
    found = {} if options.numbers == NONE else found
    return found | {NUMBER + column_name(one): one for one in given}


def _absent(id: str, option: str, wanted: str, have: Sequence[str]) -> DataError:
    """Say which columns there are, in place of one that is not."""
    near = difflib.get_close_matches(wanted, have, n=1)
    hint = f" Is it '{near[0]}'?" if near else ""
    return DataError(
        f"{PREFIX}{id} has no column '{wanted}'. It has: {', '.join(have) or 'none'}."
        f"{hint} Name one by {option}=COLUMN.{WITHOUT.get(option, '')}"
    )


WITHOUT = {
    "label": " Where it has no emotions, label=none reads it for other targets.",
    "speaker": " Where it does not say who speaks, nothing can be said of voices that "
    "a head was not trained on: speaker=none reads it so, for --split stratified "
    "alone.",
}
"""What to do where there is no such column at all."""


def _cells(
    row: Mapping[str, Any], columns: Mapping[str, str], language: str
) -> dict[str, object]:
    """Return the cells of a row, by the names that a table has for them."""
    part = str(row[_layouts.SPLIT])
    cells: dict[str, object] = {
        "path": row[_layouts.AUDIO],
        "speaker": "not-stated",
        "language": language,
        "split": part if part.lower() in PARTS else "",
    }
    return cells | {name: row[column] for name, column in columns.items() if column}


def _named(
    id: str,
    utterances: Sequence[Utterance],
    rows: Sequence[Mapping[str, Any]],
    column: str,
) -> Sequence[Utterance]:
    """Name utterances by a column.

    Raises:
        DataError: Where two of them have one name, or one has none.
    """
    if not column:
        return utterances
    names = ["" if row[column] is None else str(row[column]).strip() for row in rows]
    name, number = Counter(names).most_common(1)[0]
    if "" in names or number > 1:
        raise DataError(
            f"{PREFIX}{id}: the column '{column}' names '{name}' {number} times, or "
            f"leaves a name out. Leave out id={column}; files name utterances, too."
        )
    return [replace(one, id=name) for one, name in zip(utterances, names, strict=True)]
