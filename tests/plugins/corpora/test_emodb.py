from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from harness_plugins.corpora.emodb import EMODB

from harness import DataError, Utterance


def read(root: Path) -> list[Utterance]:
    return list(EMODB.read(root))


def test_a_file_name_encodes_label_speaker_gender_and_sentence(tree):
    root = tree("wav/03a01Fa.wav")
    assert read(root) == [
        Utterance(
            id="wav/03a01Fa.wav",
            path="wav/03a01Fa.wav",
            label="happiness",
            speaker="03",
            gender="male",
            sentence="a01",
        )
    ]


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("W", "anger"),
        ("L", "boredom"),
        ("E", "disgust"),
        ("A", "fear"),
        ("F", "happiness"),
        ("T", "sadness"),
        ("N", "neutral"),
    ],
)
def test_the_german_code_stands_for(tree, code, label):
    root = tree(f"wav/03a01{code}a.wav")
    assert [utterance.label for utterance in read(root)] == [label]


def test_every_label_is_declared():
    assert EMODB.labels == (
        "anger",
        "boredom",
        "disgust",
        "fear",
        "happiness",
        "neutral",
        "sadness",
    )


@pytest.mark.parametrize(
    "junk",
    [
        "erkennung.txt",
        "silb/03a01Fa.silb",
        "lablaut/03a01Faxx.lablaut",
    ],
)
def test_other_files_of_the_archive_are_ignored(tree, junk):
    root = tree("wav/03a01Fa.wav", junk)
    assert [utterance.id for utterance in read(root)] == ["wav/03a01Fa.wav"]


@pytest.mark.parametrize("name", ["03a01Xa.wav", "02a01Fa.wav", "03a03Fa.wav", "x.wav"])
def test_a_wav_of_another_name_among_them_is_named(tree, name):
    with pytest.raises(DataError, match=f"1 audio file.*'wav/{name}'"):
        read(tree("wav/03a01Fa.wav", f"wav/{name}"))


def test_the_laryngograph_of_version_2_is_refused(tree):
    root = tree("db.yaml", "wav/03a01Fa.wav", "laryngo/03a01Fa.wav")
    with pytest.raises(DataError, match=r"laryngo/03a01Fa\.wav.*another version"):
        read(root)


def test_more_utterances_than_version_1_has_are_refused(tree):
    sentences = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
    names = [
        f"wav/{speaker}{sentence}{emotion}a.wav"
        for speaker in ("03", "08", "09", "10", "11", "12", "13", "14")
        for sentence in sentences
        for emotion in "WLEAFTN"
    ]
    with pytest.raises(DataError, match=r"560 utterances where EmoDB \(1\.0\) has 535"):
        read(tree(*names))


@pytest.mark.real
def test_the_real_corpus_has_535_utterances():
    found = read(Path(os.environ["HARNESS_DATA"]) / "emodb")
    assert Counter(utterance.label for utterance in found) == {
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "neutral": 79,
        "sadness": 62,
    }
    assert Counter(utterance.gender for utterance in found) == {
        "male": 233,
        "female": 302,
    }
