from __future__ import annotations

import pytest
from harness_plugins.corpora.eyase import EYASE

from harness import DataError, Utterance


def test_a_path_encodes_label_speaker_and_gender(tree):
    assert list(EYASE.read(tree("EYASE/Male03/ml03_sad (12).wav"))) == [
        Utterance(
            id="Male03/ml03_sad (12).wav",
            path="EYASE/Male03/ml03_sad (12).wav",
            label="sadness",
            speaker="Male03",
            gender="male",
        )
    ]


@pytest.mark.parametrize(
    ("code", "label"),
    [("ang", "anger"), ("hap", "happiness"), ("neu", "neutral"), ("sad", "sadness")],
)
def test_the_code_stands_for(tree, code, label):
    (utterance,) = EYASE.read(tree(f"Female03/fm03_{code} (1).wav"))
    assert utterance.label == label


def test_colliding_names_are_two_speakers(tree):
    root = tree("Female01/fm01_ang (1).wav", "Female02/fm01_ang (1).wav")
    assert [(u.id, u.speaker) for u in EYASE.read(root)] == [
        ("Female01/fm01_ang (1).wav", "Female01"),
        ("Female02/fm01_ang (1).wav", "Female02"),
    ]


def test_folders_may_be_in_another_case(tree):
    (utterance,) = EYASE.read(tree("FEMALE02/fm01_ang (1).wav"))
    assert utterance.id == "Female02/fm01_ang (1).wav"


def test_an_archive_that_was_unpacked_without_folders_is_refused(tree):
    with pytest.raises(DataError, match=r"no file of EYASE.*with its folders"):
        list(EYASE.read(tree("EYASE/fm01_ang (1).wav", "EYASE/ml01_ang (1).wav")))


def test_a_file_in_the_wrong_speakers_folder_is_refused(tree):
    root = tree("Male01/ml01_ang (1).wav", "Male02/ml01_ang (1).wav")
    with pytest.raises(DataError, match=r"'Male02/ml01_ang \(1\)\.wav'"):
        list(EYASE.read(root))


def test_another_egyptian_corpus_is_refused(tree):
    with pytest.raises(DataError, match="no file of EYASE"):
        list(EYASE.read(tree("Actor_anger_01.wav")))
