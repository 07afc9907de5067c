from __future__ import annotations

import pytest
import torch
from harness_plugins.upstreams import fbank
from torchaudio.compliance import kaldi

from harness import HarnessError

EMPTY = 3
"""The bin that is narrower than the FFT's grid and is always empty."""


def test_the_scale_is_audiosets():
    """``egs/audioset/run.sh`` of AST: mean and standard deviation of its energies."""
    assert fbank.MEAN == -4.2677393
    assert fbank.SPREAD == 2 * 4.5689974


@pytest.fixture(scope="module")
def encode():
    return fbank.load(None, device="cpu", feeding="full")


def noise(seconds, seed=0):
    random = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(round(16_000 * seconds), generator=random)


def tone(hertz, seconds=0.5):
    return 0.1 * torch.sin(2 * torch.pi * hertz * torch.arange(16_000 * seconds) / 16e3)


@pytest.mark.parametrize(("seconds", "frames"), [(0.025, 1), (0.035, 2), (1.0, 98)])
def test_a_frame_comes_every_ten_milliseconds(encode, seconds, frames):
    (states,) = encode([noise(seconds)])
    assert states.shape == (1, frames, 128)
    assert states.dtype == torch.float32


def test_energies_are_those_of_the_ast_code_but_for_a_constant_scale(encode):
    """``src/dataloader.py``:98-142, before it normalises."""
    waveform = noise(1.3) + 0.01
    expected = kaldi.fbank(
        waveform[None] - waveform.mean(),
        htk_compat=True,
        sample_frequency=16_000,
        use_energy=False,
        window_type="hanning",
        num_mel_bins=128,
        dither=0.0,
        frame_shift=10,
    )
    (states,) = encode([waveform])
    torch.testing.assert_close(
        states[0] * fbank.SPREAD + fbank.MEAN, expected, atol=1e-4, rtol=0
    )


def test_the_number_of_bins_is_an_option(registry):
    upstream = registry.upstreams["fbank:bins=40"]
    (states,) = upstream.load(None, device="cpu", feeding="full")([noise(0.5)])
    assert (upstream.name, upstream.dim) == ("fbank:bins=40", 40)
    assert states.shape == (1, 48, 40)


@pytest.mark.parametrize("bins", ["0", "3", "many"])
def test_a_number_of_bins_that_cannot_be_is_refused(registry, bins):
    with pytest.raises(HarnessError, match="bins"):
        registry.upstreams[f"fbank:bins={bins}"]


def test_one_bin_is_always_empty(encode):
    (states,) = encode([noise(0.5)])
    filled = states[0].var(0) > 0
    assert (~filled).nonzero().flatten().tolist() == [EMPTY]


def test_the_description_holds(encode):
    (upstream,) = fbank.harness_upstreams()
    assert upstream.hop is not None
    (states,) = encode([noise(2.0)])
    layers, frames, dim = states.shape
    assert (layers, dim) == (upstream.layers, upstream.dim)
    assert abs(frames - 2.0 / upstream.hop) <= 2


def test_a_higher_tone_excites_a_higher_bin(encode):
    low, high = encode([tone(300), tone(3000)])
    assert low.mean(dim=1).argmax() < high.mean(dim=1).argmax()


def test_ten_times_louder_adds_the_same_to_every_bin(encode):
    soft, loud = encode([noise(0.5), 10 * noise(0.5)])
    step = torch.log(torch.tensor(100.0)) / fbank.SPREAD
    risen = (loud - soft)[:, :, torch.arange(128) != EMPTY]
    torch.testing.assert_close(risen, step.expand_as(risen), atol=1e-4, rtol=0)


def test_a_constant_offset_changes_nothing(encode):
    plain, shifted = encode([noise(0.5), noise(0.5) + 0.2])
    torch.testing.assert_close(plain, shifted, atol=1e-3, rtol=0)


def test_states_do_not_depend_on_the_batch(encode):
    (alone,) = encode([noise(0.3)])
    _, together = encode([noise(1.0, seed=1), noise(0.3)])
    assert torch.equal(alone, together)


def test_states_are_of_order_one_even_in_silence(encode):
    for states in encode([noise(0.5), torch.zeros(8000)]):
        assert states.abs().max() < 3


def test_the_waveform_is_left_as_it_was(encode):
    waveform = noise(0.3)
    encode([waveform])
    assert torch.equal(waveform, noise(0.3))
