"""HuBERT: wav2vec 2.0's network, taught to predict clusters of hidden units.

Hsu et al. 2021, https://arxiv.org/abs/2106.07447.

    harness run --upstream hubert-base --downstream multilayer --corpus emodb
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Upstream, hookimpl
from harness_plugins.upstreams import _config, wav2vec2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor


@hookimpl
def harness_upstreams() -> Iterator[Upstream]:
    """Offer the base size."""
    yield Upstream(
        name="hubert-base",
        load=load,
        layers=12,
        dim=768,
        hop=0.020,
        checkpoint="facebook/hubert-base-ls960",
        revision="dba3bb02fda4248b6e082697eee756de8fe8aa8a",
        files=_config.FILES,
        front=wav2vec2.FRONT,
        parameters=94_370_944,
        languages=("en",),
        pretraining="960 h of English audio books (LibriSpeech)",
        licence="Apache-2.0",
        version=wav2vec2.VERSION,
    )


def load(
    checkpoint: Path | None,
    *,
    device: str,
    feeding: str,
    rate: int = wav2vec2.RATE,
    hop: int = wav2vec2.HOP,
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Read the convolutions and the Transformer."""
    return wav2vec2.load_like("hubert", checkpoint, device, rate=rate, hop=hop)
