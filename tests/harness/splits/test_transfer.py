"""Training on one corpus and testing on another, or on several joined."""

from __future__ import annotations

import dataclasses
import shutil
from itertools import product

import numpy as np
import pyarrow.parquet
import pytest
import soundfile
from toys import LABELS, RATE, TONES, read_tones, write_tone

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
    before = shards(tmp_path)
    harness(*RUN, "--corpus", "tones", "--test-corpus", "chords")
    assert before == shards(tmp_path) != {}


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


@pytest.fixture
def confounded(tmp_path, manager):
    """Make two corpora of speakers who hum; in the first a hum gives a label away.

    Each of its speakers mostly says ``high`` or mostly ``low``, and hums at a pitch
    that only few others have. The second one's hum likewise, and say either as often.
    Only a cue, if there is one, tells labels apart in both.
    """

    def make(*, cue):
        rng = np.random.default_rng(0)
        time = np.arange(8000) / RATE
        for corpus, share in (("here", 0.8), ("there", 0.5)):
            folder = tmp_path / "data" / corpus
            folder.mkdir(parents=True)
            for speaker, take in product(range(12), range(20)):
                favourite = take < 20 * share
                label = LABELS[favourite != (speaker % 4 < 2)]
                tones = 0.1 * np.sin(2 * np.pi * (75 + 150 * (speaker % 4)) * time)
                hertz = 975 if label == "high" else 1125
                tones += cue * 0.1 * np.sin(2 * np.pi * hertz * time)
                tones += 0.02 * rng.standard_normal(len(time))
                soundfile.write(folder / f"s{speaker}_{label}_{take}.wav", tones, RATE)

    class Plugin:
        @hookimpl
        def harness_corpora(self):
            for name in ("here", "there"):
                yield dataclasses.replace(TONES, name=name)

    manager.register(Plugin())
    return make


def uar_at_home_and_abroad(harness, tmp_path):
    """Train where speakers give labels away; test on the same speakers, and abroad."""
    home = harness(*RUN, "--corpus", "here", "--split", "stratified")
    abroad = harness(*RUN, "--corpus", "here", "--test-corpus", "there")
    assert home[0] == abroad[0] == 0, home[2] + abroad[2]
    scores = {row["split"]: row["uar"] for row in rows(tmp_path)}
    return scores["stratified"], scores["transfer"]


def test_what_speakers_give_away_does_not_transfer(confounded, harness, tmp_path):
    confounded(cue=0.0)
    home, abroad = uar_at_home_and_abroad(harness, tmp_path)
    assert home > 0.7
    assert abroad == pytest.approx(0.5, abs=0.1)


def test_what_labels_sound_like_transfers(confounded, harness, tmp_path):
    confounded(cue=3.0)
    home, abroad = uar_at_home_and_abroad(harness, tmp_path)
    assert home > 0.7
    assert abroad > 0.8
