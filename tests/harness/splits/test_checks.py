"""Splits that leak, or that do not fit their corpus, are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from divided import EVEN, GOOD, corpus, make_split
from manifests import manifest_of

from harness import DataError, Fold, Split
from harness.splits.checks import check


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
