"""The loudness of a corpus' utterances, and whether their peaks are clipped."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from pathlib import Path

    from harness.data.manifest import Manifest
    from harness.files import Memory
    from harness.types import Stages, Utterance

FULL_SCALE = 0.999
"""A magnitude from which a sample counts as full scale, just below 16-bit's 1.0."""

CLIPPED_RUN = 3
"""Consecutive samples at full scale that make a clipped peak: normalising a file to
full scale leaves one or two."""

VERSION = 1
"""Raised when ``_measure`` changes."""


class Level(TypedDict):
    """The loudness of an utterance, as a JSON value.

    ``rms`` is a fraction of full scale, ``clipped`` counts the samples of clipped
    peaks.
    """

    rms: float
    clipped: int


def measure_levels(
    manifest: Manifest, memory: Memory, stages: Stages
) -> tuple[Level, ...]:
    """Measure the recordings of a manifest, in their order."""
    recordings = manifest.recordings
    title = f"measuring {manifest.corpus.name}"
    with (
        stages(title, len(recordings), "files") as advance,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):

        def level_of(utterance: Utterance) -> Level:
            span = (utterance.start, utterance.end)
            measure = partial(_measure, start=utterance.start, end=utterance.end)
            path = manifest.root / utterance.path
            level = memory.recall(path, measure, f"levels-{VERSION} {span}")
            advance(1)
            return level

        levels = tuple(threads.map(level_of, manifest.utterances))
    memory.save()
    return levels


def _measure(path: Path, *, start: float, end: float | None) -> Level:
    """Decode an utterance and measure its loudness over all its channels."""
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
