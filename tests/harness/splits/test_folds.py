"""Folds that keep other things apart than speakers alone, or nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from divided import EVEN, OFFERED, corpus, make_split, mapped, quick
from hypothesis import given
from hypothesis import strategies as st
from manifests import manifest_of

from harness import DataError, Fold, SplitOptions
from harness.splits.checks import check

NAMES = ["shuffled-kfold", "sentence-kfold", "speaker-sentence"]


def spoken(speakers=6, sentences=6, labels="abc"):
    """Each speaker says each sentence in each of the labels."""
    utterances = corpus(
        **{f"s{number}": labels * sentences for number in range(speakers)}
    )
    return [
        replace(one, sentence=str(number // len(labels) % sentences))
        for number, one in enumerate(utterances)
    ]


SPOKEN = spoken()


def in_parts(utterances, fold, field):
    return [set(mapped(utterances, ids, field)) for _, ids in fold.parts()]


@pytest.mark.parametrize("name", NAMES)
@quick
@given(folds=st.integers(3, 6), seed=st.integers(0, 3))
def test_every_utterance_is_tested_once(name, folds, seed):
    split = make_split(SPOKEN, name, folds=folds, seed=seed)
    times = Counter(id for fold in split.folds for id in fold.test)
    assert times == dict.fromkeys((one.id for one in SPOKEN), 1)
    check(split, manifest_of(SPOKEN))


@quick
@given(
    counts=st.lists(st.integers(5, 30), min_size=2, max_size=5), folds=st.integers(3, 5)
)
def test_labels_of_shuffled_folds_differ_by_one_utterance_at_most(counts, folds):
    utterances = corpus(p="".join(map(str.__mul__, "abcde", counts)))
    split = make_split(utterances, "shuffled-kfold", folds=folds)
    sizes = [len(fold.test) for fold in split.folds]
    assert max(sizes) - min(sizes) <= 1
    for label in "abcde"[: len(counts)]:
        tested = [
            mapped(utterances, fold.test, "label").count(label) for fold in split.folds
        ]
        assert max(tested) - min(tested) <= 1


def test_shuffled_folds_share_speakers_and_sentences():
    fold = make_split(SPOKEN, "shuffled-kfold").folds[0]
    for field in ("speaker", "sentence"):
        train, _, test = in_parts(SPOKEN, fold, field)
        assert test <= train


def test_sentence_folds_share_speakers_and_no_sentence():
    for fold in make_split(SPOKEN, "sentence-kfold", folds=3).folds:
        train, valid, test = in_parts(SPOKEN, fold, "sentence")
        assert not train & valid | (train | valid) & test
        train, _, test = in_parts(SPOKEN, fold, "speaker")
        assert test <= train


def test_both_are_apart_in_speaker_sentence():
    split = make_split(SPOKEN, "speaker-sentence", folds=3)
    assert [fold.name for fold in split.folds] == [
        f"{speakers}-{sentences}" for speakers in range(3) for sentences in range(3)
    ]
    for fold in split.folds:
        train, valid, test = in_parts(SPOKEN, fold, "speaker")
        assert not train & valid | (train | valid) & test
        train, valid, test = in_parts(SPOKEN, fold, "sentence")
        assert not (train | valid) & test


def test_speaker_sentence_leaves_out_what_shares_one_of_them_with_test():
    fold = make_split(SPOKEN, "speaker-sentence", folds=3).folds[0]
    kept = {id for _, ids in fold.parts() for id in ids}
    _, _, speakers = in_parts(SPOKEN, fold, "speaker")
    _, _, sentences = in_parts(SPOKEN, fold, "sentence")
    shares = {
        one.id
        for one in SPOKEN
        if (one.speaker in speakers) != (one.sentence in sentences)
    }
    assert kept == {one.id for one in SPOKEN} - shares


def test_the_same_code_in_two_languages_is_two_sentences():
    both = [
        replace(
            one,
            id=f"{language}-{one.id}",
            path=f"{language}-{one.path}",
            language=language,
        )
        for one in spoken(sentences=2)
        for language in ("de", "fr")
    ]
    assert len(make_split(both, "sentence-kfold", folds=4).folds) == 4


def test_only_speaker_sentence_is_speaker_independent():
    independent = [name for name in NAMES if OFFERED[name].speaker_independent]
    assert independent == ["speaker-sentence"]


def test_what_is_left_out_is_refused_elsewhere():
    split = make_split(SPOKEN, "speaker-sentence", folds=3)
    with pytest.raises(DataError, match="are in no part"):
        check(replace(split, leaves_out=False), manifest_of(SPOKEN))


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_corpus_whose_sentences_are_not_known_is_refused(name):
    with pytest.raises(DataError, match="of 20 it is not known, the first is 'p-0'"):
        make_split(EVEN, name)


@pytest.mark.parametrize(
    ("name", "noun", "count"),
    [("sentence-kfold", "sentences", 6), ("shuffled-kfold", "utterances", 108)],
)
def test_more_folds_than_there_is_to_divide_are_refused(name, noun, count):
    with pytest.raises(DataError, match=rf"at least 200 {noun}.* has {count}\."):
        make_split(SPOKEN, name, folds=200)


@pytest.mark.parametrize("name", NAMES)
def test_two_folds_of_these_are_too_few(name):
    with pytest.raises(DataError, match="at least 3 folds"):
        make_split(SPOKEN, name, folds=2)


@pytest.mark.parametrize(
    ("name", "field", "problem"),
    [
        ("shuffled-kfold", None, "is tested in 2 folds"),
        ("sentence-kfold", None, "is tested in 2 folds"),
        ("sentence-kfold", "sentence", "has a sentence in two parts"),
        ("speaker-sentence", None, "is tested in 2 folds"),
        ("speaker-sentence", "sentence", "has a sentence of test in another part"),
    ],
)
def test_a_split_file_of_another_kind_is_refused(name, field, problem):
    folds = make_split(SPOKEN, name, folds=3).folds
    wrong = (*folds, replace(folds[0], name="again"))
    if field:
        test = folds[0].test
        wrong = (Fold(name="0", train=test[2:], valid=test[:1], test=test[1:2]),)
    mismatch = OFFERED[name].mismatch
    assert mismatch(folds, SPOKEN, SplitOptions()) == ""
    assert problem in mismatch(wrong, SPOKEN, SplitOptions())
