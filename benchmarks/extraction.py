"""Extraction by the harness against a bare transformers loop on the same files.

Both read the files, resample, make log-mels and run Whisper's encoder clip by clip with
all hidden states; the harness also drops silent frames, takes means and norms, and
stores everything. Files are taken in small groups, the two by turns, so that a noisy
machine disturbs both. Prints the ratio of throughputs (above 1: the harness is faster).

    HARNESS_DATA=… HARNESS_CHECKPOINTS=… python benchmarks/extraction.py --files 32
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile
import torch
import transformers

from harness.data.manifest import read_manifest
from harness.features.checkpoints import find_checkpoint
from harness.features.extraction import Extraction, Source, encoder, extract
from harness.files import Memory
from harness.registry import Registry, plugin_manager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

GROUP = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream", default="whisper-base")
    parser.add_argument("--files", type=int, default=32)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    registry = Registry.of(plugin_manager())
    cache = Path(tempfile.mkdtemp())
    memory = Memory(cache / "memory.json")
    root = Path(os.environ["HARNESS_DATA"]) / "emodb"
    manifest = read_manifest(registry.corpora["emodb"], root, memory)
    upstream = registry.upstreams[options.upstream]
    checkpoint = find_checkpoint(upstream, {}, memory, download=False)
    assert checkpoint is not None, "set HARNESS_CHECKPOINTS"
    assert checkpoint.folder is not None, "an upstream with weights"
    source = Source(upstream=upstream, checkpoint=checkpoint, feeding="full")
    bare = bare_loop(checkpoint.folder)
    encoder(source, "cpu")
    recordings = manifest.recordings[:: len(manifest.recordings) // options.files]
    ratios = []
    for start in range(0, len(recordings), GROUP):
        group = recordings[start : start + GROUP]
        began = time.perf_counter()
        bare([root / recording.utterance.path for recording in group])
        between = time.perf_counter()
        task = Extraction(
            source=source,
            recordings=tuple(group),
            kinds=("pooled", "all"),
            cache=cache,
            device="cpu",
        )
        extract(task)
        ratios.append((between - began) / (time.perf_counter() - between))
        print(f"{start + len(group):4} files: ratio {ratios[-1]:.2f}", flush=True)
    print(
        f"\n{options.upstream}, {options.threads} threads, transformers "
        f"{transformers.__version__}: harness over bare loop, median of "
        f"{len(ratios)} groups of {GROUP} files: {statistics.median(ratios[1:]):.2f}"
    )


def bare_loop(folder: Path) -> Callable[[Iterable[Path]], None]:
    """What one would write in a notebook."""
    model = transformers.WhisperModel.from_pretrained(
        folder, dtype=torch.float32
    ).eval()
    prepare = transformers.WhisperFeatureExtractor.from_pretrained(folder)

    def loop(paths: Iterable[Path]) -> None:
        with torch.inference_mode():
            for path in paths:
                samples, rate = soundfile.read(path, dtype="float32")
                mel = prepare(samples, sampling_rate=rate, return_tensors="pt")
                model.encoder(mel["input_features"], output_hidden_states=True)

    return loop


if __name__ == "__main__":
    main()
