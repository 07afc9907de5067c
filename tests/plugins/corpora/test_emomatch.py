from __future__ import annotations

import unicodedata

import pytest
from harness_plugins.corpora import emomatch
from harness_plugins.corpora.emomatch import EMOMATCH

from harness import DataError, Utterance


def test_a_file_name_encodes_speaker_label_and_sentence(tree):
    assert list(EMOMATCH.read(tree("41_Ira_12.WAV"))) == [
        Utterance(
            id="41_Ira_12.wav",
            path="41_Ira_12.WAV",
            label="anger",
            speaker="41",
            sentence="12",
        )
    ]


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("Neutro", "neutral"),
        ("Alegria", "happiness"),
        ("Alegría", "happiness"),
        (unicodedata.normalize("NFD", "Alegría"), "happiness"),
        ("Tristeza", "sadness"),
        ("Ira", "anger"),
        ("Miedo", "fear"),
        ("Asco", "disgust"),
        ("Sorpresa", "surprise"),
    ],
)
def test_the_spanish_word_stands_for(tree, word, label):
    (utterance,) = EMOMATCH.read(tree(f"03_{word}_02.WAV"))
    assert utterance.label == label


def test_a_doubled_underscore_is_accepted(tree):
    (utterance,) = EMOMATCH.read(tree("03_Ira__2.WAV"))
    assert (utterance.speaker, utterance.sentence) == ("03", "02")


@pytest.mark.parametrize("name", ["0/Ira_2.WAV", "0/Ira__2.WAV", "11/Neutro.WAV"])
def test_the_recordings_before_the_selection_are_refused(tree, name):
    with pytest.raises(DataError, match="no file of EmoMatchSpanishDB"):
        list(EMOMATCH.read(tree(name)))


def test_the_larger_related_corpus_is_refused(tree, monkeypatch):
    monkeypatch.setattr(emomatch, "MOST", 2)
    root = tree("01_Ira_01.WAV", "01_Ira_02.WAV", "01_Ira_03.WAV")
    with pytest.raises(DataError, match="3 utterances where EmoMatchSpanishDB"):
        list(EMOMATCH.read(root))
