"""Recordings that are the same take, with another gain, rate, codec or trim.

Those whose sketches agree are decoded again and compared as waveforms, once: what was
found of a pair is cached.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from harness.data import audio, fingerprint
from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.data.manifest import Recording
    from harness.memory import Memory

    Waveform = NDArray[np.float64]

VERSION = 1
"""Raised when other pairs are found."""

RATE = 4000
"""Hertz: what any codec keeps of speech, and any rate has."""

SAME = 0.8
"""The correlation of two waveforms from which they are one: copies have 0.9 and more at
the lowest rates of MP3 and Opus, other takes of a sentence by a speaker 0.5 at most."""

ELSEWHERE = 0.9
"""The share of the correlation that no other shift may reach: a tone fits itself at
many shifts, and says nothing."""

NEAR = 0.025
"""Seconds that are one shift: two periods of the lowest voice (80 Hz)."""

OVERLAP = 0.5
"""The share of the shorter waveform that must overlap."""


def same_takes(
    recordings: Sequence[Recording], memory: Memory | None = None
) -> Iterator[tuple[Recording, Recording]]:
    """Yield pairs of recordings that are the same take, but not of the same samples.

    Args:
        recordings: With their sketches.
        memory: Caches what is found of a pair.
    """
    last = _Waveforms()
    for one, other in fingerprint.candidates([one.sketch for one in recordings]):
        pair = recordings[one], recordings[other]
        if pair[0].content == pair[1].content:
            continue
        if memory is None:
            found = last.agree(*pair)
        else:
            found = _recalled(memory, last, *pair)
        if found:
            yield pair


def _recalled(
    memory: Memory, last: _Waveforms, one: Recording, other: Recording
) -> bool:
    def learn(_: Path) -> bool:
        return last.agree(one, other)

    about = f"take-{VERSION}.{audio.VERSION} {one.key} {other.key}"
    try:
        return memory.recall(one.path, learn, about)
    except OSError:  # it is gone by now
        return False


class _Waveforms:
    """Waveforms of recordings, of which the last ones are kept."""

    def __init__(self) -> None:
        self._load = functools.lru_cache(maxsize=256)(_load)

    def agree(self, one: Recording, other: Recording) -> bool:
        """Return whether two recordings are one take; one that is gone is none."""
        try:
            return agree(*(self._load(each.path, each) for each in (one, other)))
        except DataError:
            return False


def _load(path: Path, recording: Recording) -> Waveform:
    spoken = recording.utterance
    rate = recording.rate
    mono = audio.load(path, rate, start=spoken.start, end=spoken.end)
    return lowered(mono.numpy(), rate)


def lowered(mono: NDArray[np.float32], rate: int) -> Waveform:
    """Bring samples (S,) of any rate to ``RATE``; quicker than for features."""
    from scipy.signal import resample_poly

    waveform: Waveform = resample_poly(mono.astype(float), RATE, rate)
    return waveform


def agree(one: Waveform, other: Waveform) -> bool:
    """Return whether two waveforms are one at some shift, and at no other.

    Args:
        one: Shape (S,), at ``RATE``.
        other: Shape (S',).
    """
    import numpy as np

    fit = np.abs(_correlations(one, other))
    best = int(fit.argmax())
    near = int(NEAR * RATE)
    far = max(
        fit[: max(0, best - near)].max(initial=0.0),
        fit[best + near + 1 :].max(initial=0.0),
    )
    return bool(fit[best] >= SAME and far < ELSEWHERE * fit[best])


def _correlations(one: Waveform, other: Waveform) -> Waveform:
    """Return the correlation at every shift, each over what overlaps; 0 for too little.

    At shift s, from 0, ``one[i]`` stands beside ``other[i + len(other) - 1 - s]``.
    """
    import numpy as np
    from scipy.signal import fftconvolve

    product = fftconvolve(one, other[::-1])
    shift = np.arange(len(product))
    begin, end = np.maximum(0, shift - len(other) + 1), np.minimum(len(one), shift + 1)
    energy, beside = (np.append(0.0, np.cumsum(each**2)) for each in (one, other))
    offset = len(other) - 1 - shift
    norm = (energy[end] - energy[begin]) * (
        beside[end + offset] - beside[begin + offset]
    )
    enough = end - begin >= OVERLAP * min(len(one), len(other))
    floor = max(1e-6 * energy[-1] * beside[-1], 1e-12)  # what overlaps may be silent
    return np.where(enough, product / np.sqrt(np.maximum(norm, floor)), 0.0)
