r"""``noise`` and ``babble``: speech with something beside it, at a given ratio.

    harness run --upstream whisper-base --downstream linear --corpus emodb \
      --split loso --perturb clean,noise:snr=20,noise:snr=0,babble:snr=10

The ratio is of mean powers over the whole utterance, pauses included. A mix that would
exceed ±1 is scaled down as a whole, so the ratio is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness import Perturbation, Speech, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

VERSION = 1
"""Raised when a change of this file moves a sample."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What a user may set by ``noise:snr=10``.

    Attributes:
        snr: Power of the speech over that of the noise, in dB.
    """

    snr: float = 20.0

    def describe(self, offer: Perturbation) -> Perturbation:
        """Return the description under these options."""
        return replace(offer, name=f"noise:snr={self.snr:g}")


@dataclass(frozen=True, kw_only=True)
class Babble:
    """What a user may set by ``babble:snr=5,talkers=3``.

    Attributes:
        snr: Power of the speech over that of all talkers together, in dB.
        talkers: How many utterances by other speakers are mixed in. MUSAN's recipe in
            Kaldi takes 3 to 7.
    """

    snr: float = 10.0
    talkers: int = 5

    def __post_init__(self) -> None:
        """Refuse silence."""
        if self.talkers < 1:
            raise ValueError("talkers begins at 1")

    def describe(self, offer: Perturbation) -> Perturbation:
        """Return the description under these options."""
        some = f",talkers={self.talkers}" * (self.talkers != Babble.talkers)
        return replace(
            offer, name=f"babble:snr={self.snr:g}{some}", others=self.talkers
        )


@hookimpl
def harness_perturbations() -> Iterator[Perturbation]:
    """Offer white noise and babble."""
    yield Perturbation(
        name="noise",
        summary="white noise; snr in dB",
        apply=add_noise,
        options=Noise,
        version=VERSION,
    )
    yield Perturbation(
        name="babble",
        summary="other speakers of the corpus at once; snr in dB, talkers",
        apply=add_babble,
        options=Babble,
        version=VERSION,
    )


def add_noise(speech: Speech, *, options: Noise) -> Tensor:
    """Add white Gaussian noise, up to half of the model's rate."""
    import torch

    drawn = speech.random.standard_normal(len(speech.waveform), "float32")
    return mixed(speech.waveform, torch.from_numpy(drawn), options.snr)


def add_babble(speech: Speech, *, options: Babble) -> Tensor:
    """Add talkers of equal power, each repeated from a drawn place on."""
    import torch

    length = len(speech.waveform)
    talkers = torch.zeros(length)
    for other in speech.others:
        begin = int(speech.random.integers(len(other)))
        turned = other.roll(-begin).repeat(-(-length // len(other)))[:length]
        talkers += turned / power(turned).sqrt().clamp(min=1e-8)
    return mixed(speech.waveform, talkers, options.snr)


def mixed(speech: Tensor, noise: Tensor, snr: float) -> Tensor:
    """Add noise, (S,), to speech, (S,), at a ratio in dB, scaled to within ±1."""
    ratio = power(speech) / power(noise).clamp(min=1e-16) / 10 ** (snr / 10)
    both = speech + noise * ratio.sqrt()
    scaled: Tensor = both / both.abs().max().clamp(min=1.0)
    return scaled


def power(waveform: Tensor) -> Tensor:
    """Return the mean square of a waveform."""
    return waveform.square().mean()
