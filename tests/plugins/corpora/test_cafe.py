from __future__ import annotations

import os

import pytest
from harness_plugins.corpora.cafe import CAFE, CAFE_192K

from harness import Utterance


def test_a_file_name_encodes_speaker_label_intensity_and_sentence(tree):
    root = tree("CaFE_48k/Colère/Fort/08-C-2-6.wav")
    assert list(CAFE.read(root)) == [
        Utterance(
            id="08-C-2-6.wav",
            path="CaFE_48k/Colère/Fort/08-C-2-6.wav",
            label="anger",
            speaker="08",
            gender="female",
            sentence="6",
            intensity="strong",
        )
    ]


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("C", "anger"),
        ("D", "disgust"),
        ("J", "happiness"),
        ("N", "neutral"),
        ("P", "fear"),
        ("S", "surprise"),
        ("T", "sadness"),
    ],
)
def test_the_french_code_stands_for(tree, code, label):
    (utterance,) = CAFE.read(tree(f"01-{code}-1-1.wav"))
    assert utterance.label == label


@pytest.mark.parametrize("speaker", ["01", "11"])
def test_odd_speakers_are_men(tree, speaker):
    (utterance,) = CAFE.read(tree(f"{speaker}-C-1-1.wav"))
    assert utterance.gender == "male"


@pytest.mark.parametrize("folder", ["ColŠre", "ColКre", "DВgoЦt", "D‚go–t"])
def test_a_garbled_folder_does_not_change_the_label(tree, folder):
    (utterance,) = CAFE.read(tree(f"{folder}/Faible/01-C-1-1.wav"))
    assert (utterance.id, utterance.label) == ("01-C-1-1.wav", "anger")


def test_a_folder_whose_bytes_are_no_unicode_can_be_read(tree):
    folder = os.fsdecode("Dégoût".encode("cp850"))
    root = tree(f"{folder}/Faible/01-D-1-1.wav")
    (utterance,) = CAFE.read(root)
    assert utterance.id == "01-D-1-1.wav"
    assert (root / utterance.path).exists()


def test_neutral_has_no_intensity_though_its_name_has_a_one(tree):
    (utterance,) = CAFE.read(tree("Neutre/08-N-1-3.wav"))
    assert (utterance.intensity, utterance.sentence) == (None, "3")


def test_a_neutral_name_has_three_parts_at_192_kilohertz(tree):
    (utterance,) = CAFE_192K.read(tree("Neutre/03-N-4.aiff"))
    assert (utterance.label, utterance.sentence) == ("neutral", "4")


def test_an_emotional_name_has_four_parts_at_192_kilohertz(tree):
    (utterance,) = CAFE_192K.read(tree("Joie/Faible/03-J-1-2.aiff"))
    assert (utterance.label, utterance.intensity) == ("happiness", "weak")


def test_the_two_rates_may_be_in_one_folder(tree):
    root = tree("CaFE_48k/03-N-1-1.wav", "CaFE_192k_1/03-N-1.aiff")
    assert [utterance.id for utterance in CAFE.read(root)] == ["03-N-1-1.wav"]
    assert [utterance.id for utterance in CAFE_192K.read(root)] == ["03-N-1.aiff"]


def test_both_halves_at_192_kilohertz_are_read(tree):
    root = tree("CaFE_192k_1/06-J-1-1.aiff", "CaFE_192k_2/07-J-1-1.aiff")
    assert [utterance.speaker for utterance in CAFE_192K.read(root)] == ["06", "07"]
