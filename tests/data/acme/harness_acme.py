"""acme for speech-harness: so far a spectrum; put your model in its place.

harness run --upstream acme --downstream linear --corpus demo
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Upstream, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

VERSION = 1
"""Raised when a change of this file moves a number."""


@hookimpl
def harness_upstreams() -> Iterator[Upstream]:
    """Describe the model; nothing is loaded here."""
    yield Upstream(
        name="acme",
        load=load,
        layers=1,
        dim=64,
        hop=0.02,
        min_seconds=0.04,
        version=VERSION,
    )


def load(
    checkpoint: Path | None, *, device: str, feeding: str
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Load the model: the one place that may import torch."""
    import torch

    window = torch.hann_window(640, device=device)

    @torch.inference_mode()
    def encode(waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Turn waveforms, each (S,) at 16 kHz, into states, each (layers, T, dim)."""
        return [spectrum(waveform.to(device)) for waveform in waveforms]

    def spectrum(waveform: Tensor) -> Tensor:
        frames = waveform.unfold(0, 640, 320) * window
        bins: Tensor = torch.fft.rfft(frames).abs()[:, 1:65]
        return bins.clamp(min=0.01).log()[None]

    return encode
