"""Seconds and memory of each stage for corpora of 10³ utterances and more.

A corpus is a table of spans of generated long files, so nothing is downloaded and the
disk holds little. Each stage is a command in a process of its own: plan it (every file
is read and hashed), run it (an upstream that costs next to nothing, the linear head on
one split), plan it again when it is finished, resume it with half of the features gone,
and show the board. It prints seconds, the largest memory of the process in megabytes,
and the exponent with which both grow from size to size.

    python benchmarks/scale.py --largest 100000
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE, SECONDS, PER_FILE, SPEAKERS = 8000, 0.2, 1000, 40
COMMAND = ("--upstream", "fbank", "--downstream", "linear", "--no-controls")
STAGES = ("plan", "run", "plan again", "run again", "resume", "board")


def write_corpus(folder: Path, utterances: int) -> Path:
    """Write long files of noise whose loudness is the label, and a table of spans."""
    import numpy as np
    import soundfile

    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    lines = ["path,start,end,label,speaker"]
    for number in range(0, utterances, PER_FILE):
        count = min(PER_FILE, utterances - number)
        name = f"{number // PER_FILE}.wav"
        loud = np.arange(number, number + count) % 2
        noise = rng.standard_normal((count, int(SECONDS * RATE))) * 0.05
        soundfile.write(folder / name, (noise * (1 + loud)[:, None]).ravel(), RATE)
        for place in range(count):
            start, end = place * SECONDS, (place + 1) * SECONDS
            speaker = (number + place) // 2 % SPEAKERS
            lines.append(f"{name},{start:.3f},{end:.3f},{loud[place]},s{speaker}")
    table = folder / "table.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def measured(folder: Path, *words: str) -> tuple[float, float]:
    """Run a command; return its seconds, and its largest memory in megabytes."""
    paths = {
        f"HARNESS_{name.upper()}": str(folder / name) for name in ("cache", "runs")
    }
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "harness", *words],
        env=os.environ | paths,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        errors = process.stderr.read() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)}: {errors[-2000:]}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1000


def stages(folder: Path, utterances: int) -> Iterator[tuple[str, float, float]]:
    """Do each stage on a corpus of so many utterances."""
    words = (*COMMAND, "--corpus", f"csv:{write_corpus(folder / 'data', utterances)}")
    run = ("run", *words, "--quiet", "--executor", "serial", "--device", "cpu")
    commands = (
        ("plan", *words, "--quiet"),
        run,
        ("plan", *words, "--quiet"),
        run,
        run,
        ("leaderboard",),
    )
    for stage, command in zip(STAGES, commands, strict=True):
        if stage == "resume":
            _forget_half(folder)
        yield stage, *measured(folder, *command)


def _forget_half(folder: Path) -> None:
    """Remove the result, and every second file of features."""
    for path in (folder / "runs").glob("*.parquet"):
        path.unlink()
    shards = sorted((folder / "cache").glob("features/*/pooled/*.safetensors"))
    for path in shards[::2]:
        path.unlink()


def main() -> None:
    """Print a table: a row a stage and size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smallest", type=int, default=1000)
    parser.add_argument("--largest", type=int, default=10_000)
    options = parser.parse_args()
    before: dict[str, tuple[float, float]] = {}
    print("| utterances | stage | seconds | exponent | MB | exponent |")
    print("|---:|---|---:|---:|---:|---:|")
    size = options.smallest
    while size <= options.largest:
        with tempfile.TemporaryDirectory() as folder:
            for stage, seconds, memory in stages(Path(folder), size):
                growth = ["", ""]
                if stage in before:
                    pairs = zip((seconds, memory), before[stage], strict=True)
                    growth = [f"{math.log10(now / then):.2f}" for now, then in pairs]
                print(
                    f"| {size} | {stage} | {seconds:.1f} | {growth[0]} "
                    f"| {memory:.0f} | {growth[1]} |",
                    flush=True,
                )
                before[stage] = (seconds, memory)
        size *= 10


if __name__ == "__main__":
    main()
