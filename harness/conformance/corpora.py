"""What the harness counts on in a corpus."""

from __future__ import annotations

import os
import shutil
import tempfile
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from unittest import mock

from harness.conformance.rules import Broken, import_is_light, name_is_kebab_case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.types import Corpus, Utterance


IN_PLACE = "it says itself where it lies, so it is not moved"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A corpus as it is checked.

    Attributes:
        offer: The corpus.
        root: Its folder.
    """

    offer: Corpus
    root: Path

    def utterances(self, root: Path | None = None) -> list[Utterance]:
        """Read the folder, or another one, sorted by id as the harness does it."""
        return sorted(self.offer.read(root or self.root), key=lambda one: one.id)


def the_description_is_complete(reading: Reading) -> None:
    """It says what it is, under which licence, whom to cite and how to get it."""
    needed = ("title", "version", "languages", "licence", "citation", "obtain")
    if empty := [name for name in needed if not getattr(reading.offer, name)]:
        raise Broken(f"Its {', '.join(empty)} is empty: fill it in.")


def ids_are_unique_and_stable(reading: Reading) -> str | None:
    """Ids are paths below the root with '/' and in NFC, unique, wherever it lies."""
    ids = [one.id for one in reading.utterances()]
    if not ids:
        raise Broken(f"It read no utterance in {reading.root}: look at 'read'.")
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise Broken(f"Two utterances are called '{twice}': make ids unique.")
    for one in ids:
        if unicodedata.normalize("NFC", one) != one or PurePosixPath(one).is_absolute():
            raise Broken(
                f"The id {one!r} is not the same everywhere: give the path below the "
                "root, with '/' between folders and in Unicode NFC."
            )
    if reading.offer.root is not None:
        return IN_PLACE
    if [one.id for one in _read_without_audio(reading)] != ids:
        raise Broken(
            "Ids change when the corpus lies in another folder: make them of the path "
            "below the root alone, and draw nothing at random."
        )
    return None


def labels_are_declared(reading: Reading) -> None:
    """Every label that is read is one of the description's."""
    labels = reading.offer.labels
    for one in reading.utterances():
        if one.label not in labels:
            raise Broken(
                f"{one.id} is labelled '{one.label}', which is not declared: add it to "
                "'labels', or map it to one of them."
            )


def speakers_are_known(reading: Reading) -> None:
    """Every utterance names its speaker, and a speaker has one gender."""
    genders: dict[str, str | None] = {}
    for one in reading.utterances():
        if not one.speaker:
            raise Broken(f"{one.id} names no speaker: splits by speaker need one.")
        if genders.setdefault(one.speaker, one.gender) != one.gender:
            raise Broken(
                f"Speaker '{one.speaker}' has two genders, {genders[one.speaker]} and "
                f"{one.gender} in {one.id}: give two speakers two codes."
            )


def the_file_system_decides_nothing(reading: Reading) -> None:
    """The order in which a file system lists files changes nothing."""
    before = reading.utterances()
    with mock.patch("os.listdir", _listdir), mock.patch("os.scandir", _Backwards):
        after = reading.utterances()
    if before != after:
        raise Broken(
            "Utterances change with the order in which files are listed: sort before "
            "counting or numbering anything."
        )


def audio_is_not_opened(reading: Reading) -> str | None:
    """Reading opens no audio file: it works on names, and on tables beside them."""
    if reading.offer.root is not None:
        return IN_PLACE
    if _read_without_audio(reading) != reading.utterances():
        raise Broken(
            "Utterances change when audio files are emptied: take what is known of "
            "them from names and tables, as the harness itself looks at the audio."
        )
    return None


def _read_without_audio(reading: Reading) -> list[Utterance]:
    """Read a copy elsewhere, its audio files emptied."""
    with _without_audio(reading) as emptied:
        try:
            return reading.utterances(emptied)
        except Exception as error:  # the plugin opened the emptied audio
            raise Broken(
                f"With emptied audio files it raised {type(error).__name__} ({error}): "
                "open no audio in 'read'."
            ) from error


@contextmanager
def _without_audio(reading: Reading) -> Iterator[Path]:
    """Copy a corpus with every file that is an utterance's left empty."""
    audio = {os.path.normpath(reading.root / one.path) for one in reading.utterances()}
    with tempfile.TemporaryDirectory() as folder:

        def copy(source: str, target: str) -> None:
            if os.path.normpath(source) in audio:
                Path(target).touch()
            else:
                shutil.copy(source, target)

        elsewhere = Path(folder, reading.root.resolve().name)
        shutil.copytree(reading.root, elsewhere, copy_function=copy)
        yield elsewhere


_really_listdir, _really_scandir = os.listdir, os.scandir


def _listdir(path: str = ".") -> list[str]:
    return sorted(_really_listdir(path), reverse=True)


class _Backwards:
    """What ``os.scandir`` gives, backwards."""

    def __init__(self, path: str = ".") -> None:
        with _really_scandir(path) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name, reverse=True)
        self._entries = iter(ordered)

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        return self._entries

    def __next__(self) -> os.DirEntry[str]:
        return next(self._entries)

    def __enter__(self) -> _Backwards:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def close(self) -> None:
        """Hold nothing that is to be closed."""


CORPUS_RULES = (
    name_is_kebab_case,
    import_is_light,
    the_description_is_complete,
    ids_are_unique_and_stable,
    labels_are_declared,
    speakers_are_known,
    the_file_system_decides_nothing,
    audio_is_not_opened,
)
