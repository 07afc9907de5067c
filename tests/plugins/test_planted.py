"""Numbers that are planted in the voices of ``demo`` are found, and nothing else is."""

from __future__ import annotations

import csv
from itertools import islice

import numpy as np
import pytest
import soundfile
from harness_plugins.corpora import _demo

from harness import hookimpl

RATE = 16_000
LAGS = slice(RATE // 400, RATE // 80)
"""Of pitches from 80 to 400 Hz, in samples."""


def energy(waveform):
    """Level in dB."""
    return 10 * np.log10(np.mean(waveform**2) + 1e-9)


def pitch(waveform):
    """Median over time of the pitch by autocorrelation, in octaves."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, 640)[::320]
    loud = frames[(frames**2).mean(1) > 1e-5]
    spectra = np.abs(np.fft.rfft(loud - loud.mean(1, keepdims=True), 2048)) ** 2
    correlation = np.fft.irfft(spectra)[:, LAGS]
    return np.log2(np.median(RATE / (correlation.argmax(1) + LAGS.start)))


def standard(values):
    return (np.array(values) - np.mean(values)) / np.std(values)


@pytest.fixture
def planted(tmp_path):
    """Every other recording of demo; arousal is its energy, valence its pitch."""
    made = dict(islice(_demo.recordings(), 0, None, 2))
    for name, waveform in made.items():
        soundfile.write(tmp_path / name, waveform, RATE)
    arousal = 3 + standard([energy(one) for one in made.values()])
    valence = 50 + 10 * standard([pitch(one) for one in made.values()])
    with (tmp_path / "planted.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "speaker", "arousal", "valence"])
        for name, *numbers in zip(made, arousal, valence, strict=True):
            speaker, _, label, _ = name.split("-")
            rows.writerow([name, label, speaker, *numbers])
    return f"csv:{tmp_path / 'planted.csv'}"


@pytest.mark.parametrize("target", ["arousal", "valence"])
def test_a_head_finds_what_is_planted_and_on_permuted_labels_nothing(
    target, planted, harness, manager
):
    found: dict[str, list[float]] = {"linear": [], "permuted": []}

    class Plugin:
        @hookimpl
        def harness_result(self, event):
            head = event.result.condition.downstream.name
            found[head].append(event.result.scores["ccc"])

    manager.register(Plugin())
    code, _, err = harness(
        *("run", "--upstream", "fbank", "--downstream", "linear,permuted"),
        *("--corpus", planted, "--target", target, "--split", "kfold"),
        *("--folds", "4", "--executor", "serial", "--no-controls", "--quiet"),
    )
    assert code == 0, err
    linear, permuted = (np.mean(found[head]) for head in ("linear", "permuted"))
    assert linear > 0.6
    assert abs(permuted) < 0.4
