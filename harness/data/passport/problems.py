"""What may be wrong with a corpus' folder, and how each problem is found."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from math import log10
from pathlib import Path
from typing import TYPE_CHECKING

from harness.files import sha256_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from harness.data.manifest import Manifest
    from harness.data.passport.levels import Level
    from harness.types import Corpus, KnownFile, Utterance

AUDIO = (".wav", ".flac", ".aif", ".aiff", ".mp3", ".ogg", ".opus", ".au", ".w64")
"""Endings of files that may be meant as a part of the corpus."""


CANCELLING = 0.1
"""Loudness of the channels' mean, relative to theirs: -20 dB. Independent channels
have -3 dB, and a channel beside a silent one, too."""


class Severity(Enum):
    """What a problem means for the corpus.

    Attributes:
        NOTE: The corpus is complete and usable.
        DEFECT: A file cannot be used, though it may be as published.
        DIFFERENCE: The folder is not what was published.
    """

    NOTE = auto()
    DEFECT = auto()
    DIFFERENCE = auto()


class ProblemKind(StrEnum):
    """The kinds of problems, in the order in which they are reported."""

    REFUSAL = "refusal"
    MISSING_SPEAKER = "missing speaker"
    MISSING = "missing"
    RENAMED = "renamed"
    UNEXPECTED = "unexpected"
    ALTERED = "altered"
    UNUSABLE = "unusable"
    COPY = "copy"
    COUNT = "count"
    DUPLICATE = "duplicate"
    CANCELLING = "cancelling"

    @property
    def severity(self) -> Severity:
        """What a problem of this kind means for the corpus."""
        match self:
            case ProblemKind.DUPLICATE | ProblemKind.CANCELLING:
                return Severity.NOTE
            case ProblemKind.UNUSABLE:
                return Severity.DEFECT
            case _:
                return Severity.DIFFERENCE


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something in a corpus' folder that is not as expected.

    Attributes:
        kind: What kind of problem it is.
        path: The file's path (its id where it is missing), a speaker, a label, or
            empty.
        detail: What is wrong with it.
    """

    kind: ProblemKind
    path: str
    detail: str

    @property
    def rank(self) -> int:
        """The position of its kind in reports, the worst first."""
        return list(ProblemKind).index(self.kind)


def printable(text: str) -> str:
    """Return text in which bytes that are not Unicode, as in paths, are replaced."""
    return os.fsencode(text).decode("utf-8", "replace")


def unusable(manifest: Manifest) -> Iterator[Problem]:
    """Yield the files that are not audio, or whose audio cannot be used."""
    for line in manifest.bad:
        path, _, reason = line.partition(": ")
        yield Problem(kind=ProblemKind.UNUSABLE, path=path, detail=reason)


def only_label(manifest: Manifest) -> Iterator[Problem]:
    """Yield the label of a corpus that has no other."""
    if len(manifest.labels) == 1:
        (label,) = manifest.labels
        detail = (
            "the only label, so there is no emotion to predict; add another, or state "
            "none, for other targets"
        )
        yield Problem(kind=ProblemKind.UNUSABLE, path=label, detail=detail)


def duplicates(manifest: Manifest) -> Iterator[Problem]:
    """Yield the recordings whose audio is that of another one, or a form of it."""
    first: dict[str, str] = {}
    for recording in manifest.recordings:
        id = recording.utterance.id
        other = first.setdefault(recording.content, id)
        if other != id:
            detail = f"the same audio as '{other}'"
            yield Problem(kind=ProblemKind.DUPLICATE, path=id, detail=detail)
    for one, other in manifest.alike:
        detail = f"the same take as '{one}', with another gain, rate, codec or trim"
        yield Problem(kind=ProblemKind.DUPLICATE, path=other, detail=detail)


def cancelling(manifest: Manifest, levels: Sequence[Level]) -> Iterator[Problem]:
    """Yield the recordings whose channels nearly cancel in their mean."""
    for recording, level in zip(manifest.recordings, levels, strict=True):
        if level["mixed"] < CANCELLING * level["rms"]:
            decibels = 20 * log10(level["mixed"] / level["rms"])
            yield Problem(
                kind=ProblemKind.CANCELLING,
                path=recording.utterance.id,
                detail=f"the channels nearly cancel: {decibels:.0f} dB in their mean",
            )


def unread_audio(
    corpus: Corpus, root: Path, read: Collection[str]
) -> tuple[list[str], list[str]]:
    """List the audio files in a folder that no reader yields.

    A corpus with a root of its own, such as a table, may share its folder with
    anything: its unread files are not looked for.

    Returns:
        The unexpected files, and those that are known to be defective, the latter as
        ``path: reason``.
    """
    unexpected, defective = [], []
    for path in _audio_below(root) if corpus.root is None else ():
        if path in read:
            continue
        if reason := _defect(corpus, path):
            defective.append(f"{printable(path)}: {reason}")
        else:
            unexpected.append(path)
    return unexpected, defective


def _defect(corpus: Corpus, path: str) -> str:
    """Return the known defect of a file, which may be deeper than its id."""
    name = unicodedata.normalize("NFC", path)
    matching = (
        reason for id, reason in corpus.defects.items() if f"/{name}".endswith(f"/{id}")
    )
    return next(matching, "")


def _audio_below(root: Path) -> Iterator[str]:
    """Yield audio files that are not hidden, as paths below ``root``."""
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name[0] != "." and name != "__MACOSX"]
        for name in names:
            if name[0] != "." and Path(name).suffix.lower() in AUDIO:
                yield Path(folder, name).relative_to(root).as_posix()


def differences(
    manifest: Manifest,
    known: Mapping[str, KnownFile],
    found: Sequence[Utterance],
    unexpected: Sequence[str],
) -> Iterator[Problem]:
    """Compare a folder with the published list, or else with the published counts.

    Args:
        manifest: The usable recordings.
        known: The published list, by id; may be empty.
        found: Every utterance that was read, usable or not.
        unexpected: Paths of audio files that no reader yields.
    """
    if not known:
        yield from _miscounts(manifest.corpus, found)
    here = {utterance.id: utterance.path for utterance in found}
    extra = {path: path for path in unexpected}
    extra |= {id: path for id, path in here.items() if known and id not in known}
    missing = known.keys() - here.keys()
    originals = _originals(manifest.root, extra, known, missing)
    for name in sorted(extra):
        yield _extra(name, originals.get(name, ""))
    yield from _alterations(manifest, known)
    yield from _absences(known, missing - set(originals.values()))


def _originals(
    root: Path,
    extra: Mapping[str, str],
    known: Mapping[str, KnownFile],
    missing: Collection[str],
) -> dict[str, str]:
    """Find the files that were renamed: from their names to the published ids.

    Args:
        root: The corpus' folder.
        extra: Paths of the files that are not in the published list, by name.
        known: The published list.
        missing: Ids of the list that are not in the folder.
    """
    ids = {known[id].sha256: id for id in missing if known[id].sha256}
    if not ids:
        return {}
    hashes = {name: _hash(root / path) for name, path in extra.items()}
    return {name: ids[sha256] for name, sha256 in hashes.items() if sha256 in ids}


def _extra(name: str, original: str) -> Problem:
    """Describe a file that is not in the published list under its name."""
    if original:
        kind, detail = ProblemKind.RENAMED, f"is the published '{original}'"
    else:
        kind, detail = ProblemKind.UNEXPECTED, "is no part of the corpus"
    return Problem(kind=kind, path=printable(name), detail=detail)


def _alterations(
    manifest: Manifest, known: Mapping[str, KnownFile]
) -> Iterator[Problem]:
    """Yield the files whose bytes are not the published ones."""
    for recording in manifest.recordings:
        id = recording.utterance.id
        if id in known and known[id].sha256 not in ("", recording.sha256):
            detail = "its bytes are not those of the published file"
            yield Problem(kind=ProblemKind.ALTERED, path=id, detail=detail)


def _hash(path: Path) -> str:
    """Return a file's SHA-256, or nothing where it cannot be read."""
    try:
        return sha256_file(path)
    except OSError:
        return ""


def _absences(
    known: Mapping[str, KnownFile], missing: Collection[str]
) -> Iterator[Problem]:
    """Yield the speakers of whom every file is missing, then the missing files.

    Files of speakers who are present come first.
    """
    of_speaker = Counter(file.speaker for file in known.values())
    missed = Counter(known[id].speaker for id in missing)
    gone = {speaker for speaker in missed if missed[speaker] == of_speaker[speaker]}
    for speaker in sorted(gone):
        detail = f"all {missed[speaker]} utterances of speaker {speaker} are missing"
        yield Problem(kind=ProblemKind.MISSING_SPEAKER, path=speaker, detail=detail)
    for id in sorted(missing, key=lambda id: (known[id].speaker in gone, id)):
        file = known[id]
        detail = f"{file.label}, speaker {file.speaker}"
        yield Problem(kind=ProblemKind.MISSING, path=id, detail=detail)


def _miscounts(corpus: Corpus, found: Sequence[Utterance]) -> Iterator[Problem]:
    """Yield the labels whose counts are not the published ones, or else the total."""
    here = Counter(utterance.label for utterance in found)
    for label, count in sorted(corpus.counts.items()):
        if here[label] != count:
            detail = f"{here[label]} utterances, where {count} were published"
            yield Problem(kind=ProblemKind.COUNT, path=label, detail=detail)
    count = corpus.versions.get(corpus.version, here.total())
    if here.total() != count and not corpus.counts:
        detail = f"{here.total()} utterances, where {count} were published"
        yield Problem(kind=ProblemKind.COUNT, path="", detail=detail)
