"""Each speaker in every part, and each coded sentence in one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from divided import make_split, mapped
from manifests import manifest_of

from harness import DataError, HarnessError, SplitStrategy, Utterance
from harness.data.targets import harness_targets
from harness.splits.transfer import SplitChoice, divisions

TARGETS = {target.name: target for target in harness_targets()}


def recited(speakers=4, sentences=10, takes=1):
    """Utterances of speakers who each say all sentences."""
    return [
        Utterance(
            id=f"{who}-{said:02}-{take}",
            path=f"{who}-{said:02}-{take}.wav",
            label="ab"[(who + said + take) % 2],
            speaker=f"s{who}",
            sentence=f"t{said:02}",
        )
        for who in range(speakers)
        for said in range(sentences)
        for take in range(takes)
    ]


def told(speakers=4, each=20):
    """The same without sentences."""
    return [replace(one, sentence=None) for one in recited(speakers, each)]


def test_every_speaker_is_in_every_part():
    for utterances in (recited(), told()):
        (fold,) = make_split(utterances, "within-speakers").folds
        for _, ids in fold.parts():
            assert set(mapped(utterances, ids, "speaker")) == {"s0", "s1", "s2", "s3"}


def test_no_sentence_is_in_two_parts():
    utterances = recited(takes=3)
    (fold,) = make_split(utterances, "within-speakers").folds
    parts = [set(mapped(utterances, ids, "sentence")) for _, ids in fold.parts()]
    assert [len(part) for part in parts] == [8, 1, 1]
    assert len(set.union(*parts)) == 10


def test_without_sentences_each_speaker_is_divided_by_tenths():
    utterances = told()
    (fold,) = make_split(utterances, "within-speakers").folds
    for _, ids, size in zip(*zip(*fold.parts(), strict=True), (16, 2, 2), strict=True):
        spoken = mapped(utterances, ids, "speaker")
        assert all(spoken.count(who) == size for who in set(spoken))


def test_a_sentence_that_is_said_once_needs_no_part_of_its_own():
    alone = [replace(one, sentence=one.id) for one in recited(3, 10)]
    split = make_split(alone, "within-speakers")
    assert [len(ids) for _, ids in split.folds[0].parts()] == [24, 3, 3]


def test_the_seed_decides_who_says_what_where():
    assert make_split(told(), "within-speakers", seed=1) != make_split(
        told(), "within-speakers"
    )


def test_two_sentences_are_too_few():
    with pytest.raises(DataError, match=r"at least 3 sentences.*has 2.*stratified"):
        make_split(recited(sentences=2, takes=9), "within-speakers")


# ---------------------------------------------------------------- of the speaker


def divided(utterances, strategy="within-speakers", target="speaker"):
    from divided import OFFERED

    from harness.registry import Names, Plugin

    known: Names[SplitStrategy] = Names("split strategy")
    for one in OFFERED.values():
        known.add(one, Plugin(name="splits", distribution="", version=""))
    choice = SplitChoice.of(
        str(strategy), known, target=TARGETS[target], targets=TARGETS.values()
    )
    (division,) = divisions([manifest_of(utterances)], [], choice)
    return division


def test_speakers_are_the_labels_where_they_are_the_target():
    division = divided(recited())
    assert division.manifest.labels == ("s0", "s1", "s2", "s3")
    assert division.split.strategy == "within-speakers"


@pytest.mark.parametrize("strategy", ["speaker-independent", "loso", "kfold"])
def test_a_split_of_speakers_is_refused_where_they_are_the_target(strategy):
    with pytest.raises(HarnessError, match=r"'speaker' .* tests others.*stratified"):
        divided(recited(), strategy)


def test_a_file_that_repeats_a_sentence_is_not_within_speakers(tmp_path):
    from harness.splits.files import write_split

    division = divided(recited(), "stratified")
    lying = replace(division.split, strategy="within-speakers")
    write_split(lying, tmp_path / "split.json", division.manifest)
    with pytest.raises(DataError, match=r"sentence 't\d\d' is in"):
        divided(recited(), tmp_path / "split.json")


def test_a_file_that_was_written_within_speakers_is_read(tmp_path):
    from harness.splits.files import write_split

    division = divided(recited())
    write_split(division.split, tmp_path / "split.json", division.manifest)
    assert divided(recited(), tmp_path / "split.json").split == division.split
