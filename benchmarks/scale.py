"""Seconds and memory of each stage for corpora of 10³ utterances and more.

A corpus is a table of spans of generated long files, so nothing is downloaded and the
disk holds little. Each stage is a command in a process of its own, on one core:

* ``plan``: every file is read and hashed;
* ``extract``: stopped by ``kill -9`` when 90 % of the features are stored;
* ``resume``: the same command again; ``starts`` is when its first extraction begins;
* ``plan again``, ``run again``: of what is finished;
* ``train``: the linear head on one split, scored and stored;
* ``board``: the leaderboard.

The encoder is a plugin that is written for the occasion and takes next to nothing, so
that what is measured is the harness; ``--upstream fbank`` takes log-mels. It prints
elapsed and processor seconds, the largest memory of the process, both for each
utterance, and the exponents with which processor time and memory grow from size to
size: 1 is in step with the corpus.

    python benchmarks/scale.py --largest 100000
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.features.shards import read_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE, SECONDS, PER_FILE, SPEAKERS = 8000, 0.2, 1000, 40
STOPPED_AT = 0.9
"""The share of the features that are stored when an extraction is killed."""

TICK = 0.05
"""Seconds between two looks at what a process has done."""

PLUGIN = '''
"""An encoder that takes next to nothing: mean magnitudes of pieces of 2.5 ms."""
from harness import Upstream, hookimpl

def load(checkpoint, *, device, feeding):
    def encode(waveforms):
        return [
            one[: len(one) // 160 * 160].abs().view(1, -1, 8, 20).mean(3)
            for one in waveforms
        ]
    return encode

@hookimpl
def harness_upstreams():
    return [Upstream(name="tiny", load=load, layers=1, dim=8, hop=0.02, rate=8000)]
'''
POINT = "[harness]\ntiny = harness_tiny\n"
METADATA = "Metadata-Version: 2.1\nName: harness-tiny\nVersion: 1\n"


@dataclass(frozen=True)
class Figures:
    """What a command took, in seconds and megabytes."""

    elapsed: float
    processor: float
    memory: float


def write_plugin(folder: Path) -> None:
    """Write the encoder's package, as it would be installed."""
    about = folder / "harness_tiny-1.dist-info"
    about.mkdir(parents=True)
    (folder / "harness_tiny.py").write_text(PLUGIN)
    (about / "entry_points.txt").write_text(POINT)
    (about / "METADATA").write_text(METADATA)


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


class World:
    """A corpus of so many utterances, with a cache and results of its own."""

    def __init__(self, folder: Path, utterances: int, upstream: str) -> None:
        """Write the corpus and the encoder."""
        self.folder, self.utterances = folder, utterances
        write_plugin(folder / "plugins")
        table = write_corpus(folder / "data", utterances)
        self.grid = (
            "--upstream",
            upstream,
            "--no-controls",
            "--corpus",
            f"csv:{table}",
        )

    def figures(
        self, *words: str, watch: Callable[[float], bool] | None = None
    ) -> Figures:
        """Run a command and measure it.

        Args:
            words: Of the command.
            watch: Asked again and again, with the time at which the command began,
                until it returns true; then the command is killed, or left to end.
        """
        begun = time.time()
        path = [str(self.folder / "plugins"), os.environ.get("PYTHONPATH", "")]
        places = {
            f"HARNESS_{name.upper()}": str(self.folder / name)
            for name in ("cache", "runs")
        }
        log = self.folder / "stderr"
        with log.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness", *words],
                env=os.environ | places | {"PYTHONPATH": os.pathsep.join(path)},
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        killed = watch is not None and _killed(process, lambda: watch(begun))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode and not killed:
            raise SystemExit(f"{' '.join(words)}: {log.read_text()[-2000:]}")
        return Figures(
            time.time() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000
        )

    def stages(self) -> Iterator[tuple[str, Figures]]:
        """Do each stage, and yield what it took."""
        place = ("--quiet", "--executor", "serial", "--device", "cpu")
        first, linear = ("--downstream", "majority"), ("--downstream", "linear")
        plan, run = ("plan", *self.grid, "--quiet"), ("run", *self.grid, *place)
        starts: list[float] = []

        def started(begun: float) -> bool:
            if not starts and self.has_claimed(begun):
                starts.append(time.time() - begun)
            return False

        yield "plan", self.figures(*plan, *first)
        yield "extract", self.figures(*run, *first, watch=self.is_nearly_done)
        resumed = self.figures(*run, *first, watch=started)
        if starts:
            yield "starts", Figures(starts[0], math.nan, math.nan)
        yield "resume", resumed
        yield "plan again", self.figures(*plan, *first)
        yield "run again", self.figures(*run, *first)
        yield "train", self.figures(*run, *linear)
        yield "board", self.figures("leaderboard")

    def is_nearly_done(self, begun: float) -> bool:
        """Return whether as many features are stored as a kill waits for."""
        shards = (self.folder / "cache").glob("features/*/pooled/*.safetensors")
        held = [len(shard.keys) for shard in map(read_header, shards) if shard]
        return sum(held) + max(held, default=0) / 2 >= STOPPED_AT * self.utterances

    def has_claimed(self, begun: float) -> bool:
        """Return whether an extraction has begun since then."""
        for lock in (self.folder / "cache").glob("features/*/locks/*.lock"):
            try:
                if lock.stat().st_ctime > begun:
                    return True
            except FileNotFoundError:
                continue
        return False


def _killed(process: subprocess.Popen[bytes], due: Callable[[], bool]) -> bool:
    """Watch a process; kill it once that is due, and return whether it was."""
    while (
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    ):
        if due():
            os.kill(process.pid, signal.SIGKILL)
            return True
        time.sleep(TICK)
    return False


def _row(size: int, stage: str, now: Figures, then: Figures | None) -> str:
    """Write a row of the table."""
    growth = ["", ""]
    if then is not None:
        pairs = ((now.processor, then.processor), (now.memory, then.memory))
        growth = [f"{math.log10(one / other):.2f}" for one, other in pairs]
    each = 1000 * now.processor / size, 1000 * now.memory / size
    cells = (
        *(str(size), stage, f"{now.elapsed:.1f}", f"{now.processor:.1f}"),
        *(f"{each[0]:.2f}", growth[0], f"{now.memory:.0f}", f"{each[1]:.1f}"),
        growth[1],
    )
    return f"| {' | '.join(cells)} |".replace("nan", "")


def main() -> None:
    """Print a table: a row a stage and size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smallest", type=int, default=1000)
    parser.add_argument("--largest", type=int, default=10_000)
    parser.add_argument("--upstream", default="tiny", help="tiny or fbank")
    options = parser.parse_args()
    before: dict[str, Figures] = {}
    print(
        "| utterances | stage | s | processor s | ms each | exponent | MB | kB each "
        "| exponent |"
    )
    print("|---:|---" + "|---:" * 7 + "|")
    size = options.smallest
    while size <= options.largest:
        with tempfile.TemporaryDirectory() as folder:
            for stage, figures in World(Path(folder), size, options.upstream).stages():
                print(_row(size, stage, figures, before.get(stage)), flush=True)
                before[stage] = figures
        size *= 10


if __name__ == "__main__":
    main()
