"""A corpus of tones, and an upstream without weights: small, and made on the spot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from harness import Corpus, Upstream, Utterance, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from torch import Tensor

LABELS = ("high", "low")
RATE = 16_000


def read_tones(root: Path) -> Iterable[Utterance]:
    """Read ``SPEAKER_LABEL_TAKE.wav``."""
    for path in root.glob("*.wav"):
        speaker, label, _ = path.stem.split("_")
        yield Utterance(id=path.name, path=path.name, label=label, speaker=speaker)


def load_toy(
    checkpoint: Path | None, *, device: str, feeding: str
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Return the energy in eight bands below 1200 Hz, every 20 ms, in three layers."""
    import torch

    def encode(waveforms: Sequence[Tensor]) -> list[Tensor]:
        frames = [w[: len(w) // 320 * 320].view(-1, 320) for w in waveforms]
        spectra = [torch.fft.rfft(frame).abs()[:, :24] for frame in frames]
        bands = [torch.log1p(s.view(len(s), 8, 3).mean(2)) for s in spectra]
        return [torch.stack([band, 0.5 * band, band - 1]) for band in bands]

    return encode


def load_vector(
    checkpoint: Path | None, *, device: str, feeding: str
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Return the mean and the spread of these bands, one vector a clip."""
    import torch

    frames = load_toy(checkpoint, device=device, feeding=feeding)

    def encode(waveforms: Sequence[Tensor]) -> list[Tensor]:
        states = frames(waveforms)
        parts = [(s.mean(1), s.std(1, correction=0)) for s in states]
        return [torch.cat(part, dim=1)[:, None] for part in parts]

    return encode


TOY = Upstream(name="toy", load=load_toy, layers=3, dim=8, hop=0.02)
VECTOR = Upstream(name="vector", load=load_vector, layers=3, dim=16, hop=None)
TONES = Corpus(
    name="tones",
    title="Tones",
    version="1",
    languages=("x-tones",),
    labels=LABELS,
    licence="CC0-1.0",
    homepage="",
    citation="",
    obtain="Make it.",
    read=read_tones,
)


class ToyPlugin:
    """Offers the upstream and the corpus of these tests."""

    @hookimpl
    def harness_upstreams(self) -> Iterable[Upstream]:
        return (TOY,)

    @hookimpl
    def harness_corpora(self) -> Iterable[Corpus]:
        return (TONES,)


def write_tone(path: Path, hertz: float, *, seconds: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    tone = 0.3 * np.sin(2 * np.pi * hertz * time) + 0.02 * rng.standard_normal(
        len(time)
    )
    soundfile.write(path, tone, RATE)


GRID = (
    *("--upstream", "toy", "--corpus", "tones"),
    *("--executor", "serial", "--no-controls"),
)
