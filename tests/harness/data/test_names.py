"""Names that look alike are one speaker, or one label, written in two ways."""

from __future__ import annotations

import unicodedata

import pytest

from harness import DataError, Utterance
from harness.data.names import likeness, refuse_lookalikes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "01"),
        ("1", "1.0"),
        ("Anna", "anna"),
        ("s01", "S1"),
        ("speaker 1", "speaker_01"),
        ("speaker1", "speaker 1"),
        ("Anna Maria", "anna-maria"),
        (unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "Zoë")),
        ("Anna", "Anna\u200b"),
        ("Anna", "Ａｎｎａ"),
        ("straße", "STRASSE"),
        ("a\u00a0b", "a b"),
    ],
)
def test_they_look_alike(one, other):
    assert likeness(one) == likeness(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "10"),
        ("1-11", "11-1"),
        ("1 1", "11"),
        ("-1", "1"),
        ("+", "-"),
        ("valence+", "valence-"),
        ("colere", "colère"),
        ("s1.5", "s15"),
        ("c", "c++"),
        ("f1", "m1"),
    ],
)
def test_they_do_not(one, other):
    assert likeness(one) != likeness(other)


def spoken(speakers, labels):
    return [
        Utterance(id=f"{s}{n}", path="x.wav", speaker=s, label=label)
        for s in speakers
        for n, label in enumerate(labels)
    ]


def test_pairs_are_named_and_many_are_counted():
    speakers = [spelt for n in range(1, 9) for spelt in (f"{n}", f"0{n}")]
    with pytest.raises(DataError, match=r"one speaker in .*'01' and '1'.* and 3 more"):
        refuse_lookalikes("mine", spoken(speakers, ["joy"]))
    with pytest.raises(DataError, match="one label in two ways: 'Joy' and 'joy'"):
        refuse_lookalikes("mine", spoken(["1"], ["joy", "Joy"]))
    refuse_lookalikes("mine", spoken(["1", "2"], ["joy", "anger"]))
