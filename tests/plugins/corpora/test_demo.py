from __future__ import annotations

import wave
from collections import Counter

import numpy as np
import pytest
from harness_plugins.corpora import demo
from harness_plugins.corpora.emodb import EMODB
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from harness import DataError, StoreError


@pytest.fixture(scope="module")
def recordings():
    return dict(demo.recordings())


@pytest.fixture(scope="module")
def cueless():
    return dict(demo.recordings(cue=0))


@pytest.fixture
def quick(monkeypatch):
    """Say nothing 288 times: for what does not depend on the sound."""
    names = [name for name, _ in _silences()]
    monkeypatch.setattr(demo, "recordings", lambda: _silences())
    return names


def _silences():
    for speaker, favourite in demo.FAVOURITES.items():
        for take, emotion in enumerate(demo._emotions(favourite, demo.CONFOUND)):
            name = f"{speaker}-{speaker[0]}{take % 6 + 1}-{emotion}-{take:02}.wav"
            yield name, np.zeros(160)


def groups(recordings, name):
    return np.array([demo.NAME.fullmatch(file)[name] for file in recordings])


def log_bands(waveform):
    """Mean over time of log energies in 40 bands of equal width in log frequency."""
    windows = np.lib.stride_tricks.sliding_window_view(waveform, 400)[::160]
    power = np.abs(np.fft.rfft(windows * np.hanning(400), 1024)) ** 2
    edges = np.geomspace(4, 512, 41).astype(int)
    bands = np.add.reduceat(power, edges[:-1], axis=1) / np.maximum(np.diff(edges), 1)
    return np.log(bands + 1e-8).mean(axis=0)


def macro_f1(recordings, folds):
    features = np.array([log_bands(waveform) for waveform in recordings.values()])
    labels = groups(recordings, "emotion")
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=500))
    predicted = cross_val_predict(head, features, labels, cv=folds)
    return f1_score(labels, predicted, average="macro")


def new_speakers(recordings):
    speakers = groups(recordings, "speaker")
    return list(GroupKFold(12).split(speakers, groups=speakers))


def known_speakers(recordings):
    folds = StratifiedKFold(12, shuffle=True, random_state=0)
    labels = groups(recordings, "emotion")
    return list(folds.split(labels, labels))


def test_the_cue_is_found_in_new_speakers_but_not_by_everything(recordings):
    assert 0.7 < macro_f1(recordings, new_speakers(recordings)) < 0.95


def test_without_the_cue_new_speakers_are_at_chance(cueless):
    assert macro_f1(cueless, new_speakers(cueless)) < 0.3


def test_known_speakers_give_their_favourite_emotion_away(cueless):
    assert macro_f1(cueless, known_speakers(cueless)) > 0.32


def test_the_cue_crosses_from_one_language_to_the_other(recordings):
    languages = groups(recordings, "language")
    a, b = (np.flatnonzero(languages == language) for language in "ab")
    assert macro_f1(recordings, [(a, b), (b, a)]) > 0.7


def test_what_speakers_give_away_does_not_cross(cueless):
    languages = groups(cueless, "language")
    a, b = (np.flatnonzero(languages == language) for language in "ab")
    assert macro_f1(cueless, [(a, b), (b, a)]) < 0.3


def test_labels_are_balanced_but_not_within_a_speaker(recordings):
    assert set(Counter(groups(recordings, "emotion")).values()) == {72}
    of_one = [name for name in recordings if name.startswith("af1")]
    assert sorted(Counter(groups(of_one, "emotion")).values()) == [4, 4, 4, 12]


def test_the_confound_can_be_left_out():
    assert set(Counter(demo._emotions("anger", 0.25)).values()) == {6}


def test_no_recording_clips_or_is_silent(recordings):
    peaks = [np.abs(waveform).max() for waveform in recordings.values()]
    assert max(peaks) < 0.98
    assert min(peaks) > 0.01


def test_recordings_last_one_to_two_seconds(recordings):
    seconds = [len(waveform) / 16_000 for waveform in recordings.values()]
    assert min(seconds) > 1.0
    assert max(seconds) < 2.1


def test_speech_is_voiced_at_the_pitch_of_its_speaker(recordings):
    def pitch(waveform):
        loudest = np.argmax(np.convolve(waveform**2, np.ones(800), "valid"))
        piece = waveform[loudest : loudest + 800]
        likeness = np.correlate(piece, piece, "full")[800 - 1 :]
        return 16_000 / (40 + np.argmax(likeness[40:200]))

    neutral = [name for name in recordings if "neutral" in name]
    pitches = np.array([pitch(recordings[name]) for name in neutral])
    female = groups(neutral, "gender") == "f"
    assert 180 < np.median(pitches[female]) < 290
    assert 95 < np.median(pitches[~female]) < 170


def test_two_syntheses_agree_to_the_bit(recordings):
    name, waveform = next(demo.recordings())
    assert np.array_equal(waveform, recordings[name])


def test_another_seed_gives_other_recordings(recordings):
    name, waveform = next(demo.recordings(seed=1))
    assert not np.array_equal(waveform, recordings[name])


def test_files_are_16_bit_mono_at_16_kilohertz(tmp_path, quick):
    demo.synthesise(tmp_path)
    with wave.open(str(tmp_path / quick[0])) as file:
        assert file.getparams()[:4] == (1, 2, 16_000, 160)


def test_the_corpus_is_made_below_the_cache_and_read(tmp_path, quick):
    root = demo.harness_corpus_root(demo.DEMO, tmp_path / "cache")
    assert root == tmp_path / "cache" / "demo-v1"
    assert [u.id for u in demo.DEMO.read(root)] == sorted(quick)


def test_an_utterance_says_who_spoke_what_and_how(tree):
    (utterance,) = demo.DEMO.read(tree("bm2-b3-sadness-07.wav"))
    assert utterance.label == "sadness"
    assert utterance.speaker == "bm2"
    assert utterance.gender == "male"
    assert utterance.sentence == "b3"
    assert utterance.language == "x-demo-b"


def test_a_complete_corpus_is_kept(tmp_path, quick):
    root = demo.harness_corpus_root(demo.DEMO, tmp_path)
    before = (root / quick[0]).stat().st_mtime_ns
    demo.harness_corpus_root(demo.DEMO, tmp_path)
    assert (root / quick[0]).stat().st_mtime_ns == before


def test_an_incomplete_corpus_is_made_again(tmp_path, quick):
    root = demo.harness_corpus_root(demo.DEMO, tmp_path)
    (root / quick[0]).unlink()
    demo.harness_corpus_root(demo.DEMO, tmp_path)
    assert (root / quick[0]).exists()


def test_nothing_is_left_beside_it(tmp_path, quick):
    root = demo.harness_corpus_root(demo.DEMO, tmp_path)
    assert list(tmp_path.iterdir()) == [root]


def test_an_interrupted_synthesis_leaves_nothing(tmp_path, monkeypatch):
    def interrupted():
        yield "af1-a1-anger-00.wav", np.zeros(160)
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "recordings", interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo.harness_corpus_root(demo.DEMO, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_was_faster_is_respected(tmp_path, quick, monkeypatch):
    synthesise = demo.synthesise

    def outrun(folder):
        synthesise(folder)
        (tmp_path / "demo-v1").mkdir()
        synthesise(tmp_path / "demo-v1")

    monkeypatch.setattr(demo, "synthesise", outrun)
    root = demo.harness_corpus_root(demo.DEMO, tmp_path)
    assert len(list(root.iterdir())) == len(quick)


def test_a_cache_that_cannot_be_written_is_an_error_with_a_next_step(tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(StoreError, match="choose another folder with --cache"):
        demo.harness_corpus_root(demo.DEMO, tmp_path / "cache")


def test_other_corpora_are_none_of_its_business(tmp_path):
    assert demo.harness_corpus_root(EMODB, tmp_path) is None


def test_a_foreign_file_among_the_recordings_is_refused(tree):
    root = tree("af1-a1-anger-00.wav", "hello.wav")
    with pytest.raises(DataError, match=r"'hello\.wav'"):
        list(demo.DEMO.read(root))
