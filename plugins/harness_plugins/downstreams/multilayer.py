"""The multi-layer head: a learned weighted sum of all layers, then the non-linear head.

Paper: D'Asaro et al. (CLiC-it 2024), equations 4 and 5; the weights are a softmax over
parameters that start at zero (usc-sail/peft-ser 74cd9e2, ``model/wav2vec.py``:136).
Command: ``harness run --upstream whisper-base --downstream multilayer --corpus emodb``
Expected on EmoDB, leave one speaker out: macro-F1 63 % (62 to 63 over seeds), weights
that rise with depth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Batch, Downstream, Reads, hookimpl
from harness_plugins.downstreams import nonlinear
from harness_plugins.recipes import PEFT_SER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.nn import Module

VERSION = 1
"""Raised when a change of the weighted sum moves a number."""

SPREAD = 0.02
"""Over seeds, of the macro-F1 of EmoDB × Whisper base: ``benchmarks/heads_luck.py``."""


def build(*, layers: int, dim: int, classes: int) -> Module:
    """Build the layer weights and a non-linear head above them."""
    import torch
    from torch import Tensor, nn

    from harness.heads import sum_of_layers

    class MultiLayer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scores = nn.Parameter(torch.zeros(layers))
            self.nonlinear = nonlinear.build(layers=1, dim=dim, classes=classes)

        @property
        def layer_weights(self) -> Tensor:
            """The weights w_1 … w_L, (L,), which sum to one."""
            return self.scores.softmax(0)

        def forward(self, batch: Batch) -> Tensor:
            lengths = [utterance.shape[1] for utterance in batch.frames]
            frames = sum_of_layers(self.layer_weights, batch.frames)
            logits: Tensor = self.nonlinear.classes_of(frames, lengths)  # type: ignore[operator]
            return logits

    return MultiLayer()


@hookimpl
def harness_downstreams() -> Iterator[Downstream]:
    """Offer the paper's multi-layer classifier."""
    yield Downstream(
        name="multilayer",
        summary="a learned sum of all layers, then nonlinear (the paper's eq. 4, 5)",
        reads=Reads(layers="all", frames=True),
        build=build,
        recipe=PEFT_SER,
        seeds=3,
        spread=SPREAD,
        version=nonlinear.VERSION + VERSION,
    )
