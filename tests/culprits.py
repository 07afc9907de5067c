"""Upstreams that break one rule each, and a corpus that breaks none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from toys import TONES, TOY, load_toy

from harness.conformance import checks

if TYPE_CHECKING:
    from harness import Upstream


def spoilt(change, **description):
    """An upstream whose waveforms or states are changed by ``change(encode)``."""

    def load(checkpoint, *, device, feeding):
        return change(load_toy(checkpoint, device=device, feeding=feeding))

    return replace(TOY, load=load, **description)


def on_states(function):
    return lambda encode: lambda waveforms: [function(s) for s in encode(waveforms)]


def on_waveforms(function):
    return lambda encode: lambda waveforms: encode([function(w) for w in waveforms])


def counting(encode):
    calls = []

    def encode_and_count(waveforms):
        calls.append(1)
        return [states + len(calls) for states in encode(waveforms)]

    return encode_and_count


def hoarding(encode):
    kept = []

    def encode_and_keep(waveforms):
        kept.extend(waveforms)
        return encode(waveforms)

    return encode_and_keep


def padding(encode):
    def encode_padded(waveforms):
        longest = max(len(waveform) for waveform in waveforms)
        gain = sum(float(w.abs().sum()) for w in waveforms) / longest / len(waveforms)
        return encode([waveform / gain for waveform in waveforms])

    return encode_padded


def forgetting(checkpoint, *, device):
    """A load that lacks an argument."""


def misdescribed(**fields: Any) -> Upstream:
    """An upstream with values of any type."""
    return replace(TOY, **fields)


UPSTREAMS = {
    "name_is_kebab_case": (replace(TOY, name="My Model"), "call it 'my-model'"),
    "description_is_picklable": (misdescribed(load=lambda: 0), "at the top level"),
    "import_is_light": (TOY, "Listing it imports numpy, soundfile: move such imports"),
    "it_loads": (
        misdescribed(load=forgetting),
        "'def load.checkpoint, ., device, feeding",
    ),
    "frames_are_a_hop_apart": (replace(TOY, hop=0.01), "makes 50: correct 'hop'"),
    "layers_and_dims_are_as_described": (replace(TOY, layers=12), "says 12 of 8"),
    "features_are_finite_float32": (
        spoilt(on_states(torch.Tensor.double)),
        "torch.float64: compute in float32",
    ),
    "features_of_silence_are_finite": (
        spoilt(on_waveforms(lambda waveform: waveform / waveform.std())),
        "a second of digital silence are NaN or infinite.* epsilon",
    ),
    "short_clips_are_encoded": (
        replace(TOY, min_seconds=0.01),
        r"A clip of 0.01 s raised RuntimeError: min_seconds=0.02 would do",
    ),
    "long_clips_are_encoded_whole": (
        spoilt(on_waveforms(lambda waveform: waveform[: 30 * 16_000])),
        "only 30.0 s came out: feed longer clips in windows",
    ),
    "the_same_clip_has_the_same_features": (spoilt(counting), "keep nothing"),
    "nothing_is_random": (
        spoilt(on_states(torch.nn.functional.dropout)),
        r"call model.eval\(\) in 'load'",
    ),
    "features_are_batch_invariant": (spoilt(padding), "mask the padding"),
    "the_input_is_left_alone": (
        spoilt(on_waveforms(lambda waveform: waveform.mul_(2))),
        "work on a copy",
    ),
    "features_carry_no_gradient": (
        spoilt(on_states(torch.ones(1, requires_grad=True).mul)),
        "inference_mode",
    ),
    "memory_is_released": (spoilt(hoarding), "64,000 bytes of tensors behind"),
}


GOOD = replace(TONES, citation="Toys 2026")

THIS_MODULE = ("import is light", "description is picklable")
"""Rules that no culprit of this module can keep: it imports torch."""


def findings(subject):
    found = {str(check): check.finding() for check in checks(subject)}
    return {rule: one for rule, one in found.items() if rule not in THIS_MODULE}
