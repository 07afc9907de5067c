"""The strategies, one by one, and the corpora that they refuse."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from divided import EVEN, GOOD, STRATEGIES, corpus, make_split, mapped, quick
from hypothesis import assume, example, given
from hypothesis import strategies as st
from manifests import manifest_of

from harness import DataError, Fold, PluginError, SplitOptions, SplitStrategy
from harness.splits import strategies
from harness.splits.balance import closeness
from harness.splits.checks import check

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
