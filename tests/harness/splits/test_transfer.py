"""Runs that train on one corpus and test on another, or on several joined."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pytest
import soundfile
from collector import Collector
from toys import LABELS, RATE, TONES, read_tones, write_tone

from harness import Corpus, hookimpl

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


@pytest.fixture
def results(manager):
    """The results of the runs of a test."""
    collector = Collector()
    manager.register(collector)
    return collector.results


def divided(result):
    """Return what a result was trained on, tested on, and divided by."""
    corpus = result.condition.corpus
    return corpus.trained, corpus.tested, corpus.strategy


def shards(tmp_path):
    """Return when each file of features was written."""
    return {
        path: path.stat().st_mtime_ns
        for path in (tmp_path / "cache").rglob("*.safetensors")
    }


def test_a_head_is_trained_on_one_corpus_and_tested_on_all_of_another(
    harness, chords, results
):
    grid = ("--corpus", "chords", "--test-corpus", "tones")
    assert harness(*RUN, *grid)[0] == 0
    (result,) = results
    assert divided(result) == (("chords",), ("tones",), "transfer")
    assert result.labels == ("high", "low")
    assert result.n_test == 40
    assert {p.speaker.split("/")[0] for p in result.predictions} == {"tones"}
    trained = result.speakers_train + result.speakers_valid
    assert {speaker.split("/")[0] for speaker in trained} == {"chords"}
    assert len(trained) == 3
    assert result.condition.corpus.languages == ("x-chords", "x-tones")


def test_the_corpus_itself_may_be_among_those_to_test_on(harness, chords, results):
    grid = ("--corpus", "tones", "--test-corpus", "tones,chords")
    assert harness(*RUN, *grid)[0] == 0
    assert {divided(result) for result in results} == {
        (("tones",), (), "speaker-independent"),
        (("tones",), ("chords",), "transfer"),
    }


def test_nothing_is_extracted_twice(harness, chords, tmp_path):
    harness(*RUN, "--corpus", "tones,chords")
    before = shards(tmp_path)
    harness(*RUN, "--corpus", "tones", "--test-corpus", "chords")
    assert before == shards(tmp_path) != {}


def test_corpora_can_be_joined(harness, chords, results):
    assert harness(*RUN, "--corpus", "tones+chords")[0] == 0
    (result,) = results
    assert divided(result) == (("tones", "chords"), (), "speaker-independent")
    assert result.labels == ("high", "loud", "low")
    assert result.n_train + result.n_valid + result.n_test == 40 + 36


@pytest.fixture
def confounded(tmp_path, manager):
    """Make two corpora of speakers who hum; in the first, hums correlate with labels.

    Each of its speakers says mostly ``high`` or mostly ``low``, and hums at a pitch
    that only few others have. The second corpus' speakers hum likewise, and say either
    label equally often. Only a cue, if there is one, separates the labels in both.
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


def uar_inside_and_across(harness, results):
    """Train where hums correlate with labels; test inside, then on the other corpus."""
    inside = harness(*RUN, "--corpus", "here", "--split", "stratified")
    across = harness(*RUN, "--corpus", "here", "--test-corpus", "there")
    assert inside[0] == across[0] == 0, inside[2] + across[2]
    scores = {one.condition.corpus.strategy: one.scores["uar"] for one in results}
    return scores["stratified"], scores["transfer"]


def test_a_correlation_of_speakers_and_labels_does_not_transfer(
    confounded, harness, results
):
    confounded(cue=0.0)
    inside, across = uar_inside_and_across(harness, results)
    assert inside > 0.7
    assert across == pytest.approx(0.5, abs=0.1)


def test_a_cue_of_the_labels_transfers(confounded, harness, results):
    confounded(cue=3.0)
    inside, across = uar_inside_and_across(harness, results)
    assert inside > 0.7
    assert across > 0.8
