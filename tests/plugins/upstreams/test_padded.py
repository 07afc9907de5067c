"""What a GPU runs, run on the CPU: padded batches against clip by clip.

``cpu:0`` is the CPU, treated as a GPU is.
"""

from __future__ import annotations

import pytest
import torch
from families import SIX, TINY, clips, gap

LENGTHS = (1.93, 0.7, 0.41, 1.1)


@pytest.mark.parametrize("name", TINY)
def test_a_padded_batch_returns_what_each_clip_returns_alone(tmp_path, name):
    TINY[name].write(tmp_path)
    alone, batched = (TINY[name].encoder(tmp_path, one) for one in ("cpu", "cpu:0"))
    listed = clips(*LENGTHS)
    for clip, found in zip(listed, batched(listed), strict=True):
        assert gap(alone([clip])[0], found) < 1e-5


def test_a_padded_batch_of_the_base_size_is_exact(tmp_path):
    family = SIX["wav2vec2-base"]
    family.write(tmp_path)
    alone, batched = (family.encoder(tmp_path, device) for device in ("cpu", "cpu:0"))
    listed = clips(1.2, 0.5, 0.9)
    for clip, found in zip(listed, batched(listed), strict=True):
        assert gap(alone([clip])[0], found) < 1e-5


@pytest.mark.parametrize("name", TINY)
def test_a_batch_in_half_precision_returns_finite_float32(tmp_path, name):
    TINY[name].write(tmp_path)
    listed = clips(*LENGTHS)
    exact = TINY[name].encoder(tmp_path, "cpu")
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        found = TINY[name].encoder(tmp_path, "cpu:0")(listed)
    for clip, state in zip(listed, found, strict=True):
        assert state.dtype == torch.float32
        assert torch.isfinite(state).all()
        expected = exact([clip])[0].mean(1)
        near = torch.cosine_similarity(expected, state.mean(1))
        assert near.min() > 0.995


def test_log_mels_are_exact_whatever_the_precision(tmp_path):
    listed = clips(*LENGTHS)
    exact = TINY["fbank"].encoder(tmp_path, "cpu")(listed)
    with torch.autocast("cpu", torch.bfloat16):
        found = TINY["fbank"].encoder(tmp_path, "cpu")(listed)
    assert all(torch.equal(one, other) for one, other in zip(exact, found, strict=True))


@pytest.mark.parametrize("name", ["wav2vec2", "whisper, full"])
def test_weights_are_stored_in_half_precision_once(tmp_path, name, monkeypatch):
    from harness_plugins.upstreams import _devices

    placed = []

    def place(module, device):
        placed.append(original(module, device))
        return placed[-1]

    original = _devices.place
    monkeypatch.setattr(_devices, "place", place)
    TINY[name].write(tmp_path)
    with torch.autocast("cpu", torch.bfloat16):
        TINY[name].encoder(tmp_path, "cpu:0")
    kinds = {
        type(m): m.weight.dtype for m in placed[0].modules() if hasattr(m, "weight")
    }
    assert kinds[torch.nn.Linear] == torch.bfloat16
    assert kinds[torch.nn.LayerNorm] == torch.float32
