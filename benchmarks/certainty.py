"""How often the leaderboard's statistics are right, in worlds of known truth.

    python benchmarks/certainty.py              every table, as Markdown
    python benchmarks/certainty.py --times 200  quicker, and coarser
    python benchmarks/certainty.py worlds       one table: worlds, boards, spread, plan

The worlds are those of ``tests/worlds.py``. The truth is measured: it is the figure of
thousands of speakers or folds. Seeded: the tables are the same each time. After ±
stands the Monte-Carlo error of a percentage near 95.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from harness_leaderboard.analysis import planning, ranking, sampling, statistics
from harness_leaderboard.analysis.components import components

from harness.training.metrics import macro_f1

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness_leaderboard.analysis.samples import Sample
    from harness_leaderboard.analysis.statistics import Estimate
    from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from worlds import WORLDS, World, draw, truth  # the tests' own

SPEAKERS = (6, 10, 24, 68)
LIFT = 0.1


def estimate(of: Sample) -> Estimate | None:
    """Estimate a figure as the board does."""
    return sampling.estimate(sampling.draws(of, macro_f1))


def difference(a: Sample, b: Sample) -> Estimate | None:
    """Estimate a difference as ``harness compare`` does."""
    of_a, of_b = (sampling.draws(one, macro_f1) for one in (a, b))
    return sampling.estimate(of_a - of_b) if of_a and of_b else None


def world_row(name: str, world: World, speakers: int, times: int) -> list[str]:
    """Return what intervals and tests do in a world, in percent and points."""
    rng = np.random.default_rng([list(WORLDS).index(name), speakers])
    true = truth(rng, world, speakers, macro_f1)
    lifted = truth(rng, world, speakers, macro_f1, lift=LIFT)
    covered: list[bool] = []
    widths: list[float] = []
    false: list[bool] = []
    found: list[bool] = []
    for _ in range(times):
        a, b, better = draw(rng, world, speakers, (0.0, 0.0, LIFT))
        if made := estimate(a):
            low, high = statistics.interval(made)
            covered.append(low <= true <= high)
            widths.append(high - low)
        for results, other in ((false, b), (found, better)):
            if gap := difference(other, a):
                results.append(gap.p <= 0.05)
    shares = [f"{100 * np.mean(one):.1f}" if one else "–" for one in (covered, false)]
    return [
        name,
        str(speakers),
        f"{100 * true:.1f}",
        f"{100 * len(covered) / times:.0f}",
        *shares,
        f"{100 * np.median(widths):.1f}" if widths else "–",
        f"{100 * (lifted - true):.1f}",
        f"{100 * np.mean(found):.0f}" if found else "–",
    ]


def worlds(times: int) -> None:
    """Print coverage, false positives and power in every world."""
    header = ["world", "speakers", "truth", "has one", "coverage", "false positives"]
    header += ["width", "gap", "found"]
    rows = (
        world_row(name, world, speakers, times)
        for name, world in WORLDS.items()
        for speakers in SPEAKERS
    )
    error = 100 * math.sqrt(0.95 * 0.05 / times)
    show(f"Intervals and tests (± {error:.1f})", header, rows)


# ---------------------------------------------------------------- boards

BOARDS = ("equal", "one best", "evenly spread")


def lifts_of(name: str, count: int) -> NDArray[np.floating]:
    """Return how much better each system of a board is than some level."""
    if name == "one best":
        return np.array([0.1, *[0.0] * (count - 1)])
    return -np.linspace(0, 0.2, count) * (name == "evenly spread")


def board_row(name: str, count: int, speakers: int, times: int) -> list[str]:
    """Return what the set for the best and the ranks do on a board."""
    rng = np.random.default_rng([7, BOARDS.index(name), count, speakers])
    lifts = lifts_of(name, count)
    best = lifts >= lifts.max() - 1e-9
    behind = lifts <= lifts.max() - 0.1 + 1e-9
    lost, excluded, size, ranked = [], [], [], []
    first = 1 + (lifts[:, None] > lifts + 1e-9).sum(0)
    last = len(lifts) - (lifts[:, None] < lifts - 1e-9).sum(0)
    for _ in range(times):
        samples = draw(rng, World(skill=0.7, taste=0.05), speakers, lifts)
        taken = [sampling.draws(one, macro_f1) for one in samples]
        found = ranking.standings(
            [np.stack([one.values for one in taken if one])], flips=2000
        )
        out = np.array([one.first > 1 for one in found])
        lost.append(out[best].mean())
        excluded.append(out[behind].mean() if behind.any() else math.nan)
        size.append((~out).sum())
        ranked.append(
            np.mean(
                [
                    one.first <= high and low <= one.last
                    for one, low, high in zip(found, first, last, strict=True)
                ]
            )
        )
    out_of = f"{100 * np.mean(excluded):.0f}" if behind.any() else "–"
    return [
        name,
        *map(str, (count, speakers)),
        f"{100 * np.mean(lost):.1f}",
        out_of,
        f"{np.mean(size):.1f}",
        f"{100 * np.mean(ranked):.1f}",
    ]


def boards(times: int) -> None:
    """Print how often the set for the best loses one, and whom it excludes."""
    header = ["board", "systems", "speakers", "a best lost"]
    header += ["10 points behind excluded", "in the set", "rank held"]
    rows = (
        board_row(name, count, speakers, times)
        for name in BOARDS
        for count in (5, 20)
        for speakers in SPEAKERS
    )
    error = 100 * math.sqrt(0.95 * 0.05 / times)
    show(f"The set for the best (± {error:.1f} where one is best)", header, rows)


# ---------------------------------------------------------------- planning


def plan_row(speakers: int, times: int) -> list[str]:
    """Return how planned numbers of speakers compare with what is needed."""
    rng = np.random.default_rng([8, speakers])
    deviation, least = 0.08, 0.05
    exact, _ = planning.units_for(_known(deviation), least)
    ranges = [
        planning.units_for(
            sampling.squares(deviation * rng.standard_normal((1, speakers))), least
        )
        for _ in range(times)
    ]
    low, high = np.array(ranges).T
    return [
        str(speakers),
        f"{exact:.0f}",
        f"{np.median(low):.0f}–{np.median(high):.0f}",
        f"{100 * np.mean((low <= exact) & (exact <= high)):.0f}",
    ]


def _known(deviation: float) -> sampling.Squares:
    """Return squares of so many units that the range has no width."""
    units = 10**7
    return sampling.Squares(
        seeds=1, units=units, unit=deviation**2, unit_freedom=units - 1
    )


def plan(times: int) -> None:
    """Print whether the range of speakers holds the number that has 80 % power."""
    header = ["speakers", "needed", "printed (median)", "holds it"]
    rows = (plan_row(speakers, times) for speakers in SPEAKERS)
    show("Speakers to find 5 points of a difference whose deviation is 8", header, rows)


# ---------------------------------------------------------------- spread

PLANTED = {"seed": 0.03, "fold": 0.05, "speaker": 0.08, "rest": 0.04}


def spread_row(seeds: int, folds: int, each: int, times: int) -> list[str]:
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
    cells = [f"{seeds} × {folds} × {each}"]
    for variances in found.values():
        low, high = np.sqrt(np.quantile(variances, [0.05, 0.95]))
        mean = math.sqrt(float(np.mean(variances)))
        cells.append(f"{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]")
    return cells


def spread(times: int) -> None:
    """Print what is found of planted deviations."""
    header = ["seeds × folds × speakers"]
    header += [f"{name} {100 * planted:g}" for name, planted in PLANTED.items()]
    shapes = [(2, 5, 2), (3, 5, 2), (3, 10, 2), (5, 8, 4), (10, 20, 4)]
    rows = (spread_row(*shape, times) for shape in shapes)
    show("Spread found where it was planted, in points [middle 90 %]", header, rows)


def show(title: str, header: list[str], rows: Iterator[list[str]]) -> None:
    """Print a Markdown table, row by row."""
    print(f"\n{title}\n")
    print(f"| {' | '.join(header)} |")
    print(f"| {' | '.join(['---'] + ['---:'] * (len(header) - 1))} |")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


TABLES = {"worlds": worlds, "boards": boards, "spread": spread, "plan": plan}


def main() -> None:
    """Print the table that was asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", nargs="?", choices=TABLES, help="all by default")
    parser.add_argument("--times", type=int, default=1000, help="simulations a figure")
    asked = parser.parse_args()
    for name in [asked.table] if asked.table else TABLES:
        TABLES[name](asked.times // 4 if name == "boards" else asked.times)


if __name__ == "__main__":
    main()
