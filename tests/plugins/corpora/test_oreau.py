from __future__ import annotations

import unicodedata

import pytest
from harness_plugins.corpora.oreau import OREAU, OREAU_V2

from harness import DataError, Utterance

ONE, TWO = "OréauFR_01/f/sessc/10a01Ca.wav", "OréauFR_02/f/sessc/10a02Ca.wav"


def many(count):
    """Names of that many utterances, without the version's folder."""
    every = [
        f"m/sess{emotion.lower()}/{speaker}a{sentence:02}{emotion}a.wav"
        for speaker in range(14, 30)
        for sentence in range(1, 6)
        for emotion in "CDJNPST"
    ]
    return every[:count]


def test_a_path_encodes_speaker_gender_sentence_and_label(tree):
    assert list(OREAU.read(tree(ONE))) == [
        Utterance(
            id="f/sessc/10a01Ca.wav",
            path=ONE,
            label="anger",
            speaker="10",
            gender="female",
            sentence="Ca01",
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
    (utterance,) = OREAU.read(tree(f"m/sess{code.lower()}/07a01{code}a.wav"))
    assert utterance.label == label


def test_the_same_number_is_another_sentence_in_another_emotion(tree):
    root = tree("m/sessc/07a01Ca.wav", "m/sessp/07a01Pa.wav")
    assert [utterance.sentence for utterance in OREAU.read(root)] == ["Ca01", "Pa01"]


@pytest.mark.parametrize("name", ["07z03Sa", "07z04Sa", "16a20Sa"])
def test_odd_sentence_codes_are_known(tree, name):
    (utterance,) = OREAU.read(tree(f"m/sesss/{name}.wav"))
    assert utterance.sentence == f"S{name[2:5]}"


@pytest.mark.parametrize(("corpus", "path"), [(OREAU, ONE), (OREAU_V2, TWO)])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_versions_in_one_folder_are_not_mixed(tree, corpus, path, form):
    root = tree(*(unicodedata.normalize(form, name) for name in (ONE, TWO)))
    assert [utterance.path for utterance in corpus.read(root)] == [
        unicodedata.normalize(form, path)
    ]


@pytest.mark.parametrize("folder", ["Or‚auFR_02", "OreauFR_02", "OrÃ©auFR_02"])
def test_the_version_is_found_in_a_garbled_folder(tree, folder):
    root = tree(f"{folder}/f/sessc/10a01Ca.wav", ONE)
    assert len(list(OREAU_V2.read(root))) == 1


def test_version_2_alone_is_not_version_1(tree):
    with pytest.raises(DataError, match=r"no file of Oréau \(1\).*_02/.*oreau@v2"):
        list(OREAU.read(tree(TWO)))


def test_version_1_alone_is_not_version_2(tree):
    with pytest.raises(DataError, match=r"no file of Oréau \(2\).*_01/.*'oreau'"):
        list(OREAU_V2.read(tree(ONE)))


def test_434_files_without_the_versions_folder_are_version_2(tree):
    root = tree(*many(434))
    assert len(list(OREAU_V2.read(root))) == 434
    with pytest.raises(DataError, match=r"as version 2 of Oréau has.*'oreau@v2'"):
        list(OREAU.read(root))


def test_more_than_434_files_are_not_version_2(tree):
    root = tree(*many(502))
    assert len(list(OREAU.read(root))) == 502
    with pytest.raises(DataError, match=r"502 utterances where Oréau \(2\) has 434"):
        list(OREAU_V2.read(root))


def test_an_archive_that_was_unpacked_without_folders_is_refused(tree):
    with pytest.raises(DataError, match="no file of Oréau"):
        list(OREAU.read(tree("10a01Ca.wav")))
