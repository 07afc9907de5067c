"""How often the leaderboard's statistics are right, on made-up systems of known truth.

    python benchmarks/certainty.py           every simulation, as Markdown tables
    python benchmarks/certainty.py --times 200   quicker, and coarser

Accuracy differs between speakers (0.75, with a deviation of 0.1), each has 40
utterances of 4 emotions; in ``one`` all are one test part, in ``loso`` each is
a fold. The truth is the figure of 3000 further speakers. Seeded: the tables are the
same each time.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from harness_leaderboard.analysis import statistics
from harness_leaderboard.analysis.components import components

from harness.training.metrics import macro_f1

if TYPE_CHECKING:
    from harness_leaderboard.analysis.samples import Sample

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from voices import said, sample, skills  # the tests' own

SPEAKERS = (4, 5, 6, 8, 10, 15, 25)
SPLITS = ("one", "loso")


def figure(of: Sample) -> float:
    """Return the figure as it is measured."""
    ones = np.ones((1, len(of.speakers)), np.float32)
    return float(statistics.replicate(of, ones, macro_f1)[0])


def coverage(split: str, speakers: int, times: int) -> tuple[float, float, float]:
    """Return how often the interval, and a plain percentile one, hold the truth."""
    rng = np.random.default_rng([1, speakers, SPLITS.index(split)])
    truth = figure(sample(said(rng, skills(rng, 3000)), split))
    drawn = statistics.resamples(speakers, times=1000)
    ours = plain = width = 0.0
    for _ in range(times):
        of = sample(said(rng, skills(rng, speakers)), split)
        replicates = statistics.replicate(of, drawn, macro_f1)
        made = statistics.estimate(figure(of), replicates, speakers)
        assert made is not None, "fewer speakers than an interval needs"
        low, high = statistics.interval(made)
        ours += low <= truth <= high
        width += (high - low) / times
        low, high = np.quantile(replicates, [0.025, 0.975])
        plain += low <= truth <= high
    return ours / times, plain / times, width


def positives(split: str, speakers: int, times: int, lift: float = 0.0) -> float:
    """Return how often the paired test finds a difference at 5 %."""
    rng = np.random.default_rng([2, speakers, SPLITS.index(split), int(100 * lift)])
    found = 0
    for _ in range(times):
        ability = skills(rng, speakers)
        taste = 0.1 * rng.standard_normal((2, speakers))  # of a system for a speaker
        a, b = (
            sample(said(rng, np.clip(ability + of + more, 0, 1), utterances=25), split)
            for of, more in zip(taste, (lift, 0.0), strict=True)
        )
        found += statistics.differ(a, b, macro_f1, times=1100).p <= 0.05
    return found / times


def ranks(split: str, speakers: int, times: int) -> float:
    """Return how often a rank interval of five systems holds the true rank."""
    rng = np.random.default_rng([3, speakers, SPLITS.index(split)])
    lifts = np.array([0.0, 0.02, 0.04, 0.06, 0.08])
    drawn = statistics.resamples(speakers, times=1000)
    held = 0
    for _ in range(times):
        ability = skills(rng, speakers) - 0.05
        replicates = [
            statistics.replicate(
                sample(said(rng, np.clip(ability + lift + taste, 0, 1)), split),
                drawn,
                macro_f1,
            )
            for lift, taste in zip(
                lifts, 0.05 * rng.standard_normal((5, speakers)), strict=True
            )
        ]
        found = statistics.rank_intervals(np.stack(replicates))
        held += sum(low <= 5 - place <= high for place, (low, high) in enumerate(found))
    return held / times / len(lifts)


PLANTED = {"seed": 0.03, "fold": 0.05, "speaker": 0.08, "rest": 0.04}


def spread(seeds: int, folds: int, each: int, times: int) -> list[str]:
    """Return what is found of planted deviations: the mean, and the middle 90 %."""
    rng = np.random.default_rng([4, seeds, folds, each])
    speakers = folds * each
    found: dict[str, list[float]] = {name: [] for name in PLANTED}
    for _ in range(times):
        values = (
            PLANTED["seed"] * rng.standard_normal((seeds, 1))
            + np.repeat(PLANTED["fold"] * rng.standard_normal(folds), each)
            + PLANTED["speaker"] * rng.standard_normal(speakers)
            + PLANTED["rest"] * rng.standard_normal((seeds, speakers))
        )
        made = components(values, np.repeat(np.arange(folds), each))
        for name, variances in found.items():
            variances.append(getattr(made, name) or 0.0)
    cells = []
    for variances in found.values():
        low, high = np.sqrt(np.quantile(variances, [0.05, 0.95]))
        mean = math.sqrt(float(np.mean(variances)))
        cells.append(f"{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]")
    return cells


def show(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n{title}\n")
    for row in (header, ["---"] + ["---:"] * (len(header) - 1), *rows):
        print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=2000, help="simulations a figure")
    times = parser.parse_args().times
    covered = []
    for speakers in SPEAKERS:
        row = [str(speakers)]
        for split in SPLITS:
            ours, plain, width = coverage(split, speakers, times)
            row += [f"{100 * one:.1f}" for one in (ours, plain, width)]
        covered.append(row)
    header = ["speakers"]
    header += [
        f"{s} {what}" for s in SPLITS for what in ("ours", "percentile", "width")
    ]
    show("Coverage of the 95 % interval, and its width in points", header, covered)
    tested = [
        [
            str(speakers),
            *(f"{100 * positives(split, speakers, times):.1f}" for split in SPLITS),
            *(
                f"{100 * positives(split, speakers, times, 0.1):.1f}"
                for split in SPLITS
            ),
        ]
        for speakers in SPEAKERS
    ]
    header = ["speakers", *(f"{s}, equal" for s in SPLITS)]
    header += [f"{s}, 10 points apart" for s in SPLITS]
    show("How often the paired test says p ≤ 0.05, in percent", header, tested)
    ranked = [
        [str(n), *(f"{100 * ranks(split, n, times // 4):.1f}" for split in SPLITS)]
        for n in SPEAKERS
    ]
    show("Rank intervals that hold the true rank", ["speakers", *SPLITS], ranked)
    header = [
        "seeds × folds × speakers",
        *(f"{k} {100 * v:g}" for k, v in PLANTED.items()),
    ]
    shapes = [(2, 5, 2), (3, 5, 2), (3, 10, 2), (5, 8, 4), (10, 20, 4)]
    parts = [[" × ".join(map(str, shape)), *spread(*shape, times)] for shape in shapes]
    show("Spread found where it was planted, in points [middle 90 %]", header, parts)


if __name__ == "__main__":
    main()
