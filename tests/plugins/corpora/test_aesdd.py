from __future__ import annotations

import pytest
from harness_plugins.corpora.aesdd import AESDD, AESDD_ALL

from harness import Utterance


def test_a_file_name_says_label_sentence_and_speaker(tree):
    root = tree("Acted Emotional Speech Dynamic Database/happiness/h05 (3).wav")
    assert list(AESDD.read(root)) == [
        Utterance(
            id="happiness/h05 (3).wav",
            path="Acted Emotional Speech Dynamic Database/happiness/h05 (3).wav",
            label="happiness",
            speaker="3",
            sentence="05",
        )
    ]


@pytest.mark.parametrize("name", ["d03 (01)", "f10 (01)", "f13 (01)"])
def test_a_zero_before_the_speaker_makes_no_seventh_one(tree, name):
    (utterance,) = AESDD.read(tree(f"x/{name}.wav"))
    assert utterance.speaker == "1"


@pytest.mark.parametrize("name", ["a06 (5)b", "f18 (5)b", "s01 (5)a", "s01 (5)b"])
def test_a_take_stands_after_the_bracket(tree, name):
    (utterance,) = AESDD.read(tree(f"x/{name}.wav"))
    assert (utterance.speaker, utterance.sentence) == ("5", name[1:3])


def test_takes_are_utterances_of_their_own(tree):
    root = tree("sadness/s02 (5).wav", "sadness/s02 (5)b.wav")
    assert len(list(AESDD.read(root))) == 2


def test_the_file_that_cannot_be_decoded_is_left_out(tree):
    root = tree("sadness/s05 (3).wav", "sadness/s05 (2).wav")
    assert [u.id for u in AESDD.read(root)] == ["sadness/s05 (2).wav"]


def test_the_improvised_utterance_has_no_sentence(tree):
    (utterance,) = AESDD.read(tree("fear/f20 (2).wav"))
    assert utterance.sentence is None


def test_genders_are_unknown_as_sources_disagree(tree):
    root = tree(*(f"a01 ({speaker}).wav" for speaker in range(1, 7)))
    assert {utterance.gender for utterance in AESDD_ALL.read(root)} == {None}


def test_the_plain_name_is_the_first_five_speakers(tree):
    root = tree(*(f"a01 ({speaker}).wav" for speaker in range(1, 7)))
    assert [utterance.speaker for utterance in AESDD.read(root)] == list("12345")
    assert [utterance.speaker for utterance in AESDD_ALL.read(root)] == list("123456")


def test_the_documentation_is_ignored(tree):
    root = tree("anger/a01 (1).wav", "Tools and Documentation/ESTrainer.mlapp")
    assert len(list(AESDD.read(root))) == 1
