"""Extraction by the harness against a bare transformers loop on the same files.

Both read the files, resample, make log-mels and run Whisper's encoder clip by clip with
all hidden states; the harness also drops silent frames, takes means and norms, and
stores everything. Files are taken in small groups, the two by turns, so that a noisy
machine disturbs both; both run in one thread. Prints the ratio of throughputs (above 1:
the harness is faster).

    HARNESS_DATA=… HARNESS_CHECKPOINTS=… python benchmarks/extraction.py --files 32
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile
import torch
import transformers

from harness.execution.planner import make_plan
from harness.execution.request import Grid, Request
from harness.execution.tasks import work_of, write_payloads
from harness.features.extraction import Extraction, encoder, extract, find_source
from harness.registry import Registry, plugin_manager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.data.manifest import Recording

GROUP = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--upstream", default="whisper-base")
    parser.add_argument("--files", type=int, default=32)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        task, recordings = planned(options.upstream, Path(folder))
        measure(task, recordings, options.files)


def planned(upstream: str, folder: Path) -> tuple[Extraction, tuple[Recording, ...]]:
    """Plan the extraction of EmoDB; return its first task and all recordings."""
    request = Request(
        grids=(Grid((upstream,), ("multilayer",), ("emodb",)),),
        data_root=Path(os.environ["HARNESS_DATA"]),
        runs=folder / "runs",
        cache=folder / "cache",
    )
    registry = Registry.of(plugin_manager())
    plan = make_plan(request, registry)
    write_payloads(plan)
    work = work_of(plan, registry, device="cpu", quiet=True)
    payloads = (task.payload for task in work.tasks)
    task = next(one for one in payloads if isinstance(one, Extraction))
    return task, plan.pairs[0].manifest.recordings


def measure(task: Extraction, recordings: tuple[Recording, ...], files: int) -> None:
    """Extract groups of files by turns, and print the ratios of the times."""
    torch.set_num_threads(1)  # as every task does
    source = find_source(task.use, task.use.places)
    if source.folder is None:
        sys.exit("Set HARNESS_CHECKPOINTS, and name an upstream that has weights.")
    encoder(source, "cpu")
    bare = bare_loop(source.folder)
    apart = max(GROUP, len(recordings) // max(1, files // GROUP))
    ratios = []
    for first in range(0, len(recordings) - GROUP + 1, apart):
        group = dataclasses.replace(task, first=first, last=first + GROUP)
        began = time.perf_counter()
        bare([recording.path for recording in recordings[first : first + GROUP]])
        between = time.perf_counter()
        extract(group)
        ratios.append((between - began) / (time.perf_counter() - between))
        print(f"{GROUP * len(ratios):4} files: ratio {ratios[-1]:.2f}", flush=True)
    print(
        f"\n{task.use.upstream.name}, one thread, transformers "
        f"{transformers.__version__}: harness over bare loop, median of "
        f"{len(ratios)} groups of {GROUP} files: {statistics.median(ratios):.2f}"
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
