"""WavLM: wav2vec 2.0's network with gated relative positions, taught to denoise.

Chen et al. 2021, https://arxiv.org/abs/2110.13900.

    harness run --upstream wavlm-base-plus --downstream multilayer --corpus emodb
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness import Upstream, hookimpl
from harness_plugins.upstreams import _config, wav2vec2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers.models.wavlm.modeling_wavlm import (
        WavLMAttention,
        WavLMEncoder,
        WavLMEncoderLayer,
    )


@hookimpl
def harness_upstreams() -> Iterator[Upstream]:
    """Offer the base size that was trained on the most speech."""
    yield Upstream(
        name="wavlm-base-plus",
        load=load,
        layers=12,
        dim=768,
        hop=0.020,
        checkpoint="microsoft/wavlm-base-plus",
        revision="4c66d4806a428f2e922ccfa1a962776e232d487b",
        files=_config.FILES,
        front=wav2vec2.FRONT,
        parameters=94_381_168,
        languages=("en",),
        pretraining="94 000 h of English audio books, podcasts and parliament",
        licence="CC-BY-SA-3.0",
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
    return wav2vec2.load_like("wavlm", checkpoint, device, gated, rate=rate, hop=hop)


def gated(
    encoder: WavLMEncoder, mask: Tensor | None, frames: int
) -> Callable[[WavLMEncoderLayer, Tensor], Tensor]:
    """Run blocks whose attention is biased by gated relative positions.

    transformers runs them by an attention that keeps every weight; this one, fused, is
    the same to rounding.

    Args:
        encoder: The first of its blocks holds the positions of all.
        mask: Hides padding, (B, 1, 1, T), if there is any.
        frames: T.
    """
    positions = encoder.layers[0].attention.compute_bias(frames, frames)  # heads, T, T
    attend = partial(_attend, positions=positions, mask=mask)

    def step(block: WavLMEncoderLayer, states: Tensor) -> Tensor:
        if encoder.config.do_stable_layer_norm:
            states = states + attend(block.attention, block.layer_norm(states))
            states = states + block.feed_forward(block.final_layer_norm(states))
        else:
            states = block.layer_norm(states + attend(block.attention, states))
            states = block.final_layer_norm(states + block.feed_forward(states))
        return states

    return step


def _attend(
    attention: WavLMAttention, states: Tensor, *, positions: Tensor, mask: Tensor | None
) -> Tensor:
    """Mix the frames of (B, T, D), biased by positions (heads, T, T) and a mask."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    def heads(inputs: Tensor) -> Tensor:
        split = torch.unflatten(inputs, -1, (attention.num_heads, -1))
        return split.transpose(1, 2)

    gates = attention.gru_rel_pos_linear(heads(states))
    first, second = torch.unflatten(gates, -1, (2, 4)).sum(-1).sigmoid().unbind(-1)
    gate = first * (second * attention.gru_rel_pos_const[..., 0] - 1) + 2
    bias = gate[..., None] * positions
    mixed = scaled_dot_product_attention(
        heads(attention.q_proj(states)),
        heads(attention.k_proj(states)),
        heads(attention.v_proj(states)),
        attn_mask=bias if mask is None else bias + mask,
    )
    output: Tensor = attention.out_proj(mixed.transpose(1, 2).flatten(2))
    return output
