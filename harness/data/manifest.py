"""A corpus on disk: found, read, every file checked, and hashed."""

from __future__ import annotations

import functools
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from harness.data import audio, fingerprint
from harness.data.limit import spread
from harness.data.names import refuse_lookalikes
from harness.data.nearby import nearby
from harness.data.takes import same_takes
from harness.errors import DataError, MissingCorpusError
from harness.files import sha256_json
from harness.types import silence
from harness.types.conditions import LIMITED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from harness.memory import Memory
    from harness.types import Corpus, Stages, Utterance

SHOWN = 20
"""How many bad files an error message lists before it only counts them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """An utterance, its file and what its audio is (see ``audio.Probe``).

    Attributes:
        source: Hash of the whole decoded file that it is, or is a span of.
        perturbation: Hash of what it is perturbed by, ``others`` included; empty for
            the recording as it is.
        others: Recordings, as they are, that it is mixed with.
        sketch: What other forms of the same take share (see ``fingerprint``).
    """

    utterance: Utterance
    path: Path
    sha256: str
    content: str
    rate: int
    channels: int
    seconds: float
    peak: float
    source: str = ""
    perturbation: str = ""
    others: tuple[Recording, ...] = ()
    sketch: str = field(default="", compare=False, repr=False)

    @property
    def key(self) -> str:
        """Name the utterance's audio in a feature store: its bytes, and its span.

        A perturbed recording is another audio: its key says what it is perturbed by.
        """
        changed = f"~{self.perturbation}" if self.perturbation else ""
        if self.utterance.start == 0.0 and self.utterance.end is None:
            return self.sha256 + changed
        return f"{self.sha256}-{self.utterance.start}-{self.utterance.end}{changed}"


@dataclass(frozen=True)
class Manifest:
    """The utterances of a corpus that can be used, sorted by id.

    Attributes:
        corpus: The description they were read by.
        root: The corpus' folder.
        recordings: The good ones.
        bad: The others, each as ``id: reason``, or many as ``number: reason``.
        joined: The corpora that it was made of, if of several.
        alike: Pairs of ids of recordings that are the same take in two forms.
    """

    corpus: Corpus
    root: Path
    recordings: tuple[Recording, ...]
    bad: tuple[str, ...] = ()
    joined: tuple[Corpus, ...] = ()
    alike: tuple[tuple[str, str], ...] = ()

    @property
    def corpora(self) -> tuple[Corpus, ...]:
        """The corpora that it was joined from, or its own."""
        return self.joined or (self.corpus,)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of these corpora."""
        return tuple(corpus.name for corpus in self.corpora)

    def lasting(self, seconds: float) -> Manifest:
        """Keep the recordings of at least this length; name the others as bad."""
        short = [one for one in self.recordings if one.seconds < seconds]
        if not short:
            return self
        bad = tuple(
            f"{one.utterance.id}: too short ({1000 * one.seconds:.0f} ms; the model "
            f"needs {1000 * seconds:.0f} ms)"
            for one in short
        )
        kept = tuple(one for one in self.recordings if one.seconds >= seconds)
        return replace(self, recordings=kept, bad=tuple(sorted((*self.bad, *bad))))

    def only(self, labels: Collection[str], ids: Collection[str]) -> Manifest:
        """Keep the recordings of some utterances that have one of some labels."""
        return replace(
            self,
            recordings=tuple(
                recording
                for recording in self.recordings
                if recording.utterance.label in labels and recording.utterance.id in ids
            ),
        )

    @cached_property
    def sha256(self) -> str:
        """Hash what a result depends on: ids, audio, labels, speakers and numbers."""
        return sha256_json(
            [
                [r.utterance.id, r.content, r.utterance.label, r.utterance.speaker]
                + ([] if r.utterance.value is None else [r.utterance.value])
                for r in self.recordings
            ]
        )

    @property
    def contents(self) -> dict[str, str]:
        """The hash of each utterance's decoded audio, by id."""
        return {r.utterance.id: r.content for r in self.recordings}

    @property
    def spoken(self) -> tuple[str, ...]:
        """The languages of the utterances, as BCP-47 tags."""
        first = self.corpus.languages[0]
        return tuple(dict.fromkeys(u.language or first for u in self.utterances))

    @property
    def utterances(self) -> tuple[Utterance, ...]:
        """The utterances without their audio's facts."""
        return tuple(recording.utterance for recording in self.recordings)

    @property
    def seconds(self) -> float:
        """Total duration, in seconds."""
        return sum(recording.seconds for recording in self.recordings)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels that occur, sorted: the order of classes everywhere."""
        return tuple(sorted({u.label for u in self.utterances} - {""}))


def read_manifest(
    corpus: Corpus,
    root: Path,
    memory: Memory,
    *,
    max_seconds: float | None = None,
    limit: int | None = None,
    stages: Stages = silence,
) -> Manifest:
    """Read a corpus and every one of its files.

    Args:
        corpus: Its description.
        root: Its folder.
        memory: Remembers what files hold, so that they are decoded once.
        max_seconds: Clips are cut to this length; without it, one that is longer than
            ``audio.MAX_SECONDS`` is bad.
        limit: Read only so many utterances; the corpus' version then says so.
        stages: Where progress is reported.

    Raises:
        DataError: Where the folder is missing, is not this corpus, or is empty.
    """
    listed = _utterances(corpus, root)
    utterances = spread(listed, limit)
    if len(utterances) < len(listed):
        version = f"{corpus.version}{LIMITED}{len(utterances)}"
        corpus = replace(corpus, version=version)
    of_file: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        of_file.setdefault(utterance.path, []).append(utterance)

    def examine(path: str) -> list[Recording | str]:
        found = _examined(root / path, of_file[path], memory, max_seconds)
        advance(len(found))
        return found

    with (
        stages(f"checking {corpus.name}", len(utterances), "files") as advance,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        found = list(chain.from_iterable(threads.map(examine, of_file)))
    bad = [one for one in found if isinstance(one, str)]
    good = [one for one in found if not isinstance(one, str)]
    doubted = _with_two_labels(one for one in good if one.utterance.label)
    bad += [f"{id}: {reason}" for id, reason in doubted.items()]
    good = [one for one in good if one.utterance.id not in doubted]
    good.sort(key=lambda one: one.utterance.id)
    alike = _ids(same_takes(good, memory))
    memory.save()
    return Manifest(corpus, root, tuple(good), tuple(sorted(bad)), alike=alike)


def _ids(pairs: Iterable[tuple[Recording, Recording]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((one.utterance.id, other.utterance.id) for one, other in pairs))


def _examined(
    path: Path, utterances: Sequence[Utterance], memory: Memory, cut: float | None
) -> list[Recording | str]:
    """Describe the utterances of a file, each as a recording or by why it is bad."""
    spans = [(utterance.start, utterance.end) for utterance in utterances]
    found: list[Recording | str] = []
    for utterance, probe in zip(utterances, _probe(path, spans, memory), strict=True):
        if problem := probe["problem"] or _too_long(probe["seconds"], cut):
            found.append(f"{utterance.id}: {problem}")
            continue
        facts: dict[str, Any] = {name: probe[name] for name in _FACTS}  # type: ignore[literal-required]
        facts |= {name: sys.intern(facts[name]) for name in _SHARED}
        found.append(Recording(utterance=utterance, path=path, **facts))
    return found


def _with_two_labels(recordings: Iterable[Recording]) -> dict[str, str]:
    """Find recordings of the same audio whose labels differ, each with the reason."""
    first: dict[str, Utterance] = {}
    same: dict[str, list[Utterance]] = {}
    for recording in recordings:
        content, utterance = recording.content, recording.utterance
        earlier = first.setdefault(content, utterance)
        if earlier is not utterance:
            same.setdefault(content, [earlier]).append(utterance)
    return {
        one.id: f"is '{one.label}', and the same audio as '{other.id}', "
        f"which is '{other.label}'"
        for alike in same.values()
        for one in alike
        for other in [next((o for o in alike if o.label != one.label), one)]
        if other is not one
    }


_SHARED = ("sha256", "source")
"""Facts that all spans of a file share, so that they are kept once."""

_FACTS = (
    *("sha256", "content", "source", "rate", "channels", "seconds", "peak", "sketch"),
)


def _probe(
    path: Path, spans: Sequence[audio.Span], memory: Memory
) -> list[audio.Probe]:
    """Describe the spans of a file, which is read once, or remembered."""
    versions = f"{audio.VERSION}.{audio.PROBE_VERSION}.{fingerprint.VERSION}"
    about = f"audio-{versions} {sha256_json(spans)[:16]}"
    probe = functools.partial(audio.probe_spans, spans=spans)
    try:
        return memory.recall(path, probe, about)
    except (OSError, ValueError):  # there is no such file
        return probe(path)


def _utterances(corpus: Corpus, root: Path) -> list[Utterance]:
    """Read a corpus' folder, and check what its plugin returns."""
    if not root.is_dir():
        then = " Then set HARNESS_DATA (or --data-root) to the folder above it."
        way_out = nearby(corpus.base, root) or (
            f"{corpus.obtain}{then * (corpus.download is None)}"
        )
        raise MissingCorpusError(f"Corpus '{corpus.name}' is not at {root}. {way_out}")
    utterances = sorted(corpus.read(root), key=lambda utterance: utterance.id)
    if not utterances:
        raise DataError(
            f"{root} holds no utterance of '{corpus.name}'. {corpus.obtain}"
        )
    for one, next_one in pairwise(utterances):
        if one.id == next_one.id:
            raise DataError(f"Corpus '{corpus.name}' has two utterances '{one.id}'.")
    for utterance in utterances:
        if corpus.labels and utterance.label not in ("", *corpus.labels):
            raise DataError(
                f"Corpus '{corpus.name}' does not declare the label "
                f"'{utterance.label}' of {utterance.id}."
            )
    refuse_lookalikes(corpus.name, utterances)
    return utterances


def _too_long(seconds: float, cut: float | None) -> str:
    if cut is None and seconds > audio.MAX_SECONDS:
        return (
            f"too long ({seconds / 60:.0f} min; --max-seconds S keeps each clip's "
            "first S seconds)"
        )
    return ""


def difference(manifest: Manifest) -> str:
    """Say, in a sentence, how far a corpus is from what was published; or nothing.

    It is quick, as it compares names, hashes and numbers that the manifest has.
    """
    corpus = manifest.corpus
    if LIMITED in corpus.version:
        return (
            f"{corpus.name} is a part of itself: version {corpus.version} utterances."
        )
    known = corpus.files() if corpus.files else {}
    here = {one.utterance.id: one.sha256 for one in manifest.recordings}
    count = len(known) or corpus.versions.get(corpus.version, len(here))
    both = here.keys() & known.keys()
    altered = sum(known[id].sha256 not in ("", here[id]) for id in both)
    found = [f"{len(here)} of {count} utterances are used"] * (len(here) != count)
    found += [f"{altered} files have other bytes"] * bool(altered)
    if not found:
        return ""
    return (
        f"{corpus.name} is not as it was published: {', '.join(found)}. "
        f"'harness corpus check {corpus.name}' says which."
    )


def join(manifests: Sequence[Manifest]) -> Manifest:
    """Make one corpus of several; ids, speakers and sentences begin with its name.

    Args:
        manifests: Of corpora with different names.
    """
    corpora = [corpus for manifest in manifests for corpus in manifest.corpora]
    languages = [language for corpus in corpora for language in corpus.languages]
    corpus = replace(
        corpora[0],
        name=" + ".join(corpus.name for corpus in corpora),
        title=" and ".join(corpus.title for corpus in corpora),
        version=" + ".join(corpus.version for corpus in corpora),
        languages=tuple(dict.fromkeys(languages)),
        labels=tuple(sorted({label for c in corpora for label in c.labels})),
        counts={},
        files=None,
    )
    recordings = [
        _of(manifest, r) for manifest in manifests for r in manifest.recordings
    ]
    return Manifest(
        corpus,
        manifests[0].root,
        tuple(recordings),
        tuple(
            line if m.joined else f"{m.corpus.name}/{line}"
            for m in manifests
            for line in m.bad
        ),
        tuple(corpora),
        alike=_ids(same_takes(recordings)),
    )


def _of(manifest: Manifest, recording: Recording) -> Recording:
    """Put a corpus' name before what it alone calls so: ids, speakers, sentences."""
    if manifest.joined:
        return recording
    utterance, corpus = recording.utterance, manifest.corpus.name
    renamed = replace(
        utterance,
        id=f"{corpus}/{utterance.id}",
        speaker=f"{corpus}/{utterance.speaker}",
        sentence=utterance.sentence and f"{corpus}/{utterance.sentence}",
        language=utterance.language or manifest.corpus.languages[0],
    )
    return replace(recording, utterance=renamed)


def refuse_bad(manifests: Sequence[Manifest]) -> None:
    """Stop with the list of all bad files, if there are any.

    Raises:
        DataError: With every file and its reason (the first ones, if they are many).
    """
    lines = [
        f"  {manifest.root}/{line}" for manifest in manifests for line in manifest.bad
    ]
    if not lines:
        return
    more = [f"  … and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    files = "1 audio file" if len(lines) == 1 else f"{len(lines)} audio files"
    listing = "\n".join(lines[:SHOWN] + more)
    raise DataError(
        f"{files} cannot be used; fix or remove them, or go on without them by "
        f"--skip-bad:\n{listing}"
    )
