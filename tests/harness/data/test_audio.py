from __future__ import annotations

import io
import os
import re
from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch

from harness.data import decoding, resampling
from harness.data.audio import load, probe, probe_spans
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


# ---------------------------------------------------------------- how long it is

FORMS = [
    ("WAV", "PCM_16", "FILE"),
    ("WAV", "PCM_24", "FILE"),
    ("WAV", "FLOAT", "FILE"),
    ("WAV", "ULAW", "FILE"),
    ("WAV", "IMA_ADPCM", "FILE"),
    ("WAV", "GSM610", "FILE"),
    ("WAV", "PCM_16", "BIG"),
    ("WAVEX", "PCM_16", "FILE"),
    ("RF64", "PCM_16", "FILE"),
    ("W64", "PCM_16", "FILE"),
    ("NIST", "PCM_16", "FILE"),
    ("NIST", "ULAW", "FILE"),
    ("AIFF", "PCM_16", "FILE"),
    ("AIFF", "FLOAT", "FILE"),
    ("AU", "PCM_16", "FILE"),
    ("AU", "PCM_16", "LITTLE"),
    ("AU", "G721_32", "FILE"),
    ("CAF", "PCM_16", "FILE"),
    ("CAF", "ALAC_16", "FILE"),
    ("FLAC", "PCM_16", "FILE"),
    ("OGG", "VORBIS", "FILE"),
    ("OGG", "OPUS", "FILE"),
    ("MP3", "MPEG_LAYER_III", "FILE"),
]
ID3 = b"ID3\3\0\0\0\0\0\x20" + bytes(32)


def encoded(container, codec, endian="FILE", seconds=1.0):
    """Encode a voice-like noise: its bytes as a file of some container."""
    noise = np.random.default_rng(0).standard_normal(int(RATE * seconds))
    file = io.BytesIO()
    samples = tone(220, RATE, seconds) + 0.05 * noise
    soundfile.write(file, samples, RATE, codec, endian, container)
    return file.getvalue()


def probed(tmp_path, data):
    path = tmp_path / "x.sound"
    path.write_bytes(data)
    return probe(path)


@pytest.mark.parametrize(("container", "codec", "endian"), FORMS)
def test_a_whole_file_is_good_and_a_part_of_it_truncated(
    tmp_path, container, codec, endian
):
    data = encoded(container, codec, endian)
    whole = probed(tmp_path, data)
    assert whole["problem"] == ""
    assert whole["seconds"] == pytest.approx(1, abs=0.05)
    for share in (0.34, 0.6, 0.95):
        cut = probed(tmp_path, data[: int(share * len(data))])
        assert cut["problem"].startswith("truncated"), share


@pytest.mark.parametrize(("container", "codec", "endian"), FORMS)
def test_tags_before_and_after_the_sound_are_no_sound(
    tmp_path, container, codec, endian
):
    data = encoded(container, codec, endian)
    content = probed(tmp_path, data)["content"]
    for tagged in (ID3 + data, data + b"TAG" + bytes(125), ID3 + data + bytes(100)):
        found = probed(tmp_path, tagged)
        assert found["problem"] == ""
        assert found["content"] == content
    cut = probed(tmp_path, (ID3 + data)[: len(data) // 2])
    assert cut["problem"].startswith("truncated")


def written_at(data, place, size, width, order="little"):
    """Put a size into bytes."""
    return data[:place] + size.to_bytes(width, order) + data[place + width :]


UNKNOWN = [0, 2_000_000_000, 0x7FFFF000, 0x80000000, 0xFFFF1000, 0xFFFFFFDB, 0xFFFFFFFF]


@pytest.mark.parametrize("size", UNKNOWN)
@pytest.mark.parametrize(
    ("container", "endian", "chunk", "order"),
    [
        ("WAV", "FILE", b"data", "little"),
        ("WAV", "BIG", b"data", "big"),
        ("AIFF", "FILE", b"SSND", "big"),
        ("AU", "FILE", b".snd\0\0\0\x18", "big"),
    ],
)
def test_a_size_that_a_writer_to_a_pipe_did_not_know_is_the_files(
    tmp_path, size, container, endian, chunk, order
):
    data = encoded(container, "PCM_16", endian)
    content = probed(tmp_path, data)["content"]
    place = data.index(chunk) + len(chunk)
    found = probed(tmp_path, written_at(data, place, size, 4, order))
    assert found["problem"] == ""
    assert found["seconds"] == pytest.approx(1, abs=0.001)
    assert size == 0 or found["content"] == content or container == "AIFF"


@pytest.mark.parametrize("size", [0, (1 << 63) - 1, (1 << 64) - 1])
@pytest.mark.parametrize(
    ("container", "before", "order"),
    [
        ("RF64", b"ds64\x1c\0\0\0" + b".{8}", "little"),
        ("W64", b"data\xf3\xac\xd3\x11\x8c\xd1\0\xc0\x4f\x8e\xdb\x8a", "little"),
        ("CAF", b"data", "big"),
    ],
)
def test_a_size_of_64_bits_that_is_not_known_is_the_files(
    tmp_path, size, container, before, order
):
    data = encoded(container, "PCM_16")
    found = re.search(before, data, re.DOTALL)
    assert found is not None
    unknown = probed(tmp_path, written_at(data, found.end(), size, 8, order))
    assert unknown["problem"] == ""
    assert unknown["seconds"] == pytest.approx(1, abs=0.01)


def test_a_chunk_of_no_size_before_others_is_empty(tmp_path):
    data = encoded("WAV", "PCM_16", seconds=0.0) + b"LIST\4\0\0\0INFO"
    assert probed(tmp_path, data)["problem"] == "empty (no samples)"


@pytest.mark.parametrize(("container", "chunk"), [("WAV", b"data"), ("AIFF", b"SSND")])
def test_samples_after_those_that_a_header_promises_are_reported(
    tmp_path, container, chunk
):
    data = encoded(container, "PCM_16")
    place = data.index(chunk) + 4
    order = "little" if container == "WAV" else "big"
    found = probed(tmp_path, written_at(data, place, 4000, 4, order))
    assert found["problem"].startswith("damaged (the file holds more audio")


def test_a_chunk_that_is_not_aligned_hides_no_truncation(tmp_path):
    data = encoded("WAV", "PCM_16")
    odd = data[:12] + b"note\3\0\0\0abc" + data[12:]
    assert probed(tmp_path, odd[:9_000])["problem"].startswith("truncated")


def test_a_flac_file_of_unknown_length_is_decoded_to_its_end(tmp_path):
    data = encoded("FLAC", "PCM_16")
    known = probed(tmp_path, data)
    for claimed in (0, 4000):
        unknown = data[:21] + bytes([data[21] & 0xF0]) + claimed.to_bytes(4) + data[26:]
        found = probed(tmp_path, unknown)
        assert (found["problem"], found["content"]) == ("", known["content"])


def frames_of(mp3):
    """Return an MP3 file without its first frame, which says how many there are."""
    return mp3[mp3.index(mp3[:2], 4) :]


def speech_like_mp3(rate=RATE, channels=1):
    """Encode a loud and a quiet second at a variable bit rate."""
    noise = np.random.default_rng(0).standard_normal((rate * 4, channels)) * 0.2
    noise[rate:] *= 1e-3
    file = io.BytesIO()
    soundfile.write(
        file, noise, rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("rate", "channels"), [(16_000, 1), (44_100, 2), (8_000, 1), (24_000, 2)]
)
def test_an_mp3_file_that_does_not_say_its_length_is_decoded_to_its_end(
    tmp_path, rate, channels
):
    data = speech_like_mp3(rate, channels)
    bare = frames_of(data)
    found = probed(tmp_path, bare)
    assert found["problem"] == ""
    assert found["seconds"] == pytest.approx(4, abs=0.3)
    for tagged in (ID3 + bare, bare + b"TAG" + bytes(125)):
        assert probed(tmp_path, tagged)["content"] == found["content"]
    assert probed(tmp_path, bare + bare)["seconds"] == 2 * found["seconds"]
    assert probed(tmp_path, bare[:-7])["problem"].startswith("truncated")


def test_two_mp3_files_in_one_are_reported(tmp_path):
    data = speech_like_mp3()
    assert probed(tmp_path, data + data)["problem"].startswith("damaged")
    assert probed(tmp_path, data + ID3 + data)["problem"].startswith("damaged")
    junk = np.random.default_rng(0).bytes(9000)
    torn = frames_of(data) + junk + frames_of(data)
    assert probed(tmp_path, torn)["problem"].startswith("damaged (no MPEG frame at")


def test_two_ogg_files_in_one_are_reported(tmp_path):
    data = encoded("OGG", "VORBIS")
    assert "several sounds in one" in probed(tmp_path, data + data)["problem"]


@pytest.mark.parametrize(("container", "codec"), [("WAV", "GSM610"), ("AU", "G721_32")])
def test_a_codec_that_cannot_seek_is_read_and_cut(tmp_path, container, codec):
    path = tmp_path / "x.sound"
    path.write_bytes(encoded(container, codec))
    whole, part = load(path, RATE), load(path, RATE, start=0.25, end=0.75)
    assert torch.equal(part, whole[4000:12_000])


@pytest.mark.parametrize(("container", "codec", "endian"), FORMS)
def test_a_span_is_where_it_is_in_the_whole(tmp_path, container, codec, endian):
    path = tmp_path / "x.sound"
    path.write_bytes(encoded(container, codec, endian))
    whole, part = load(path, RATE), load(path, RATE, start=0.3, end=0.7)
    assert torch.equal(part, whole[4800:11_200])


def test_spans_of_a_file_are_read_once(tmp_path, monkeypatch):
    (tmp_path / "x.wav").write_bytes(encoded("WAV", "PCM_16"))
    reads = []

    def read(path):
        reads.append(path)
        return path.read_bytes()

    monkeypatch.setattr(decoding, "read", read)
    spans = [(0.1 * n, 0.1 * n + 0.1) for n in range(9)]
    found = probe_spans(tmp_path / "x.wav", spans)
    assert len(reads) == 1
    assert len({one["content"] for one in found}) == 9
    assert len({one["source"] for one in found}) == 1
    for start, end in spans:
        sha256 = found[0]["sha256"]
        load(tmp_path / "x.wav", RATE, start=start, end=end, sha256=sha256)
    assert len(reads) == 2


# ---------------------------------------------------------------- what it holds


def stereo(left, right):
    return lambda path: soundfile.write(path, np.stack([left, right], 1), RATE)


ZEROS = np.zeros(RATE)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (stereo(tone(440, RATE), -tone(440, RATE)), "cancelled (the channels cancel"),
        (stereo(ZEROS, ZEROS), "silent"),
        (stereo(ZEROS + 0.2, ZEROS - 0.2), "silent"),
        (stereo(tone(440, RATE), ZEROS), ""),
        (stereo(tone(440, RATE), -0.9 * tone(440, RATE)), ""),
        (lambda path: soundfile.write(path, ZEROS + 0.2, RATE), "silent"),
        (lambda path: soundfile.write(path, ZEROS - 0.9, RATE), "silent"),
        (lambda path: soundfile.write(path, 0.2 + 0.1 * tone(9, RATE), RATE), ""),
    ],
)
def test_a_sound_is_more_than_a_peak(tmp_path, make, problem):
    make(tmp_path / "x.wav")
    found = probe(tmp_path / "x.wav")["problem"]
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"../.git/annex/objects/aa/bb", "git annex get"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"PK\3\4", "an archive"),
        (b"\0\0\0\x1cftypM4A ", "AAC .*: ffmpeg -i 'a b.m4a' 'a b.wav'"),
        (b"\xff\xf1\x50\x80", "AAC; convert it"),
        (b"#!AMR\n", "AMR; convert it"),
        (b"\x1aE\xdf\xa3", "WebM or Matroska; convert it"),
        (b"0&\xb2u\x8ef\xcf\x11", "WMA; convert it"),
        (b"wvpk", "WavPack; convert it"),
        (b"Nothing known.", r"unreadable \(Format not recognised\); .* convert it"),
    ],
)
def test_a_file_that_is_not_decoded_is_named_with_what_to_do(tmp_path, head, reason):
    path = tmp_path / "a b.m4a"
    path.write_bytes(head + bytes(500))
    assert re.search(reason, probe(path)["problem"])


@pytest.mark.parametrize("container", ["VOC", "IRCAM", "PAF", "SVX", "MAT5", "AVR"])
def test_a_container_whose_length_is_not_understood_is_refused(tmp_path, container):
    problem = probed(tmp_path, encoded(container, "PCM_16"))["problem"]
    assert problem.startswith("in a container whose length cannot be checked")
    assert "convert it: ffmpeg -i x.sound x.wav" in problem


@pytest.mark.parametrize("rate", [0, 8, 999, 768_001, 2_000_000_000])
def test_a_rate_that_no_speech_has_is_refused(tmp_path, rate):
    data = encoded("WAV", "PCM_16")
    problem = probed(tmp_path, written_at(data, 24, rate, 4))["problem"]
    assert problem.startswith(("sampled at", "unreadable"))
    assert str(rate) in problem or problem.startswith("unreadable")


def test_noise_for_bytes_makes_neither_an_error_nor_a_word(tmp_path, capfd):
    rng = np.random.default_rng(0)
    for container, codec, endian in FORMS:
        data = bytearray(encoded(container, codec, endian, seconds=0.2))
        for _ in range(8):
            mutated = bytearray(data)
            for place in rng.integers(0, min(len(data), 120), 3):
                mutated[place] = rng.integers(256)
            probed(tmp_path, bytes(mutated))
    assert "Traceback" not in capfd.readouterr().err


def test_a_folder_whose_name_is_not_unicode_is_read(tmp_path):
    folder = tmp_path / os.fsdecode(b"D\x82go\x96t")
    folder.mkdir()
    soundfile.write(os.fsencode(folder / "x.wav"), tone(440, RATE), RATE)
    assert probe(folder / "x.wav")["problem"] == ""
    assert len(load(folder / "x.wav", RATE)) == RATE
