"""The non-linear head: two shared Linear-ReLU-Dropout blocks before the mean over time.

Paper: D'Asaro et al. (CLiC-it 2024), equation 3: φ(ReLU(ℓ2(ρ(ℓ1(ℓ(x)))))); the blocks
are PEFT-SER's (usc-sail/peft-ser 74cd9e2, ``model/wav2vec.py``:127-142).
Command: ``harness run --upstream whisper-base --downstream nonlinear --corpus emodb``
Expected on EmoDB, leave one speaker out: macro-F1 70 % (67 to 74 over seeds).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Batch, Downstream, Reads, hookimpl
from harness_plugins.recipes import PEFT_SER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch.nn import Module

VERSION = 2
"""Raised when a change of this file moves a number."""

PROJECTION = 256
"""m, the paper's section 4.2."""

DROPOUT = 0.1
"""PEFT-SER's, ``model/wav2vec.py``:127-135."""

SPREAD = 0.022
"""Over seeds, of the macro-F1 of EmoDB × Whisper base: ``benchmarks/heads_luck.py``."""


def build(*, layers: int, dim: int, classes: int) -> Module:
    """Build ℓ (twice), ℓ1, ℓ2 and φ.

    ℓ1 is linear, so it is applied after the mean over time, ρ(ℓ1(x)) = ℓ1(ρ(x)): the
    same function for a quarter less arithmetic.
    """
    from torch import Tensor, nn

    from harness.heads import Packing, ReLUDropout, mean_over_time

    class NonLinear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.Sequential(
                nn.Linear(dim, PROJECTION), ReLUDropout(DROPOUT),
                nn.Linear(PROJECTION, PROJECTION), ReLUDropout(DROPOUT),
            )  # fmt: skip
            self.pack = Packing()
            self.project = nn.Linear(PROJECTION, PROJECTION)
            self.combine = nn.Sequential(nn.Linear(PROJECTION, PROJECTION), nn.ReLU())
            self.classify = nn.Linear(PROJECTION, classes)

        def forward(self, batch: Batch) -> Tensor:
            lengths = [len(utterance) for utterance in batch.frames]
            return self.classes_of(self.pack(batch.frames), lengths)

        def classes_of(self, frames: Tensor, lengths: Sequence[int]) -> Tensor:
            """Return logits (B, C) of frames one after another, (ΣT, D)."""
            pooled = mean_over_time(self.blocks(frames), lengths)
            logits: Tensor = self.classify(self.combine(self.project(pooled)))
            return logits

    return NonLinear()


@hookimpl
def harness_downstreams() -> Iterator[Downstream]:
    """Offer the paper's non-linear classifier."""
    yield Downstream(
        name="nonlinear",
        summary="two ReLU blocks on the last layer's frames (the paper's eq. 3)",
        reads=Reads(layers="last", frames=True),
        build=build,
        recipe=PEFT_SER,
        seeds=3,
        spread=SPREAD,
        version=VERSION,
    )
