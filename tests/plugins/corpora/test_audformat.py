"""Databases in audEERING's format become corpora."""

from __future__ import annotations

import sys

import pytest
from harness_plugins.corpora import audformat as plugin

from harness import DataError, Utterance

audformat = pytest.importorskip("audformat")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def save(tmp_path):
    """Save a database with tables of emotion, by split, and one of speakers."""

    def save(speakers=("a", "b"), index=audformat.filewise_index, schemes=("speaker",)):
        made = audformat.Database("mini", languages=["deu"], license="CC0-1.0")
        made.schemes["emotion"] = audformat.Scheme("str", labels=["Anger", "neutral"])
        about = {"a": {"gender": "female"}, "b": {"gender": "male"}}
        files = []
        for split in ("train", "dev", "test"):
            made.splits[split] = audformat.Split(split)
            names = [f"wav/{split}{number}.wav" for number in range(2)]
            files += names
            table = audformat.Table(index(names), split_id=split)
            made[f"emotion.{split}"] = table
            table["emotion"] = audformat.Column(scheme_id="emotion")
            table["emotion"].set(["Anger", "neutral"])
        if "speaker" in schemes:
            made.schemes["speaker"] = audformat.Scheme("str", labels=about)
            made["files"] = audformat.Table(audformat.filewise_index(files))
            made["files"]["speaker"] = audformat.Column(scheme_id="speaker")
            made["files"]["speaker"].set(list(speakers) * 3)
        made.save(str(tmp_path / "mini"))
        return f"audformat:{tmp_path / 'mini'}"

    return save


def opened(name):
    """Return the corpus of a database, and its utterances by their ids' order."""
    corpus = plugin.harness_corpus(name=name)
    assert corpus is not None
    assert corpus.root is not None
    return corpus, sorted(corpus.read(corpus.root), key=lambda one: one.id)


def test_other_names_are_not_answered():
    assert plugin.harness_corpus(name="csv:x.csv") is None


def test_a_database_is_described_as_a_corpus(save, tmp_path):
    corpus, found = opened(save())
    assert found[0] == Utterance(
        id="wav/dev0.wav",
        path="wav/dev0.wav",
        label="anger",
        speaker="a",
        gender="female",
        part="valid",
    )
    assert [one.part for one in found[2:]] == ["test", "test", "train", "train"]
    assert corpus.root == tmp_path / "mini"
    assert corpus.title == "mini"
    assert corpus.labels == ("anger", "neutral")
    assert corpus.languages == ("de",)
    assert corpus.licence == "CC0-1.0"


def test_segments_are_spans(save):
    def index(files):
        return audformat.segmented_index(files, ["0s", "500ms"], ["1s", None])

    _, found = opened(save(index=index))
    spans = {one.path: (one.start, one.end) for one in found}
    assert spans["wav/train0.wav"] == (0.0, 1.0)
    assert spans["wav/train1.wav"] == (0.5, None)


def test_a_file_without_a_speaker_is_reported(save):
    with pytest.raises(DataError, match="'speaker' is empty"):
        plugin.harness_corpus(name=save(speakers=("a", None)))


def test_a_database_without_speakers_is_reported(save):
    with pytest.raises(DataError, match=r"no scheme 'speaker'. It has: emotion"):
        plugin.harness_corpus(name=save(schemes=()))


def test_a_folder_that_is_no_database_is_reported(tmp_path):
    with pytest.raises(DataError, match=r"not a database: it has no .*db\.yaml"):
        plugin.harness_corpus(name=f"audformat:{tmp_path}")


def test_a_header_that_cannot_be_read_is_reported(tmp_path):
    (tmp_path / "db.yaml").write_text("name: [")
    with pytest.raises(DataError, match="Cannot read"):
        plugin.harness_corpus(name=f"audformat:{tmp_path}")


def test_without_the_library_its_extra_is_named(save, monkeypatch):
    name = save()
    monkeypatch.setitem(sys.modules, "audformat", None)
    with pytest.raises(DataError, match=r"speech-harness\[audformat\]"):
        plugin.harness_corpus(name=name)
