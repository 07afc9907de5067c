"""What may be wrong with a corpus' folder, and how each of it is found."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError
from harness.files import sha256_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from harness.data.manifest import Manifest
    from harness.types import Corpus, KnownFile, Utterance

AUDIO = (".wav", ".flac", ".aif", ".aiff", ".mp3", ".ogg", ".opus", ".au", ".w64")
"""Endings of files that somebody may have meant as a part of the corpus."""

ORDER = (
    *("refusal", "missing speaker", "missing", "renamed", "unexpected", "altered"),
    *("unusable", "copy", "count", "duplicate"),
)
"""Kinds of problems, the worst first; only a ``duplicate`` may be in a whole corpus."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that is not as it should be.

    Attributes:
        kind: One of ``ORDER``.
        path: The file's (where it is missing, its id), a speaker, a label, or empty.
        detail: What is wrong with it.
    """

    kind: str
    path: str
    detail: str


def collect(corpus: Corpus, root: Path) -> tuple[list[Utterance], list[Problem]]:
    """Take what a reader gives before it refuses the folder, each utterance once.

    Returns:
        The utterances, and problems of kinds ``copy`` and ``refusal``; nothing at all
        where there is no folder.
    """
    found: dict[str, Utterance] = {}
    problems = []
    if not root.is_dir():
        return [], []
    try:
        for utterance in corpus.read(root):
            first = found.setdefault(utterance.id, utterance)
            if first is not utterance:
                detail = f"the same utterance as '{shown(first.path)}'"
                problems.append(
                    Problem(kind="copy", path=shown(utterance.path), detail=detail)
                )
    except DataError as error:
        problems.append(Problem(kind="refusal", path="", detail=shown(str(error))))
    return list(found.values()), problems


def shown(text: str) -> str:
    """Make text that may hold a path of any bytes fit to be printed."""
    return os.fsencode(text).decode("utf-8", "replace")


def unusable(manifest: Manifest) -> Iterator[Problem]:
    """Name the files that are no audio, or none that can be used."""
    for line in manifest.bad:
        path, _, reason = line.partition(": ")
        yield Problem(kind="unusable", path=path, detail=reason)


def duplicates(manifest: Manifest) -> Iterator[Problem]:
    """Name the recordings whose audio is that of another one."""
    first: dict[str, str] = {}
    for recording in manifest.recordings:
        id = recording.utterance.id
        other = first.setdefault(recording.content, id)
        if other != id:
            yield Problem(
                kind="duplicate", path=id, detail=f"the same audio as '{other}'"
            )


def strangers_in(
    corpus: Corpus, root: Path, read: Collection[str]
) -> tuple[list[str], list[str]]:
    """Find audio that nobody reads: strangers, and files that are known as broken.

    A corpus that says itself where it lies, such as a table, may lie among anything.
    """
    strangers, left_out = [], []
    for path in _audio_below(root) if corpus.root is None else ():
        if path in read:
            continue
        name = unicodedata.normalize("NFC", path)
        reasons = [
            reason
            for id, reason in corpus.defects.items()
            if f"/{name}".endswith(f"/{id}")
        ]
        if reasons:
            left_out.append(f"{shown(path)}: {reasons[0]}")
        else:
            strangers.append(path)
    return strangers, left_out


def _audio_below(root: Path) -> Iterator[str]:
    """Yield audio files that are not hidden, as paths below ``root``."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name[0] != "." and name != "__MACOSX"]
        for name in names:
            if name[0] != "." and Path(name).suffix.lower() in AUDIO:
                yield Path(folder, name).relative_to(root).as_posix()


def compared(
    manifest: Manifest,
    known: Mapping[str, KnownFile],
    found: Sequence[Utterance],
    strangers: Sequence[str],
) -> Iterator[Problem]:
    """Compare a folder with the published list, or else with the published counts."""
    if not known:
        yield from _miscounts(manifest.corpus, found)
    here = {utterance.id: utterance.path for utterance in found}
    extra = {path: path for path in strangers}
    extra |= {id: path for id, path in here.items() if known and id not in known}
    missing = known.keys() - here.keys()
    hashes = {known[id].sha256: id for id in missing if known[id].sha256}
    for name, path in sorted(extra.items()):
        published = hashes.get(_hash(manifest.root / path)) if hashes else None
        missing -= {published}
        yield Problem(
            kind="renamed" if published else "unexpected",
            path=shown(name),
            detail=f"is the published '{published}'"
            if published
            else "is no part of the corpus",
        )
    for recording in manifest.recordings:
        known_file = known.get(recording.utterance.id)
        if known_file and known_file.sha256 not in ("", recording.sha256):
            detail = "its bytes are not those of the published file"
            yield Problem(kind="altered", path=recording.utterance.id, detail=detail)
    yield from _absences(known, missing)


def _hash(path: Path) -> str:
    """Hash a file, or give nothing for one that cannot be read."""
    try:
        return sha256_file(path)
    except OSError:
        return ""


def _absences(
    known: Mapping[str, KnownFile], missing: Collection[str]
) -> Iterator[Problem]:
    """Name the speakers that are missing as a whole, and the files that are missing.

    Files of speakers of whom others are there come first.
    """
    of_speaker = Counter(file.speaker for file in known.values())
    missed = Counter(known[id].speaker for id in missing)
    gone = {speaker for speaker in missed if missed[speaker] == of_speaker[speaker]}
    for speaker in sorted(gone):
        detail = f"all {missed[speaker]} utterances of speaker {speaker} are missing"
        yield Problem(kind="missing speaker", path=speaker, detail=detail)
    for id in sorted(missing, key=lambda id: (known[id].speaker in gone, id)):
        file = known[id]
        detail = f"{file.label}, speaker {file.speaker}"
        yield Problem(kind="missing", path=id, detail=detail)


def _miscounts(corpus: Corpus, found: Sequence[Utterance]) -> Iterator[Problem]:
    """Compare numbers, where no list of files is known."""
    here = Counter(utterance.label for utterance in found)
    for label, count in sorted(corpus.counts.items()):
        if here[label] != count:
            detail = f"{here[label]} utterances, where {count} were published"
            yield Problem(kind="count", path=label, detail=detail)
    count = corpus.versions.get(corpus.version, here.total())
    if here.total() != count and not corpus.counts:
        detail = f"{here.total()} utterances, where {count} were published"
        yield Problem(kind="count", path="", detail=detail)
