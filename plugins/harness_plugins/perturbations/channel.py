r"""``telephone``, ``opus``, ``gain`` and ``clip``: what lies between voice and file.

    harness run --upstream whisper-base --downstream linear --corpus emodb \
      --split loso --perturb clean,telephone,opus,gain:db=-30,clip:share=0.1

Codecs are those of libsndfile, in memory: ``telephone`` is ITU-T G.711's µ-law at 8
kHz, 64 kb/s; ``opus`` is libopus at the rate that is asked for, which it keeps on
average (6 kb/s asked: 5.6 to 6.5 of EmoDB's clips, Ogg's headers not counted). A lossy
codec is the same on every machine as far as its library is.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness import Perturbation, Speech, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.floating]

VERSION = 1
"""Raised when a change of this file moves a sample."""

LINE = 8_000
"""Sampling rate of a telephone line, in hertz (ITU-T G.711)."""

BAND = (300.0, 3400.0)
"""Its band, in hertz (ITU-T G.120)."""

ORDER = 8
"""Of the Butterworth filter, run forth and back: -6 dB at the edges of the band, more
than -50 dB an octave below it."""

OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
"""Sampling rates that Opus codes, in hertz (RFC 6716)."""


LEAST, MOST = 6.0, 256.0
"""Bit rates of one channel, in kb/s, that libsndfile asks of libopus (its
``ogg_opus.c``)."""


@dataclass(frozen=True, kw_only=True)
class Opus:
    """What a user may set by ``opus:kbps=12``.

    Attributes:
        kbps: Bit rate, in kb/s.
    """

    kbps: float = 6.0

    def __post_init__(self) -> None:
        """Refuse what libsndfile does not ask of libopus."""
        if not LEAST <= self.kbps <= MOST:
            raise ValueError(f"kbps is from {LEAST:g} to {MOST:g}")

    @property
    def compression(self) -> float:
        """The same as libsndfile counts it: 1 is the least rate, 0 the most."""
        return (MOST - self.kbps) / (MOST - LEAST)

    def describe(self, offer: Perturbation) -> Perturbation:
        """Return the description under these options."""
        return replace(offer, name=f"opus:kbps={self.kbps:g}")


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What a user may set by ``gain:db=6``.

    Attributes:
        db: Change of the level, in dB; what then exceeds ±1 is clipped.
    """

    db: float = -20.0

    def describe(self, offer: Perturbation) -> Perturbation:
        """Return the description under these options."""
        return replace(offer, name=f"gain:db={self.db:g}")


@dataclass(frozen=True, kw_only=True)
class Clip:
    """What a user may set by ``clip:share=0.1``.

    Attributes:
        share: Where samples are clipped, as a share of the utterance's peak.
    """

    share: float = 0.25

    def __post_init__(self) -> None:
        """Refuse what clips everything or nothing."""
        if not 0 < self.share < 1:
            raise ValueError("share is between 0 and 1")

    def describe(self, offer: Perturbation) -> Perturbation:
        """Return the description under these options."""
        return replace(offer, name=f"clip:share={self.share:g}")


@hookimpl
def harness_perturbations() -> Iterator[Perturbation]:
    """Offer the telephone, a low-rate codec, other levels and clipping."""
    yield Perturbation(
        name="telephone",
        summary="300-3400 Hz at 8 kHz with µ-law (ITU-T G.711)",
        apply=telephone,
        version=VERSION,
    )
    yield Perturbation(
        name="opus",
        summary="Opus at a low rate; kbps",
        apply=opus,
        options=Opus,
        version=VERSION,
    )
    yield Perturbation(
        name="gain",
        summary="another level; db",
        apply=gain,
        options=Gain,
        version=VERSION,
    )
    yield Perturbation(
        name="clip",
        summary="clipped at a share of the peak; share",
        apply=clip,
        options=Clip,
        version=VERSION,
    )


def telephone(speech: Speech) -> Tensor:
    """Send speech over a telephone line; what comes back lasts as long."""
    import torch
    from scipy.signal import butter, sosfiltfilt

    line = speech.resample(speech.waveform, speech.rate, LINE).double().numpy()
    band = butter(ORDER, BAND, "bandpass", fs=LINE, output="sos")
    passed = sosfiltfilt(band, line, padlen=min(len(line) - 1, LINE // 10))
    coded = _coded(passed, LINE, format="WAV", subtype="ULAW")
    return _as_long(speech.resample(torch.from_numpy(coded), LINE, speech.rate), speech)


def opus(speech: Speech, *, options: Opus) -> Tensor:
    """Code and decode speech by Opus, at the nearest rate that it has."""
    import torch

    rate = min(OPUS_RATES, key=lambda one: abs(one - speech.rate))
    sent = speech.resample(speech.waveform, speech.rate, rate).numpy()
    coded = _coded(
        sent,
        rate,
        format="OGG",
        subtype="OPUS",
        compression_level=options.compression,
    )
    return _as_long(speech.resample(torch.from_numpy(coded), rate, speech.rate), speech)


def gain(speech: Speech, *, options: Gain) -> Tensor:
    """Change the level."""
    return speech.waveform * 10 ** (options.db / 20)


def clip(speech: Speech, *, options: Clip) -> Tensor:
    """Clip at a share of the peak, as a recorder whose input was set too high."""
    most = float(speech.waveform.abs().max()) * options.share
    return speech.waveform.clamp(-most, most)


def _coded(samples: Floats, rate: int, **how: object) -> Floats:
    """Code and decode samples, (S,), by libsndfile."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, rate, **how)
    file.seek(0)
    decoded: Floats = soundfile.read(file, dtype="float32")[0]
    return decoded


def _as_long(waveform: Tensor, speech: Speech) -> Tensor:
    """Cut or fill a waveform to the length of the speech."""
    from torch.nn.functional import pad

    length = len(speech.waveform)
    return pad(waveform[:length], (0, max(0, length - len(waveform))))
