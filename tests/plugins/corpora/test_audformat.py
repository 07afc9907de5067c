"""Databases in audEERING's format become corpora."""

from __future__ import annotations

import os
import pickle
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


def test_numbers_are_read_where_they_are(save, tmp_path):
    name = save()
    made = audformat.Database.load(str(tmp_path / "mini"))
    made.schemes["arousal"] = audformat.Scheme("float")
    made["emotion.train"]["arousal"] = audformat.Column(scheme_id="arousal")
    made["emotion.train"]["arousal"].set([0.25, None])
    made.save(str(tmp_path / "mini"))
    _, found = opened(name)
    numbers = {one.path: one.numbers for one in found}
    assert numbers["wav/train0.wav"] == {"arousal": 0.25}
    assert numbers["wav/train1.wav"] == numbers["wav/dev0.wav"] == {}


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


RUNS = [
    "!!python/object/apply:os.mkdir [{path}]",
    "!!python/object/new:os.mkdir [{path}]",
    "!!python/name:os.mkdir",
    "!!python/module:os",
    "!!python/tuple [1]",
]


@pytest.mark.parametrize("code", RUNS)
def test_a_header_that_holds_code_is_refused_and_does_not_run(save, tmp_path, code):
    name = save()
    header = tmp_path / "mini" / "db.yaml"
    written = code.format(path=tmp_path / "ran")
    header.write_text(header.read_text() + f"more: {written}\n")
    with pytest.raises(DataError, match="which may run code, and is not read"):
        plugin.harness_corpus(name=name)
    assert not (tmp_path / "ran").exists()


class Runs:
    """A pickle that makes a folder when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("table", ["files", "emotion.train", "other"])
def test_a_pickled_table_is_refused_by_name_and_does_not_run(save, tmp_path, table):
    name = save()
    pickled = tmp_path / "mini" / f"db.{table}.pkl"
    pickled.write_bytes(pickle.dumps(Runs(tmp_path / "ran")))
    with pytest.raises(DataError, match=rf"not read: db\.{table}\.pkl"):
        plugin.harness_corpus(name=name)
    assert not (tmp_path / "ran").exists()


def test_a_table_that_leads_elsewhere_is_refused(save, tmp_path):
    name = save()
    (tmp_path / "mini" / "db..").mkdir()
    pickled = tmp_path / "mini" / "db.." / "evil.pkl"
    pickled.write_bytes(pickle.dumps(Runs(tmp_path / "ran")))
    header = tmp_path / "mini" / "db.yaml"
    text = header.read_text().replace("  files:", "  ./evil:")
    header.write_text(text)
    with pytest.raises(DataError, match=r"not read: \./evil"):
        plugin.harness_corpus(name=name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("text", ["", "[]", "1", "name: x", "{" * 2000, "name: [\0]"])
def test_a_header_that_is_none_is_reported(tmp_path, text):
    (tmp_path / "db.yaml").write_text(text)
    with pytest.raises(DataError, match="Cannot read"):
        plugin.harness_corpus(name=f"audformat:{tmp_path}")


def test_raters_who_differ_are_named_and_no_table_is_printed(save, tmp_path):
    save()
    database = audformat.Database.load(str(tmp_path / "mini"))
    for rater, said in (("r1", "Anger"), ("r2", "neutral")):
        database.raters[rater] = audformat.Rater("human")
        table = database["emotion.test"]
        column = audformat.Column(scheme_id="emotion", rater_id=rater)
        table[f"emotion.{rater}"] = column
        table[f"emotion.{rater}"].set(said)
    del database["emotion.test"].columns["emotion"]
    database.save(str(tmp_path / "mini"))
    with pytest.raises(DataError, match=r"'emotion.r1' of 'emotion.test'.*most raters"):
        opened(f"audformat:{tmp_path / 'mini'}")
