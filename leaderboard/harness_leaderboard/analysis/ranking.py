"""Which systems may be the best, and the ranks that each may have.

A system is in the confidence set for the best unless another is shown to be better. All
others are tested at once: the statistic is the largest studentised difference, its
distribution that over flips of the units' signs, the same for all systems, so that
what the differences share is kept (Romano and Wolf 2005). The bounds of a rank count
the systems that are shown to be better, or worse, in the same way (Mogstad, Romano,
Shaikh and Wilhelm 2024). So the set for the best holds those whose first rank is 1.

Shape letters here: n systems, K seeds, U units, R flips.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness_leaderboard.analysis.sampling import squares
from harness_leaderboard.analysis.statistics import LEVEL, Estimate, average

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

FLIPS = 10_000
ALPHA = 1 - LEVEL + 1e-9
FAR = 0.995
"""The level at which a system is so much worse that it cannot be what makes another
one look beaten; it is left out of the largest difference (Hansen 2005; Romano, Shaikh
and Wolf 2014), which those far behind would else inflate in flips."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a system may stand among others.

    Attributes:
        first: The best rank that it may have, 1 being the best.
        last: The worst.
        p: Of its being the best; at 5 % and below another is shown to be better.
        best: Whether it may be the best, where that is true of some and not of all.
    """

    first: int
    last: int
    p: float
    best: bool = False


def standings(
    blocks: Sequence[Floats], *, flips: int = FLIPS, seed: int = 0
) -> list[Standing]:
    """Say where each system may stand.

    Args:
        blocks: One a corpus, (n, K, U) of ``Draws.values``, the higher, the better;
            what stands is the mean over them. One block alone is one column.
        flips: How many are drawn; all where there are not more.
        seed: Of the draw.
    """
    apart, far = _apart(blocks)
    means = [block.mean(1) for block in blocks]
    flipped = _flipped(means, flips, seed)
    found = []
    for system in range(len(apart)):
        others = np.arange(len(apart)) != system
        near = (others & ~far[system], others & ~far[:, system])
        best, worst = (_largest(means, flipped, system, one) for one in near)
        better = _p(apart[others, system], best)
        worse = _p(apart[system, others], worst)
        found.append(
            Standing(
                first=1 + int((better <= ALPHA).sum()),
                last=len(apart) - int((worse <= ALPHA).sum()),
                p=float(better.min(initial=1.0)),
            )
        )
    decided = any(one.first > 1 for one in found)
    return [replace(one, best=decided and one.first == 1) for one in found]


def _p(apart: Floats, reference: Floats) -> Floats:
    """Return the share of the reference that is as large, 1 of what is not above."""
    share = 1 - np.searchsorted(reference, apart - 1e-9) / len(reference)
    return np.where(apart > 0, share, 1.0)


def _apart(blocks: Sequence[Floats]) -> tuple[Floats, NDArray[np.bool_]]:
    """Return studentised differences, (n, n) row less column, and which are far apart.

    A difference has the error of the sampling model, with seeds drawn anew. Its t is
    brought to the degrees of freedom of units alone, which the flips have.
    """
    from scipy.special import stdtr, stdtrit

    count = len(blocks[0])
    apart = np.zeros((count, count))
    far = np.zeros((count, count), bool)
    for row in range(count):
        for column in range(row):
            gaps = [squares(block[row] - block[column]) for block in blocks]
            value = np.mean([(b[row] - b[column]).mean() for b in blocks])
            whole = average([_zero(one.error, one.freedom) for one in gaps])
            units = average([_zero(one.of_units**0.5, one.units - 1) for one in gaps])
            t = abs(float(value)) / max(whole.error, 1e-12)
            if whole.freedom != units.freedom:
                t = -float(stdtrit(units.freedom, stdtr(whole.freedom, -t)))
            apart[row, column] = np.sign(value) * t
            apart[column, row] = -apart[row, column]
            far[row, column] = apart[row, column] > stdtrit(units.freedom, FAR)
            far[column, row] = -apart[row, column] > stdtrit(units.freedom, FAR)
    return apart, far


def _zero(error: float, freedom: float) -> Estimate:
    return Estimate(value=0.0, error=error, freedom=freedom)


def _flipped(means: Sequence[Floats], flips: int, seed: int) -> list[Floats]:
    """Return the (R, n) means of each block over units whose signs were flipped.

    Every flip stands beside its opposite. All are tried where there are few.
    """
    units = sum(mean.shape[1] for mean in means)
    if 2**units <= flips:
        signs = 1.0 - 2 * (np.arange(2**units)[:, None] >> np.arange(units) & 1)
    else:
        generator = np.random.default_rng([seed, units])
        half = generator.integers(0, 2, (flips // 2, units)) * 2.0 - 1
        half[0] = 1
        signs = np.concatenate([half, -half])
    ends = np.cumsum([mean.shape[1] for mean in means])[:-1]
    return [
        of @ mean.T / mean.shape[1]
        for of, mean in zip(np.split(signs, ends, axis=1), means, strict=True)
    ]


def _largest(
    means: Sequence[Floats],
    flipped: Sequence[Floats],
    system: int,
    others: NDArray[np.bool_],
) -> Floats:
    """Return (R,) the largest studentised difference from a system, sorted.

    Args:
        means: Of each block, (n, U).
        flipped: Of each block, (R, n).
        system: Which.
        others: (n,) which are set against it.
    """
    gap = np.zeros((len(flipped[0]), int(others.sum())))
    variance = np.zeros_like(gap)
    for mean, moved in zip(means, flipped, strict=True):
        of_block = moved[:, others] - moved[:, [system]]
        square = ((mean[others] - mean[system]) ** 2).mean(1)
        gap += of_block
        variance += np.maximum(square - of_block**2, 0.0) / (mean.shape[1] - 1)
    error = np.maximum(np.sqrt(variance), 1e-12)
    largest: Floats = np.sort((gap / error).max(1, initial=-np.inf))
    return largest
