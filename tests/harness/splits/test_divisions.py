"""Corpora that are divided alone, joined, or against another; split files compared."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from manifests import BEEPS, manifest_of

from harness import (
    DataError,
    HarnessError,
    KnownFile,
    SplitOptions,
    SplitStrategy,
    Utterance,
)
from harness.errors import UnknownNameError
from harness.registry import Names, Plugin, Registry, plugin_manager
from harness.splits import strategies
from harness.splits.files import write_split
from harness.splits.transfer import SplitChoice, divisions

KNOWN = Registry.of(plugin_manager([strategies])).splits


def corpus_of(name, labels="aabb", speakers="pqrst", **changes):
    """Build the manifest of a corpus whose speakers all say the same labels."""
    utterances = [
        Utterance(
            id=f"{who}-{number}",
            path=f"{who}-{number}.wav",
            speaker=who,
            label=label,
            part={"s": "valid", "t": "test"}.get(who, "train"),
        )
        for who in speakers
        for number, label in enumerate(labels)
    ]
    contents = {one.id: f"{name} {one.id}" for one in utterances}
    return manifest_of(utterances, contents, replace(BEEPS, name=name, **changes))


HOME, ABROAD = corpus_of("home"), corpus_of("abroad", "abc", "pxyz")


def chosen(name="speaker-independent", **options):
    return SplitChoice.of(name, KNOWN, **options)


def divided(trained, tested=(), choice=None):
    return list(divisions(trained, tested, choice or chosen()))


def speakers(division, ids):
    speaker_of = {one.id: one.speaker for one in division.manifest.utterances}
    return {speaker_of[id] for id in ids}


# ---------------------------------------------------------------- corpora


def test_a_corpus_alone_has_its_own_split():
    (division,) = divided([HOME])
    assert division.manifest is HOME
    assert (division.trained, division.tested) == (("home",), ())
    assert division.split.strategy == "speaker-independent"


def test_joined_corpora_have_one_split_of_all_their_speakers():
    (division,) = divided([HOME, ABROAD])
    assert (division.trained, division.tested) == (("home", "abroad"), ())
    (fold,) = division.split.folds
    everybody = speakers(division, fold.train + fold.valid + fold.test)
    assert len(everybody) == 5 + 4
    assert {"home/p", "abroad/p"} <= everybody


def test_another_corpus_is_tested_as_a_whole_on_the_labels_that_both_have():
    (division,) = divided([HOME], [ABROAD])
    assert (division.trained, division.tested) == (("home",), ("abroad",))
    assert division.split.strategy == "transfer"
    (fold,) = division.split.folds
    assert speakers(division, fold.test) == {f"abroad/{who}" for who in "pxyz"}
    assert len(fold.test) == 4 * 2
    trained = speakers(division, fold.train) | speakers(division, fold.valid)
    assert trained == {f"home/{who}" for who in "pqrs"}
    assert division.manifest.labels == ("a", "b")


def test_the_corpus_itself_is_tested_by_its_own_split():
    home, abroad = divided([HOME], [HOME, ABROAD])
    assert (home.manifest, home.tested) == (HOME, ())
    assert abroad.tested == ("abroad",)


def test_each_of_the_trained_corpora_stands_for_one_division():
    assert len(divided([HOME, ABROAD], [HOME, ABROAD])) == 1


def test_joined_corpora_are_tested_on_a_third_by_ids_with_one_prefix():
    third = corpus_of("third", "ab", "uv")
    (division,) = divided([HOME, ABROAD], [third])
    assert division.trained == ("home", "abroad")
    assert division.tested == ("third",)
    (fold,) = division.split.folds
    assert fold.test == ("third/u-0", "third/u-1", "third/v-0", "third/v-1")
    assert {id.count("/") for id in fold.train + fold.valid} == {1}


def test_training_parts_are_the_same_whichever_corpus_is_tested():
    home, abroad = divided([HOME], [HOME, ABROAD])
    inside, across = home.split.folds[0], abroad.split.folds[0]
    assert across.train == tuple(f"home/{id}" for id in inside.train)
    assert across.valid == tuple(f"home/{id}" for id in inside.valid)


def test_corpora_that_share_one_label_are_refused():
    with pytest.raises(DataError, match="home and other share 1 labels"):
        divided([HOME], [corpus_of("other", "acc")])


def test_a_split_with_folds_cannot_be_tested_on_another_corpus():
    with pytest.raises(DataError, match="'loso' has 5 folds"):
        divided([HOME], [ABROAD], chosen("loso"))


def test_the_same_recording_in_both_corpora_is_refused():
    copied = corpus_of("home", "ab", "pq")
    twin = replace(copied, corpus=replace(BEEPS, name="twin"))
    with pytest.raises(DataError, match="the same audio is in train"):
        divided([HOME], [twin])


def test_the_published_files_of_a_corpus_reach_the_strategy():
    files = {
        one.id: KnownFile(label=one.label, speaker=one.speaker, part=one.part)
        for one in HOME.utterances
    }
    corpus = replace(HOME.corpus, files=lambda: files)
    (division,) = divided([replace(HOME, corpus=corpus)], choice=chosen("published"))
    assert division.split.strategy == "published"
    assert speakers(division, division.split.folds[0].test) == {"t"}


# ---------------------------------------------------------------- what is chosen


def test_an_unknown_strategy_is_reported_with_a_near_one():
    with pytest.raises(UnknownNameError, match=r"split strategy.*mean 'kfold'"):
        chosen("k-fold")


def test_kfold_takes_folds():
    (division,) = divided([HOME], choice=chosen("kfold", folds=3))
    assert len(division.split.folds) == 3


@pytest.mark.parametrize("name", ["loso", "my.json"])
def test_folds_without_effect_are_refused(name):
    with pytest.raises(HarnessError, match=rf"'{name}' takes no number of folds"):
        chosen(name, folds=3)


def test_the_seed_reaches_the_strategy():
    one, other = (
        divided([HOME], choice=chosen("stratified", seed=seed)) for seed in (0, 1)
    )
    assert one[0].split != other[0].split


# ---------------------------------------------------------------- split files


@pytest.fixture
def written(tmp_path):
    """Write the split of HOME by a strategy; return a choice of that file, changed."""

    def write(made_by, manifest=HOME, **changes):
        path = tmp_path / "split.json"
        strategy = KNOWN[made_by]
        made = strategies.make_split(strategy, manifest.utterances, SplitOptions())
        write_split(made, path, manifest)
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        return chosen(str(path))

    return write


@pytest.mark.parametrize(
    "strategy", ["speaker-independent", "stratified", "loso", "kfold", "column"]
)
def test_a_split_is_the_same_from_its_file(written, strategy):
    made = divided([HOME], choice=chosen(strategy))
    assert divided([HOME], choice=written(strategy)) == made


def test_a_file_of_another_corpus_is_refused(written):
    with pytest.raises(DataError, match="a split of 'home', not of 'abroad'"):
        divided([ABROAD], choice=written("loso"))


def test_a_file_of_another_version_is_refused_with_both(written):
    with pytest.raises(DataError, match=r"in version '0\.9', and here is .*'1\.0'"):
        divided([HOME], choice=written("loso", version="0.9"))


def test_a_file_of_other_utterances_is_refused(written):
    with pytest.raises(DataError, match=r"version is the same\. Make the split anew"):
        divided([HOME], choice=written("loso", manifest_sha256="0" * 64))


def test_a_file_that_leaks_is_refused(written):
    with pytest.raises(DataError, match="the same speaker is in train"):
        divided([HOME], choice=written("stratified", strategy="speaker-independent"))


def test_a_file_by_a_strategy_that_is_not_installed_is_refused(written):
    with pytest.raises(DataError, match=r"split\.json cannot .*'bootstrap'"):
        divided([HOME], choice=written("loso", strategy="bootstrap"))


PAIRS = corpus_of("pairs", "aabb", "pqrstuvwxy")


def test_a_file_whose_folds_test_two_speakers_is_not_loso(written):
    with pytest.raises(DataError, match="not a loso split: fold '0' tests 2 speakers"):
        divided([PAIRS], choice=written("kfold", PAIRS, strategy="loso"))


@pytest.mark.parametrize("strategy", ["loso", "kfold"])
def test_a_file_that_leaves_a_speaker_untested_is_not_of_these(written, strategy):
    folds = json.loads(written(strategy).file.path.read_text())["folds"]
    with pytest.raises(DataError, match=f"{strategy} split: .* is tested in 0 folds"):
        divided([HOME], choice=written(strategy, folds=folds[1:]))


def test_a_file_that_tests_a_speaker_twice_is_not_kfold(written):
    folds = json.loads(written("kfold").file.path.read_text())["folds"]
    folds.append(folds[0] | {"name": "again"})
    with pytest.raises(DataError, match="kfold split: speaker 'p' is tested in 2"):
        divided([HOME], choice=written("kfold", folds=folds))


def test_a_file_that_is_not_the_column_is_refused(written):
    with pytest.raises(DataError, match="not a column split: its parts are not those"):
        divided([HOME], choice=written("loso", strategy="column"))


def test_a_file_that_is_not_published_is_refused(written):
    with pytest.raises(DataError, match="No split of this corpus is published"):
        divided([HOME], choice=written("column", strategy="published"))


def test_a_strategy_of_a_plugin_checks_its_own_files(written):
    strict = SplitStrategy(
        name="strict",
        summary="",
        divide=lambda utterances, options: (),
        mismatch=lambda folds, utterances, options: f"it has {len(folds)} folds",
    )
    path = written("kfold").file.path
    path.write_text(json.dumps(json.loads(path.read_text()) | {"strategy": "strict"}))
    known: Names[SplitStrategy] = Names("split strategy")
    known.add(strict, Plugin(name="strict", distribution="", version=""))
    choice = SplitChoice.of(str(path), known)
    with pytest.raises(DataError, match="not a strict split: it has 5 folds"):
        divided([HOME], choice=choice)
