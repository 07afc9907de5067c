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


@pytest.fixture
def changed(save, tmp_path):
    """Change a saved database, and describe it anew."""

    def changed(change, **how):
        name = save(**how)
        made = audformat.Database.load(str(tmp_path / "mini"))
        change(made)
        made.save(str(tmp_path / "mini"))
        return opened(name)

    return changed


def add(made, table, scheme, values, index=None):
    if scheme not in made.schemes:
        made.schemes[scheme] = audformat.Scheme("float")
    if index is not None:
        made[table] = audformat.Table(index)
    made[table][scheme] = audformat.Column(scheme_id=scheme)
    made[table][scheme].set(values)


def test_what_has_no_emotion_stays_for_other_targets(changed):
    def change(made):
        index = made["emotion.train"].index
        made["emotion.train"] = audformat.Table(index, split_id="train")
        add(made, "emotion.train", "emotion", ["Anger", None])
        more = audformat.filewise_index(["wav/x.wav", "wav/y.wav"])
        add(made, "more", "speaker", ["a", None], more)

    corpus, found = changed(change)
    labels = {one.path: (one.label, one.speaker) for one in found}
    assert labels["wav/train0.wav"] == ("anger", "a")
    assert labels["wav/train1.wav"] == ("", "b")
    assert labels["wav/x.wav"] == ("", "a")
    assert len(found) == 7
    assert corpus.labels == ("anger", "neutral")
    assert next(one.part for one in found if one.path == "wav/train1.wav") == "train"


def test_a_database_may_have_numbers_and_no_emotion(changed):
    def change(made):
        made.drop_tables([f"emotion.{split}" for split in made.splits])
        del made.schemes["emotion"]
        index = audformat.segmented_index(["wav/test0.wav"] * 2, ["0s", "1s"])
        add(made, "rated", "number:snr", [1.5, 2.0], index)

    corpus, found = changed(change)
    assert corpus.labels == ()
    rated = [one for one in found if one.path == "wav/test0.wav"]
    assert [one.numbers for one in rated] == [{"snr": 1.5}, {"snr": 2.0}]
    assert [one.start for one in rated] == [0.0, 1.0]
    assert len(found) == 7


def segments(files):
    return audformat.segmented_index(files, ["0s", "500ms"], ["1s", None])


def test_a_file_is_no_utterance_beside_its_segments(changed):
    def change(made):
        add(made, "files", "arousal", [0.5] * 6)

    assert len(changed(lambda made: None, index=segments)[1]) == 6
    assert len(changed(change, index=segments)[1]) == 12


def test_segments_are_spans(save):
    index = segments

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
