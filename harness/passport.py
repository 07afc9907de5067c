"""The passport of a corpus: what is on this disk, and how far it is what was published.

Reading stops at nothing: a reader that refuses a folder after it gave what it knows
only adds a problem, so that a person sees all that is there and all that is wrong.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from math import log10
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypedDict

from harness.console import clock
from harness.errors import DataError
from harness.files import sha256_file
from harness.manifest import read_manifest
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from harness.files import Memory
    from harness.manifest import Manifest
    from harness.types import Claim, Corpus, KnownFile, Stages, Utterance

AUDIO = (".wav", ".flac", ".aif", ".aiff", ".mp3", ".ogg", ".opus", ".au", ".w64")
"""Endings of files that somebody may have meant as a part of the corpus."""

FULL_SCALE = 0.999
"""From here on a sample is as loud as its file can be."""

CLIPPED_RUN = 3
"""So many samples in a row at full scale are a cut-off peak, not a normalised one."""

LEVELS = "levels-1"
"""Raised when ``_measure`` changes."""

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


class Level(TypedDict):
    """How loud an utterance is, as a JSON value.

    ``rms`` is a share of full scale, ``clipped`` counts samples of cut-off peaks.
    """

    rms: float
    clipped: int


@dataclass(frozen=True, kw_only=True)
class Passport:
    """A corpus as it was found.

    Attributes:
        manifest: What can be used of it.
        levels: Of the manifest's recordings, in their order.
        problems: Sorted by kind, the worst first, then by path.
        left_out: Files that are there and known to be broken, with the reason.
        verdict: How it compares with what was published, in sentences; the first
            word is ``verified`` (byte for byte), ``complete`` (by name), ``counted``
            (by number), ``unknown`` (nothing to compare with) or ``different``.
    """

    manifest: Manifest
    levels: tuple[Level, ...]
    problems: tuple[Problem, ...]
    left_out: tuple[str, ...]
    verdict: str

    @property
    def is_sound(self) -> bool:
        """Say whether there is nothing that the user should mend."""
        return all(problem.kind == "duplicate" for problem in self.problems)


# ---------------------------------------------------------------- examining


def examine(
    corpus: Corpus,
    root: Path,
    memory: Memory,
    *,
    siblings: Collection[Corpus] = (),
    stages: Stages = silence,
) -> Passport:
    """Read a corpus and every one of its files, and compare it with what is known.

    Args:
        corpus: Its description.
        root: Its folder.
        memory: Remembers what files hold, so that they are decoded once.
        siblings: Other corpora that lie in the same folder, such as its variants:
            what they read is no stranger there.
        stages: Told of the progress.

    Raises:
        DataError: Where nothing of the corpus is there.
    """
    found, problems = collect(corpus, root)
    others = {other.name: collect(other, root)[0] for other in siblings}
    if not found and problems:
        raise DataError(problems[0].detail + _other_name(corpus, siblings, others))
    lenient = replace(corpus, read=lambda root: found)
    manifest = read_manifest(lenient, root, memory, stages=stages)
    manifest = replace(manifest, corpus=corpus)
    problems += _unusable(manifest)
    problems += _duplicates(manifest)
    read = {u.path for these in (found, *others.values()) for u in these}
    read |= {one.path for one in problems if one.kind == "copy"}
    strangers, left_out = _strangers(corpus, root, read)
    known = corpus.files() if corpus.files else {}
    problems += _compared(manifest, known, found, strangers)
    problems.sort(key=lambda one: (ORDER.index(one.kind), one.path))
    return Passport(
        manifest=manifest,
        levels=_levels(manifest, memory, stages),
        problems=tuple(problems),
        left_out=tuple(left_out),
        verdict=_verdict(manifest, known, problems)
        + _other_name(corpus, siblings, others, found),
    )


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


def _unusable(manifest: Manifest) -> Iterator[Problem]:
    for line in manifest.bad:
        path, _, reason = line.partition(": ")
        yield Problem(kind="unusable", path=path, detail=reason)


def _duplicates(manifest: Manifest) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for recording in manifest.recordings:
        id = recording.utterance.id
        other = first.setdefault(recording.content, id)
        if other != id:
            yield Problem(
                kind="duplicate", path=id, detail=f"the same audio as '{other}'"
            )


def _strangers(
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


def _compared(
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
    for name, path in extra.items():
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
    """Name the files that are missing, and the speakers that are missing as a whole."""
    of_speaker = Counter(file.speaker for file in known.values())
    gone = Counter(known[id].speaker for id in missing)
    for speaker, count in gone.items():
        if count == of_speaker[speaker]:
            detail = f"all {count} utterances of speaker {speaker} are missing"
            yield Problem(kind="missing speaker", path=speaker, detail=detail)
    for id in missing:
        file = known[id]
        detail = f"{file.label}, speaker {file.speaker}"
        yield Problem(kind="missing", path=id, detail=detail)


def _miscounts(corpus: Corpus, found: Sequence[Utterance]) -> Iterator[Problem]:
    """Compare numbers, where no list of files is known."""
    here = Counter(utterance.label for utterance in found)
    for label, count in corpus.counts.items():
        if here[label] != count:
            detail = f"{here[label]} utterances, where {count} were published"
            yield Problem(kind="count", path=label, detail=detail)
    count = corpus.versions.get(corpus.version, here.total())
    if here.total() != count and not corpus.counts:
        detail = f"{here.total()} utterances, where {count} were published"
        yield Problem(kind="count", path="", detail=detail)


# ---------------------------------------------------------------- levels


def _levels(manifest: Manifest, memory: Memory, stages: Stages) -> tuple[Level, ...]:
    recordings = manifest.recordings
    title = f"measuring {manifest.corpus.name}"
    with (
        stages(title, len(recordings), "files") as advance,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):

        def look(utterance: Utterance) -> Level:
            span = (utterance.start, utterance.end)
            learn = partial(_measure, start=utterance.start, end=utterance.end)
            path = manifest.root / utterance.path
            level = memory.recall(path, learn, f"{LEVELS} {span}")
            advance(1)
            return level

        levels = tuple(threads.map(look, manifest.utterances))
    memory.save()
    return levels


def _measure(path: Path, *, start: float, end: float | None) -> Level:
    """Decode an utterance and tell how loud it is, over all its channels."""
    import numpy as np
    import soundfile

    with soundfile.SoundFile(os.fsencode(path)) as file:
        first = round(start * file.samplerate)
        last = file.frames if end is None else round(end * file.samplerate)
        file.seek(min(first, file.frames))
        samples = file.read(max(last - first, 0), dtype="float32", always_2d=True)
    full = np.pad((np.abs(samples) >= FULL_SCALE).any(axis=1), 1)
    starts, ends = np.flatnonzero(np.diff(full.astype(np.int8))).reshape(-1, 2).T
    runs = ends - starts
    return {
        "rms": float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))),
        "clipped": int(runs[runs >= CLIPPED_RUN].sum()),
    }


# ---------------------------------------------------------------- the verdict


def _verdict(
    manifest: Manifest, known: Mapping[str, KnownFile], problems: Sequence[Problem]
) -> str:
    """Compare with the known versions, and with what others say of the corpus."""
    corpus, number = manifest.corpus, len(manifest.utterances)
    title = f"{corpus.title} ({corpus.version})"
    kinds = Counter(problem.kind for problem in problems)
    wrong = [f"{kinds[kind]} {kind}" for kind in ORDER[:-1] if kinds[kind]]
    if wrong and not (known or corpus.counts or corpus.versions):
        words = (
            f"unknown: nothing is known to compare {title} with; {', '.join(wrong)}."
        )
    elif wrong:
        words = f"different: this is not {title} as published: {', '.join(wrong)}."
        words += _version_of_that_size(corpus, number)
    elif known and all(file.sha256 for file in known.values()):
        words = f"verified: all {number} files of {title}, byte for byte."
    elif known:
        words = f"complete: all {number} files of {title}, by name."
    elif corpus.counts:
        words = f"counted: as many utterances of each label as {title} has."
    elif corpus.versions:
        words = f"counted: as many utterances as {title} has."
    else:
        words = f"unknown: nothing is known to compare {title} with."
    claims = (_judged(claim, number, len(manifest.labels)) for claim in corpus.claims)
    return " ".join((words, *claims))


def _version_of_that_size(corpus: Corpus, number: int) -> str:
    others = [
        version
        for version, count in corpus.versions.items()
        if count == number and version != corpus.version
    ]
    return f" Version '{others[0]}' has {number} utterances." if others else ""


def _judged(claim: Claim, utterances: int, labels: int) -> str:
    """Say whether a claim about a corpus holds for what is here."""
    size = f"{claim.utterances} utterances of {claim.labels} labels"
    if (utterances, labels) == (claim.utterances, claim.labels):
        return f"{claim.source} has as many: {size}."
    here = f"here are {utterances} of {labels}"
    reason = f": {claim.because}" if claim.because else "."
    return f"{claim.source} has {size}, {here}{reason}"


def _other_name(
    corpus: Corpus,
    siblings: Collection[Corpus],
    read: Mapping[str, Sequence[Utterance]],
    found: Sequence[Utterance] = (),
) -> str:
    """Say which other corpus the folder really is, if it is one."""
    mine = {utterance.id for utterance in found}
    for other in siblings:
        ids = {utterance.id for utterance in read[other.name]}
        is_whole = ids and ids == _known_ids(other)
        if is_whole and ids != _known_ids(corpus) and mine in (ids, set()):
            return f" These are the files of '{other.name}': ask for that."
    return ""


def _known_ids(corpus: Corpus) -> set[str]:
    return set(corpus.files()) if corpus.files else set()


# ---------------------------------------------------------------- showing it


def as_json(passport: Passport) -> dict[str, object]:
    """Describe a corpus as a JSON value."""
    manifest = passport.manifest
    utterances = manifest.utterances
    speakers = Counter(utterance.speaker for utterance in utterances)
    gender = {utterance.speaker: utterance.gender for utterance in utterances}
    return {
        "corpus": manifest.corpus.name,
        "version": manifest.corpus.version,
        "utterances": len(utterances),
        "labels": dict(sorted(Counter(u.label for u in utterances).items())),
        "speakers": {
            speaker: {"gender": gender[speaker], "utterances": count}
            for speaker, count in sorted(speakers.items())
        },
        "hours": round(manifest.seconds / 3600, 4),
        "manifest_sha256": manifest.sha256,
        "problems": [vars(problem) for problem in passport.problems],
        "verdict": passport.verdict,
    }


def counts(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    """Yield rows of speaker, gender, a number for each label, and their sum."""
    tally: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for utterance in manifest.utterances:
        gender: str = utterance.gender or "unknown"
        tally[utterance.speaker, gender][utterance.label] += 1
        tally["all", gender][utterance.label] += 1
        tally["all", "all"][utterance.label] += 1
    genders = len({gender for speaker, gender in tally if speaker == "all"})
    for (speaker, gender), count in sorted(
        tally.items(), key=lambda item: (item[0][0] == "all", item[0])
    ):
        if (speaker, gender) != ("all", "unknown") or genders > 2:
            numbers = (str(count[label]) for label in manifest.labels)
            yield speaker, gender, *numbers, str(count.total())


def facts(passport: Passport) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of a corpus, each with what it is about."""
    manifest = passport.manifest
    recordings = manifest.recordings
    if not recordings:
        return
    seconds = sorted(recording.seconds for recording in recordings)
    yield "audio", f"{clock(manifest.seconds)}, {manifest.seconds / 3600:.4f} hours"
    shortest, middle, longest = seconds[0], median(seconds), seconds[-1]
    yield "an utterance", f"{shortest:.2f} to {longest:.2f} s, median {middle:.2f} s"
    forms = Counter((recording.rate, recording.channels) for recording in recordings)
    for (rate, channels), number in forms.most_common():
        sound = {1: "mono", 2: "stereo"}.get(channels, f"{channels} channels")
        yield "form", f"{number} files of {rate} Hz, {sound}"
    peaks = [_decibels(recording.peak) for recording in recordings]
    loud = [_decibels(level["rms"]) for level in passport.levels]
    yield (
        "level",
        f"{min(loud)} to {max(loud)} dB of full scale (RMS), "
        f"peaks {min(peaks)} to {max(peaks)} dB",
    )
    full = sum(recording.peak >= FULL_SCALE for recording in recordings)
    cut = [level["clipped"] for level in passport.levels if level["clipped"]]
    where = f"{len(cut)}, {sum(cut)} samples in all" if cut else "none"
    yield "clipping", f"{full} files reach full scale; with peaks cut off: {where}"
    yield "sentences", _sentences(manifest.utterances)
    for line in passport.left_out:
        yield "left out", line
    yield "manifest", manifest.sha256


def _decibels(amplitude: float) -> float:
    return round(20 * log10(max(amplitude, 1e-10)), 1) + 0.0  # never -0.0


def _sentences(utterances: Sequence[Utterance]) -> str:
    coded = [(u.language, u.sentence) for u in utterances if u.sentence is not None]
    if not coded:
        return "not coded"
    said = Counter(coded)
    without = len(utterances) - len(coded)
    rest = f"; {without} utterances without a code" if without else ""
    least, most = min(said.values()), max(said.values())
    times = f"{least}" if least == most else f"{least} to {most}"
    return f"{len(said)}, each said {times} times{rest}"
