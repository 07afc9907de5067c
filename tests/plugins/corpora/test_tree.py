"""What ``read_tree`` refuses in any corpus: links, permissions and counts."""

from __future__ import annotations

import os

import pytest
from harness_plugins.corpora.emodb import EMODB

from harness import DataError


def read(root):
    return [utterance.path for utterance in EMODB.read(root)]


def test_a_missing_folder_is_an_error_that_says_how_to_get_it(tmp_path):
    with pytest.raises(DataError, match=r"not at .*nowhere.*download\.zip.*HARNESS_DA"):
        read(tmp_path / "nowhere")


def test_a_file_instead_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "emodb").touch()
    with pytest.raises(DataError, match="not at"):
        read(tmp_path / "emodb")


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no audio file at all"):
        read(tmp_path)


def test_many_foreign_files_are_counted_and_some_named(tree):
    root = tree("wav/03a01Fa.wav", *(f"{number}.wav" for number in range(9)))
    with pytest.raises(DataError, match=r"9 audio file.*'0\.wav', .*and 4 more"):
        read(root)


def test_known_utterances_come_before_the_foreign_file_is_refused(tree):
    found = EMODB.read(tree("wav/03a01Fa.wav", "a.wav"))
    assert next(iter(found)).id == "wav/03a01Fa.wav"


def test_utterances_come_sorted_by_id(tree):
    root = tree("b/wav/03a01Fa.wav", "a/wav/16a07Lb.wav", "c/wav/08b10Wc.wav")
    assert [utterance.id for utterance in EMODB.read(root)] == [
        "wav/03a01Fa.wav",
        "wav/08b10Wc.wav",
        "wav/16a07Lb.wav",
    ]


def test_a_link_to_a_file_outside_is_refused(tree):
    outside = tree("03a01Wa.wav", at="outside")
    root = tree("wav/03a01Fa.wav")
    (root / "wav" / "03a01Wa.wav").symlink_to(outside / "03a01Wa.wav")
    with pytest.raises(DataError, match=r"03a01Wa\.wav is a link that leads out"):
        read(root)


def test_a_link_to_a_folder_outside_is_refused(tree):
    root = tree("erkennung.txt")
    (root / "wav").symlink_to(tree("03a01Fa.wav", at="outside"))
    with pytest.raises(DataError, match="wav is a link that leads out"):
        read(root)


def test_a_link_to_the_folder_above_is_refused(tree):
    root = tree("wav/03a01Fa.wav")
    (root / "wav" / "up").symlink_to(root / "..")
    with pytest.raises(DataError, match="up is a link that leads out"):
        read(root)


@pytest.mark.parametrize("target", ["03a01Wa.wav", "gone.wav"])
def test_a_link_in_a_cycle_or_to_nothing_is_refused(tree, target):
    root = tree("wav/03a01Fa.wav")
    (root / "wav" / "03a01Wa.wav").symlink_to(root / "wav" / target)
    with pytest.raises(DataError, match="or to nothing"):
        read(root)


def test_a_link_within_the_folder_is_followed_to_files_only(tree):
    root = tree("wav/03a01Fa.wav", "spare/other.flac")
    (root / "again").symlink_to(root / "wav")
    (root / "wav" / "03a01Wa.wav").symlink_to(root / "spare" / "other.flac")
    assert read(root) == ["wav/03a01Fa.wav", "wav/03a01Wa.wav"]


def test_the_corpus_folder_itself_may_be_a_link(tree, tmp_path):
    tree("wav/03a01Fa.wav", at="disk")
    (tmp_path / "emodb").symlink_to(tmp_path / "disk")
    assert read(tmp_path / "emodb") == ["wav/03a01Fa.wav"]


def test_a_folder_that_cannot_be_read_is_an_error(tree, monkeypatch):
    root = tree("wav/03a01Fa.wav")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("wav"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"Cannot read .*wav: Permission denied"):
        read(root)
