"""How close a split comes to the sizes and labels that ``assignment`` aims at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.splits.assignment import wanted_sizes
from harness.types import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.splits.assignment import Shares
    from harness.types import Fold, Split, Utterance


@dataclass(frozen=True, kw_only=True)
class Closeness:
    """How close a fold comes to what is wanted; parts in the order of ``PARTS``.

    Attributes:
        fold: Its name.
        sizes: Each part's share of the corpus.
        goals: The shares that are wanted.
        deviation: The largest |share of a label in a part − its share in the corpus|.
        deviates: The label and the part of that deviation.
        absent_valid: Labels that valid lacks.
        absent_test: Labels that test lacks.
        sentences: How many different sentences test has; 0 where none are coded.
        repeated: How many of them train has too.
        objective: The number that the search of ``assignment`` minimises.
    """

    fold: str
    sizes: tuple[float, float, float]
    goals: tuple[float, float, float]
    deviation: float
    deviates: tuple[str, str]
    absent_valid: tuple[str, ...]
    absent_test: tuple[str, ...]
    sentences: int
    repeated: int
    objective: float


def closeness(split: Split, utterances: Iterable[Utterance]) -> tuple[Closeness, ...]:
    """Measure how close each fold of a checked split comes to what is wanted."""
    by_id = {utterance.id: utterance for utterance in utterances}
    whole = Counter(utterance.label for utterance in by_id.values())
    goals = wanted_sizes(len(split.folds))
    return tuple(_closeness(fold, goals, by_id, whole) for fold in split.folds)


def _closeness(
    fold: Fold,
    goals: Shares,
    by_id: Mapping[str, Utterance],
    whole: Counter[str],
) -> Closeness:
    parts = [Counter(by_id[id].label for id in ids) for _, ids in fold.parts()]
    train, valid, test = (part.total() / whole.total() for part in parts)
    off = {
        (label, name): abs(part[label] / part.total() - count / whole.total())
        for name, part in zip(PARTS, parts, strict=True)
        for label, count in sorted(whole.items())
    }
    absent_valid, absent_test = (
        tuple(sorted(whole - part.keys())) for part in parts[1:]
    )
    wrong_part = sum(
        abs(size - goal) / 2
        for size, goal in zip((train, valid, test), goals, strict=True)
    )
    trained = _sentences(by_id[id] for id in fold.train)
    tested = _sentences(by_id[id] for id in fold.test)
    deviates = max(off, key=off.__getitem__)
    return Closeness(
        fold=fold.name,
        sizes=(train, valid, test),
        goals=goals,
        deviation=off[deviates],
        deviates=deviates,
        absent_valid=absent_valid,
        absent_test=absent_test,
        sentences=len(tested),
        repeated=len(tested & trained),
        objective=wrong_part
        + sum(off.values()) / 2 / len(PARTS)
        + len(absent_valid + absent_test),
    )


def _sentences(utterances: Iterable[Utterance]) -> set[tuple[str | None, str]]:
    return {
        (utterance.language, utterance.sentence)
        for utterance in utterances
        if utterance.sentence is not None
    }


def describe(folds: Sequence[Closeness]) -> list[str]:
    """Describe in a few lines how close a split comes, naming the worst."""
    sizes = ", ".join(
        f"{part} {_range([fold.sizes[index] for fold in folds])} %"
        f" (wanted {100 * folds[0].goals[index]:.1f})"
        for index, part in enumerate(PARTS)
    )
    worst = max(folds, key=lambda fold: fold.deviation)
    label, part = worst.deviates
    of_fold = f" of fold {worst.fold}" if len(folds) > 1 else ""
    lines = [
        f"sizes: {sizes}",
        f"labels: at most {100 * worst.deviation:.1f} points off the corpus, "
        f"'{label}' in {part}{of_fold}",
    ]
    lines += _absences("valid", [fold.absent_valid for fold in folds])
    lines += _absences("test", [fold.absent_test for fold in folds])
    same = max(folds, key=lambda fold: fold.repeated)
    if same.repeated:
        lines.append(
            f"sentences: {same.repeated} of {same.sentences} in test are in train too"
        )
    return lines


def _range(shares: Sequence[float]) -> str:
    """Write shares as percent, from the least to the most."""
    least, most = f"{100 * min(shares):.1f}", f"{100 * max(shares):.1f}"
    return least if least == most else f"{least}–{most}"


def _absences(part: str, absent: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Name the labels that a part lacks, and in how many folds it does."""
    counts = Counter(label for labels in absent for label in labels)
    if counts:
        listing = ", ".join(
            f"'{label}'" + (f" in {count} of {len(absent)} folds" if absent[1:] else "")
            for label, count in sorted(counts.items())
        )
        yield f"absent from {part}: {listing}"
