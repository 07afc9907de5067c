"""The front end of wav2vec 2.0 and its like on padded clips, for a GPU: exact.

The convolutions have no padding of their own, so that a frame reads only samples of its
clip. What looks further is masked: the statistics of the first block's group norm are
those of the clip's frames alone, and what the convolution of the positions sees beyond
a clip is zero, as where the clip is alone. Reached only by work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from harness_plugins.upstreams._devices import send, stack
from harness_plugins.upstreams.wav2vec2 import first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.nn import ModuleDict

GRID = 4000
"""Samples: lengths are rounded up to a quarter of a second, since each new one costs
cuDNN a search for its algorithm."""


def embed(
    model: ModuleDict, waveforms: Sequence[Tensor], device: str, normalise: bool
) -> tuple[Tensor, list[int]]:
    """Turn waveforms, each (S,), into frames with their positions.

    Args:
        model: The parts that ``wav2vec2.read_parts`` reads.
        waveforms: On the CPU.
        device: Of the model.
        normalise: Bring each waveform to mean 0 and variance 1.

    Returns:
        Shape (B, T, D), and how many of the T frames of each clip are real.
    """
    lengths = [len(waveform) for waveform in waveforms]
    longest = -(-max(lengths) // GRID) * GRID
    samples = stack(waveforms, longest, device)
    if normalise:
        samples = _normed(samples, send(torch.tensor(lengths), device))
    hidden = samples[:, None]
    layers: Any = model["feature_extractor"].conv_layers
    for layer in layers:
        (size,), (stride,) = layer.conv.kernel_size, layer.conv.stride
        lengths = [(length - size) // stride + 1 for length in lengths]
        norm = getattr(layer, "layer_norm", None)
        if isinstance(norm, nn.GroupNorm):
            of = send(torch.tensor(lengths), device)
            hidden = layer.activation(_group_norm(norm, layer.conv(hidden), of))
        else:
            hidden = layer(hidden)
    states = first(model["feature_projection"](hidden.transpose(1, 2)))
    of = send(torch.tensor(lengths), device)
    mask = real(of, states.shape[1])[..., None]
    states = states.masked_fill(~mask, 0.0)
    return states + _positions(model["encoder"].pos_conv_embed, states, mask), lengths


def real(lengths: Tensor, frames: int) -> Tensor:
    """Return which of so many frames are real, (B, T)."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


def _normed(samples: Tensor, lengths: Tensor) -> Tensor:
    """Bring each row of (B, S) to mean 0 and variance 1 over its real samples."""
    mask = real(lengths, samples.shape[1])
    return _standardised(samples, mask, lengths, 1e-7)


def _group_norm(norm: nn.GroupNorm, hidden: Tensor, lengths: Tensor) -> Tensor:
    """Normalise each channel of (B, C, T) over the real frames of its clip."""
    mask = real(lengths, hidden.shape[2])[:, None]
    hidden = _standardised(hidden.float(), mask, lengths[:, None], norm.eps)
    return hidden.mul_(norm.weight[:, None]).add_(norm.bias[:, None])


def _standardised(of: Tensor, mask: Tensor, lengths: Tensor, eps: float) -> Tensor:
    """Standardise the last axis over what is real; what is not becomes zero.

    Args:
        of: Written over.
        mask: What is real of it.
        lengths: How much that is, of the shape of ``of`` without its last axis.
        eps: Added to the variance.
    """
    size = lengths[..., None]
    of.mul_(mask).sub_(of.sum(-1, keepdim=True) / size).mul_(mask)
    variance = torch.linalg.vector_norm(of, dim=-1, keepdim=True).square() / size
    return of.mul_((variance + eps).rsqrt())


def _positions(convolve: Any, states: Tensor, mask: Tensor) -> Tensor:  # noqa: ANN401 - of any family
    """Convolve frames (B, T, D) to their positions, between zeros."""
    hidden, mask = states.transpose(1, 2), mask.transpose(1, 2)
    if hasattr(convolve, "layers"):  # data2vec: several in a row
        for layer in convolve.layers:
            hidden = layer(hidden).masked_fill(~mask, 0.0)
        return hidden.transpose(1, 2)
    norm = getattr(convolve, "batch_norm", None)
    positions: Tensor
    if norm is None:
        positions = convolve(states)
        return positions
    hidden = convolve.conv(norm(hidden).masked_fill(~mask, 0.0))
    positions = convolve.activation(convolve.padding(hidden)).transpose(1, 2)
    return positions
