from __future__ import annotations

import wave
from collections import Counter

import numpy as np
import pytest
from harness_plugins.corpora import _demo, demo
from harness_plugins.corpora.emodb import EMODB
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from harness import DataError


@pytest.fixture(scope="module")
def recordings():
    return dict(_demo.recordings())


@pytest.fixture(scope="module")
def cueless():
    return dict(_demo.recordings(cue=0))


@pytest.fixture
def quick(monkeypatch):
    """Replace the 288 recordings by silence, where the sound does not matter."""
    names = [name for name, _ in _silences()]
    monkeypatch.setattr(demo, "recordings", lambda: _silences())
    return names


def _silences():
    for speaker, favourite in _demo.FAVOURITES.items():
        for take, emotion in enumerate(_demo._emotions(favourite, _demo.CONFOUND)):
            name = f"{speaker}-{speaker[0]}{take % 6 + 1}-{emotion}-{take:02}.wav"
            yield name, np.zeros(160)


def group(file, name):
    match = demo.NAME.fullmatch(file)
    assert match is not None
    return match[name]


def groups(recordings, name):
    return np.array([group(file, name) for file in recordings])


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


def test_the_cue_is_found_in_new_speakers_but_not_perfectly(recordings):
    assert 0.7 < macro_f1(recordings, new_speakers(recordings)) < 0.95


def test_without_the_cue_new_speakers_are_at_chance(cueless):
    assert macro_f1(cueless, new_speakers(cueless)) < 0.3


def test_known_speakers_reveal_their_favourite_emotion(cueless):
    assert macro_f1(cueless, known_speakers(cueless)) > 0.32


def test_the_cue_transfers_from_one_language_to_the_other(recordings):
    languages = groups(recordings, "language")
    a, b = (np.flatnonzero(languages == language) for language in "ab")
    assert macro_f1(recordings, [(a, b), (b, a)]) > 0.7


def test_what_speakers_reveal_does_not_transfer(cueless):
    languages = groups(cueless, "language")
    a, b = (np.flatnonzero(languages == language) for language in "ab")
    assert macro_f1(cueless, [(a, b), (b, a)]) < 0.3


def test_labels_are_balanced_but_not_within_a_speaker(recordings):
    assert set(Counter(groups(recordings, "emotion")).values()) == {72}
    of_one = [name for name in recordings if name.startswith("af1")]
    assert sorted(Counter(groups(of_one, "emotion")).values()) == [4, 4, 4, 12]


def test_the_confound_can_be_left_out():
    assert set(Counter(_demo._emotions("anger", 0.25)).values()) == {6}


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


def test_two_syntheses_are_identical(recordings):
    name, waveform = next(_demo.recordings())
    assert np.array_equal(waveform, recordings[name])


def test_another_seed_yields_other_recordings(recordings):
    name, waveform = next(_demo.recordings(seed=1))
    assert not np.array_equal(waveform, recordings[name])


def test_files_are_16_bit_mono_at_16_kilohertz(tmp_path, quick):
    demo.make(tmp_path)
    with wave.open(str(tmp_path / quick[0])) as file:
        assert file.getparams()[:4] == (1, 2, 16_000, 160)


def test_what_is_made_is_what_is_read(tmp_path, quick):
    demo.make(tmp_path)
    assert sorted(one.path for one in demo.DEMO.read(tmp_path)) == sorted(quick)


def test_the_folder_is_below_the_cache_and_named_by_the_version(tmp_path):
    for corpus in demo.harness_corpora():
        assert demo.harness_corpus_root(corpus, tmp_path) == tmp_path / "demo-v1"
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_other_corpora_is_not_answered(tmp_path):
    assert demo.harness_corpus_root(EMODB, tmp_path) is None


def test_a_foreign_file_among_the_recordings_is_refused(tree):
    root = tree("af1-a1-anger-00.wav", "hello.wav")
    with pytest.raises(DataError, match=r"'hello\.wav'"):
        list(demo.DEMO.read(root))
