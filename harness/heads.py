"""Two operations that heads on frames need, without a padded frame anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def mean_over_time(frames: Tensor, lengths: Sequence[int]) -> Tensor:
    """Average each utterance's frames.

    Args:
        frames: Shape (ΣT, D), the utterances one after another.
        lengths: How many frames each of the B utterances has.

    Returns:
        Shape (B, D).
    """
    counts = torch.tensor(lengths, device=frames.device)
    if frames.is_cuda:  # adds in one order, where index_add does in any
        sums = torch.segment_reduce(frames, "sum", lengths=counts, unsafe=True)
        return sums / counts.unsqueeze(1)
    owner = torch.repeat_interleave(counts, output_size=len(frames))
    sums = frames.new_zeros(len(lengths), frames.shape[1]).index_add(0, owner, frames)
    return sums / counts.unsqueeze(1)


def sum_of_layers(weights: Tensor, frames: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Sum the layers of each utterance, weighted.

    Every stored state is read once forward and once backward, in place: nothing is
    padded, stacked or copied, since reading memory is all that this costs.

    Args:
        weights: Shape (L,).
        frames: For each of the B utterances, shape (L, T, D); no gradient goes there.

    Returns:
        For each utterance, shape (T, D).
    """
    packed: Tensor = _SumOfLayers.apply(weights, *frames)  # type: ignore[no-untyped-call]
    lengths = [utterance.shape[1] for utterance in frames]
    return torch.split(packed, lengths)


class _SumOfLayers(torch.autograd.Function):
    @staticmethod
    def forward(weights: Tensor, *frames: Tensor) -> Tensor:
        total = sum(utterance.shape[1] for utterance in frames)
        dim = frames[0].shape[2]
        out = torch.empty(total, dim, dtype=weights.dtype, device=weights.device)
        start = 0
        for utterance in frames:
            stop = start + utterance.shape[1]
            flat = utterance.flatten(1).to(weights.dtype)
            torch.mv(flat.T, weights, out=out[start:stop].view(-1))
            start = stop
        return out

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        ctx.frames = inputs[1:]

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN205
        by_layer = torch.zeros(
            ctx.frames[0].shape[0], dtype=gradient.dtype, device=gradient.device
        )
        start = 0
        for utterance in ctx.frames:
            stop = start + utterance.shape[1]
            flat = utterance.flatten(1).to(gradient.dtype)
            by_layer += flat @ gradient[start:stop].reshape(-1)
            start = stop
        return by_layer, *[None] * len(ctx.frames)
