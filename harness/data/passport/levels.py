"""The loudness of a corpus' utterances, and whether their peaks are clipped."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypedDict

from harness.files import sha256_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.data.audio import Span
    from harness.data.manifest import Manifest
    from harness.memory import Memory
    from harness.types import Stages

FULL_SCALE = 0.999
"""A magnitude from which a sample counts as full scale, just below 16-bit's 1.0."""

CLIPPED_RUN = 3
"""Consecutive samples at full scale that make a clipped peak: normalising a file to
full scale leaves one or two."""

VERSION = 2
"""Raised when ``_level`` changes."""


class Level(TypedDict):
    """The loudness of an utterance, as a JSON value.

    ``rms`` is a fraction of full scale, ``mixed`` that of the channels' mean, and
    ``clipped`` counts the samples of clipped peaks.
    """

    rms: float
    mixed: float
    clipped: int


def measure_levels(
    manifest: Manifest, memory: Memory, stages: Stages
) -> tuple[Level, ...]:
    """Measure the recordings of a manifest, in their order."""
    recordings = manifest.recordings
    spans: dict[Path, list[Span]] = {}
    for one in recordings:
        span = (one.utterance.start, one.utterance.end)
        spans.setdefault(one.path, []).append(span)

    def measure(path: Path) -> list[Level]:
        about = f"levels-{VERSION} {sha256_json(spans[path])[:16]}"
        learn = partial(_measure, spans=spans[path])
        levels = memory.recall(path, learn, about)
        advance(len(levels))
        return levels

    title = f"measuring {manifest.corpus.name}"
    with (
        stages(title, len(recordings), "files") as advance,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        found = dict(zip(spans, map(iter, threads.map(measure, spans)), strict=True))
    memory.save()
    return tuple(next(found[one.path]) for one in recordings)


def _measure(path: Path, *, spans: Sequence[Span]) -> list[Level]:
    """Decode a file and measure the loudness of some spans over all its channels."""
    from harness.data import decoding

    rate, samples = decoding.decode_channels(decoding.read(path), path.name)
    parts = (decoding.part_of(span, rate, len(samples)) for span in spans)
    return [_level(samples[part]) for part in parts]


def _level(samples: NDArray[np.float32]) -> Level:
    """Measure the loudness of samples, (S, channels)."""
    import numpy as np

    full = np.pad((np.abs(samples) >= FULL_SCALE).any(axis=1), 1)
    starts, ends = np.flatnonzero(np.diff(full.astype(np.int8))).reshape(-1, 2).T
    runs = ends - starts
    return {
        "rms": _rms(samples),
        "mixed": _rms(samples.mean(axis=1)),
        "clipped": int(runs[runs >= CLIPPED_RUN].sum()),
    }


def _rms(samples: NDArray[np.float32]) -> float:
    import numpy as np

    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
