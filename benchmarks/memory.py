"""Peak memory of extracting and training, for a corpus and for one ten times as long.

An upstream of whisper-base's shape (6 × 512) without its arithmetic encodes generated
clips; the multi-layer head, which reads all frames, then trains for an epoch. Memory is
the process' own (``RssAnon``, which the kernel cannot take back), sampled each 10 ms;
the stored features are mapped, so their pages are the kernel's to drop. Linux only.

    python benchmarks/memory.py --clips 535
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from harness.data.manifest import Recording

CLIPS = 535


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, default=CLIPS)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for factor in (1, 10):
        with tempfile.TemporaryDirectory() as folder, context.Pool(1) as pool:
            peaks = pool.apply(measure, (Path(folder), factor * options.clips))
        print(
            f"{factor * options.clips:6} clips, {peaks['stored'] / 1e9:.1f} GB of "
            f"features: start {peaks['start'] / 1e6:.0f} MB, extraction "
            f"{peaks['extraction'] / 1e6:.0f} MB, training "
            f"{peaks['training'] / 1e6:.0f} MB",
            flush=True,
        )


def load(
    checkpoint: Path | None, *, device: str, feeding: str
) -> Callable[[Sequence[Tensor]], list[Tensor]]:
    """Return states of whisper-base's shape that differ from frame to frame."""
    import torch

    pattern = torch.randn(6, 1, 512)

    def encode(waveforms: Sequence[Tensor]) -> list[Tensor]:
        return [
            pattern * w[: len(w) // 320 * 320].view(1, -1, 320).std(2, keepdim=True)
            for w in waveforms
        ]

    return encode


CHUNK = 16  # utterances of a task


def measure(folder: Path, clips: int) -> dict[str, float]:
    """Extract and train on so many clips; return peaks in bytes."""
    import torch
    from heads import shortened, training, use_of

    from harness import Upstream
    from harness.data import stored
    from harness.features.extraction import Extraction, extract, store_of
    from harness.registry import Registry, plugin_manager
    from harness.training.task import train

    torch.set_num_threads(1)
    recordings = write_clips(folder, clips)
    upstream = Upstream(name="generated", load=load, layers=6, dim=512, hop=0.02)
    use = use_of(upstream, folder)
    corpus = stored.store(use.places, recordings, ())
    peaks = {"start": anonymous()}
    with watching(peaks, "extraction"):
        for first in range(0, clips, CHUNK):
            task = Extraction(
                use=use,
                corpus=corpus,
                first=first,
                last=min(first + CHUNK, clips),
                kinds=("pooled", "all"),
            )
            extract(task)
    registry = Registry.of(plugin_manager())
    head = shortened(registry.downstreams["multilayer"], epochs=1)
    with watching(peaks, "training"):
        train(training(use, recordings, 0, head, registry))
    store = store_of(use.condition, folder)
    return peaks | {"stored": store.bytes("all") + store.bytes("pooled")}


def write_clips(folder: Path, clips: int) -> list[Recording]:
    """Write clips of 2.8 s, each of its own."""
    import numpy as np
    import soundfile
    from heads import recording

    rng, made = np.random.default_rng(0), []
    for clip in range(clips):
        soundfile.write(
            folder / f"{clip}.wav", 0.1 * rng.standard_normal(44_800), 16_000
        )
        one = recording(clip, 2.8)
        made.append(dataclasses.replace(one, path=folder / f"{clip}.wav"))
    return made


def anonymous() -> float:
    """Return the process' own memory, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return float(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no RssAnon")


class watching:
    """Note the peak of the process' own memory while something runs."""

    def __init__(self, peaks: dict[str, float], name: str) -> None:
        self._peaks, self._name, self._on = peaks, name, True

    def __enter__(self) -> None:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._on = False
        self._thread.join()

    def _watch(self) -> None:
        peak = 0.0
        while self._on:
            peak = max(peak, anonymous())
            time.sleep(0.01)
        self._peaks[self._name] = peak


if __name__ == "__main__":
    main()
