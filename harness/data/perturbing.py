"""Recordings that are perturbed: what each is mixed with, and its samples.

A perturbation is applied to what the model would read: the whole utterance, mixed down
and at the model's rate. What comes of it is clipped to ±1, then cut to
``--max-seconds``. It depends on the utterance's samples and on those that it is mixed
with, and on nothing else: not on order, batch or machine.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.data import audio
from harness.data.resampling import resample
from harness.errors import DataError
from harness.files import sha256_json
from harness.registry import isolated
from harness.types import Perturbation, Speech

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import numpy as np
    from torch import Tensor

    from harness.data.manifest import Manifest, Recording
    from harness.types import PerturbedParts

VERSION = 1
"""Raised when it is applied elsewhere, draws other randomness or chooses other
utterances to mix in: part of every condition of a perturbed result."""

CLEAN = "clean"
"""The word of ``--perturb`` for recordings as they are."""

Others = dict[str, tuple["Recording", ...]]
"""What each recording is mixed with, by its key."""


@dataclass(frozen=True, kw_only=True)
class Perturber:
    """A perturbation as a task applies it.

    Attributes:
        perturbation: The description, its options set.
        plugin: Which plugin it comes from, to name it in an error.
    """

    perturbation: Perturbation
    plugin: str = ""

    def waveform(
        self, recording: Recording, rate: int, max_seconds: float | None = None
    ) -> Tensor:
        """Decode and perturb a recording.

        Args:
            recording: With what it is mixed with.
            rate: Of the model, in hertz.
            max_seconds: Keep at most this many seconds of the perturbed recording.

        Returns:
            Shape (S,), float32 in [-1, 1].

        Raises:
            PluginError: Where the perturbation raises or does not return a waveform.
            DataError: Where a file changed since it was checked.
        """
        speech = Speech(
            waveform=_clean(recording, rate),
            rate=rate,
            random=_random(recording, self.perturbation),
            resample=resample,
            others=tuple(_clean(other, rate) for other in recording.others),
        )
        name = self.perturbation.name
        with isolated(self.plugin, f"perturbing by '{name}'"):
            made = self.perturbation.apply(speech)
            _require_waveform(made, name)
        last = None if max_seconds is None else round(max_seconds * rate)
        return made.clamp(-1.0, 1.0)[:last]


@dataclass(frozen=True, kw_only=True)
class Perturbed:
    """Recordings that are perturbed, in the order of the corpus.

    Attributes:
        by: The perturbation.
        parts: Of the parts that they are in.
        recordings: All of the corpus, or those that some fold tests.
    """

    by: Perturber
    parts: PerturbedParts
    recordings: tuple[Recording, ...]

    @property
    def name(self) -> str:
        """Name the perturbation and, if not the test alone, whose recordings."""
        return self.by.perturbation.name + " (all parts)" * (self.parts == "all")


def marked(
    recordings: Iterable[Recording],
    by: Perturber,
    identity: str,
    manifests: Sequence[Manifest],
) -> Iterator[Recording]:
    """Yield recordings that are marked as perturbed: mixed with others, of new lengths.

    Args:
        recordings: As they are.
        by: The perturbation.
        identity: The package that brought it and its version.
        manifests: The corpora that they are of, whole, to choose others from.

    Raises:
        DataError: Where a corpus has too few speakers to mix with.
    """
    perturbation = by.perturbation
    what = [perturbation.name, perturbation.version, identity, VERSION]
    others: Others = {}
    for manifest in manifests if perturbation.others else ():
        others = dict(neighbours(manifest, perturbation)) | others
    for one in recordings:
        mixed = others.get(one.key, ())
        mark = sha256_json([*what, [other.key for other in mixed]])[:16]
        seconds = one.seconds / perturbation.tempo
        yield replace(one, perturbation=mark, others=mixed, seconds=seconds)


def neighbours(
    manifest: Manifest, perturbation: Perturbation
) -> Iterator[tuple[str, tuple[Recording, ...]]]:
    """Choose, for each recording of a corpus, utterances by other speakers.

    All are put into a circle by the hashes of their samples. Those that follow a
    recording's own place are taken, each by another speaker as long as there is one
    left: so another utterance in the corpus changes the choice of few.

    Raises:
        DataError: Where a corpus has but one speaker.
    """
    circle = sorted(manifest.recordings, key=lambda one: _place(one.content))
    if len({one.utterance.speaker for one in circle}) < 2:
        raise DataError(
            f"{manifest.corpus.name} has but one speaker, and "
            f"'{perturbation.name}' mixes in others."
        )
    for place, one in enumerate(circle):
        following = circle[place + 1 :] + circle[:place]
        yield one.key, _by_others(one, following, perturbation.others)


def _by_others(
    one: Recording, following: Iterable[Recording], count: int
) -> tuple[Recording, ...]:
    """Take so many utterances by other speakers, each by another first."""
    found: list[Recording] = []
    again: list[Recording] = []
    speakers = {one.utterance.speaker}
    for other in following:
        if other.utterance.speaker in speakers:
            if other.utterance.speaker != one.utterance.speaker:
                again.append(other)
            continue
        speakers.add(other.utterance.speaker)
        found.append(other)
        if len(found) == count:
            break
    return tuple((*found, *again)[:count])


def of_ids(
    recordings: Iterable[Recording], ids: Collection[str]
) -> tuple[Recording, ...]:
    """Return the recordings of some utterances."""
    return tuple(one for one in recordings if one.utterance.id in ids)


def _clean(recording: Recording, rate: int) -> Tensor:
    utterance = recording.utterance
    return audio.load(
        recording.path,
        rate,
        start=utterance.start,
        end=utterance.end,
        sha256=recording.sha256,
    )


def _random(recording: Recording, perturbation: Perturbation) -> np.random.Generator:
    """Seed the draws of a recording by its samples and the perturbation's base name."""
    import numpy as np

    base = perturbation.name.partition(":")[0]
    return np.random.default_rng(_place(f"{base} {recording.content}"))


def _place(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def _require_waveform(made: object, name: str) -> None:
    """Refuse what is no waveform.

    Raises:
        TypeError: Where it is not one float32 tensor of one dimension.
        ValueError: Where it is empty, or holds NaN or infinite samples.
    """
    import torch

    if not (isinstance(made, torch.Tensor) and made.ndim == 1):
        raise TypeError(f"'{name}' returned {type(made).__name__}, not a tensor (S,)")
    if made.dtype != torch.float32:
        raise TypeError(f"'{name}' returned {made.dtype}, not float32")
    if not len(made) or not bool(made.isfinite().all()):
        raise ValueError(f"'{name}' returned no samples, or infinite ones or NaN")
