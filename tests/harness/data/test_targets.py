"""A corpus as a target sees it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from manifests import BEEPS, manifest_of

from harness import (
    DataError,
    PluginError,
    SplitOptions,
    SplitStrategy,
    Target,
    Utterance,
)
from harness.data.manifest import join
from harness.data.targets import harness_targets, seen
from harness.registry import Names, Plugin
from harness.splits.checks import check
from harness.splits.strategies import harness_splits, make_split
from harness.splits.transfer import SplitChoice, divisions

TARGETS = {target.name: target for target in harness_targets()}


def spoken(count=20, **fields):
    """Utterances of four speakers; a field is a function of the number."""
    return [
        Utterance(
            id=f"{n:03}",
            path=f"{n:03}.wav",
            label="ab"[n % 2],
            speaker=f"s{n % 4}",
            **{name: of(n) for name, of in fields.items()},
        )
        for n in range(count)
    ]


def through(target, utterances, **fields):
    return seen(manifest_of(utterances, **fields), TARGETS[target], TARGETS.values())


def labels(manifest):
    return [one.label for one in manifest.utterances]


def test_the_emotion_leaves_a_corpus_as_it_is():
    manifest = manifest_of(spoken())
    assert seen(manifest, TARGETS["emotion"], ()) is manifest


def test_a_class_takes_the_place_of_the_label():
    genders = through("gender", spoken(gender=lambda n: ("female", "male")[n % 2]))
    assert genders.labels == ("female", "male")
    assert {one.value for one in genders.utterances} == {None}
    assert through("speaker", spoken()).labels == ("s0", "s1", "s2", "s3")


def test_an_utterance_without_a_value_is_left_out_and_counted():
    known = through("sentence", spoken(sentence=lambda n: "abc"[n] if n < 3 else None))
    assert labels(known) == ["a", "b", "c"]
    assert known.bad == ("17 of 20 utterances: without sentence",)


def test_an_utterance_without_a_label_has_no_emotion():
    mixed = [replace(one, label="") if n > 16 else one for n, one in enumerate(both())]
    known = through("emotion", mixed)
    assert known.bad == ("3 of 20 utterances: without emotion",)
    assert known.labels == ("a", "b")
    assert len(through("gender", mixed).recordings) == 20


def test_a_corpus_without_labels_is_named_with_its_targets():
    with pytest.raises(DataError, match=r"none of its 20.*: gender, speaker\."):
        through("emotion", [replace(one, label="") for one in both()])


def both():
    return spoken(gender=lambda n: ("female", "male")[n % 2])


def test_a_language_that_no_utterance_names_is_that_of_the_corpus():
    of_some = spoken(language=lambda n: "el" if n % 2 else None)
    assert through("language", of_some).labels == ("el", "x-beeps")
    unknown = replace(BEEPS, languages=("und",))
    with pytest.raises(DataError, match="none of its 20 utterances"):
        through("language", spoken(), corpus=unknown)


def test_a_corpus_without_a_value_is_named_with_its_targets():
    with pytest.raises(DataError) as error:
        through("arousal", spoken())
    assert str(error.value) == (
        "Corpus 'beeps' cannot be used for the target 'arousal': none of its 20 "
        "utterances has a value. Choose another --target; of this corpus: emotion, "
        "speaker."
    )


def test_a_corpus_with_one_value_is_named():
    with pytest.raises(DataError, match=r"it is 'x-beeps' in all.*--corpus A"):
        through("language", spoken())


def test_what_corpora_alone_call_so_begins_with_their_names():
    both = join(
        [
            manifest_of(spoken(sentence=lambda n: "t1"), corpus=replace(BEEPS, name=n))
            for n in ("one", "two")
        ]
    )
    sentences = seen(both, TARGETS["sentence"], ())
    assert sentences.labels == ("one/t1", "two/t1")
    assert len(seen(both, TARGETS["speaker"], ()).labels) == 8


# ---------------------------------------------------------------- numbers


def rated(values):
    numbers = [{} if value is None else {"arousal": value} for value in values]
    return spoken(len(numbers), numbers=numbers.__getitem__)


def test_numbers_are_binned_by_fifths_of_the_corpus():
    found = through("arousal", rated([float(n) for n in range(20)]))
    assert labels(found) == [f"q{n // 4 + 1}" for n in range(20)]
    assert [one.value for one in found.utterances] == [float(n) for n in range(20)]


def test_equal_numbers_are_in_one_bin():
    found = through("arousal", rated([1.0] * 15 + [2.0, 3.0, 4.0, 5.0, 6.0]))
    assert labels(found)[:15] == ["q1"] * 15
    assert len(found.labels) > 1


def test_a_split_of_numbers_may_test_a_bin_that_train_lacks():
    """A number may be a new one; a class may not."""
    by_speaker = through("arousal", rated([float(n % 4) for n in range(20)]))
    loso = next(one for one in harness_splits() if one.name == "loso")
    split = make_split(loso, by_speaker.utterances, SplitOptions())
    check(split, by_speaker)
    with pytest.raises(DataError, match="cannot have label 's0'"):
        make_split(loso, through("speaker", spoken()).utterances, SplitOptions())


def test_numbers_of_another_corpus_are_tested_whatever_their_bins():
    def corpus(name, values):
        contents = {f"{n:03}": f"{name} {n}" for n in range(len(values))}
        return manifest_of(rated(values), contents, replace(BEEPS, name=name))

    one = corpus("one", [float(n) for n in range(20)])
    other = corpus("other", [30.0] * 18 + [40.0, 50.0])
    strategies: Names[SplitStrategy] = Names("split strategy")
    for strategy in harness_splits():
        strategies.add(strategy, Plugin(name="splits", distribution="", version=""))
    choice = SplitChoice.of(
        "speaker-independent", strategies, target=TARGETS["arousal"]
    )
    (division,) = divisions([one], [other], choice)
    assert len(division.split.folds[0].test) == 20
    tested = {u.value for u in division.manifest.utterances if u.id[:5] == "other"}
    assert tested == {30.0, 40.0, 50.0}


def test_numbers_are_part_of_what_a_manifest_is_named_by():
    one = through("arousal", rated([float(n) for n in range(20)]))
    other = through("arousal", rated([float(n) + 0.1 for n in range(20)]))
    assert labels(one) == labels(other)
    assert one.sha256 != other.sha256


@pytest.mark.parametrize(
    ("numbers", "value"), [(True, "high"), (True, float("inf")), (False, 3)]
)
def test_a_value_of_another_kind_is_the_plugins_fault(numbers, value):
    odd = Target(name="odd", summary="", value=lambda one: value, numbers=numbers)
    with pytest.raises(PluginError, match="'odd' returned"):
        seen(manifest_of(spoken()), odd, ())


def test_a_target_that_raises_is_named():
    def fails(utterance):
        raise KeyError("age")

    with pytest.raises(PluginError, match="odd"):
        seen(manifest_of(spoken()), Target(name="odd", summary="", value=fails), ())
