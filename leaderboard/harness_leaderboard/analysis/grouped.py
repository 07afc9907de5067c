"""Scores of groups of utterances: how far apart they are, and is that chance?

Predictions are added up by *pair*: a speaker, and a group that has utterances of
theirs. A group's figure is that of its utterances, the folds of a seed together, and
the mean over seeds.

Shape letters here: P pairs, G groups, S speakers, K seeds, C classes, R permutations.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness_leaderboard.analysis import sampling, statistics
from harness_leaderboard.analysis.samples import Sample, TestPart, adding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.types import Metric
    from harness_leaderboard.analysis.grouping import Grouping
    from harness_leaderboard.analysis.statistics import Estimate

    Floats = NDArray[np.floating]
    Ints = NDArray[np.integer]

DRAWN = 9_999
"""Permutations beside the observed one: a p of 0.05 is found to within 0.005."""

FEWEST = 999
"""The same where a permutation is large."""

ROUNDING = 1e-9
"""Of a figure: gaps that differ by less are as large as each other."""

COUNTED = 10**9
"""Counts that all permutations of a test may add up: seconds of one core."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Grouped:
    """The predictions of a place by speaker and group.

    Attributes:
        groups: G names.
        speakers: S names.
        labels: C names; none of numbers.
        seeds: K.
        group: (P,) of each pair.
        speaker: (P,) of each pair, ascending.
        counts: (K, P, C, C) confusions, rows are true labels; or (K, P, 6) moments of
            numbers (see ``TestPart``).
        squares: (K, P, 6, 6) of moments, where there are these.
        unknown: Utterances of a seed that name no group.
    """

    groups: tuple[str, ...]
    speakers: tuple[str, ...]
    labels: tuple[str, ...]
    seeds: tuple[int, ...]
    group: Ints
    speaker: Ints
    counts: Floats
    unknown: int
    squares: Floats | None = None

    @cached_property
    def sizes(self) -> Floats:
        """Utterances of each pair in each seed, (K, P)."""
        if self.squares is not None:
            return self.counts[..., 0]
        sizes: Floats = self.counts.sum((2, 3))
        return sizes

    @cached_property
    def within(self) -> bool:
        """Whether some speaker is in several groups."""
        return len(self.speaker) > len(self.speakers)

    @cached_property
    def crossed(self) -> bool:
        """Whether each seed was tested on the same speakers and groups."""
        return bool(self.sizes.all())

    def holders(self, group: int) -> Ints:
        """Return the speakers of a group."""
        held: Ints = self.speaker[self.group == group]
        return held

    def utterances(self, group: int) -> int:
        """Count a group's utterances in one seed."""
        return int(self.sizes[0, self.group == group].sum())

    def lacking(self) -> dict[str, list[str]]:
        """Return the labels that a group lacks and another has, by its name."""
        if self.squares is not None:
            return {}
        there = np.zeros((len(self.groups), len(self.labels)), bool)
        np.logical_or.at(there, self.group, self.counts.sum((0, 3)) > 0)
        missing = there.any(0) & ~there
        return {
            self.groups[group]: [self.labels[one] for one in np.flatnonzero(row)]
            for group, row in enumerate(missing)
            if row.any()
        }


def grouped(runs: pa.Table, by: Grouping, corpus: str = "") -> Grouped | None:
    """Add up the predictions of a place by group.

    Args:
        runs: Rows of one place, with ``seed``, ``labels`` and ``predictions``.
        by: Which group each prediction is of.
        corpus: What they are of.

    Returns:
        ``None`` where no prediction has one.
    """
    listed = runs["predictions"].combine_chunks()
    said = pc.list_flatten(listed)
    named = by.of(said, corpus)
    known = pc.is_valid(named)
    seeds = tuple(sorted(set(runs["seed"].to_pylist())))
    of_run = np.array([seeds.index(one) for one in runs["seed"].to_pylist()])
    keep = known.to_numpy(zero_copy_only=False)
    seed = of_run[pc.list_parent_indices(listed).to_numpy()][keep]
    said, rows = said.filter(known), len(said)
    if not len(said):
        return None
    group, groups = _coded(named.filter(known))
    speaker, speakers = _coded(pc.struct_field(said, "speaker"))
    labels, add_up = adding(said, runs["labels"])
    pairs, pair = np.unique(speaker * len(groups) + group, return_inverse=True)
    shape = (len(seeds), len(pairs))
    place = seed * len(pairs) + pair
    counts, squares = add_up(slice(None), place, len(seeds) * len(pairs))
    if squares is not None:
        squares = squares.reshape(*shape, *squares.shape[1:])
    return Grouped(
        groups=groups,
        speakers=speakers,
        labels=labels,
        seeds=seeds,
        group=pairs % len(groups),
        speaker=pairs // len(groups),
        counts=counts.reshape(*shape, *counts.shape[1:]).astype(np.float64),
        unknown=(rows - len(said)) // len(seeds),
        squares=squares,
    )


def _coded(column: pa.Array) -> tuple[Ints, tuple[str, ...]]:
    """Number the values of a column by their place in the alphabet."""
    names = tuple(sorted(pc.unique(column).to_pylist()))
    codes = pc.index_in(column, value_set=pa.array(names, pa.string()))
    return np.asarray(codes.to_numpy(zero_copy_only=False), int), names


# ---------------------------------------------------------------- figures


def figures(of: Grouped, metric: Metric) -> Floats:
    """Return the figure of each group, (G,)."""
    found: Floats = _figures(of, of.group[None], metric)[0]
    return found


def _figures(of: Grouped, group: Ints, metric: Metric) -> Floats:
    """Return (R, G) figures where pairs belong to other groups, (R, P)."""
    count = len(of.groups)
    member = (group[:, None] == np.arange(count)[:, None]).astype(float)
    flat = of.counts.reshape(len(of.seeds), len(of.group), -1)
    totals = member[:, None] @ flat  # (R, K, G, C²), or (…, 6)
    scores = statistics.score(
        totals.reshape(*totals.shape[:3], *of.counts.shape[2:]), metric
    )
    return np.asarray(scores.mean(1))


def worst_speaker(of: Grouped, metric: Metric) -> tuple[str, float, int]:
    """Return the speaker whose own figure is the worst, that, and their utterances."""
    counts = np.zeros((len(of.speakers), *of.counts.shape[2:]))
    np.add.at(counts, of.speaker, of.counts.sum(0))
    scores = statistics.score(counts, metric)
    worst = int(scores.argmin() if metric.higher_is_better else scores.argmax())
    number = int(of.sizes[:, of.speaker == worst].sum()) // len(of.seeds)
    return of.speakers[worst], float(scores[worst]), number


# ---------------------------------------------------------------- how sure


def sample_of_group(of: Grouped, group: int, *, everyone: bool = False) -> Sample:
    """Return a group's predictions as those of one test part.

    Args:
        of: All groups.
        group: Which.
        everyone: Whether speakers without utterances of the group are in it, too.
    """
    rows = of.group == group
    held = of.speaker[rows]
    there = np.arange(len(of.speakers)) if everyone else held

    def of_speakers(sums: Floats) -> Floats:
        made = np.zeros((len(of.seeds), len(there), *sums.shape[2:]))
        made[:, np.searchsorted(there, held)] = sums[:, rows]
        return made

    counts = of_speakers(of.counts)
    squares = None if of.squares is None else of_speakers(of.squares)
    parts = tuple(
        TestPart(
            seed=seed,
            utterances=(),
            speakers=np.arange(len(there)),
            counts=counts[place],
            squares=None if squares is None else squares[place],
        )
        for place, seed in enumerate(of.seeds)
    )
    names = tuple(of.speakers[one] for one in there)
    return Sample(speakers=names, parts=parts, labels=of.labels)


def estimate(of: Grouped, group: int, metric: Metric) -> Estimate | None:
    """Estimate a group's figure over its speakers; none from fewer than four."""
    if not of.crossed:
        return None
    return sampling.estimate(sampling.draws(sample_of_group(of, group), metric))


def remarks(of: Grouped, group: int, metric: Metric) -> Iterator[str]:
    """Say why a group's figure has no interval."""
    sample = sample_of_group(of, group)
    few = len(sample.speakers) < sampling.FEWEST_UNITS
    if few or sampling.rests_on_rare(sample, metric):
        yield from sampling.remarks(sample, metric)


def gap_estimate(of: Grouped, pair: tuple[int, int], metric: Metric) -> Estimate | None:
    """Estimate the first group's figure less the second's.

    Groups of other speakers are independent (Welch); of groups that share speakers each
    speaker's difference is taken.
    """
    if not of.within:
        found = [estimate(of, group, metric) for group in pair]
        known = [one for one in found if one]
        return statistics.difference(*known) if len(known) == len(found) else None
    if not of.crossed:
        return None
    samples = [sample_of_group(of, group, everyone=True) for group in pair]
    first, second = (sampling.draws(one, metric) for one in samples)
    return sampling.estimate(first - second) if first and second else None


# ---------------------------------------------------------------- is it chance?


@dataclass(frozen=True, kw_only=True)
class Test:
    """A permutation test of a gap.

    Attributes:
        p: How often a permutation has a gap as large, the observed one counted.
        permutations: How many there were, the observed one included.
        every: Whether these are all that there are.
    """

    p: float
    permutations: int
    every: bool


def test_of(of: Grouped, metric: Metric) -> Test | None:
    """Test the largest gap between groups, if there is anything to permute.

    Where each speaker is in one group, groups are permuted among speakers; else among
    the groups of each speaker, whose utterances stay together.
    """
    if len(of.groups) < 2 or (not of.within and max(Counter(of.group).values()) < 2):
        return None
    orders, every = _permutations(of)
    gaps = np.concatenate([np.ptp(_figures(of, one, metric), 1) for one in orders])
    found = figures(of, metric)
    observed = np.ptp(found) - ROUNDING * np.abs(found).max()
    as_large = int((gaps >= observed).sum()) + (not every)
    number = len(gaps) + (not every)
    return Test(p=as_large / number, permutations=number, every=every)


def _permutations(of: Grouped) -> tuple[Iterator[Ints], bool]:
    """Return (R, P) groups of pairs in pieces, and whether they are all there are."""
    first = int((of.group == 0).sum())
    all_of_two = comb(len(of.group), first)
    size = of.counts.size * len(of.groups)
    number = int(np.clip(COUNTED // size, FEWEST, DRAWN))
    if not of.within and len(of.groups) == 2 and all_of_two <= number:
        chosen = np.array(list(combinations(range(len(of.group)), first)))
        group = np.ones((len(chosen), len(of.group)), int)
        np.put_along_axis(group, chosen, 0, axis=1)
        return iter([group]), True
    return _drawn(of, number, max(1, 10**7 // size)), False


def _drawn(of: Grouped, number: int, piece: int) -> Iterator[Ints]:
    """Draw permutations of groups within blocks of pairs."""
    random = np.random.default_rng(0)
    block = of.speaker if of.within else np.zeros(len(of.group), int)
    for start in range(0, number, piece):
        keys = random.random((min(piece, number - start), len(block)))
        yield of.group[np.argsort(block + keys, axis=1)]
