from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch

from harness.data import resampling
from harness.data.audio import load, probe
from harness.data.resampling import resample

RATE = 16_000


def tone(hertz, rate, seconds=1.0):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def level(samples, hertz, rate):
    """The amplitude of a tone, in decibels of the 0.5 that it was made with."""
    middle = np.asarray(samples)[len(samples) // 4 : 3 * len(samples) // 4]
    middle = middle * np.hanning(len(middle))
    spectrum = np.abs(np.fft.rfft(middle)) / len(middle) * 4
    near = round(hertz * len(middle) / rate)
    return 20 * np.log10(spectrum[near - 2 : near + 3].max() / 0.5 + 1e-12)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_every_container_decodes_to_float32_in_one(tmp_path, suffix):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(440, RATE), RATE)
    samples = load(path, RATE)
    assert samples.dtype.is_floating_point
    assert samples.ndim == 1
    assert abs(len(samples) - RATE) < 2500  # lossy codecs pad
    assert samples.abs().max() <= 1
    assert abs(level(samples, 440, RATE)) < 0.5


def test_channels_are_averaged(tmp_path):
    left, right = tone(300, RATE), tone(500, RATE)
    soundfile.write(
        tmp_path / "x.wav", np.stack([left, right], 1), RATE, subtype="FLOAT"
    )
    expected = ((left + right) / 2).astype("float32")
    assert np.abs(load(tmp_path / "x.wav", RATE).numpy() - expected).max() < 1e-7


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 192_000])
def test_tones_below_half_the_rate_pass_unchanged(tmp_path, rate):
    soundfile.write(tmp_path / "x.wav", tone(3000, rate), rate, subtype="FLOAT")
    samples = load(tmp_path / "x.wav", RATE)
    assert len(samples) == RATE
    assert abs(level(samples, 3000, RATE)) < 0.1


ODD = [22_254, 44_101, 48_001, 767_999]


@pytest.mark.parametrize("rate", ODD)
def test_an_odd_rate_is_resampled_as_well_as_a_usual_one(rate):
    passed = resample(torch.from_numpy(tone(7000, rate)).float(), rate, RATE)
    stopped = resample(torch.from_numpy(tone(8500, rate)).float(), rate, RATE)
    assert abs(len(passed) - RATE) <= 1
    assert abs(level(passed, 7000, RATE)) < 0.1
    assert stopped[2000:-2000].abs().max() < 1e-5


@pytest.mark.parametrize("rate", [1_001, 7_999, 11_127])
def test_an_odd_low_rate_is_raised(rate):
    samples = resample(torch.from_numpy(tone(300, rate)).float(), rate, RATE)
    assert len(samples) == RATE
    assert abs(level(samples, 300, RATE)) < 0.1


@pytest.mark.parametrize("ratio", [Fraction(160, 441), Fraction(320, 441)])
def test_both_resamplers_have_one_filter(ratio):
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(9000)).float()
    dense = resample(noise, ratio.denominator * 100, ratio.numerator * 100)
    assert (dense - resampling._sparse(noise, ratio)).abs().max() < 1e-4


def test_the_filter_of_an_odd_rate_has_a_bounded_size():
    for rate in (*ODD, 191_999):
        ratio = Fraction(RATE, rate).limit_denominator(resampling.FINEST)
        assert len(resampling._taps(*ratio.as_integer_ratio())) < 2e7


@pytest.mark.parametrize("hertz", [8_500, 9_000, 12_000])
def test_tones_above_half_the_rate_do_not_come_back_as_aliases(tmp_path, hertz):
    soundfile.write(tmp_path / "x.wav", tone(hertz, 48_000), 48_000, subtype="FLOAT")
    assert load(tmp_path / "x.wav", RATE)[2000:-2000].abs().max() < 1e-5


def test_seven_kilohertz_is_not_attenuated(tmp_path):
    soundfile.write(tmp_path / "x.wav", tone(7000, 44_100), 44_100, subtype="FLOAT")
    assert abs(level(load(tmp_path / "x.wav", RATE), 7000, RATE)) < 0.1


def test_a_span_of_a_file_is_read_and_cut(tmp_path):
    samples = np.linspace(-0.9, 0.9, RATE)
    soundfile.write(tmp_path / "x.wav", samples, RATE, subtype="FLOAT")
    part = load(tmp_path / "x.wav", RATE, start=0.25, end=0.75, max_seconds=0.1)
    assert np.allclose(part.numpy(), samples[4000:5600], atol=1e-7)


def test_the_same_audio_in_another_container_has_the_same_content(tmp_path):
    samples = (30_000 * tone(440, RATE)).astype("int16")
    soundfile.write(tmp_path / "x.wav", samples, RATE)
    soundfile.write(tmp_path / "x.flac", samples, RATE)
    one, other = probe(tmp_path / "x.wav"), probe(tmp_path / "x.flac")
    assert one["content"] == other["content"]
    assert one["sha256"] != other["sha256"]


def test_one_changed_sample_changes_the_content(tmp_path):
    samples = tone(440, RATE)
    soundfile.write(tmp_path / "x.wav", samples, RATE)
    samples[100] += 0.01
    soundfile.write(tmp_path / "y.wav", samples, RATE)
    assert probe(tmp_path / "x.wav")["content"] != probe(tmp_path / "y.wav")["content"]


def test_a_good_file_is_described(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.stack([tone(440, 8000)] * 2, 1), 8000)
    found = probe(tmp_path / "x.wav")
    assert (found["rate"], found["channels"], found["seconds"]) == (8000, 2, 1.0)
    assert found["peak"] == pytest.approx(0.5, abs=1e-3)
    assert found["problem"] == ""


def nan(path):
    samples = tone(440, RATE)
    samples[7] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")


def infinite(path):
    samples = tone(440, RATE)
    samples[7] = np.inf
    soundfile.write(path, samples, RATE, subtype="FLOAT")


def truncated(path):
    soundfile.write(path, tone(440, RATE), RATE)
    path.write_bytes(path.read_bytes()[:20_000])


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "missing"),
        (lambda path: path.touch(), "empty"),
        (lambda path: path.write_text("Not audio."), "unreadable"),
        (lambda path: soundfile.write(path, np.zeros(0), RATE), "empty"),
        (lambda path: soundfile.write(path, np.zeros(RATE), RATE), "silent"),
        (
            lambda path: soundfile.write(
                path, 9e3 * tone(9, RATE), RATE, subtype="FLOAT"
            ),
            "not scaled",
        ),
        (nan, "NaN"),
        (infinite, "NaN or infinite"),
        (truncated, "truncated"),
        (lambda path: path.mkdir(), "unreadable"),
    ],
)
def test_audio_that_cannot_be_used_is_named_with_its_reason(tmp_path, make, reason):
    path = tmp_path / "x.wav"
    make(path)
    assert reason in probe(path)["problem"]


@pytest.mark.parametrize("suffix", ["aiff", "flac"])
def test_a_truncated_file_of_another_container_is_detected(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    rng = np.random.default_rng(0)
    soundfile.write(path, 0.1 * rng.standard_normal(RATE), RATE)
    path.write_bytes(path.read_bytes()[:9_000])
    assert probe(path)["problem"].startswith(("truncated", "unreadable"))


def test_a_wav_written_to_a_pipe_is_not_taken_for_truncated(tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(path, tone(440, RATE), RATE)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"data") + 4
    raw[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(raw)
    assert probe(path)["problem"] == ""


def test_a_folder_whose_name_is_not_unicode_is_read(tmp_path):
    folder = tmp_path / os.fsdecode(b"D\x82go\x96t")
    folder.mkdir()
    soundfile.write(os.fsencode(folder / "x.wav"), tone(440, RATE), RATE)
    assert probe(folder / "x.wav")["problem"] == ""
    assert len(load(folder / "x.wav", RATE)) == RATE
