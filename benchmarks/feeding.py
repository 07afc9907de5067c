"""What each way to feed Whisper costs, and what it changes.

    HARNESS_DATA=… HARNESS_CHECKPOINTS=… python benchmarks/feeding.py --clips 24
    HARNESS_DATA=… HARNESS_CHECKPOINTS=… python benchmarks/feeding.py --heads linear

prints markdown tables of EmoDB: the CPU seconds of a clip, in turns, with one thread;
how near each layer comes to that of ``full``, as a cosine frame by frame and of the
means over time; and with ``--heads`` the macro-F1 of those heads, speaker by speaker.
All recordings are used unless ``--clips`` says how many, evenly spread. What is
trained is kept in ``--runs`` and ``--cache``: a second time goes on with it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

import torch
from harness_leaderboard.results.reading import read_runs
from harness_plugins.upstreams import whisper
from torch.nn.functional import cosine_similarity

from harness.cli.main import execute
from harness.data import audio


def line(*cells: object) -> None:
    """Print a row of a markdown table."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def header(*titles: object) -> None:
    """Print the titles of a markdown table."""
    print()
    line(*titles)
    line("---", *["---:"] * (len(titles) - 1))


def measure(upstream: str, count: int | None) -> None:
    """Print what feedings cost, and how near they come to the first."""
    torch.set_num_threads(1)
    folder = Path(os.environ["HARNESS_CHECKPOINTS"]) / upstream
    encoders = {
        feeding: whisper.load(folder, device="cpu", feeding=feeding)
        for feeding in whisper.FEEDINGS
    }
    files = sorted((Path(os.environ["HARNESS_DATA"]) / "emodb" / "wav").glob("*.wav"))
    chosen = files[:: max(1, len(files) // count)][:count] if count else files
    seconds: dict[str, list[float]] = defaultdict(list)
    frames: dict[str, list[torch.Tensor]] = defaultdict(list)
    means: dict[str, list[torch.Tensor]] = defaultdict(list)
    for file in chosen:
        waveform = audio.load(file, whisper.RATE)
        states = {}
        for feeding, encode in encoders.items():
            start = time.process_time()
            (states[feeding],) = encode([waveform])
            seconds[feeding].append(time.process_time() - start)
        full = states[whisper.FEEDINGS[0]]
        for feeding, state in states.items():
            frames[feeding].append(cosine_similarity(state, full, dim=2))
            means[feeding].append(cosine_similarity(state.mean(1), full.mean(1), dim=1))
    print(f"\n{len(chosen)} recordings, {upstream}, one thread")
    header("feeding", "seconds a clip", "full / it")
    for feeding, took in seconds.items():
        ratio = sum(seconds[whisper.FEEDINGS[0]]) / sum(took)
        line(f"`{feeding}`", f"{statistics.mean(took):.3f}", f"{ratio:.2f}")
    layers = range(1, len(full) + 1)
    header("cosine to `full`", *(f"layer {layer}" for layer in layers))
    for feeding in whisper.FEEDINGS[1:]:
        for what, cosines in (
            ("frames", torch.cat(frames[feeding], dim=1)),
            ("means", torch.stack(means[feeding], dim=1)),
        ):
            line(f"`{feeding}` {what}, mean", *_rounded(cosines.mean(1)))
            line(f"`{feeding}` {what}, least", *_rounded(cosines.amin(1)))


def _rounded(values: torch.Tensor) -> list[str]:
    return [f"{value:.4f}" for value in values.tolist()]


def score(upstream: str, heads: str, seeds: str, runs: Path, cache: Path) -> None:
    """Train heads on every feeding, and print how good they are."""
    for feeding in whisper.FEEDINGS:
        grid = f"--upstream {upstream} --downstream {heads} --corpus emodb --split loso"
        how = f"--seeds {seeds} --feeding {feeding} --no-controls --executor serial"
        where = ["--runs", str(runs), "--cache", str(cache)]
        with contextlib.redirect_stdout(sys.stderr):
            if code := execute(["run", *grid.split(), *how.split(), *where]):
                sys.exit(code)
    print_scores(upstream, runs)


def print_scores(upstream: str, runs: Path) -> None:
    """Print the macro-F1 of each head under each feeding, over the speakers."""
    columns = ("upstream", "upstream_feeding", "downstream", "seed", "macro_f1")
    table, _ = read_runs(runs, columns)
    scores: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in table.to_pylist():
        if row["upstream"] == upstream:
            key = row["downstream"], row["upstream_feeding"]
            scores[key][row["seed"]].append(100 * row["macro_f1"])
    header("macro-F1 in %", "feeding", "mean", "by seed")
    for (head, feeding), of_seed in sorted(scores.items()):
        by_seed = [statistics.mean(of_seed[seed]) for seed in sorted(of_seed)]
        listed = ", ".join(f"{value:.1f}" for value in by_seed)
        line(head, f"`{feeding}`", f"{statistics.mean(by_seed):.1f}", listed)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--upstream", default="whisper-base")
    parser.add_argument("--clips", type=int, help="by default all")
    parser.add_argument("--heads", help="such as linear,nonlinear,multilayer")
    parser.add_argument("--seeds", default="0-4")
    parser.add_argument("--runs", type=Path, default=Path("runs-of-feedings"))
    parser.add_argument("--cache", type=Path, default=Path("cache-of-feedings"))
    options = parser.parse_args()
    measure(options.upstream, options.clips)
    if options.heads:
        score(
            options.upstream, options.heads, options.seeds, options.runs, options.cache
        )


if __name__ == "__main__":
    main()
