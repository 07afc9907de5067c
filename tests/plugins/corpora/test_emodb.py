from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from harness_plugins.corpora.emodb import EMODB

from harness import DataError, Utterance

NAMES = ("03a01Fa.wav", "08b10Wc.wav", "16a07Lb.wav")


def read(root: Path) -> list[Utterance]:
    return list(EMODB.read(root))


def test_a_file_name_says_label_speaker_gender_and_sentence(tree):
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


def test_ids_do_not_depend_on_where_the_archive_was_unpacked(tree):
    shallow = tree(*(f"wav/{name}" for name in NAMES))
    deep = tree(*(f"download/wav/{name}" for name in NAMES), at="deep")
    assert [u.id for u in read(deep)] == [u.id for u in read(shallow)]
    assert read(deep)[0].path == "download/wav/03a01Fa.wav"


def test_endings_and_folders_may_be_in_upper_case(tree):
    root = tree("WAV/03a01Fa.WAV")
    assert [(u.id, u.path) for u in read(root)] == [
        ("wav/03a01Fa.wav", "WAV/03a01Fa.WAV")
    ]


@pytest.mark.parametrize(
    "junk",
    [
        ".DS_Store",
        "wav/.DS_Store",
        "wav/._03a01Fa.wav",
        "__MACOSX/wav/03a01Fa.wav",
        "erkennung.txt",
        "silb/03a01Fa.silb",
        "lablaut/03a01Faxx.lablaut",
    ],
)
def test_what_lies_beside_is_ignored(tree, junk):
    root = tree("wav/03a01Fa.wav", junk)
    assert [utterance.id for utterance in read(root)] == ["wav/03a01Fa.wav"]


def test_a_missing_folder_is_an_error_that_says_how_to_get_it(tmp_path):
    with pytest.raises(DataError, match=r"not at .*nowhere.*download\.zip.*HARNESS_DA"):
        read(tmp_path / "nowhere")


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no audio file at all"):
        read(tmp_path)


def test_a_folder_of_other_wavs_is_an_error_that_names_some(tree):
    with pytest.raises(DataError, match=r"no file of EmoDB.*'wav/hello\.wav'"):
        read(tree("wav/hello.wav"))


@pytest.mark.parametrize("name", ["03a01Xa.wav", "02a01Fa.wav", "03a03Fa.wav", "x.wav"])
def test_a_wav_of_another_name_among_them_is_named(tree, name):
    with pytest.raises(DataError, match=f"1 audio file.*'wav/{name}'"):
        read(tree("wav/03a01Fa.wav", f"wav/{name}"))


def test_known_utterances_come_before_the_unknown_file_is_refused(tree):
    found = EMODB.read(tree("wav/03a01Fa.wav", "wav/x.wav"))
    assert next(iter(found)).id == "wav/03a01Fa.wav"


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


def test_two_copies_of_the_corpus_are_refused(tree):
    root = tree("wav/03a01Fa.wav", "copy/wav/03a01Fa.wav")
    with pytest.raises(DataError, match="more than one copy"):
        read(root)


def test_a_link_that_leads_out_is_refused(tree):
    outside = tree("03a01Wa.wav", at="outside") / "03a01Wa.wav"
    root = tree("wav/03a01Fa.wav")
    (root / "wav" / "03a01Wa.wav").symlink_to(outside)
    with pytest.raises(DataError, match=r"03a01Wa\.wav is a link that leads out"):
        read(root)


def test_a_linked_folder_that_leads_out_is_refused(tree):
    outside = tree("03a01Fa.wav", at="outside")
    root = tree("erkennung.txt")
    (root / "wav").symlink_to(outside)
    with pytest.raises(DataError, match="wav is a link that leads out"):
        read(root)


def test_a_link_in_a_circle_is_refused(tree):
    root = tree("wav/03a01Fa.wav")
    (root / "wav" / "03a01Wa.wav").symlink_to(root / "wav" / "03a01Wa.wav")
    with pytest.raises(DataError, match="link that leads out"):
        read(root)


def test_the_corpus_folder_itself_may_be_a_link(tmp_path, tree):
    tree("wav/03a01Fa.wav", at="disk")
    (tmp_path / "emodb").symlink_to(tmp_path / "disk")
    assert len(read(tmp_path / "emodb")) == 1


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
