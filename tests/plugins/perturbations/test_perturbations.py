"""What each perturbation does to a signal, measured on the signal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from harness_plugins.perturbations import channel, room

from harness import HarnessError, Speech
from harness.data.resampling import resample
from harness.features.padding import voice

RATE = 16_000


def noise(seconds=1.0, seed=0, scale=0.1):
    drawn = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return torch.from_numpy(scale * drawn).float()


@pytest.fixture
def perturbed(registry):
    """Apply a perturbation, by its name and options, to a waveform."""

    def perturbed(name, waveform, *others, seed=0):
        speech = Speech(
            waveform=waveform,
            rate=RATE,
            random=np.random.default_rng(seed),
            resample=resample,
            others=others,
        )
        return registry.perturbations[name].apply(speech)

    return perturbed


NAMES = (
    *("noise", "babble", "telephone", "opus", "reverb", "speed", "gain", "clip"),
    *("noise:snr=-5", "babble:snr=5,talkers=2", "opus:kbps=24", "speed:factor=0.9"),
)


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_back_is_a_waveform_of_float32(perturbed, name):
    others = [noise(seconds=0.3, seed=n) for n in range(1, 6)]
    made = perturbed(name, noise(), *others)
    assert made.dtype == torch.float32
    assert made.ndim == 1
    assert bool(made.isfinite().all())


@pytest.mark.parametrize("name", [name for name in NAMES if "speed" not in name])
def test_a_recording_keeps_its_length(perturbed, name):
    clip = noise(seconds=0.7312)
    assert len(perturbed(name, clip, noise(0.2, 1), noise(0.2, 2))) == len(clip)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_draws_make_the_same_samples(perturbed, name):
    others = noise(0.3, 1), noise(0.3, 2)
    one, same = (perturbed(name, noise(), *others, seed=7) for _ in range(2))
    assert torch.equal(one, same)


def ratio(speech, added):
    return 10 * float((speech.square().mean() / added.square().mean()).log10())


@pytest.mark.parametrize("snr", [20, 10, 0, -5])
def test_noise_has_the_power_that_is_asked_for(perturbed, snr):
    clip = noise(scale=0.01)
    mixed = perturbed(f"noise:snr={snr}", clip)
    assert ratio(clip, mixed - clip) == pytest.approx(snr, abs=0.01)


def test_babble_has_the_power_that_is_asked_for(perturbed):
    clip, others = noise(scale=0.01), [noise(0.4, n, scale=n / 10) for n in (1, 2, 3)]
    mixed = perturbed("babble:snr=5,talkers=3", clip, *others)
    assert ratio(clip, mixed - clip) == pytest.approx(5, abs=0.01)


def test_a_mix_beyond_full_scale_is_scaled_as_a_whole(perturbed):
    clip = noise(scale=0.3)
    mixed = perturbed("noise:snr=0", clip)
    assert float(mixed.abs().max()) == pytest.approx(1.0)
    scale = float(mixed @ clip / (clip @ clip))  # noise and clip are independent
    assert scale < 1
    assert ratio(scale * clip, mixed - scale * clip) == pytest.approx(0, abs=0.2)


def test_every_talker_is_as_loud_as_another(perturbed):
    loud = torch.ones(RATE)
    faint, strong = noise(seed=1, scale=1e-3), noise(seed=2, scale=0.3)
    mixed = perturbed("babble:snr=0,talkers=2", loud * 0.01, faint, strong)
    added = mixed - loud * 0.01
    of_each = [
        max(float(added @ one.roll(-n)) for n in _begun(one)) / float(one.norm())
        for one in (faint, strong)
    ]
    assert of_each[0] == pytest.approx(of_each[1], rel=0.1)


def _begun(one):
    """The places that talkers may begin at, as they are drawn."""
    random = np.random.default_rng(0)
    return [int(random.integers(len(one))) for _ in range(2)]


def band(waveform):
    """The power of a waveform in each of 8 000 bands of 1 Hz, in dB of the highest."""
    spectrum = torch.fft.rfft(waveform * torch.hann_window(len(waveform))).abs()
    smooth = spectrum.square().unfold(0, 50, 1).mean(1)
    return 10 * (smooth / smooth.max()).log10()


def test_a_telephone_passes_300_to_3400_hertz_alone(perturbed):
    passed = band(perturbed("telephone", noise()))
    assert passed[500:3000].min() > -6
    assert passed[:150].max() < -30
    assert passed[3900:].max() < -25


def test_a_telephone_line_has_256_levels(monkeypatch, perturbed):
    sent = []
    coded = channel._coded

    def noting(*samples, **how):
        sent.append(coded(*samples, **how))
        return sent[-1]

    monkeypatch.setattr(channel, "_coded", noting)
    perturbed("telephone", noise(seconds=10))
    assert 128 < len(np.unique(sent[0])) <= 256


def bits(kbps):
    """The rate of Opus without Ogg's headers, in kb/s."""
    import io

    import soundfile

    file = io.BytesIO()
    samples = voice(5.0, RATE).numpy()
    level = channel.Opus(kbps=kbps).compression
    soundfile.write(
        file, samples, RATE, format="OGG", subtype="OPUS", compression_level=level
    )
    data, at, payload = file.getvalue(), 0, []
    while data[at : at + 4] == b"OggS":
        table = data[at + 27 : at + 27 + data[at + 26]]
        payload.append(sum(table))
        at += 27 + len(table) + sum(table)
    return 8 * sum(payload[2:]) / 5000


@pytest.mark.parametrize("kbps", [6.0, 12.0, 24.0])
def test_opus_is_near_the_bit_rate_that_is_asked_for(kbps):
    assert bits(kbps) == pytest.approx(kbps, rel=0.4)  # it is variable


@pytest.mark.parametrize("rt60", [0.3, 0.9])
def test_a_room_decays_by_60_db_in_its_time(rt60):
    """By the slope of Schroeder's integral between -5 and -35 dB (ISO 3382)."""
    options = room.Reverb(rt60=rt60)
    answer = room.response(RATE, options, np.random.default_rng(0))[1:]
    left = np.cumsum(answer[::-1] ** 2)[::-1]
    decibel = 10 * np.log10(left / left[0])
    between = (decibel < -5) & (decibel > -35)
    time = np.arange(len(answer))[between] / RATE
    slope = np.polyfit(time, decibel[between], 1)[0]
    assert -60 / slope == pytest.approx(rt60, rel=0.05)


def test_the_direct_sound_is_as_strong_as_is_asked_for():
    answer = room.response(RATE, room.Reverb(drr=6.0), np.random.default_rng(0))
    room_energy = (answer[1:] ** 2).sum()
    assert 10 * np.log10(answer[0] ** 2 / room_energy) == pytest.approx(6)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_changes_length_and_pitch_alike(perturbed, factor):
    time = torch.arange(RATE) / RATE
    tone = 0.3 * torch.sin(2 * torch.pi * 1000 * time)
    made = perturbed(f"speed:factor={factor}", tone)
    assert len(made) == pytest.approx(RATE / factor, abs=2)
    peak = torch.fft.rfft(made).abs().argmax() * RATE / len(made)
    assert float(peak) == pytest.approx(1000 * factor, abs=2)


def test_gain_changes_the_level(perturbed):
    clip = noise(scale=0.01)
    assert torch.allclose(perturbed("gain:db=6", clip), clip * 10**0.3)


def test_clipping_cuts_at_a_share_of_the_peak(perturbed):
    clip = noise()
    made = perturbed("clip:share=0.1", clip)
    assert float(made.abs().max()) == pytest.approx(0.1 * float(clip.abs().max()))
    assert torch.equal(made.sign(), clip.sign())


def test_silence_stays_finite(perturbed):
    for name in NAMES:
        made = perturbed(name, torch.zeros(RATE), torch.zeros(800), torch.zeros(800))
        assert bool(made.isfinite().all()), name


def test_a_level_stands_in_the_name_of_what_it_makes(registry):
    names = [registry.perturbations[name].name for name in ("noise", "noise:snr=10")]
    assert names == ["noise:snr=20", "noise:snr=10"]
    assert registry.perturbations["noise:snr=10.0"].name == "noise:snr=10"
    assert registry.perturbations["babble:talkers=2"].others == 2
    assert registry.perturbations["speed:factor=0.9"].tempo == 0.9


@pytest.mark.parametrize(
    "name",
    [
        "babble:talkers=0",
        "opus:kbps=1",
        "reverb:rt60=0",
        "speed:factor=9",
        "clip:share=1",
    ],
)
def test_levels_that_cannot_be_are_refused(registry, name):
    with pytest.raises(HarnessError, match="cannot be"):
        registry.perturbations[name]
