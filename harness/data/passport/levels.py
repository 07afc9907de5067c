"""How loud the utterances of a corpus are, and whether their peaks are cut off."""

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
"""From here on a sample is as loud as its file can be."""

CLIPPED_RUN = 3
"""So many samples in a row at full scale are a cut-off peak, not a normalised one."""

VERSION = 1
"""Raised when ``_measure`` changes."""


class Level(TypedDict):
    """How loud an utterance is, as a JSON value.

    ``rms`` is a share of full scale, ``clipped`` counts samples of cut-off peaks.
    """

    rms: float
    clipped: int


def levels_of(manifest: Manifest, memory: Memory, stages: Stages) -> tuple[Level, ...]:
    """Measure the recordings of a manifest, in their order."""
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
            level = memory.recall(path, learn, f"levels-{VERSION} {span}")
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
