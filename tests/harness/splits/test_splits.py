"""What every strategy promises, whatever the corpus."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace

import pytest
from divided import (
    BY_LABEL,
    BY_SPEAKER,
    STRATEGIES,
    corpora,
    make_split,
    mapped,
    quick,
    random_corpus,
    split_or_discard,
)
from hypothesis import assume, given
from hypothesis import strategies as st
from manifests import manifest_of

from harness import DataError
from harness.splits.checks import check


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
@given(utterances=corpora(), strategy=st.sampled_from(BY_LABEL))
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
@given(utterances=corpora(), strategy=st.sampled_from(BY_LABEL))
def test_every_split_that_is_made_passes_the_check(utterances, strategy):
    assume(len({one.label for one in utterances}) > 1)
    split = split_or_discard(utterances, strategy, folds=3)
    check(split, manifest_of(utterances))


def test_a_corpus_with_one_label_is_refused():
    utterances = [replace(one, label="joy") for one in random_corpus(0, speakers=6)]
    split = make_split(utterances, "loso")
    with pytest.raises(DataError, match=r"one label, 'joy': .* nothing to recognise"):
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
    SimpleNamespace(utterance=u, content=u.id, source=u.id) for u in utterances
]
check(split, SimpleNamespace(recordings=recordings, alike=()))
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
