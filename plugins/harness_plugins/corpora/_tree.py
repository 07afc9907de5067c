"""Read a corpus that is a tree of audio files: one utterance a file, all checked."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness import Corpus, Gender, Utterance


GENDERS: dict[str, Gender] = {"f": "female", "m": "male"}
"""The letters in the file names of several corpora."""


@dataclass(frozen=True)
class File:
    """An audio file of a corpus' tree.

    Attributes:
        path: Below the corpus' root, spelt as on this disk.
        folders: Names of the folders above it, in Unicode NFC.
        name: File name, in Unicode NFC and with the ending in lower case.
    """

    path: str
    folders: tuple[str, ...]
    name: str

    @classmethod
    def below(cls, root: Path, path: Path) -> File:
        """Build the description of the file at ``path``."""
        below = path.relative_to(root)
        spelt = Path(unicodedata.normalize("NFC", str(below)))
        return cls(
            path=below.as_posix(),
            folders=spelt.parent.parts,
            name=spelt.stem + spelt.suffix.lower(),
        )

    @property
    def folder(self) -> str:
        """The name of its folder, in lower case; empty in the root itself."""
        return self.folders[-1].lower() if self.folders else ""


def read_tree(
    corpus: Corpus,
    root: Path,
    parse: Callable[[File], Utterance | None],
    *,
    count: int,
    skip: Callable[[File], bool] = lambda file: False,
    suffixes: tuple[str, ...] = (".wav",),
) -> Iterator[Utterance]:
    """Yield an utterance for each audio file, in the order of their ids.

    Errors are raised after the last utterance, so that a passport can list everything
    that is there.

    Args:
        corpus: The corpus, for error messages.
        root: The corpus' folder. The archive's own layout may begin there or deeper.
        parse: From a file to its utterance, or ``None`` for a file that is no part of
            the corpus.
        count: The largest number of utterances of this version.
        skip: Returns whether a file is known, but not to be read.
        suffixes: Endings of audio files, in lower case.

    Raises:
        DataError: Where the folder is missing; where it holds no file of the corpus,
            too many, an unknown one or two copies; where a link leads out of it.
    """
    files = list(audio_files(corpus, root, suffixes=suffixes))
    parsed = [(file, parse(file)) for file in files if not skip(file)]
    utterances = [utterance for _, utterance in parsed if utterance is not None]
    unknown = [file.path for file, utterance in parsed if utterance is None]
    if not utterances:
        found = _some([file.path for file in files]) or "no audio file at all"
        raise DataError(
            f"{root} holds no file of {corpus.title} ({corpus.version}), but {found}. "
            f"{corpus.obtain}"
        )
    yield from sorted(utterances, key=lambda utterance: utterance.id)
    _refuse_two_copies(corpus, root, utterances)
    _refuse_more(corpus, root, utterances, count)
    _refuse_unknown(corpus, root, unknown)


def _refuse_more(
    corpus: Corpus, root: Path, found: list[Utterance], count: int
) -> None:
    """Raise ``DataError`` where there are more utterances than were published."""
    if len(found) > count:
        raise DataError(
            f"{root} holds {len(found)} utterances where {corpus.title} "
            f"({corpus.version}) has {count}: it is another version. {corpus.obtain}"
        )


def _refuse_unknown(corpus: Corpus, root: Path, unknown: list[str]) -> None:
    """Raise ``DataError`` where there are audio files of something else."""
    if unknown:
        raise DataError(
            f"{root} holds {len(unknown)} audio file(s) that are no part of "
            f"{corpus.title} ({corpus.version}): {_some(unknown)}. Move them out of "
            "the folder, or check whether it is another version of the corpus."
        )


def audio_files(
    corpus: Corpus, root: Path, *, suffixes: tuple[str, ...]
) -> Iterator[File]:
    """Yield the audio files below a folder, without hidden files and folders.

    Raises:
        DataError: Where the folder or one in it cannot be read, or a link leads out.
    """
    if not root.is_dir():
        raise DataError(
            f"Corpus '{corpus.name}' is not at {root}. {corpus.obtain} Then set "
            "HARNESS_DATA to the folder above it."
        )

    def stop(error: OSError) -> None:
        raise DataError(
            f"Cannot read {error.filename}: {error.strerror}. Fix its permissions."
        ) from error

    for folder, folders, names in os.walk(root, onerror=stop):
        folders[:] = sorted(name for name in folders if not _is_junk(name))
        for path in (Path(folder, name) for name in (*folders, *sorted(names))):
            if path.is_symlink():
                _refuse_leading_out(root, path)
        for name in names:
            if not _is_junk(name) and Path(name).suffix.lower() in suffixes:
                yield File.below(root, Path(folder, name))


def _is_junk(name: str) -> bool:
    """Return whether a file or folder was left there by an operating system."""
    return name.startswith(".") or name == "__MACOSX"


def _refuse_leading_out(root: Path, link: Path) -> None:
    """Raise ``DataError`` where a link leads out of a folder."""
    try:
        inside = link.resolve(strict=True).is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # its target is missing, or it is a cycle
        inside = False
    if not inside:
        raise DataError(
            f"{link} is a link that leads out of {root}, or to nothing. Replace it by "
            "the file or folder itself."
        )


def _refuse_two_copies(corpus: Corpus, root: Path, found: list[Utterance]) -> None:
    """Raise ``DataError`` where two files are the same utterance."""
    first: dict[str, str] = {}
    for utterance in found:
        other = first.setdefault(utterance.id, utterance.path)
        if other != utterance.path:
            raise DataError(
                f"{root} holds more than one copy of {corpus.title}: '{other}' and "
                f"'{utterance.path}' are the same utterance. Keep one of them."
            )


def _some(paths: list[str], most: int = 5) -> str:
    """List the first paths, and the number of the others."""
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(f"'{path}'" for path in sorted(paths)[:most]) + more
