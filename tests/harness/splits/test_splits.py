from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from manifests import manifest_of

from harness import (
    DataError,
    Fold,
    KnownFile,
    PluginError,
    Split,
    SplitOptions,
    SplitStrategy,
    StoreError,
    Utterance,
)
from harness.splits import strategies
from harness.splits.assignment import SWAPPED, Role, assign
from harness.splits.balance import closeness, describe
from harness.splits.checks import check
from harness.splits.files import read_split, write_split

OFFERED = {strategy.name: strategy for strategy in strategies.harness_splits()}
STRATEGIES = [name for name in OFFERED if name not in ("column", "published")]
BY_SPEAKER = [name for name in STRATEGIES if name != "stratified"]
THREE_FOLDS = [Role((2,), 1, 0), Role((0,), 2, 1), Role((1,), 0, 2)]
ONE_FOLD = [Role((0,), 1, 2)]


def corpus(**speakers: str) -> list[Utterance]:
    """Make a corpus: each speaker with their labels, one letter an utterance."""
    return [
        Utterance(id=f"{who}-{n}", path=f"{who}-{n}.wav", speaker=who, label=label)
        for who, labels in speakers.items()
        for n, label in enumerate(labels)
    ]


def random_corpus(seed: int, speakers: int, labels: str = "aabcd") -> list[Utterance]:
    draw = random.Random(seed)
    return corpus(
        **{
            f"s{number:03}": "".join(draw.choices(labels, k=draw.randint(3, 12)))
            for number in range(speakers)
        }
    )


def make_split(utterances, strategy, **options) -> Split:
    return strategies.make_split(OFFERED[strategy], utterances, SplitOptions(**options))


def mapped(utterances, ids, field):
    values = {utterance.id: getattr(utterance, field) for utterance in utterances}
    return [values[id] for id in ids]


EVEN = corpus(p="aabb", q="aabb", r="aabb", s="aabb", t="aabb")


# ---------------------------------------------------------------- what always holds


@st.composite
def corpora(draw, fewest=3, most=5):
    spoken = draw(st.lists(st.text("abc", min_size=1), min_size=fewest, max_size=most))
    assume(min(Counter("".join(spoken)).values()) > 1)
    return corpus(**dict(zip("vwxyz", spoken, strict=False)))


def split_or_discard(utterances, strategy, **options):
    try:
        return make_split(utterances, strategy, **options)
    except DataError:
        assume(False)


quick = settings(max_examples=40, deadline=None)


@quick
@given(utterances=corpora(), strategy=st.sampled_from(STRATEGIES))
def test_every_fold_has_every_utterance_once(utterances, strategy):
    split = split_or_discard(utterances, strategy, folds=3)
    for fold in split.folds:
        ids = sorted(fold.train + fold.valid + fold.test)
        assert ids == sorted(utterance.id for utterance in utterances)


@quick
@given(utterances=corpora(), strategy=st.sampled_from(BY_SPEAKER))
def test_no_speaker_is_in_two_parts(utterances, strategy):
    split = split_or_discard(utterances, strategy, folds=3)
    for fold in split.folds:
        parts = [set(mapped(utterances, ids, "speaker")) for _, ids in fold.parts()]
        assert sum(map(len, parts)) == len(set.union(*parts))


@quick
@given(utterances=corpora(), strategy=st.sampled_from(STRATEGIES))
def test_train_has_every_label_of_valid_and_test(utterances, strategy):
    split = split_or_discard(utterances, strategy, folds=3)
    for fold in split.folds:
        others = set(mapped(utterances, fold.valid + fold.test, "label"))
        assert others <= set(mapped(utterances, fold.train, "label"))


@quick
@given(utterances=corpora(), strategy=st.sampled_from(["loso", "kfold"]))
def test_every_utterance_is_tested_once(utterances, strategy):
    split = split_or_discard(utterances, strategy, folds=3)
    tested = sorted(id for fold in split.folds for id in fold.test)
    assert tested == sorted(utterance.id for utterance in utterances)


@quick
@given(data=st.data(), utterances=corpora(), strategy=st.sampled_from(STRATEGIES))
def test_the_order_of_the_utterances_does_not_matter(data, utterances, strategy):
    split = split_or_discard(utterances, strategy, folds=3)
    reordered = data.draw(st.permutations(utterances))
    assert make_split(reordered, strategy, folds=3) == split


@quick
@given(utterances=corpora(), strategy=st.sampled_from(STRATEGIES))
def test_every_split_that_is_made_passes_the_check(utterances, strategy):
    split = split_or_discard(utterances, strategy, folds=3)
    check(split, manifest_of(utterances))


@pytest.mark.parametrize("strategy", BY_SPEAKER)
def test_a_corpus_too_large_to_try_all_is_split_without_leaks(strategy):
    utterances = random_corpus(0, speakers=24)
    split = make_split(utterances, strategy)
    check(split, manifest_of(utterances))


def test_the_order_does_not_matter_to_a_local_search_either():
    utterances = random_corpus(1, speakers=20)
    split = make_split(utterances, "kfold")
    random.Random(0).shuffle(utterances)
    assert make_split(utterances, "kfold").sha256 == split.sha256


FRESH = """
import sys
from types import SimpleNamespace
from harness.splits.balance import closeness
from harness.splits.checks import check
from harness.splits.strategies import harness_splits, make_split
from harness.types import SplitOptions, Utterance
utterances = [
    Utterance(id=f"{s}-{n}", path="", speaker=f"s{s}", label="abc"[n * s % 3])
    for s in range(16) for n in range(12)
]
offered = {strategy.name: strategy for strategy in harness_splits()}
def made(name):
    return make_split(offered[name], utterances, SplitOptions())
split = made("loso")
recordings = [
    SimpleNamespace(utterance=u, content=u.id, path=u.id) for u in utterances
]
check(split, SimpleNamespace(recordings=recordings))
closeness(split, utterances)
print(split.sha256, "numpy" in sys.modules)
for strategy in ("stratified", "kfold", "speaker-independent"):
    print(made(strategy).sha256)
"""


def in_a_fresh_process(hash_seed: str) -> list[str]:
    command = [sys.executable, "-c", FRESH]
    environment = {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.fixture(scope="module")
def fresh():
    return in_a_fresh_process("1")


def test_splits_are_the_same_in_every_process(fresh):
    assert in_a_fresh_process("2") == fresh


def test_loso_is_made_and_checked_without_numpy(fresh):
    assert fresh[1] == "False"


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


# ---------------------------------------------------------------- the strategies


def test_loso_names_folds_by_the_speaker_that_tests():
    split = make_split(EVEN, "loso")
    for fold in split.folds:
        assert set(mapped(EVEN, fold.test, "speaker")) == {fold.name}


def test_the_next_speaker_validates_in_loso():
    split = make_split(EVEN, "loso")
    valid = [mapped(EVEN, fold.valid, "speaker")[0] for fold in split.folds]
    assert valid == ["q", "r", "s", "t", "p"]


def test_the_next_fold_validates_in_kfold():
    folds = make_split(EVEN, "kfold", folds=4).folds
    assert [fold.valid for fold in folds] == [
        folds[(number + 1) % 4].test for number in range(4)
    ]


def test_kfold_names_folds_by_number():
    assert [fold.name for fold in make_split(EVEN, "kfold").folds] == list("01234")


@quick
@given(
    counts=st.lists(st.integers(2, 60), min_size=1, max_size=6), seed=st.integers(0, 9)
)
@example(counts=[2, 2, 3], seed=0)
def test_stratified_has_every_label_where_it_can(counts, seed):
    assume(max(counts) > 2)
    utterances = corpus(p="".join(map(str.__mul__, "abcdef", counts)))
    split = make_split(utterances, "stratified", seed=seed)
    [fold] = closeness(split, utterances)
    rare = {label for label, count in zip("abcdef", counts, strict=False) if count < 3}
    assert (set(fold.absent_valid), set(fold.absent_test)) == (rare, set())


@quick
@given(counts=st.lists(st.integers(10, 60), min_size=1, max_size=6))
def test_stratified_sizes_come_within_one_utterance(counts):
    utterances = corpus(p="".join(map(str.__mul__, "abcdef", counts)))
    [fold] = make_split(utterances, "stratified").folds
    for (_, ids), goal in zip(fold.parts(), (0.8, 0.1, 0.1), strict=True):
        assert abs(len(ids) - goal * len(utterances)) < 1


@quick
@given(counts=st.lists(st.integers(10, 60), min_size=1, max_size=6))
def test_each_label_of_stratified_comes_within_two_utterances(counts):
    utterances = corpus(p="".join(map(str.__mul__, "abcdef", counts)))
    [fold] = make_split(utterances, "stratified").folds
    for (_, ids), goal in zip(fold.parts(), (0.8, 0.1, 0.1), strict=True):
        inside = Counter(mapped(utterances, ids, "label"))
        for label, count in zip("abcdef", counts, strict=False):
            assert abs(inside[label] - goal * count) < 2


def test_the_seed_moves_utterances_in_stratified():
    assert make_split(EVEN, "stratified", seed=1) != make_split(EVEN, "stratified")


def test_the_hash_of_a_stratified_split_is_the_same_for_ever():
    assert make_split(EVEN, "stratified").sha256 == (
        "a9cc25a18ab98131792e7cd505ea4f5de3c495d83eb40893613e74770c3e5892"
    )


def test_the_hash_of_a_split_depends_on_its_strategy():
    split = make_split(EVEN, "stratified")
    assert replace(split, strategy="kfold").sha256 != split.sha256


def test_the_hash_of_a_split_depends_on_its_folds():
    split = make_split(EVEN, "kfold")
    assert replace(split, folds=split.folds[1:]).sha256 != split.sha256


# ---------------------------------------------------------------- what is refused


def test_a_corpus_without_utterances_is_refused():
    with pytest.raises(DataError, match="no utterances"):
        make_split([], "loso")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_label_with_a_single_utterance_is_refused(strategy):
    utterances = corpus(p="aabb", q="aabb", r="aabbc", s="aabb", t="aabb")
    with pytest.raises(DataError, match="Label 'c' has a single utterance, 'r-4'"):
        make_split(utterances, strategy)


@pytest.mark.parametrize("strategy", ["speaker-independent", "loso"])
def test_two_speakers_are_too_few(strategy):
    utterances = corpus(p="aabb", q="aabb")
    with pytest.raises(DataError, match=r"at least 3 speakers.* 2 speakers \(p, q\)"):
        make_split(utterances, strategy)


def test_fewer_speakers_than_folds_are_too_few():
    with pytest.raises(DataError, match="with 6 folds needs at least 6 speakers"):
        make_split(EVEN, "kfold", folds=6)


def test_two_folds_are_too_few():
    with pytest.raises(DataError, match="at least 3 folds"):
        make_split(EVEN, "kfold", folds=2)


def test_stratified_needs_a_label_for_all_three_parts():
    with pytest.raises(DataError, match="a label with at least 3 utterances"):
        make_split(corpus(p="aabb", q="cc"), "stratified")


def test_one_speaker_is_enough_for_stratified():
    utterances = corpus(p="aaabbb")
    check(make_split(utterances, "stratified"), manifest_of(utterances))


@pytest.mark.parametrize("strategy", ["loso", "kfold"])
def test_a_label_of_a_single_speaker_is_refused_where_that_one_tests(strategy):
    utterances = corpus(p="aabb", q="aabb", r="aabbccc", s="aabb", t="aabb")
    with pytest.raises(DataError, match=r"label 'c'.*3 utterances.*1 speaker \(r\)"):
        make_split(utterances, strategy)


def test_loso_refuses_a_label_of_two_neighbours():
    utterances = corpus(p="aabbc", q="aabb", r="aabb", s="aabbc")
    with pytest.raises(DataError, match=r"label 'c'.* 2 speakers \(p, s\)"):
        make_split(utterances, "loso")


def test_labels_that_keep_every_speaker_in_train_are_refused():
    utterances = corpus(p="aabb", q="aacc", r="bbcdd")
    with pytest.raises(DataError, match=r"label 'd'.*2 utterances.*1 speaker \(r\)"):
        make_split(utterances, "speaker-independent")


GOOD = make_split(EVEN, "speaker-independent")


def changed(**parts: Any) -> Split:
    return replace(GOOD, folds=(replace(GOOD.folds[0], **parts),))


def test_the_same_audio_in_two_parts_is_refused_with_both_files():
    contents = {"p-1": "same", "t-2": "same"}
    with pytest.raises(
        DataError, match=r"same audio is in train \('p-1'\) and in test \('t-2'\)"
    ):
        check(GOOD, manifest_of(EVEN, contents))


def test_the_same_audio_twice_in_one_part_is_no_leak():
    check(GOOD, manifest_of(EVEN, {"p-1": "same", "q-2": "same"}))


def test_stratified_is_checked_for_the_same_audio_too():
    with pytest.raises(DataError, match="same audio"):
        check(
            make_split(EVEN, "stratified"),
            manifest_of(EVEN, {utterance.id: "same" for utterance in EVEN}),
        )


def test_a_speaker_in_two_parts_is_refused():
    fold = GOOD.folds[0]
    split = changed(train=(*fold.train, fold.test[0]), test=fold.test[1:])
    with pytest.raises(DataError, match=r"speaker is in train \('t-0'\) and in test"):
        check(split, manifest_of(EVEN))


def test_an_unknown_utterance_is_refused():
    split = changed(test=(*GOOD.folds[0].test, "zzz"))
    with pytest.raises(DataError, match="test has 'zzz', which is not in the corpus"):
        check(split, manifest_of(EVEN))


def test_a_missing_utterance_is_refused():
    split = changed(train=GOOD.folds[0].train[1:])
    with pytest.raises(DataError, match="in no part: 1 of 20, the first is 'p-0'"):
        check(split, manifest_of(EVEN))


@pytest.mark.parametrize("part", ["test", "valid"])
def test_an_utterance_given_twice_is_refused(part):
    split = changed(test=(*GOOD.folds[0].test, getattr(GOOD.folds[0], part)[0]))
    with pytest.raises(DataError, match=f"is in {part} and again in test"):
        check(split, manifest_of(EVEN))


@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_an_empty_part_is_refused(part):
    with pytest.raises(DataError, match=f"{part} is empty"):
        check(changed(**{part: ()}), manifest_of(EVEN))


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_label_that_train_lacks_is_refused(part):
    utterances = corpus(p="aa", q="aa", r="aab")
    parts = {"train": ("p-0", "p-1"), "valid": ("q-0", "q-1"), "test": ("q-0", "q-1")}
    parts |= {part: ("r-0", "r-1", "r-2")}
    split = Split(strategy="loso", folds=(Fold(name="r", **parts),))
    with pytest.raises(DataError, match=rf"label 'b' of {part} \('r-2'\) is not"):
        check(split, manifest_of(utterances))


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


def test_overlapping_utterances_in_two_parts_are_refused():
    spans = {"p-0": (0.0, 2.0), "t-1": (1.5, None), "q-0": (3.0, 4.0)}
    utterances = [
        replace(u, path="tape.wav", start=spans[u.id][0], end=spans[u.id][1])
        if u.id in spans
        else u
        for u in EVEN
    ]
    with pytest.raises(DataError, match=r"'p-0' in train and 't-1' in test overlap"):
        check(GOOD, manifest_of(utterances))


def test_utterances_that_follow_each_other_do_not_overlap():
    spans = {"p-0": (0.0, 2.0), "t-1": (2.0, 3.0), "q-0": (3.0, None)}
    utterances = [
        replace(u, path="tape.wav", start=spans[u.id][0], end=spans[u.id][1])
        if u.id in spans
        else u
        for u in EVEN
    ]
    check(GOOD, manifest_of(utterances))


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


# ---------------------------------------------------------------- files


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "split.json"
    write_split(make_split(EVEN, "kfold"), path, manifest_of(EVEN))
    return path


def test_folds_come_back_from_their_file(path):
    assert read_split(path).folds == make_split(EVEN, "kfold").folds


def test_what_a_split_was_made_for_comes_back_from_its_file(path):
    file = read_split(path)
    assert (file.corpus, file.version, file.strategy) == ("beeps", "1.0", "kfold")
    assert file.manifest_sha256 == manifest_of(EVEN).sha256


def test_nothing_else_is_left_beside_the_file(path):
    assert list(path.parent.iterdir()) == [path]


def test_ids_stand_in_the_file_as_they_are(tmp_path):
    utterances = [replace(u, id=f"شاد/{u.id}") for u in EVEN]
    path = tmp_path / "split.json"
    write_split(make_split(utterances, "loso"), path, manifest_of(utterances))
    assert '"شاد/p-0"' in path.read_text("utf-8")


def test_ids_are_sorted_however_they_stand_in_the_file(path):
    value = json.loads(path.read_text())
    value["folds"][0]["train"].reverse()
    path.write_text(json.dumps(value))
    assert read_split(path).folds == make_split(EVEN, "kfold").folds


def test_a_folder_that_cannot_be_written_is_an_error(path):
    with pytest.raises(StoreError, match="Cannot write"):
        write_split(GOOD, path / "split.json", manifest_of(EVEN))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (b"[" * 100_000, "recursion"),
        (b"\xff\xfe", "codec can't decode"),
        (b"[]", "'format' is missing"),
        (b'{"format": 2}', "format is 2, not 1"),
    ],
)
def test_a_file_that_is_no_split_is_refused(path, content, reason):
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"split file .*split\.json.*{reason}"):
        read_split(path)


@pytest.mark.parametrize(
    ("entry", "value", "reason"),
    [
        ("strategy", None, "'strategy' is missing or is not of type str"),
        ("corpus", 7, "'corpus' is missing or is not of type str"),
        ("folds", {}, "'folds' is missing or is not of type list"),
        ("folds", [], "no folds"),
        ("folds", ["0"], "'train' is missing"),
        (
            "folds",
            [{"name": "0", "train": [1], "valid": [], "test": []}],
            "not a string",
        ),
        ("folds", [{"name": "0", "train": [], "valid": []}], "'test' is missing"),
        ("folds", [{"train": [], "valid": [], "test": []}], "'name' is missing"),
        (
            "folds",
            [{"name": "0", "train": [], "valid": [], "test": []}] * 2,
            "two of the same name",
        ),
    ],
)
def test_a_malformed_entry_is_refused_with_the_reason(path, entry, value, reason):
    path.write_text(json.dumps(json.loads(path.read_text()) | {entry: value}))
    with pytest.raises(DataError, match=rf"split file .*split\.json.*{reason}"):
        read_split(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_split(tmp_path / "split.json")


# ---------------------------------------------------------------- parts that are given


def parted(**parts):
    """Three speakers, two labels each, with the part that each says it is in."""
    return [
        Utterance(
            id=f"{speaker}{label}", path="x", label=label, speaker=speaker, part=part
        )
        for speaker, part in parts.items()
        for label in "ab"
    ]


def test_a_column_is_taken_as_it_is():
    split = make_split(parted(p="test", q="train", r="valid"), "column")
    assert split.strategy == "column"
    assert split.folds == (
        Fold(name="0", train=("qa", "qb"), valid=("ra", "rb"), test=("pa", "pb")),
    )


@pytest.mark.parametrize("part", [None, "", "dev"])
def test_an_utterance_without_a_part_is_refused(part):
    with pytest.raises(DataError, match=r"2 of 6 utterances .* the first is 'qa'"):
        make_split(parted(p="test", q=part, r="valid"), "column")


def known(utterances):
    return {
        one.id: KnownFile(label=one.label, speaker=one.speaker, part=one.part)
        for one in utterances
    }


def test_a_published_split_is_called_so():
    own = parted(p="test", q="train", r="valid")
    plain = parted(p=None, q=None, r=None)
    split = make_split(plain, "published", files=lambda: known(own))
    assert (split.strategy, split.speaker_independent) == ("published", True)
    assert split.folds == make_split(own, "column").folds


def test_a_corpus_that_differs_from_the_published_split_is_refused_with_the_list():
    files = known(parted(p="test", q="train", r="valid"))
    here = parted(q=None, r=None, s=None)
    with pytest.raises(DataError) as refused:
        make_split(here, "published", files=lambda: files)
    assert str(refused.value).endswith(
        "\n  missing here: pa\n  missing here: pb\n  only here: sa\n  only here: sb"
    )


def test_a_long_list_of_differences_is_cut():
    files = known(parted(**{f"s{number}": "train" for number in range(30)}))
    with pytest.raises(DataError, match=r"in 66 utterances(.*\n)+  … and 46 more"):
        make_split(parted(p=None, q=None, r=None), "published", files=lambda: files)


def test_without_published_files_there_is_no_published_split():
    with pytest.raises(DataError, match="No split of this corpus is published"):
        make_split(parted(p=None, q=None, r=None), "published")


def test_a_column_can_be_written_and_read(tmp_path):
    split = make_split(parted(p="test", q="train", r="valid"), "column")
    write_split(split, tmp_path / "s.json", manifest_of([]))
    assert read_split(tmp_path / "s.json").folds == split.folds


# ---------------------------------------------------------------- a plugin's strategy


def leave_one_language_out(utterances, options):
    """Test each language; validate with the next one."""
    languages = sorted({utterance.language for utterance in utterances})
    for number, test in enumerate(languages):
        valid = languages[(number + 1) % len(languages)]
        parts: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
        for utterance in utterances:
            part = {test: "test", valid: "valid"}.get(utterance.language, "train")
            parts[part].append(utterance.id)
        yield Fold(name=test, **{part: tuple(ids) for part, ids in parts.items()})


LOLO = SplitStrategy(
    name="leave-one-language-out",
    summary="one fold a language",
    divide=leave_one_language_out,
    version=3,
)
LANGUAGES = dict(zip("pqrst", ["ar", "ar", "de", "el", "fr"], strict=True))
POLYGLOT = [replace(u, language=LANGUAGES[u.speaker]) for u in EVEN]


def test_a_strategy_of_a_plugin_divides_a_corpus():
    split = strategies.make_split(LOLO, POLYGLOT[::-1], SplitOptions())
    check(split, manifest_of(POLYGLOT))
    assert (split.strategy, split.version) == ("leave-one-language-out", 3)
    assert [fold.name for fold in split.folds] == ["ar", "de", "el", "fr"]
    assert set(mapped(POLYGLOT, split.folds[0].test, "speaker")) == {"p", "q"}


def test_a_strategy_of_a_plugin_is_checked_as_the_others_are():
    utterances = [*POLYGLOT[1:], replace(POLYGLOT[0], language="fr")]
    split = strategies.make_split(LOLO, utterances, SplitOptions())
    with pytest.raises(DataError, match="language-out', fold 'ar': the same speaker"):
        check(split, manifest_of(utterances))
    shared = replace(LOLO, speaker_independent=False)
    split = strategies.make_split(shared, utterances, SplitOptions())
    check(split, manifest_of(utterances))


@pytest.mark.parametrize("made", [0, 2])
def test_a_strategy_without_folds_or_with_two_of_a_name_is_refused(made):
    strategy = replace(LOLO, divide=lambda utterances, options: [*GOOD.folds] * made)
    with pytest.raises(PluginError, match="'leave-one-language-out' made no folds"):
        strategies.make_split(strategy, EVEN, SplitOptions())
