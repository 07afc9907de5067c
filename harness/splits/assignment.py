"""Speakers to parts, so that sizes and labels come as close as can be to the wanted.

How far a split is from what is wanted is one number, the mean over its folds of

    ½ Σ_p |n_p / N − g_p|  +  mean_p ½ Σ_c |n_pc / n_p − n_c / N|  +  absent

with n_p utterances in part p (train, valid, test), n_pc of them with label c, N and
n_c the same in the whole corpus, and g_p the size that is wanted. The first term is
the share of the corpus that would have to change its part, the second the share of a
part that would have to change its label, the third counts the labels that valid and
test lack, so that one absent label outweighs all but absurd sizes. Two conditions are
never given up: no part is empty, and train has every label. Speakers are assigned to
parts so that this number is least: of all assignments where they are few enough to try
each, else of those that a local search ends with. Of several that are equal in nine
decimals, the one is taken that comes first when the part numbers of the speakers,
sorted, are written in a row (0 train, 1 valid, 2 test; in ``kfold`` the number of the
fold).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from harness.types.canonical import sha256_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from harness.types import Utterance

Shares = tuple[float, float, float]

TENTHS = (8, 1, 1)
"""Wanted sizes of train, valid and test where there is one fold, in tenths."""
EXHAUSTIVE = 3**12
"""Up to so many assignments of speakers to parts, every one is tried."""
TRIED = 256
"""About so many steps are tried before the best of them is taken."""
STARTS = 100
"""How often a local search begins anew, divided among the folds."""
SWAPPED = 200
"""Up to so many speakers, a local search also swaps any two; beyond, it only moves."""
IMPOSSIBLE = 1e3
"""What an empty part, or a label that train lacks, adds to the number above."""


class Role(NamedTuple):
    """Which groups of speakers are the parts of one fold."""

    train: tuple[int, ...]
    valid: int
    test: int


def assign(
    speakers: Sequence[Sequence[Utterance]],
    roles: Sequence[Role],
    *,
    seed: int = 0,
    exhaustive: int = EXHAUSTIVE,
) -> list[int]:
    """Assign each speaker to a part so that the objective is least.

    Every assignment is tried where they are few. Else, from many balanced starts,
    speakers are moved and swapped as long as the best such step makes it less.

    Args:
        speakers: The utterances of each.
        roles: The folds that the parts make up.
        seed: Decides the starts.
        exhaustive: How many assignments are few.

    Returns:
        The part of each speaker. Where no assignment is possible, one that breaks as
        little as can be.
    """
    search = _Search(speakers, roles)
    if search.parts ** len(speakers) <= exhaustive:
        return search.exhaust()
    starts = range(-(-STARTS // len(roles)))
    return min(search.improve(search.start(seed, number)) for number in starts)[1]


class _Search:
    """A corpus and its folds as arrays, and the two ways to search with them.

    Shapes: S speakers, C labels, P parts, F folds, A assignments.
    """

    def __init__(
        self, speakers: Sequence[Sequence[Utterance]], roles: Sequence[Role]
    ) -> None:
        import numpy as np

        tallies = [Counter(one.label for one in spoken) for spoken in speakers]
        labels = sorted(set().union(*tallies))
        self.counts = np.array(  # (S, C)
            [[float(tally[label]) for label in labels] for tally in tallies]
        )
        self.total = self.counts.sum()
        self.shares = self.counts.sum(0) / self.total  # (C,)
        self.parts = max(max(role.train + role[1:]) for role in roles) + 1
        self.roles = np.array(  # (F, 3, P), one where a part of the fold has the part
            [
                [
                    [float(part in parts) for part in range(self.parts)]
                    for parts in (role.train, (role.valid,), (role.test,))
                ]
                for role in roles
            ]
        )
        self.goals = np.array(wanted_sizes(len(roles)))

    def objectives(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the objectives (A,) of assignments, from their counts (A, P, C).

        They are rounded, so that the order of summation decides no tie.
        """
        import numpy as np

        inside = self.roles.reshape(-1, self.parts) @ counts
        inside = inside.reshape(len(counts), -1, 3, len(self.shares))  # (A, F, 3, C)
        sizes = inside.sum(-1)
        wrong_part = np.abs(sizes / self.total - self.goals).sum(-1) / 2
        shares = inside / np.maximum(sizes, 1)[..., None]
        wrong_label = np.abs(shares - self.shares).sum(-1).mean(-1) / 2
        absent = (inside == 0).sum(-1) @ np.array([IMPOSSIBLE, 1, 1])
        empty = (sizes == 0).sum(-1) * IMPOSSIBLE
        each = wrong_part + wrong_label + absent + empty  # (A, F)
        objectives: NDArray[np.float64] = each.mean(-1).round(9)
        return objectives

    def exhaust(self) -> list[int]:
        """Try every assignment, in the order that breaks ties."""
        import numpy as np

        speakers = len(self.counts)
        number = self.parts**speakers
        places = self.parts ** np.arange(speakers)[::-1]
        best: tuple[float, list[int]] = (np.inf, [])
        for first in range(0, number, 8192):
            numbers = np.arange(first, min(first + 8192, number))
            parts = numbers[:, None] // places % self.parts  # (A, S)
            objectives = self.objectives(self._tally(parts))
            least = objectives.argmin()
            best = min(best, (float(objectives[least]), parts[least].tolist()))
        return best[1]

    def start(self, seed: int, number: int) -> list[int]:
        """Put speakers, in an order by seed and number, where most is wanted."""
        fold = self.roles[0]
        wanted = self.total * (self.goals / fold.sum(-1)) @ fold  # (P,)
        parts = [0] * len(self.counts)
        order = sorted(range(len(parts)), key=lambda who: order_key(seed, number, who))
        for speaker in order:
            parts[speaker] = int(wanted.argmax())
            wanted[parts[speaker]] -= self.counts[speaker].sum()
        return parts

    def improve(self, start: Sequence[int]) -> tuple[float, list[int]]:
        """Take the best step for as long as one helps; return where that ends.

        A step swaps the parts of two speakers. Each part has a speaker without
        utterances, who is there again after each step: to swap with that one is to
        move.
        """
        import numpy as np

        speakers = len(self.counts)
        nobody = np.zeros((self.parts, len(self.shares)))
        counts = np.concatenate([self.counts, nobody])
        one, other = np.triu_indices(speakers, 1, speakers + self.parts)
        if speakers > SWAPPED:
            one, other = one[other >= speakers], other[other >= speakers]
        rounds = -(-len(one) // TRIED)
        parts = np.concatenate([start, np.arange(self.parts)])
        tally = self._tally(parts[None, :speakers])
        objective = self.objectives(tally)[0]
        turn = idle = 0
        while idle < rounds:
            a, b = one[turn::rounds], other[turn::rounds]
            near = np.repeat(tally, len(a), axis=0)
            step, change = np.arange(len(a)), counts[a] - counts[b]
            near[step, parts[a]] -= change
            near[step, parts[b]] += change
            objectives = self.objectives(near)
            least = objectives.argmin()
            turn, idle = (turn + 1) % rounds, idle + 1
            if objectives[least] < objective:
                objective, tally = objectives[least], near[least : least + 1]
                swap = [a[least], b[least]]
                parts[swap] = parts[swap[::-1]]
                parts[speakers:] = np.arange(self.parts)
                idle = 0
        return float(objective), parts[:speakers].tolist()

    def _tally(self, parts: NDArray[np.intp]) -> NDArray[np.float64]:
        """Count labels by part, (A, P, C), where speakers have the parts (A, S)."""
        import numpy as np

        member = parts[:, None, :] == np.arange(self.parts)[:, None]
        tally: NDArray[np.float64] = member.astype(np.float64) @ self.counts
        return tally


def wanted_sizes(folds: int) -> Shares:
    """Return the sizes that are wanted of train, valid and test."""
    if folds < 3:
        return (TENTHS[0] / 10, TENTHS[1] / 10, TENTHS[2] / 10)
    return ((folds - 2) / folds, 1 / folds, 1 / folds)


def order_key(*key: int | str) -> str:
    """Return a hash to sort by: random, and the same on every machine."""
    return sha256_json(key)
