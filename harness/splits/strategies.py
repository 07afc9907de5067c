"""Which utterances train, which select and which test: the bundled strategies.

Speakers are divided by ``assignment``, what mixes them by ``dependent``; ``checks``
refuses what leaks, and ``balance`` measures how near a split comes to the sizes and
labels that are wanted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain
from typing import TYPE_CHECKING

from harness.errors import DataError, PluginError
from harness.hookspecs import hookimpl
from harness.registry import isolated
from harness.splits.assignment import Role, assign
from harness.splits.dependent import (
    SINGLE,
    refuse_lone_utterances,
    repeats_a_sentence,
    stratified,
    within_speakers,
)
from harness.text import counted
from harness.types import PARTS, Fold, Split, SplitOptions, SplitStrategy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from harness.types import Utterance

    Speakers = Mapping[str, Sequence[Utterance]]

SHOWN = 20
"""How many of the utterances in which a corpus differs from its split are named."""
NAMED = 5
"""Up to how many speakers an error message names, rather than only counts."""
OTHERWISE = "Choose another split: 'stratified' works here, but is speaker-dependent."


@hookimpl
def harness_splits() -> Iterator[SplitStrategy]:
    """Offer the usual ways to divide a corpus of emotional speech."""
    yield SplitStrategy(
        name="speaker-independent",
        summary="80/10/10, each speaker in one part, sizes and labels by search",
        divide=_speaker_independent,
    )
    yield SplitStrategy(
        name="stratified",
        summary="80/10/10 of each label, speakers in several parts",
        divide=stratified,
        speaker_independent=False,
    )
    yield SplitStrategy(
        name="loso",
        summary="one fold a speaker, who tests; the next one validates",
        divide=_loso,
        draws=False,
        mismatch=_tests_another_number_of_speakers,
    )
    yield SplitStrategy(
        name="kfold",
        summary="--folds groups of speakers; one tests, the next one validates",
        divide=_kfold,
        takes_folds=True,
        mismatch=_tests_a_speaker_again_or_never,
    )
    yield SplitStrategy(
        name="within-speakers",
        summary="80/10/10 of each speaker, each coded sentence in one part",
        divide=within_speakers,
        speaker_independent=False,
        mismatch=repeats_a_sentence,
    )
    yield SplitStrategy(
        name="published",
        summary="the split that is published for the corpus",
        divide=_published,
        draws=False,
        mismatch=_is_not_published,
    )
    yield SplitStrategy(
        name="column",
        summary="the parts of a table's column 'split', or that a corpus has",
        divide=_column,
        draws=False,
        mismatch=_is_not_the_column,
    )


def make_split(
    strategy: SplitStrategy, utterances: Iterable[Utterance], options: SplitOptions
) -> Split:
    """Divide a corpus; the order in which the utterances come does not matter.

    Whether the split leaks is for ``checks.check`` to say.

    Raises:
        DataError: Where the corpus cannot be divided so, as the strategy says.
        PluginError: Where the strategy makes no fold, or two of the same name.
    """
    in_order = sorted(utterances, key=lambda utterance: utterance.id)
    with isolated(strategy.name, "dividing a corpus"):
        folds = tuple(map(_sorted, strategy.divide(in_order, options)))
    if not folds or len({fold.name for fold in folds}) < len(folds):
        raise PluginError(
            f"The split strategy '{strategy.name}' made no folds, or two of the same "
            "name. Choose another --split, or report it to its authors."
        )
    return split_of(strategy, folds)


def split_of(strategy: SplitStrategy, folds: tuple[Fold, ...]) -> Split:
    """Put folds under the name of the strategy that they are of."""
    return Split(
        strategy=strategy.name,
        version=strategy.version,
        speaker_independent=strategy.speaker_independent,
        leaves_out=strategy.leaves_out,
        folds=folds,
    )


def _sorted(fold: Fold) -> Fold:
    train, valid, test = (tuple(sorted(ids)) for _, ids in fold.parts())
    return Fold(name=fold.name, train=train, valid=valid, test=test)


# ---------------------------------------------------------------- by speaker


def _speaker_independent(
    utterances: Sequence[Utterance], options: SplitOptions
) -> Iterable[Fold]:
    speakers = _by_speaker(utterances, "'speaker-independent'")
    parts = assign(list(speakers.values()), [SINGLE], seed=options.seed)
    folds = _folds(speakers, parts, {"0": SINGLE})
    _refuse_impossible("speaker-independent", folds, utterances)
    return folds


def _loso(utterances: Sequence[Utterance], options: SplitOptions) -> Iterable[Fold]:
    speakers = _by_speaker(utterances, "'loso'")
    roles = dict(zip(speakers, _cyclic(len(speakers)), strict=True))
    folds = _folds(speakers, range(len(speakers)), roles)
    _refuse_impossible("loso", folds, utterances)
    return folds


def _kfold(utterances: Sequence[Utterance], options: SplitOptions) -> Iterable[Fold]:
    if options.folds < 3:
        raise DataError(
            f"Strategy 'kfold' needs at least 3 folds (one tests, one validates, the "
            f"rest train), not {options.folds}. Ask for more folds."
        )
    name = f"'kfold' with {options.folds} folds"
    speakers = _by_speaker(utterances, name, at_least=options.folds)
    roles = _cyclic(options.folds)
    parts = assign(list(speakers.values()), roles, seed=options.seed)
    folds = _folds(speakers, parts, {str(n): role for n, role in enumerate(roles)})
    _refuse_impossible("kfold", folds, utterances)
    return folds


def _by_speaker(
    utterances: Sequence[Utterance], strategy: str, at_least: int = 3
) -> Speakers:
    """Group utterances by speaker, sorted; refuse too few speakers or utterances."""
    refuse_lone_utterances(utterances)
    speakers = defaultdict(list)
    for utterance in sorted(utterances, key=lambda utterance: utterance.speaker):
        speakers[utterance.speaker].append(utterance)
    if len(speakers) < at_least:
        raise DataError(
            f"Strategy {strategy} needs at least {at_least} speakers, and the corpus "
            f"has {_enumerate(speakers)}. {OTHERWISE}"
        )
    return speakers


def _folds(
    speakers: Speakers, parts: Iterable[int], roles: Mapping[str, Role]
) -> list[Fold]:
    """Put the utterances of speakers, each of whom is in a part, into named folds."""
    groups: dict[int, list[str]] = defaultdict(list)
    for part, spoken in zip(parts, speakers.values(), strict=True):
        groups[part].extend(utterance.id for utterance in spoken)
    return [_fold(name, role, groups) for name, role in roles.items()]


def _fold(name: str, role: Role, groups: Mapping[int, Iterable[str]]) -> Fold:
    return Fold(
        name=name,
        train=tuple(id for part in role.train for id in groups[part]),
        valid=tuple(groups[role.valid]),
        test=tuple(groups[role.test]),
    )


def _cyclic(folds: int) -> list[Role]:
    """Let each part test once, the next one validate and the rest train."""
    roles = []
    for test in range(folds):
        valid = (test + 1) % folds
        train = tuple(part for part in range(folds) if part not in (test, valid))
        roles.append(Role(train, valid, test))
    return roles


def _refuse_impossible(
    strategy: str, folds: Iterable[Fold], utterances: Sequence[Utterance]
) -> None:
    """Refuse folds whose train part lacks a label, or that have an empty part.

    The label that is named is one of fewest speakers: in ``loso`` of those that train
    lacks, else of all, since any other search result lacks another label. A bin of
    numbers may be missing.
    """
    if utterances[0].value is not None:
        return
    speakers = defaultdict(set)
    for utterance in utterances:
        speakers[utterance.label].add(utterance.speaker)
    label_of = {utterance.id: utterance.label for utterance in utterances}
    for fold in folds:
        lacking = speakers.keys() - {label_of[id] for id in fold.train}
        if lacking or not (fold.valid and fold.test):
            suspects = lacking if strategy == "loso" else speakers
            label = min(suspects, key=lambda name: (len(speakers[name]), name))
            count = sum(utterance.label == label for utterance in utterances)
            raise DataError(
                f"Strategy '{strategy}' cannot have label '{label}' in every training "
                f"part: its {count} utterances come from "
                f"{_enumerate(sorted(speakers[label]))}. {OTHERWISE}"
            )


def _enumerate(speakers: Collection[str]) -> str:
    """Say how many speakers there are, and who, where they are few."""
    few = len(speakers) <= NAMED
    return counted(len(speakers), "speaker") + f" ({', '.join(speakers)})" * few


def _tests_another_number_of_speakers(
    folds: Sequence[Fold], utterances: Sequence[Utterance], options: SplitOptions
) -> str:
    for fold, speakers in zip(folds, _tested(folds, utterances), strict=True):
        if len(speakers) != 1:
            return f"fold '{fold.name}' tests {len(speakers)} speakers"
    return _tests_a_speaker_again_or_never(folds, utterances, options)


def _tests_a_speaker_again_or_never(
    folds: Sequence[Fold], utterances: Sequence[Utterance], options: SplitOptions
) -> str:
    times = Counter(chain.from_iterable(_tested(folds, utterances)))
    for speaker in sorted({utterance.speaker for utterance in utterances}):
        if times[speaker] != 1:
            return f"speaker '{speaker}' is tested in {counted(times[speaker], 'fold')}"
    return ""


def _tested(folds: Iterable[Fold], utterances: Iterable[Utterance]) -> list[set[str]]:
    """Return the speakers whom each fold tests."""
    speaker_of = {utterance.id: utterance.speaker for utterance in utterances}
    return [{speaker_of[id] for id in fold.test} for fold in folds]


# ---------------------------------------------------------------- as the corpus has it


def _column(utterances: Sequence[Utterance], options: SplitOptions) -> Iterable[Fold]:
    """Take the part that is stored with each utterance."""
    without = [u.id for u in utterances if u.part not in PARTS]
    if without:
        raise DataError(
            f"{len(without)} of {len(utterances)} utterances do not say which part "
            f"they are in, the first is '{without[0]}'. Fill in the column 'split' "
            f"({', '.join(PARTS)}), or choose another --split."
        )
    return [_parted({utterance.id: utterance.part for utterance in utterances})]


def _published(
    utterances: Sequence[Utterance], options: SplitOptions
) -> Iterable[Fold]:
    """Take the parts of the published split of the same utterances."""
    files = options.files() if options.files else {}
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
            f"reports more):\n{listing}"
        )
    return [_parted({id: file.part for id, file in files.items()})]


def _parted(part_of: Mapping[str, str | None]) -> Fold:
    """Make a fold out of the part of each utterance."""
    train, valid, test = (
        tuple(sorted(id for id, own in part_of.items() if own == part))
        for part in PARTS
    )
    return Fold(name="0", train=train, valid=valid, test=test)


def _is_not_published(
    folds: Sequence[Fold], utterances: Sequence[Utterance], options: SplitOptions
) -> str:
    is_it = list(_published(utterances, options)) == list(folds)
    return "" if is_it else "its parts are not those that are published"


def _is_not_the_column(
    folds: Sequence[Fold], utterances: Sequence[Utterance], options: SplitOptions
) -> str:
    is_it = list(_column(utterances, options)) == list(folds)
    return "" if is_it else "its parts are not those of the corpus"
