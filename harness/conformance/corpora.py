"""What the harness counts on in a corpus."""

from __future__ import annotations

import os
import shutil
import tempfile
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from unittest import mock

from harness.conformance.rules import (
    Broken,
    NotRun,
    import_is_light,
    name_is_kebab_case,
)
from harness.data.isolation import guarded
from harness.errors import HarnessError
from harness.registry import Plugin
from harness.registry.options import with_defaults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.types import Corpus, Utterance


IN_PLACE = "it says itself where it lies, so it is not moved"


@dataclass(frozen=True, kw_only=True)
class CorpusCheck:
    """A corpus as it is checked.

    Attributes:
        offer: The corpus.
        root: Its folder.
    """

    offer: Corpus
    root: Path

    @cached_property
    def corpus(self) -> Corpus:
        """The corpus with its options, whose mistakes are sentences with a file."""
        offer = with_defaults(self.offer)
        return guarded(offer, Plugin(name=offer.name, distribution="", version=""))

    def read(self, root: Path | None = None) -> list[Utterance]:
        """Read the folder, or another one, sorted by id as the harness does it."""
        return sorted(self.corpus.read(root or self.root), key=lambda one: one.id)

    @cached_property
    def found(self) -> list[Utterance] | HarnessError:
        """Its utterances, or why there are none; read once."""
        try:
            return self.read()
        except HarnessError as error:
            return error

    @property
    def utterances(self) -> list[Utterance]:
        """What it reads; where that fails, no rule on it is run."""
        if isinstance(self.found, HarnessError):
            raise NotRun("it cannot be read")
        return self.found


def it_can_be_read(check: CorpusCheck) -> None:
    """Its folder can be read, whatever else lies there."""
    if isinstance(check.found, HarnessError):
        raise check.found
    if not check.utterances:
        raise Broken(f"It read no utterance in {check.root}: look at 'read'.")


def the_description_is_complete(check: CorpusCheck) -> None:
    """It says what it is, under which licence, whom to cite and how to get it."""
    needed = ("title", "version", "languages", "licence", "citation", "obtain")
    if empty := [name for name in needed if not getattr(check.offer, name)]:
        raise Broken(f"Its {', '.join(empty)} is empty: fill it in.")


def ids_are_unique_and_stable(check: CorpusCheck) -> str | None:
    """Ids are paths below the root with '/' and in NFC, unique, wherever it lies."""
    ids = [one.id for one in check.utterances]
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise Broken(f"Two utterances are called '{twice}': make ids unique.")
    for one in ids:
        if unicodedata.normalize("NFC", one) != one or PurePosixPath(one).is_absolute():
            raise Broken(
                f"The id {one!r} is not the same everywhere: use the path below the "
                "root, with '/' between folders and in Unicode NFC."
            )
    if check.offer.root is not None:
        return IN_PLACE
    if [one.id for one in _read_without_audio(check)] != ids:
        raise Broken(
            "Ids change when the corpus lies in another folder: make them of the path "
            "below the root alone, and draw nothing at random."
        )
    return None


def labels_are_declared(check: CorpusCheck) -> None:
    """Every label that is read is one of the description's."""
    labels = check.offer.labels
    for one in check.utterances:
        if labels and one.label not in ("", *labels):
            raise Broken(
                f"{one.id} is labelled '{one.label}', which is not declared: add it to "
                "'labels', or map it to one of them."
            )


def speakers_are_known(check: CorpusCheck) -> None:
    """Every utterance names its speaker, and a speaker has one gender."""
    genders: dict[str, str | None] = {}
    for one in check.utterances:
        if not one.speaker:
            raise Broken(f"{one.id} names no speaker: splits by speaker need one.")
        if genders.setdefault(one.speaker, one.gender) != one.gender:
            raise Broken(
                f"Speaker '{one.speaker}' has two genders, {genders[one.speaker]} and "
                f"{one.gender} in {one.id}: use another code for each speaker."
            )


def the_order_of_files_does_not_matter(check: CorpusCheck) -> None:
    """The order in which a file system lists files changes nothing."""
    before = check.utterances
    with mock.patch("os.listdir", _listdir), mock.patch("os.scandir", _Backwards):
        after = check.read()
    if before != after:
        raise Broken(
            "Utterances change with the order in which files are listed: sort before "
            "counting or numbering anything."
        )


def audio_is_not_opened(check: CorpusCheck) -> str | None:
    """CorpusCheck opens no audio file: it works on names, and on tables beside them."""
    if check.offer.root is not None:
        return IN_PLACE
    if _read_without_audio(check) != check.utterances:
        raise Broken(
            "Utterances change when audio files are emptied: take what is known of "
            "them from names and tables, as the harness itself looks at the audio."
        )
    return None


def _read_without_audio(check: CorpusCheck) -> list[Utterance]:
    """Read a copy elsewhere, its audio files emptied."""
    with _without_audio(check) as emptied:
        try:
            return check.read(emptied)
        except HarnessError as error:
            raise Broken(
                f"With emptied audio files it cannot be read ({error}): open no audio "
                "in 'read'."
            ) from error


@contextmanager
def _without_audio(check: CorpusCheck) -> Iterator[Path]:
    """Copy a corpus with every file that is an utterance's left empty."""
    audio = {os.path.normpath(check.root / one.path) for one in check.utterances}
    with tempfile.TemporaryDirectory() as folder:

        def copy(source: str, target: str) -> None:
            if os.path.normpath(source) in audio:
                Path(target).touch()
            else:
                shutil.copy(source, target)

        elsewhere = Path(folder, check.root.resolve().name)
        shutil.copytree(check.root, elsewhere, copy_function=copy)
        yield elsewhere


_really_listdir, _really_scandir = os.listdir, os.scandir


def _listdir(path: str = ".") -> list[str]:
    return sorted(_really_listdir(path), reverse=True)


class _Backwards:
    """The entries of ``os.scandir``, backwards."""

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
    it_can_be_read,
    ids_are_unique_and_stable,
    labels_are_declared,
    speakers_are_known,
    the_order_of_files_does_not_matter,
    audio_is_not_opened,
)
