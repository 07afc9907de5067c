"""Which utterances train, which select and which test, so that nothing leaks.

Speakers are divided by ``assignment``; ``balance`` measures how near the result
comes to what is wanted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from harness.errors import DataError, UnknownNameError
from harness.files import sha256_json
from harness.splits.assignment import TENTHS, Role, assign, shuffled

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from harness.types import KnownFile, Utterance

Shares = tuple[float, float, float]

STRATEGIES = ("speaker-independent", "stratified", "loso", "kfold")
COLUMN = "column"
"""Names the split that the utterances say themselves."""
PUBLISHED = "published"
"""Asks for the speaker-independent split that comes with a corpus."""
SHOWN = 20
"""How many of the utterances in which a corpus differs from its split are named."""
PARTS = ("train", "valid", "test")
OTHERWISE = "Choose another split: 'stratified' works here, but is speaker-dependent."


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
        """Give each part's name and ids, in the order train, valid, test."""
        return zip(PARTS, (self.train, self.valid, self.test), strict=True)


@dataclass(frozen=True, kw_only=True)
class Split:
    """The folds of a corpus under a strategy."""

    strategy: str
    folds: tuple[Fold, ...]

    @cached_property
    def sha256(self) -> str:
        """Hash the strategy and every fold."""
        return sha256_json([self.strategy, [vars(fold) for fold in self.folds]])


# ---------------------------------------------------------------- making a split


def make_split(
    utterances: Sequence[Utterance],
    strategy: str,
    *,
    folds: int = 5,
    seed: int = 0,
    files: Callable[[], Mapping[str, KnownFile]] | None = None,
) -> Split:
    """Divide a corpus; the order in which the utterances come does not matter.

    Args:
        utterances: All of them, with ids of their own.
        strategy: One of ``STRATEGIES``, ``COLUMN`` or ``PUBLISHED``.
        folds: How many for ``kfold``; the others do not ask.
        seed: Moves utterances in ``stratified``, and the starts of a search that is
            too large to look at every assignment.
        files: Gives the published files of the corpus, where they are known.

    Raises:
        UnknownNameError: Where there is no such strategy.
        DataError: Where the corpus has too few speakers or utterances for it, or does
            not say which part an utterance is in, or is not as it was published.
    """
    if strategy == PUBLISHED:
        parted = _published(utterances, files() if files else {})
        return Split(strategy="speaker-independent", folds=(_by_part(parted),))
    if strategy == COLUMN:
        return Split(strategy=COLUMN, folds=(_by_part(utterances),))
    if strategy not in STRATEGIES:
        known = (*STRATEGIES, COLUMN, PUBLISHED)
        raise UnknownNameError("split strategy", strategy, known)
    _refuse_lone_utterances(utterances)
    if strategy == "stratified":
        return Split(strategy=strategy, folds=(_stratified(utterances, seed),))

    speakers = _by_speaker(utterances)
    _refuse_few_speakers(speakers, strategy, folds)
    if strategy == "loso":
        roles = _cyclic(len(speakers))
        parts = list(range(len(speakers)))
        names = list(speakers)
    else:
        roles = _cyclic(folds) if strategy == "kfold" else [Role((0,), 1, 2)]
        parts = assign(list(speakers.values()), roles, seed=seed)
        names = [str(number) for number in range(len(roles))]
    groups: dict[int, list[str]] = defaultdict(list)
    for part, spoken in zip(parts, speakers.values(), strict=True):
        groups[part].extend(utterance.id for utterance in spoken)
    made = tuple(
        _fold(name, role, groups) for name, role in zip(names, roles, strict=True)
    )
    split = Split(strategy=strategy, folds=made)
    _refuse_impossible(split, utterances)
    return split


def _by_part(utterances: Sequence[Utterance]) -> Fold:
    """Take the parts that the utterances say themselves."""
    without = sorted(u.id for u in utterances if u.part not in PARTS)
    if without:
        raise DataError(
            f"{len(without)} of {len(utterances)} utterances do not say which part "
            f"they are in, the first is '{without[0]}'. Fill in the column 'split' "
            f"({', '.join(PARTS)}), or choose another --split."
        )
    groups = {
        number: [utterance.id for utterance in utterances if utterance.part == part]
        for number, part in enumerate(PARTS)
    }
    return _fold("0", Role((0,), 1, 2), groups)


def _published(
    utterances: Sequence[Utterance], files: Mapping[str, KnownFile]
) -> list[Utterance]:
    """Give each utterance its part in the published split of the same utterances."""
    if not files:
        raise DataError(
            "No split of this corpus is published. Choose another --split, such as "
            "'speaker-independent'."
        )
    here = {utterance.id for utterance in utterances}
    lines = [f"  missing here: {id}" for id in sorted(files.keys() - here)]
    lines += [f"  only here: {id}" for id in sorted(here - files.keys())]
    if lines:
        more = [f"  … and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        listing = "\n".join(lines[:SHOWN] + more)
        raise DataError(
            f"The corpus here differs from the published split in {len(lines)} "
            "utterances, so that scores could not be compared ('harness corpus check' "
            f"tells more):\n{listing}"
        )
    return [replace(one, part=files[one.id].part) for one in utterances]


def _by_speaker(utterances: Iterable[Utterance]) -> dict[str, list[Utterance]]:
    speakers = defaultdict(list)
    for utterance in utterances:
        speakers[utterance.speaker].append(utterance)
    return {speaker: speakers[speaker] for speaker in sorted(speakers)}


def _fold(name: str, role: Role, groups: Mapping[int, Sequence[str]]) -> Fold:
    return Fold(
        name=name,
        train=tuple(sorted(id for part in role.train for id in groups[part])),
        valid=tuple(sorted(groups[role.valid])),
        test=tuple(sorted(groups[role.test])),
    )


def _cyclic(folds: int) -> list[Role]:
    """Let each part test once, the next one validate and the rest train."""
    roles = []
    for test in range(folds):
        valid = (test + 1) % folds
        train = tuple(part for part in range(folds) if part not in (test, valid))
        roles.append(Role(train, valid, test))
    return roles


def _stratified(utterances: Iterable[Utterance], seed: int) -> Fold:
    """Divide each label's utterances; what rounding leaves goes on to the next label.

    So every label comes within two utterances of 80/10/10, and all of them together
    within one, unless a label is so rare that valid and test would lack it.
    """
    labels = defaultdict(list)
    for utterance in utterances:
        labels[utterance.label].append(utterance.id)
    parts: dict[int, list[str]] = {0: [], 1: [], 2: []}
    owed = [0, 0, 0]  # tenths of an utterance
    for label in sorted(labels):
        ids = sorted(labels[label], key=lambda id: shuffled(seed, id))
        owed = [debt + len(ids) * goal for debt, goal in zip(owed, TENTHS, strict=True)]
        sizes = _apportion(len(ids), owed)
        owed = [debt - 10 * size for debt, size in zip(owed, sizes, strict=True)]
        queue = iter(ids)
        for part, size in zip(parts.values(), sizes, strict=True):
            part.extend(islice(queue, size))
    if not parts[1]:
        raise DataError(
            "Strategy 'stratified' needs a label with at least 3 utterances, one for "
            "each part, and there is none. Record more."
        )
    return _fold("0", Role((0,), 1, 2), parts)


def _apportion(count: int, owed: Sequence[int]) -> list[int]:
    """Give utterances one by one to the part that is owed most (in tenths)."""
    sizes = [1, int(count > 2), int(count > 1)]  # train, then test, then valid
    for _ in range(count - sum(sizes)):
        sizes[max(range(3), key=lambda part: owed[part] - 10 * sizes[part])] += 1
    return sizes


def _refuse_lone_utterances(utterances: Sequence[Utterance]) -> None:
    if not utterances:
        raise DataError("There are no utterances to split; check the corpus folder.")
    labels = Counter(utterance.label for utterance in utterances)
    for utterance in sorted(utterances, key=lambda utterance: utterance.id):
        if labels[utterance.label] == 1:
            raise DataError(
                f"Label '{utterance.label}' has a single utterance, '{utterance.id}', "
                "which cannot both train and test. Leave it out, or record more."
            )


def _refuse_few_speakers(speakers: Iterable[str], strategy: str, folds: int) -> None:
    if strategy == "kfold" and folds < 3:
        raise DataError(
            f"Strategy 'kfold' needs at least 3 folds (one tests, one validates, the "
            f"rest train), not {folds}. Ask for more folds."
        )
    names = list(speakers)
    needed = folds if strategy == "kfold" else 3
    if len(names) < needed:
        asked = f" with {folds} folds" if strategy == "kfold" else ""
        raise DataError(
            f"Strategy '{strategy}'{asked} needs at least {needed} speakers, and the "
            f"corpus has {_enumerate(names)}. {OTHERWISE}"
        )


def _refuse_impossible(split: Split, utterances: Iterable[Utterance]) -> None:
    """Name a label that is in the way: of those that may be, one of fewest speakers."""
    voices = defaultdict(set)
    counts: Counter[str] = Counter()
    for utterance in utterances:
        voices[utterance.label].add(utterance.speaker)
        counts[utterance.label] += 1
    label_of = {utterance.id: utterance.label for utterance in utterances}
    for fold in split.folds:
        lacking = voices.keys() - {label_of[id] for id in fold.train}
        if lacking or not (fold.valid and fold.test):
            suspects = lacking if split.strategy == "loso" else voices
            label = min(suspects, key=lambda name: (len(voices[name]), name))
            raise DataError(
                f"Strategy '{split.strategy}' cannot have label '{label}' in every "
                f"training part: its {counts[label]} utterances come from "
                f"{_enumerate(sorted(voices[label]))}. {OTHERWISE}"
            )


def _enumerate(speakers: Sequence[str]) -> str:
    """Say how many there are, and who, where they are few."""
    noun = "speaker" if len(speakers) == 1 else "speakers"
    listing = f" ({', '.join(speakers)})" if len(speakers) <= 5 else ""
    return f"{len(speakers)} {noun}{listing}"


# ---------------------------------------------------------------- checking a split


def check_split(
    split: Split, utterances: Sequence[Utterance], contents: Mapping[str, str]
) -> None:
    """Refuse a split that leaks, or that does not fit the corpus.

    Args:
        split: Made here or read from a file.
        utterances: The whole corpus.
        contents: For each utterance id, the hash of its decoded audio.

    Raises:
        DataError: Where the same audio or (but in ``stratified``) the same speaker is
            in two parts, a label of valid or test is not in train, a part is empty, or
            the ids are not those of the corpus, each once.
    """
    by_id = {utterance.id: utterance for utterance in utterances}
    speakers = {id: utterance.speaker for id, utterance in by_id.items()}
    for fold in split.folds:
        where = f"Split '{split.strategy}', fold '{fold.name}'"
        part_of = _part_of(fold, by_id.keys(), where)
        if pair := _in_two_parts(contents, part_of):
            raise DataError(
                f"{where}: the same audio is in {pair}. Remove one of the two files."
            )
        pair = _in_two_parts(speakers, part_of)
        if pair and split.strategy != "stratified":
            raise DataError(
                f"{where}: the same speaker is in {pair}. Give all utterances of a "
                "speaker to one part."
            )
        trained = {by_id[id].label for id in fold.train}
        for id, part in part_of.items():
            if by_id[id].label not in trained:
                raise DataError(
                    f"{where}: label '{by_id[id].label}' of {part} ('{id}') is not in "
                    "train. Give some of its utterances to train, or leave it out."
                )


def _part_of(fold: Fold, known: Collection[str], where: str) -> dict[str, str]:
    """Find the one part that each utterance of the corpus is in."""
    part_of: dict[str, str] = {}
    for part, ids in fold.parts():
        if not ids:
            raise DataError(f"{where}: {part} is empty. Give it some utterances.")
        for id in ids:
            if id not in known:
                raise DataError(
                    f"{where}: {part} has '{id}', which is not in the corpus. "
                    "Make the split anew, or use the corpus that it was made for."
                )
            if id in part_of:
                raise DataError(
                    f"{where}: '{id}' is in {part_of[id]} and again in {part}. "
                    "Leave it in one of them."
                )
            part_of[id] = part
    if missing := sorted(known - part_of.keys()):
        raise DataError(
            f"{where}: utterances are in no part: {len(missing)} of {len(known)}, the "
            f"first is '{missing[0]}'. Make the split anew."
        )
    return part_of


def _in_two_parts(key_of: Mapping[str, str], part_of: Mapping[str, str]) -> str:
    """Name two utterances with the same key in different parts, if there are any."""
    first: dict[str, str] = {}
    for id, part in part_of.items():
        other = first.setdefault(key_of[id], id)
        if part_of[other] != part:
            return f"{part_of[other]} ('{other}') and in {part} ('{id}')"
    return ""
