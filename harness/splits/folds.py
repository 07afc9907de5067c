"""K folds that keep other things apart than speakers alone, or nothing.

They answer what a score owes to voices and texts that train has, too: ``kfold`` keeps
speakers apart, ``sentence-kfold`` sentences, ``speaker-sentence`` both, and
``shuffled-kfold`` neither.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from harness.errors import DataError
from harness.hookspecs import hookimpl
from harness.splits.assignment import Role, assign, order_key
from harness.text import counted
from harness.types import Fold, SplitStrategy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from harness.types import SplitOptions, Utterance

    Key = Callable[[Utterance], Hashable]


@hookimpl
def harness_splits() -> Iterator[SplitStrategy]:
    """Offer folds by label alone, by sentence, and by speaker and sentence."""
    yield SplitStrategy(
        name="shuffled-kfold",
        summary="--folds parts of each label, drawn: speakers and sentences in several",
        divide=_shuffled,
        speaker_independent=False,
        takes_folds=True,
        mismatch=_tests_again_or_never,
    )
    yield SplitStrategy(
        name="sentence-kfold",
        summary="--folds groups of sentences, each in one part, speakers in several",
        divide=_by_sentence,
        speaker_independent=False,
        takes_folds=True,
        mismatch=_shares_a_sentence,
    )
    yield SplitStrategy(
        name="speaker-sentence",
        summary="--folds² folds: speakers and sentences of test are in no other part",
        divide=_by_both,
        takes_folds=True,
        leaves_out=True,
        mismatch=_trains_on_a_tested_sentence,
    )


def _shuffled(utterances: Sequence[Utterance], options: SplitOptions) -> Iterator[Fold]:
    """Put the utterances of each label into the folds in turn, in a drawn order.

    The next label begins at the fold after, so that sizes differ by one at most.
    """
    roles = _roles("shuffled-kfold", options)
    _refuse_too_few("shuffled-kfold", options, utterances, "utterance", _id)
    order = sorted(
        utterances, key=lambda one: (one.label, order_key(options.seed, one.id))
    )
    groups = [order[place :: options.folds] for place in range(options.folds)]
    return _folds(groups, roles)


def _by_sentence(
    utterances: Sequence[Utterance], options: SplitOptions
) -> Iterator[Fold]:
    """Assign sentences to the folds as ``kfold`` assigns speakers."""
    roles = _roles("sentence-kfold", options)
    _refuse_uncoded("sentence-kfold", utterances)
    return _folds(
        _assigned("sentence-kfold", options, utterances, "sentence", _sentence), roles
    )


def _by_both(utterances: Sequence[Utterance], options: SplitOptions) -> Iterator[Fold]:
    """Test each group of speakers on each group of sentences.

    The next group of speakers validates and the rest train, both on the other
    sentences. What the speakers of test say else, and what others say of its sentences,
    is left out.
    """
    name = "speaker-sentence"
    roles = _roles(name, options)
    _refuse_uncoded(name, utterances)
    speakers = _assigned(name, options, utterances, "speaker", _speaker)
    sentences = _assigned(name, options, utterances, "sentence", _sentence)
    for place, role in enumerate(roles):
        for number, held in enumerate(sentences):
            texts = {_sentence(one) for one in held}
            test = [one for one in speakers[role.test] if _sentence(one) in texts]
            others = [
                [one for one in group if _sentence(one) not in texts]
                for group in speakers
            ]
            if test:
                [fold] = _folds([*others, test], [role._replace(test=options.folds)])
                yield Fold(
                    name=f"{place}-{number}",
                    train=fold.train,
                    valid=fold.valid,
                    test=fold.test,
                )


# ---------------------------------------------------------------- groups


def _id(utterance: Utterance) -> Hashable:
    return utterance.id


def _speaker(utterance: Utterance) -> Hashable:
    return utterance.speaker


def _sentence(utterance: Utterance) -> Hashable:
    """Return the sentence; the same code in another language is another one."""
    return (utterance.language or "", utterance.sentence)


def _roles(strategy: str, options: SplitOptions) -> list[Role]:
    """Let each group test once, the next one validate and the rest train."""
    folds = options.folds
    if folds < 3:
        raise DataError(
            f"Strategy '{strategy}' needs at least 3 folds (one tests, one validates, "
            f"the rest train), not {folds}. Ask for more folds."
        )
    return [
        Role(
            tuple((test + step) % folds for step in range(2, folds)),
            valid=(test + 1) % folds,
            test=test,
        )
        for test in range(folds)
    ]


def _assigned(
    strategy: str,
    options: SplitOptions,
    utterances: Sequence[Utterance],
    noun: str,
    key: Key,
) -> list[list[Utterance]]:
    """Put what shares a key into one of the groups, sizes and labels by search."""
    _refuse_too_few(strategy, options, utterances, noun, key)
    by_key = defaultdict(list)
    for utterance in sorted(utterances, key=lambda one: (key(one), one.id)):
        by_key[key(utterance)].append(utterance)
    held = list(by_key.values())
    parts = assign(held, _roles(strategy, options), seed=options.seed)
    groups: list[list[Utterance]] = [[] for _ in range(options.folds)]
    for part, together in zip(parts, held, strict=True):
        groups[part] += together
    return groups


def _folds(
    groups: Sequence[Sequence[Utterance]], roles: Iterable[Role]
) -> Iterator[Fold]:
    ids = [[one.id for one in group] for group in groups]
    for number, role in enumerate(roles):
        yield Fold(
            name=str(number),
            train=tuple(id for part in role.train for id in ids[part]),
            valid=tuple(ids[role.valid]),
            test=tuple(ids[role.test]),
        )


# ---------------------------------------------------------------- what is refused


def _refuse_too_few(
    strategy: str,
    options: SplitOptions,
    utterances: Sequence[Utterance],
    noun: str,
    key: Key,
) -> None:
    found, folds = len(set(map(key, utterances))), options.folds
    if found < folds:
        raise DataError(
            f"Strategy '{strategy}' with {folds} folds needs at least {folds} {noun}s, "
            f"and the corpus has {found}. Ask for fewer folds, or for another split."
        )


def _refuse_uncoded(strategy: str, utterances: Iterable[Utterance]) -> None:
    uncoded = [one.id for one in utterances if one.sentence is None]
    if uncoded:
        raise DataError(
            f"Strategy '{strategy}' needs to know the sentence of each utterance, and "
            f"of {len(uncoded)} it is not known, the first is '{uncoded[0]}'. Choose "
            "'kfold', or fill in the column 'sentence' of a table of your own."
        )


def _tests_again_or_never(
    folds: Sequence[Fold], utterances: Sequence[Utterance], options: SplitOptions
) -> str:
    times = Counter(id for fold in folds for id in fold.test)
    for utterance in utterances:
        if times[utterance.id] != 1:
            often = counted(times[utterance.id], "fold")
            return f"utterance '{utterance.id}' is tested in {often}"
    return ""


def _shares_a_sentence(
    folds: Sequence[Fold], utterances: Sequence[Utterance], options: SplitOptions
) -> str:
    sentence_of = {one.id: _sentence(one) for one in utterances}
    for fold in folds:
        train, valid, test = (
            {sentence_of[id] for id in ids} for _, ids in fold.parts()
        )
        if train & valid or (train | valid) & test:
            return f"fold '{fold.name}' has a sentence in two parts"
    return _tests_again_or_never(folds, utterances, options)


def _trains_on_a_tested_sentence(
    folds: Sequence[Fold], utterances: Sequence[Utterance], options: SplitOptions
) -> str:
    sentence_of = {one.id: _sentence(one) for one in utterances}
    for fold in folds:
        tested = {sentence_of[id] for id in fold.test}
        if tested & {sentence_of[id] for id in (*fold.train, *fold.valid)}:
            return f"fold '{fold.name}' has a sentence of test in another part"
    return _tests_again_or_never(folds, utterances, options)
