from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import soundfile
from harness_plugins.corpora.shemo import MODIFIED, SHEMO, SHEMO_MODIFIED

from harness import Utterance
from harness.data.audio import probe


def test_a_file_name_encodes_speaker_gender_and_label(tree):
    assert list(SHEMO.read(tree("female/F12F01.wav"))) == [
        Utterance(
            id="female/F12F01.wav",
            path="female/F12F01.wav",
            label="fear",
            speaker="F12",
            gender="female",
        )
    ]


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("A", "anger"),
        ("F", "fear"),
        ("H", "happiness"),
        ("N", "neutral"),
        ("S", "sadness"),
        ("W", "surprise"),
    ],
)
def test_the_code_stands_for(tree, code, label):
    (utterance,) = SHEMO.read(tree(f"male/M01{code}01.wav"))
    assert (utterance.label, utterance.gender) == (label, "male")


@pytest.mark.parametrize(
    ("name", "named", "modified"),
    [
        ("female/F01S23", "sadness", "neutral"),
        ("female/F03W06", "surprise", "anger"),
        ("female/F19N39", "neutral", "sadness"),
        ("male/M20N03", "neutral", "anger"),
        ("male/M53S03", "sadness", "neutral"),
        ("male/M01A01", "anger", "anger"),
    ],
)
def test_original_and_modified_labels_can_be_read(tree, name, named, modified):
    root = tree(f"{name}.wav")
    assert [utterance.label for utterance in SHEMO.read(root)] == [named]
    assert [utterance.label for utterance in SHEMO_MODIFIED.read(root)] == [modified]


def test_163_labels_are_modified():
    names = [name for listed in MODIFIED.values() for name in listed.split()]
    assert len(names) == len(set(names)) == 163


def test_the_modified_labels_add_up_to_the_published_counts():
    named = {"anger": 1059, "fear": 38, "happiness": 201}
    named |= {"neutral": 1028, "sadness": 449, "surprise": 225}
    codes = dict(zip("AFHNSW", sorted(named), strict=True))
    counts = Counter(named)
    for label, listed in MODIFIED.items():
        for name in listed.split():
            counts.subtract([codes[name[3]]])
            counts[label] += 1
    assert counts == {
        "anger": 1042,
        "fear": 32,
        "happiness": 203,
        "neutral": 1160,
        "sadness": 361,
        "surprise": 202,
    }


def test_files_of_different_rates_keep_their_duration(tree):
    root = tree("male/M27A05.wav", "male/M28A05.wav")
    soundfile.write(root / "male/M27A05.wav", np.ones(22_050) / 2, 22_050)
    soundfile.write(root / "male/M28A05.wav", np.ones(44_100) / 2, 44_100)
    probes = [probe(root / utterance.path) for utterance in SHEMO.read(root)]
    assert [found["rate"] for found in probes] == [22_050, 44_100]
    assert [found["seconds"] for found in probes] == [1.0, 1.0]
