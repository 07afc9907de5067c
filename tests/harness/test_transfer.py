"""Training on one corpus and testing on another, or on several joined."""

from __future__ import annotations

import dataclasses
import shutil

import pyarrow.parquet
import pytest
from toys import TONES, read_tones, write_tone

from harness import Corpus, Utterance, hookimpl

RUN = (
    *("run", "--upstream", "toy", "--downstream", "linear", "--no-controls"),
    *("--executor", "serial"),
)


def read_chords(root):
    """The same grammar; its label ``loud`` is not one of the tones'."""
    for utterance in read_tones(root):
        yield dataclasses.replace(utterance, gender=None)


CHORDS: Corpus = dataclasses.replace(
    TONES,
    name="chords",
    languages=("x-chords",),
    labels=("high", "loud", "low"),
    read=read_chords,
)


@pytest.fixture
def chords(tones, manager):
    """A second corpus: other speakers, and a label more."""

    class Plugin:
        @hookimpl
        def harness_corpora(self):
            yield CHORDS

    manager.register(Plugin())
    folder = tones.parent / "chords"
    folder.mkdir()
    pitch = {"high": 950.0, "loud": 500.0, "low": 240.0}
    for speaker in range(4):
        for number, (label, hertz) in enumerate(pitch.items()):
            for take in range(3):
                name = f"c{speaker}_{label}_{take}.wav"
                seed = 1000 + 100 * speaker + 10 * number + take
                write_tone(folder / name, hertz, seconds=0.4, seed=seed)
    return folder


def rows(tmp_path):
    return pyarrow.parquet.read_table(tmp_path / "runs").to_pylist()


def shards(tmp_path):
    """When each file of features was written."""
    return {
        path: path.stat().st_mtime_ns
        for path in (tmp_path / "cache").rglob("*.safetensors")
    }


def test_a_head_is_trained_on_one_corpus_and_tested_on_all_of_another(
    harness, chords, tmp_path
):
    grid = ("--corpus", "chords", "--test-corpus", "tones")
    assert harness(*RUN, *grid)[0] == 0
    (row,) = rows(tmp_path)
    assert row["corpus"] == "chords→tones"
    assert row["split"] == "transfer"
    assert row["labels"] == ["high", "low"]
    assert row["n_test"] == 40
    assert {p["speaker"].split("/")[0] for p in row["predictions"]} == {"tones"}
    trained = row["speakers_train"] + row["speakers_valid"]
    assert {speaker.split("/")[0] for speaker in trained} == {"chords"}
    assert len(trained) == 3
    assert row["language"] == "x-chords, x-tones"


def test_the_corpus_itself_may_be_among_those_to_test_on(harness, chords, tmp_path):
    grid = ("--corpus", "tones", "--test-corpus", "tones,chords")
    assert harness(*RUN, *grid)[0] == 0
    assert {(row["corpus"], row["split"]) for row in rows(tmp_path)} == {
        ("tones", "speaker-independent"),
        ("tones→chords", "transfer"),
    }


def test_nothing_is_extracted_twice(harness, chords, tmp_path):
    harness(*RUN, "--corpus", "tones,chords")
    before = {
        p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*.safetensors")
    }
    harness(*RUN, "--corpus", "tones", "--test-corpus", "chords")
    after = {
        p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*.safetensors")
    }
    assert before == after


def test_corpora_can_be_joined(harness, chords, tmp_path):
    assert harness(*RUN, "--corpus", "tones+chords")[0] == 0
    (row,) = rows(tmp_path)
    assert row["corpus"] == "tones+chords"
    assert row["labels"] == ["high", "loud", "low"]
    assert row["n_train"] + row["n_valid"] + row["n_test"] == 40 + 36
    assert (
        len(row["speakers_train"] + row["speakers_valid"] + row["speakers_test"]) == 9
    )


def test_joined_corpora_can_be_tested_elsewhere(harness, chords, tmp_path, manager):
    class Plugin:
        @hookimpl
        def harness_corpora(self):
            yield dataclasses.replace(CHORDS, name="more")

    manager.register(Plugin())
    folder = chords.parent / "more"
    folder.mkdir()
    for take in range(4):
        for label, hertz in (("high", 990.0), ("low", 230.0)):
            path = folder / f"m{take % 2}_{label}_{take}.wav"
            write_tone(path, hertz, seconds=0.5, seed=7000 + take + int(hertz))
    grid = ("--corpus", "tones+chords", "--test-corpus", "more")
    assert harness(*RUN, *grid)[0] == 0
    (row,) = rows(tmp_path)
    assert row["corpus"] == "tones+chords→more"
    assert row["n_test"] == 8


def test_the_same_recording_in_both_corpora_is_refused(harness, chords, tones):
    shutil.copy(tones / "s0_low_0.wav", chords / "c9_low_0.wav")
    code, _, err = harness(*RUN, "--corpus", "chords", "--test-corpus", "tones")
    assert code == 2
    assert "s0_low_0.wav" in err


def test_corpora_that_share_no_two_labels_are_told(harness, manager, tones):
    def read(root):
        for n in range(3):
            yield Utterance(
                id=str(n), path=f"s{n}_low_0.wav", label="low", speaker=f"{n}"
            )

    class Plugin:
        @hookimpl
        def harness_corpora(self):
            yield dataclasses.replace(TONES, name="other", read=read)

    manager.register(Plugin())
    shutil.copytree(tones, tones.parent / "other")
    code, _, err = harness(*RUN, "--corpus", "tones", "--test-corpus", "other")
    assert code == 2
    assert "share 1 labels" in err


def test_a_split_with_folds_is_told(harness, chords):
    grid = ("--corpus", "chords", "--test-corpus", "tones", "--split", "loso")
    code, _, err = harness(*RUN, *grid)
    assert code == 2
    assert "--split speaker-independent" in err
