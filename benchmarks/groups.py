"""How often calibration's and fairness' intervals and tests are right.

    python benchmarks/groups.py              both tables, as Markdown
    python benchmarks/groups.py --times 200  quicker, and coarser

Speakers differ in how sure a head is of them, and in how well it recognises them. What
an interval should hold is the mean of the figures of so many speakers, over all
samples: of ECE that is more than the error of endless predictions, which stands below.
Seeded: the tables are the same each time.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import numpy as np
from harness_leaderboard.analysis import grouped, statistics
from harness_leaderboard.analysis.calibration import Predicted, measures

from harness.training.metrics import accuracy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness_leaderboard.analysis.calibration import Calibration
    from harness_leaderboard.analysis.grouped import Grouped

SPEAKERS = (6, 10, 24, 68)
UTTERANCES, CLASSES = 50, 7
SURE = 0.3
"""Deviation of the logarithm of how sure a head is, between speakers."""


def probabilities(rng: np.random.Generator, speakers: int) -> Predicted:
    """Draw speakers whose probabilities are too sure, of some more than of others."""
    shape = (speakers, UTTERANCES, CLASSES)
    logits = 2 * rng.normal(size=shape)
    drawn = (logits + rng.gumbel(size=shape)).argmax(-1)  # as probable as it says
    sure = 1.3 * np.exp(SURE * rng.normal(size=(speakers, 1, 1)))
    powers = np.exp(sure * logits)
    scores = powers / powers.sum(-1, keepdims=True)
    names = np.repeat(np.array([f"s{n}" for n in range(speakers)], object), UTTERANCES)
    return Predicted(
        scores=scores.reshape(-1, CLASSES),
        true=drawn.ravel(),
        run=np.zeros(names.size, int),
        speaker=names,
    )


def calibrated(rng: np.random.Generator, speakers: int) -> Calibration:
    """Measure such speakers, all in one test part."""
    units = np.repeat(np.arange(speakers), UTTERANCES)
    return measures(probabilities(rng, speakers), np.zeros(units.size, int), units)


def counts_of(
    rng: np.random.Generator, speakers: int, *, within: bool, lift: float
) -> Grouped:
    """Draw two groups, of speakers or within each, the second ``lift`` better."""
    pairs = speakers * (1 + within)
    speaker = np.arange(pairs) // (1 + within)
    group = np.arange(pairs) % 2
    skill = 0.7 + 0.08 * rng.normal(size=speakers)[speaker] + lift * group
    hits = rng.binomial(UTTERANCES // 2, np.clip(skill, 0, 1))
    counts = np.zeros((1, pairs, 2, 2))
    counts[0, :, 0, 0], counts[0, :, 0, 1] = hits, UTTERANCES // 2 - hits
    return grouped.Grouped(
        groups=("a", "b"),
        speakers=tuple(f"s{number}" for number in range(speakers)),
        labels=("x", "y"),
        seeds=(0,),
        group=group,
        speaker=speaker,
        counts=counts,
        unknown=0,
    )


def calibration_row(speakers: int, times: int) -> Sequence[str]:
    """Return how often intervals hold the mean of all figures, in percent."""
    rng = np.random.default_rng(speakers)
    found = [calibrated(rng, speakers) for _ in range(times)]
    cells = [str(speakers)]
    for name in ("ece", "brier", "log_loss"):
        made = [getattr(one, name) for one in found]
        mean = np.mean([one.value for one in made])
        ends = [one.interval or (one.value, one.value) for one in made]
        held = np.mean([low <= mean <= high for low, high in ends])
        cells += [f"{mean:.3f}", f"{100 * held:.1f}"]
    return cells


def fairness_row(speakers: int, times: int, *, within: bool) -> Sequence[str]:
    """Return what intervals and tests of a gap do, in percent."""
    rng = np.random.default_rng([speakers, within])
    held: list[bool] = []
    false: list[bool] = []
    found: list[bool] = []
    for _ in range(times):
        for lift, tests in ((0.0, false), (0.1, found)):
            of = counts_of(rng, speakers, within=within, lift=lift)
            made = grouped.gap_estimate(of, (1, 0), accuracy)
            test = grouped.test_of(of, accuracy)
            if test:
                tests.append(test.p <= 0.05)
            if made and lift:
                low, high = statistics.interval_of_difference(made)
                held.append(low <= lift <= high)
    where = "within speakers" if within else "of speakers"
    shares = (f"{100 * np.mean(of):.1f}" if of else "–" for of in (held, false, found))
    return where, str(speakers), *shares


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=600, help="samples of each world")
    times = parser.parse_args().times
    measured = [
        part for name in ("ECE", "Brier", "log loss") for part in (name, "coverage")
    ]
    rows = [calibration_row(speakers, times) for speakers in SPEAKERS]
    endless = calibrated(np.random.default_rng(0), 5000)
    values = (endless.ece, endless.brier, endless.log_loss)
    last = [part for one in values for part in (f"{one.value:.3f}", "")]
    sys.stdout.write(table(["speakers", *measured], [*rows, ["5000", *last]]))
    heads = ["groups", "speakers", "coverage", "false positives", "10 points found"]
    gaps = [
        fairness_row(speakers, times, within=within)
        for within in (False, True)
        for speakers in SPEAKERS
    ]
    sys.stdout.write("\n" + table(heads, gaps))


if __name__ == "__main__":
    main()
