"""What a split is, and the strategies that make one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.types.canonical import sha256_json

if TYPE_CHECKING:
    from harness.types.corpora import KnownFile, Utterance

PARTS = ("train", "valid", "test")


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Three parts, each the sorted ids of its utterances.

    Attributes:
        name: Its number from ``0``; in ``loso`` the test speaker.
    """

    name: str
    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]

    def parts(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield each part's name and ids, in the order train, valid, test."""
        return zip(PARTS, (self.train, self.valid, self.test), strict=True)


@dataclass(frozen=True, kw_only=True)
class Split:
    """The folds of a corpus under a strategy.

    Attributes:
        strategy: Its name.
        version: Of the strategy's code.
        speaker_independent: Whether no speaker may stand in two parts.
        leaves_out: Whether an utterance may be in no part of a fold.
        folds: At least one.
    """

    strategy: str
    version: int = 1
    speaker_independent: bool = True
    leaves_out: bool = False
    folds: tuple[Fold, ...]

    @cached_property
    def sha256(self) -> str:
        """Hash the strategy and every fold."""
        return sha256_json([self.strategy, [asdict(fold) for fold in self.folds]])


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """What a strategy gets besides the utterances.

    Attributes:
        folds: How many, for a strategy that ``takes_folds``.
        seed: Of whatever it draws.
        files: Returns the published files of the corpus, where they are known.
    """

    folds: int = 5
    seed: int = 0
    files: Callable[[], Mapping[str, KnownFile]] | None = None


Divide = Callable[[Sequence["Utterance"], SplitOptions], Iterable[Fold]]
"""From all utterances of a corpus, sorted by id, to folds, which are named uniquely.

Raises ``DataError`` where the corpus cannot be divided so."""

Mismatch = Callable[[Sequence[Fold], Sequence["Utterance"], SplitOptions], str]
"""From the folds of a file and all utterances to what is wrong; ``""`` for nothing."""


def no_mismatch(
    folds: Sequence[Fold], utterances: Sequence[Utterance], options: SplitOptions
) -> str:
    """Accept any folds: the mismatch of a strategy without conditions of its own."""
    return ""


@dataclass(frozen=True, kw_only=True)
class SplitStrategy:
    """A way to divide a corpus.

    Attributes:
        name: Kebab-case; the word after ``--split``.
        summary: One line for ``harness list splits``.
        divide: Makes the folds.
        speaker_independent: Whether a speaker in two parts is refused.
        leaves_out: Whether a fold may leave utterances out, such as those that share a
            sentence with its test part.
        takes_folds: Whether ``--folds`` has a meaning for it.
        draws: Whether ``--split-seed`` has one.
        mismatch: Says why the folds of a split file cannot be of this strategy, such as
            ``fold '0' tests 2 speakers``; what every split must keep is checked anyway.
        version: Raised when its code divides a corpus in another way.
    """

    name: str
    summary: str
    divide: Divide
    speaker_independent: bool = True
    leaves_out: bool = False
    takes_folds: bool = False
    draws: bool = True
    mismatch: Mismatch = no_mismatch
    version: int = 1
