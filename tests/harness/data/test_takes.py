"""The same take is found with another gain, rate, codec or trim; nothing else is."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from harness.data import fingerprint, takes
from harness.data.manifest import join, read_manifest
from harness.data.passport import examine
from harness.data.resampling import resample
from harness.errors import DataError
from harness.memory import Memory
from harness.splits.checks import check
from harness.types import Corpus, Fold, Split, Utterance

RATE = 16_000


def voice(seed, seconds=2.5):
    """Noise of a voice's band, whose loudness goes up and down like syllables."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE)
    noise = np.convolve(rng.standard_normal(count), np.ones(16) / 4, "same")
    steps = rng.uniform(-3, 0, int(seconds * 12) + 2)
    loud = np.interp(np.arange(count) / RATE * 12, np.arange(len(steps)), steps)
    return (0.1 * noise * 10**loud).astype(np.float32), RATE


def rated(rate):
    def changed(samples, own):
        return resample(torch.from_numpy(samples), own, rate).numpy(), rate

    return changed


def coded(form, subtype):
    def changed(samples, rate):
        file = io.BytesIO()
        soundfile.write(file, samples, rate, format=form, subtype=subtype)
        file.seek(0)
        return soundfile.read(file, dtype="float32")

    return changed


COPIES = {
    "gain": lambda samples, rate: (samples * np.float32(0.5), rate),
    "8 kHz": rated(8000),
    "44.1 kHz": rated(44_100),
    "Vorbis": coded("OGG", "VORBIS"),
    "Opus": coded("OGG", "OPUS"),
    "trim": lambda samples, rate: (samples[rate // 5 :], rate),
    "inverted": lambda samples, rate: (-samples, rate),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_in_another_form_is_a_candidate_and_agrees(kind):
    clips = [voice(seed) for seed in range(20)]
    copies = [COPIES[kind](*clip) for clip in clips]
    sketches = [fingerprint.sketch(*clip) for clip in (*clips, *copies)]
    expected = {(n, n + 20) for n in range(20)}
    assert expected <= set(fingerprint.candidates(sketches))
    for clip, copy in zip(clips, copies, strict=True):
        assert takes.agree(takes.lowered(*clip), takes.lowered(*copy))


def test_other_takes_do_not_agree_and_neither_do_tones():
    one, other = takes.lowered(*voice(0)), takes.lowered(*voice(1))
    assert not takes.agree(one, other)
    assert not takes.agree(one, np.zeros_like(one))
    time = np.arange(2 * takes.RATE) / takes.RATE
    tone = np.sin(2 * np.pi * 220 * time)
    assert not takes.agree(tone, tone[100:])


def test_what_is_too_short_or_silent_has_no_candidate():
    samples, rate = voice(0, seconds=0.5)
    assert fingerprint.sketch(samples, rate) == ""
    silence = np.zeros(3 * RATE, np.float32)
    assert fingerprint.candidates([fingerprint.sketch(silence, RATE)] * 60) == []
    assert fingerprint.candidates([]) == []


# ---------------------------------------------------------------- in a corpus


@pytest.fixture
def copied(tmp_path):
    """A folder of six speakers, of whom the last has a copy of the first's clip."""
    for number in range(6):
        samples, rate = voice(number)
        soundfile.write(tmp_path / f"{number}.wav", samples, rate)
    soundfile.write(tmp_path / "copy.wav", *COPIES["trim"](*COPIES["gain"](*voice(0))))
    return tmp_path


def corpus(name="mine"):
    def read(root):
        for path in sorted(root.glob("*.wav")):
            number = 5 if path.stem == "copy" else int(path.stem)
            label = ("joy", "fear")[number % 2]
            yield Utterance(
                id=path.stem, path=path.name, label=label, speaker=str(number)
            )

    return Corpus(
        name=name,
        title=name,
        version="1",
        languages=("en",),
        labels=("joy", "fear"),
        licence="CC0-1.0",
        homepage="",
        citation="",
        obtain="",
        read=read,
    )


def divided(train, valid, test):
    folds = (Fold(name="0", train=train, valid=valid, test=test),)
    return Split(strategy="stratified", speaker_independent=False, folds=folds)


def test_a_copy_in_another_part_is_refused_and_in_its_own_is_not(copied, tmp_path):
    manifest = read_manifest(corpus(), copied, Memory(tmp_path / "memory"))
    assert manifest.alike == (("0", "copy"),)
    check(divided(("0", "1", "copy"), ("2", "3"), ("4", "5")), manifest)
    with pytest.raises(DataError, match="'0' in train and 'copy' in test are one rec"):
        check(divided(("0", "1"), ("2", "3"), ("4", "5", "copy")), manifest)


def test_a_passport_reports_it(copied, tmp_path):
    passport = examine(corpus(), copied, Memory(tmp_path / "memory"))
    assert ["the same take as '0', with another gain, rate, codec or trim"] == [
        one.detail for one in passport.problems if one.path == "copy"
    ]


def test_a_pair_is_compared_once_and_then_recalled(copied, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.files.SETTLED_SECONDS", -1.0)
    first = read_manifest(corpus(), copied, Memory(tmp_path / "memory"))
    monkeypatch.setattr(takes, "agree", None)
    again = read_manifest(corpus(), copied, Memory(tmp_path / "memory"))
    assert again.alike == first.alike


def test_copies_are_found_across_corpora_that_are_joined(copied, tmp_path):
    memory = Memory(tmp_path / "memory")
    (copied / "copy.wav").unlink()
    one = read_manifest(corpus("one"), copied, memory)
    other = tmp_path / "other"
    other.mkdir()
    for number in range(6):
        samples, rate = COPIES["gain"](*voice(number + 3))
        soundfile.write(other / f"{number}.wav", samples, rate)
    joined = join([one, read_manifest(corpus("two"), other, memory)])
    assert joined.alike == (
        *(("one/3", "two/0"), ("one/4", "two/1"), ("one/5", "two/2")),
    )
    assert replace(joined, alike=()).sha256 == joined.sha256
