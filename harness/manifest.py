"""A corpus on disk: found, read, every file checked, and hashed."""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from harness import audio
from harness.errors import DataError, MissingCorpusError
from harness.files import sha256_json
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.files import Memory
    from harness.types import Corpus, Stages, Utterance

SHOWN = 20
"""How many bad files an error message lists before it only counts them."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """An utterance and what its audio is (see ``audio.Probe``)."""

    utterance: Utterance
    sha256: str
    content: str
    rate: int
    channels: int
    seconds: float
    peak: float

    @property
    def key(self) -> str:
        """Name the utterance's audio in a feature store: its bytes, and its span."""
        if self.utterance.start == 0.0 and self.utterance.end is None:
            return self.sha256
        return f"{self.sha256}-{self.utterance.start}-{self.utterance.end}"


@dataclass(frozen=True)
class Manifest:
    """The utterances of a corpus that can be used, sorted by id.

    Attributes:
        corpus: The description they were read by.
        root: The corpus' folder.
        recordings: The good ones.
        bad: The others, each as ``id: reason``.
    """

    corpus: Corpus
    root: Path
    recordings: tuple[Recording, ...]
    bad: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """Hash what a result depends on: ids, audio, labels and speakers."""
        return sha256_json(
            [
                [r.utterance.id, r.content, r.utterance.label, r.utterance.speaker]
                for r in self.recordings
            ]
        )

    @property
    def contents(self) -> dict[str, str]:
        """The hash of each utterance's decoded audio, by id."""
        return {r.utterance.id: r.content for r in self.recordings}

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
        return tuple(sorted({u.label for u in self.utterances}))


def read_manifest(
    corpus: Corpus,
    root: Path,
    memory: Memory,
    *,
    min_seconds: float = 0.0,
    max_seconds: float | None = None,
    stages: Stages = silence,
) -> Manifest:
    """Read a corpus and every one of its files.

    Args:
        corpus: Its description.
        root: Its folder.
        memory: Remembers what files hold, so that they are decoded once.
        min_seconds: Shorter clips are bad: the model's receptive field.
        max_seconds: Clips are cut to this length; without it, one that is longer than
            ``audio.MAX_SECONDS`` is bad.
        stages: Told of the progress.

    Raises:
        DataError: Where the folder is missing, is not this corpus, or is empty.
    """
    utterances = _utterances(corpus, root)

    def look(utterance: Utterance) -> audio.Probe:
        span = (utterance.start, utterance.end)
        path = root / utterance.path
        learn = functools.partial(audio.probe, start=span[0], end=span[1])
        try:
            found = memory.recall(path, learn, f"audio-{audio.VERSION} {span}")
        except OSError:
            found = audio.probe(path)
        advance(1)
        return found

    with (
        stages(f"checking {corpus.name}", len(utterances), "files") as advance,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        probes = list(threads.map(look, utterances))
    memory.save()
    good, bad = [], []
    for utterance, found in zip(utterances, probes, strict=True):
        problem = found["problem"] or _length(
            found["seconds"], min_seconds, max_seconds
        )
        if problem:
            bad.append(f"{utterance.id}: {problem}")
        else:
            facts = {name: found[name] for name in _FACTS}  # type: ignore[literal-required]
            good.append(Recording(utterance=utterance, **facts))
    return Manifest(corpus, root, tuple(good), tuple(bad))


_FACTS = ("sha256", "content", "rate", "channels", "seconds", "peak")


def _utterances(corpus: Corpus, root: Path) -> list[Utterance]:
    """Read a corpus' folder, and see that the plugin keeps its word."""
    if not root.is_dir():
        raise MissingCorpusError(
            f"Corpus '{corpus.name}' is not at {root}. {corpus.obtain} Then set "
            "HARNESS_DATA (or --data-root) to the folder above it."
        )
    utterances = sorted(corpus.read(root), key=lambda utterance: utterance.id)
    if not utterances:
        raise DataError(
            f"{root} holds no utterance of '{corpus.name}'. {corpus.obtain}"
        )
    for one, next_one in pairwise(utterances):
        if one.id == next_one.id:
            raise DataError(f"Corpus '{corpus.name}' has two utterances '{one.id}'.")
    for utterance in utterances:
        if utterance.label not in corpus.labels:
            raise DataError(
                f"Corpus '{corpus.name}' does not declare the label "
                f"'{utterance.label}' of {utterance.id}."
            )
    return utterances


def _length(seconds: float, shortest: float, cut: float | None) -> str:
    if seconds < shortest:
        return (
            f"too short ({1000 * seconds:.0f} ms; the model needs "
            f"{1000 * shortest:.0f} ms)"
        )
    if cut is None and seconds > audio.MAX_SECONDS:
        return (
            f"too long ({seconds / 60:.0f} min; --max-seconds S keeps each clip's "
            "first S seconds)"
        )
    return ""


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
        f"{files} cannot be used; mend or remove them, or go on without them by "
        f"--skip-bad:\n{listing}"
    )
