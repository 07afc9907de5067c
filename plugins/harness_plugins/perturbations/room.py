r"""``reverb`` and ``speed``: another room, and another tempo.

    harness run --upstream whisper-base --downstream linear --corpus emodb \
      --split loso --perturb clean,reverb:rt60=0.9,speed:factor=0.9,speed:factor=1.1

The room is synthetic: a direct sound, and behind it white noise that decays by 60 dB in
``rt60`` seconds (Moorer 1979; Lebart et al. 2001 take it as the model of late
reverberation). Each utterance is in a room of its own. ``speed`` plays a recording
faster or slower by resampling it, so both its length and its pitch change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness import Perturbation, Speech, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from torch import Tensor

VERSION = 1
"""Raised when a change of this file moves a sample."""

DECAY = 3.0
"""Tens of the amplitude in which 60 dB are lost: 10^-3."""


@dataclass(frozen=True, kw_only=True)
class Reverb:
    """What a user may set by ``reverb:rt60=0.9,drr=-3``.

    Attributes:
        rt60: Seconds in which the sound of the room decays by 60 dB.
        drr: Energy of the direct sound over that of the room, in dB.
    """

    rt60: float = 0.6
    drr: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a room without a tail."""
        if not 0.05 <= self.rt60 <= 10:
            raise ValueError("rt60 is from 0.05 to 10 seconds")

    def describe(self, offer: Perturbation) -> Perturbation:
        """Return the description under these options."""
        near = f"drr={self.drr:g}," * (self.drr != Reverb.drr)
        return replace(offer, name=f"reverb:{near}rt60={self.rt60:g}")


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What a user may set by ``speed:factor=0.9``.

    Attributes:
        factor: How many times as fast it plays, and as high it sounds.
    """

    factor: float = 1.1

    def __post_init__(self) -> None:
        """Refuse what is no speech any more."""
        if not 0.5 <= self.factor <= 2:
            raise ValueError("factor is from 0.5 to 2")

    def describe(self, offer: Perturbation) -> Perturbation:
        """Return the description under these options."""
        name = f"speed:factor={self.factor:g}"
        return replace(offer, name=name, tempo=self.factor)


@hookimpl
def harness_perturbations() -> Iterator[Perturbation]:
    """Offer a room and a tempo."""
    yield Perturbation(
        name="reverb",
        summary="a synthetic room; rt60 in seconds, drr in dB",
        apply=reverb,
        options=Reverb,
        version=VERSION,
    )
    yield Perturbation(
        name="speed",
        summary="faster or slower by resampling, pitch included; factor",
        apply=speed,
        options=Speed,
        version=VERSION,
    )


def reverb(speech: Speech, *, options: Reverb) -> Tensor:
    """Put speech into a room, at the level and for the time that it had."""
    import torch
    from torchaudio.functional import fftconvolve

    room = torch.from_numpy(response(speech.rate, options, speech.random)).float()
    sounds = fftconvolve(speech.waveform, room)[: len(speech.waveform)]
    level = (speech.waveform.square().sum() / sounds.square().sum().clamp(1e-12)).sqrt()
    loud = sounds * level
    scaled: Tensor = loud / loud.abs().max().clamp(min=1.0)
    return scaled


def response(
    rate: int, options: Reverb, random: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Draw the impulse response of a room, (S,), as long as it takes to lose 60 dB."""
    import numpy as np

    time = np.arange(1, round(options.rt60 * rate)) / rate
    tail = random.standard_normal(len(time)) * 10 ** (-DECAY * time / options.rt60)
    tail *= 10 ** (-options.drr / 20) / np.sqrt((tail**2).sum())
    return np.concatenate([[1.0], tail])


def speed(speech: Speech, *, options: Speed) -> Tensor:
    """Play speech faster or slower, and so higher or lower."""
    played = round(speech.rate * options.factor)
    return speech.resample(speech.waveform, played, speech.rate)
