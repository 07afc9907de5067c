"""Splits come as close to the wanted sizes and labels as can be, and say how close."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from divided import EVEN, corpora, corpus, make_split, mapped, quick, random_corpus
from hypothesis import given, settings

from harness import DataError, Fold, Split
from harness.splits.assignment import SWAPPED, Role, assign
from harness.splits.balance import closeness, describe

THREE_FOLDS = [Role((2,), 1, 0), Role((0,), 2, 1), Role((1,), 0, 2)]
ONE_FOLD = [Role((0,), 1, 2)]


# ---------------------------------------------------------------- as close as can be


def distance(train, valid, test, goals):
    """Compute the documented formula anew, from lists of labels; None if forbidden."""
    whole = train + valid + test
    if not valid or not test or set(train) != set(whole):
        return None
    size = label = absent = 0
    for part, goal in zip((train, valid, test), goals, strict=True):
        size += abs(len(part) / len(whole) - goal)
        for name in set(whole):
            share = whole.count(name) / len(whole)
            label += abs(part.count(name) / len(part) - share)
            absent += name not in part
    return size / 2 + label / 2 / 3 + absent


def distance_of_assignment(speakers, parts, folds):
    """Average the distances of the folds where speaker i is in part ``parts[i]``."""
    number = max(3, folds)
    labels: list[list[str]] = [[] for _ in range(number)]
    for spoken, part in zip(speakers, parts, strict=True):
        labels[part] += [utterance.label for utterance in spoken]
    if folds == 1:
        return distance(labels[0], labels[1], labels[2], (0.8, 0.1, 0.1))
    total = 0
    for test in range(folds):
        valid = (test + 1) % folds
        train = [x for p in range(folds) if p not in (test, valid) for x in labels[p]]
        goals = ((folds - 2) / folds, 1 / folds, 1 / folds)
        value = distance(train, labels[valid], labels[test], goals)
        if value is None:
            return None
        total += value
    return total / folds


def by_speaker(utterances):
    names = sorted({utterance.speaker for utterance in utterances})
    return [[u for u in utterances if u.speaker == name] for name in names]


def least_of_all(utterances, folds):
    """Try every assignment of speakers to parts; None if all are forbidden."""
    speakers = by_speaker(utterances)
    choices = itertools.product(range(max(3, folds)), repeat=len(speakers))
    values = (distance_of_assignment(speakers, parts, folds) for parts in choices)
    return min((value for value in values if value is not None), default=None)


def reached(utterances, strategy, folds):
    """Return the objective of the split that is made; None if it is refused."""
    try:
        split = make_split(utterances, strategy, folds=folds)
    except DataError:
        return None
    return sum(fold.objective for fold in closeness(split, utterances)) / folds


@quick
@given(utterances=corpora())
def test_a_speaker_independent_split_is_the_closest_of_all(utterances):
    least = least_of_all(utterances, 1)
    assert reached(utterances, "speaker-independent", 1) == pytest.approx(least)


@quick
@given(utterances=corpora())
def test_kfold_is_the_closest_of_all(utterances):
    assert reached(utterances, "kfold", 3) == pytest.approx(least_of_all(utterances, 3))


@pytest.mark.parametrize("seed", range(8))
def test_an_uneven_corpus_is_split_the_closest_of_all(seed):
    utterances = random_corpus(seed, speakers=6)
    least = least_of_all(utterances, 1)
    assert reached(utterances, "speaker-independent", 1) == pytest.approx(least)


@settings(quick, max_examples=8)
@given(utterances=corpora(fewest=5))
def test_kfold_with_four_folds_is_the_closest_of_all(utterances):
    assert reached(utterances, "kfold", 4) == pytest.approx(least_of_all(utterances, 4))


@pytest.mark.parametrize("folds", [1, 3])
@pytest.mark.parametrize("seed", range(6))
def test_a_local_search_finds_what_trying_all_finds(seed, folds):
    speakers = by_speaker(random_corpus(seed, speakers=9))
    roles = ONE_FOLD if folds == 1 else THREE_FOLDS
    searched = assign(speakers, roles, seed=seed, exhaustive=0)
    best = assign(speakers, roles)
    assert distance_of_assignment(speakers, searched, folds) == pytest.approx(
        distance_of_assignment(speakers, best, folds)
    )


def least_near(speakers, parts, steps):
    """Return the least distance after one step; it maps speakers to their new parts."""
    choices = [[step.get(n, part) for n, part in enumerate(parts)] for step in steps]
    near = [distance_of_assignment(speakers, choice, 1) for choice in choices]
    return min(value for value in near if value is not None)


@pytest.mark.parametrize("number", [40, SWAPPED + 1])
def test_no_move_makes_the_end_of_a_local_search_closer(number):
    speakers = by_speaker(random_corpus(3, speakers=number, labels="abc"))
    parts = assign(speakers, ONE_FOLD)
    moves = [{who: part} for who in range(number) for part in range(3)]
    end = distance_of_assignment(speakers, parts, 1)
    assert least_near(speakers, parts, moves) == pytest.approx(end)


def test_no_swap_makes_the_end_of_a_local_search_closer(monkeypatch):
    monkeypatch.setattr("harness.splits.assignment.STARTS", 1)
    speakers = by_speaker(random_corpus(0, speakers=40))
    parts = assign(speakers, ONE_FOLD)
    pairs = itertools.combinations_with_replacement(range(40), 2)
    swaps = [{one: parts[other], other: parts[one]} for one, other in pairs]
    end = distance_of_assignment(speakers, parts, 1)
    assert least_near(speakers, parts, swaps) == pytest.approx(end)


def test_of_equally_close_splits_the_first_speakers_train():
    [fold] = make_split(EVEN, "speaker-independent").folds
    assert mapped(EVEN, fold.valid + fold.test, "speaker") == ["s"] * 4 + ["t"] * 4


@pytest.mark.parametrize("seed", range(8))
def test_of_two_equal_choices_for_valid_and_test_the_first_speaker_validates(seed):
    parts = assign(by_speaker(random_corpus(seed, speakers=6)), ONE_FOLD)
    assert parts.index(1) < parts.index(2)


def test_a_label_in_test_and_valid_matters_more_than_sizes():
    utterances = corpus(
        p="aaaabbbbc" * 2, q="aaaabbbbc" * 2, r="aaaabbbbc" * 2, s="aabb", t="aabb"
    )
    [fold] = closeness(make_split(utterances, "speaker-independent"), utterances)
    assert fold.absent_valid == fold.absent_test == ()


def test_a_label_of_a_single_speaker_trains_where_it_can():
    utterances = corpus(p="aabb", q="aabb", r="aabbcc", s="aabb")
    [fold] = make_split(utterances, "speaker-independent").folds
    assert "r" in mapped(utterances, fold.train, "speaker")


# ---------------------------------------------------------------- how close it came


LOPSIDED = [
    replace(utterance, sentence=f"text {utterance.id[-1]}")
    for utterance in corpus(p="aabbbc", q="ab", r="ac")
]
LOPSIDED_SPLIT = Split(
    strategy="speaker-independent",
    folds=(
        Fold(
            name="0",
            train=tuple(f"p-{number}" for number in range(6)),
            valid=("q-0", "q-1"),
            test=("r-0", "r-1"),
        ),
    ),
)


def test_closeness_is_as_computed_by_hand():
    [fold] = closeness(LOPSIDED_SPLIT, LOPSIDED)
    # of all 10, a is 4, b 4, c 2; of train's 6, they are 2, 3, 1; valid's 1, 1, 0;
    # and test's 1, 0, 1
    assert fold.sizes == pytest.approx((0.6, 0.2, 0.2))
    assert fold.goals == (0.8, 0.1, 0.1)
    assert fold.deviates == ("b", "test")
    assert fold.deviation == pytest.approx(0.4)
    assert (fold.absent_valid, fold.absent_test) == (("c",), ("b",))
    assert fold.objective == pytest.approx(0.2 + (0.2 + 0.4 + 0.8) / 2 / 3 + 2)


def test_repeated_sentences_are_counted():
    [fold] = closeness(LOPSIDED_SPLIT, LOPSIDED)
    assert (fold.repeated, fold.sentences) == (2, 2)


def test_the_same_code_in_another_language_is_another_sentence():
    utterances = [replace(u, language=u.speaker) for u in LOPSIDED]
    [fold] = closeness(LOPSIDED_SPLIT, utterances)
    assert (fold.repeated, fold.sentences) == (0, 2)


def test_the_goals_of_kfold_are_equal_folds():
    folds = closeness(make_split(EVEN, "kfold"), EVEN)
    assert folds[0].goals == pytest.approx((0.6, 0.2, 0.2))


def test_one_fold_is_described_in_lines():
    assert describe(closeness(LOPSIDED_SPLIT, LOPSIDED)) == [
        "sizes: train 60.0 % (wanted 80.0), valid 20.0 % (wanted 10.0), "
        "test 20.0 % (wanted 10.0)",
        "labels: at most 40.0 points off the corpus, 'b' in test",
        "absent from valid: 'c'",
        "absent from test: 'b'",
        "sentences: 2 of 2 in test are in train too",
    ]


def test_several_folds_are_described_by_their_range():
    utterances = corpus(p="aabb", q="aabb", r="aabb", s="aaaabbbb", t="aaaaa")
    assert describe(closeness(make_split(utterances, "loso"), utterances)) == [
        "sizes: train 48.0–68.0 % (wanted 60.0), valid 16.0–32.0 % (wanted 20.0), "
        "test 16.0–32.0 % (wanted 20.0)",
        "labels: at most 40.0 points off the corpus, 'a' in valid of fold s",
        "absent from valid: 'b' in 1 of 5 folds",
        "absent from test: 'b' in 1 of 5 folds",
    ]
