"""``fbank``: log-mel filter banks, the baseline that every trained upstream must beat.

128 Kaldi log-mel energies every 10 ms, seen by a head as one layer of 128 dims. No
weights, no download; over 1 000 times faster than real time on one core. The settings
are those of the Audio Spectrogram Transformer (Gong et al. 2021,
https://arxiv.org/abs/2104.01778), which ``--baseline ast`` trains on it. One bin, the
fourth, is narrower than the spectrum's grid and always empty, as there.

    harness run --upstream fbank --downstream nonlinear --corpus demo
    harness run --upstream fbank:bins=40 --downstream nonlinear --corpus demo

It is the smallest upstream there is, and the one to copy: describe it in
``harness_upstreams``, do the work in ``load``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness import Upstream, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

VERSION = 1
"""Raised when a change of this file moves a number."""

RATE = 16_000

# AudioSet's mean and standard deviation of such energies, from AST's recipe (its
# egs/audioset/run.sh). AST halves the result, and so do we: speech comes out with a
# spread near one half, digital silence at -1.3. They are constants, so an utterance's
# features depend on that utterance alone.
MEAN = -4.2677393
SPREAD = 2 * 4.5689974


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may set by ``fbank:bins=40``.

    Attributes:
        bins: Mel bins, at least 4, as Kaldi has it.
    """

    bins: int = 128

    def __post_init__(self) -> None:
        """Refuse what Kaldi refuses."""
        if self.bins < 4:
            raise ValueError("bins begins at 4")

    def describe(self, upstream: Upstream) -> Upstream:
        """Return the description under these options."""
        return replace(upstream, dim=self.bins)


@hookimpl
def harness_upstreams() -> Iterator[Upstream]:
    """Offer ``fbank``."""
    yield Upstream(
        name="fbank",
        load=load,
        layers=1,
        dim=128,
        hop=0.010,
        rate=RATE,
        min_seconds=0.025,
        pretraining="none",
        licence="Apache-2.0",
        options=Options,
        version=VERSION,
        control=True,
    )


def load(
    checkpoint: Path | None,
    *,
    device: str,
    feeding: str,
    options: Options = Options(),
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Build the encoder; there is nothing to read and one way to feed it."""
    import torch
    from torchaudio.compliance import kaldi

    @torch.inference_mode()
    def encode(waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Turn waveforms, each (S,), into log-mel energies, each (1, T, bins)."""
        with torch.autocast(device.partition(":")[0], enabled=False):
            return [energies(waveform.to(device)) for waveform in waveforms]

    def energies(waveform: Tensor) -> Tensor:
        bank = kaldi.fbank(
            (waveform - waveform.mean())[None],
            sample_frequency=RATE,
            frame_length=25.0,
            frame_shift=10.0,
            num_mel_bins=options.bins,
            window_type="hanning",
            use_energy=False,
            htk_compat=True,
            dither=0.0,
        )
        normed: Tensor = (bank - MEAN) / SPREAD
        return normed[None]

    return encode
