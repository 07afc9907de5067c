"""Splits with each speaker in several parts: by label, or within each speaker."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from harness.errors import DataError
from harness.splits.assignment import TENTHS, Role, assign, order_key
from harness.types import Fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.types import SplitOptions, Utterance

SINGLE = Role((0,), 1, 2)
"""The fold of a strategy that makes only one."""


def _fold(parts: Mapping[int, Sequence[str]]) -> Fold:
    train, valid, test = (tuple(parts[part]) for part in range(3))
    return Fold(name="0", train=train, valid=valid, test=test)


def refuse_lone_utterances(utterances: Sequence[Utterance]) -> None:
    """Refuse a corpus without utterances, or with one alone of a class."""
    if not utterances:
        raise DataError("There are no utterances to split; check the corpus folder.")
    labels = Counter(utterance.label for utterance in utterances)
    for utterance in utterances:
        if labels[utterance.label] == 1 and utterance.value is None:
            raise DataError(
                f"Label '{utterance.label}' has a single utterance, '{utterance.id}', "
                "which cannot both train and test. Leave it out, or record more."
            )


# ---------------------------------------------------------------- by label


def stratified(
    utterances: Sequence[Utterance], options: SplitOptions
) -> Iterable[Fold]:
    """Divide each label's utterances; what rounding leaves goes on to the next label.

    So every label comes within two utterances of 80/10/10, and all of them together
    within one, unless a label is so rare that valid and test would lack it.
    """
    refuse_lone_utterances(utterances)
    labels = [utterance.label for utterance in utterances]
    parts = _shared_out(utterances, labels, options.seed)
    if not parts[1]:
        raise DataError(
            "Strategy 'stratified' needs a label with at least 3 utterances, one for "
            "each part, and there is none. Record more."
        )
    return [_fold(parts)]


def _shared_out(
    utterances: Sequence[Utterance], groups: Sequence[str], seed: int
) -> dict[int, list[str]]:
    """Divide the utterances of each group among the three parts, in a random order."""
    ids_of = defaultdict(list)
    for utterance, group in zip(utterances, groups, strict=True):
        ids_of[group].append(utterance.id)
    parts: dict[int, list[str]] = {0: [], 1: [], 2: []}
    owed = [0, 0, 0]  # tenths of an utterance
    for group in sorted(ids_of):
        ids = sorted(ids_of[group], key=lambda id: order_key(seed, id))
        owed = [debt + len(ids) * goal for debt, goal in zip(owed, TENTHS, strict=True)]
        sizes = _apportion(len(ids), owed)
        owed = [debt - 10 * size for debt, size in zip(owed, sizes, strict=True)]
        queue = iter(ids)
        for part, size in zip(parts.values(), sizes, strict=True):
            part.extend(islice(queue, size))
    return parts


def _apportion(count: int, owed: Sequence[int]) -> list[int]:
    """Add utterances one by one to the part that is owed most (in tenths)."""
    sizes = [1, int(count > 2), int(count > 1)]  # train, then test, then valid
    for _ in range(count - sum(sizes)):
        sizes[max(range(3), key=lambda part: owed[part] - 10 * sizes[part])] += 1
    return sizes


# ---------------------------------------------------------------- within speakers


def within_speakers(
    utterances: Sequence[Utterance], options: SplitOptions
) -> Iterable[Fold]:
    """Divide each speaker's utterances, so that no sentence is in two parts.

    Sentences are assigned to parts as speakers are in ``speaker-independent``, with
    speakers in the place of labels; utterances whose sentence no other one has, or is
    not coded, are shared out speaker by speaker.
    """
    refuse_lone_utterances(utterances)
    sentences: dict[object, list[Utterance]] = defaultdict(list)
    for one in utterances:
        coded = one.sentence is not None
        sentences[(one.language, one.sentence) if coded else one.id].append(
            replace(one, label=one.speaker)
        )
    repeated = [said for said in sentences.values() if len(said) > 1]
    others = [one for said in sentences.values() if len(said) == 1 for one in said]
    if repeated and len(repeated) < 3 and len(others) < 3:
        raise DataError(
            "Strategy 'within-speakers' needs at least 3 sentences, one for each part, "
            f"and the corpus has {len(repeated)}. Choose --split stratified, which has "
            "the same sentences in train and in test."
        )
    parts = _shared_out(others, [one.speaker for one in others], options.seed)
    chosen = assign(repeated, [SINGLE], seed=options.seed) if repeated else []
    for part, said in zip(chosen, repeated, strict=True):
        parts[part] += [one.id for one in said]
    return [_fold(parts)]


def repeats_a_sentence(
    folds: Sequence[Fold], utterances: Sequence[Utterance], options: SplitOptions
) -> str:
    """Name a coded sentence that two parts have; the mismatch of a file."""
    said = {one.id: (one.language, one.sentence) for one in utterances}
    for fold in folds:
        part_of: dict[tuple[str | None, str | None], str] = {}
        for part, ids in fold.parts():
            for id in ids:
                first = part_of.setdefault(said[id], part)
                if first != part and said[id][1] is not None:
                    return f"sentence '{said[id][1]}' is in {first} and in {part}"
    return ""
