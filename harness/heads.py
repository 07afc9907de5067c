"""What heads on frames need, without a padded frame anywhere."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Packing:
    """Lays the frames of a batch one after another, in memory that is kept.

    Memory that is new in every step costs more than the copy. What is returned holds
    until the next call, so each head has a packing of its own.
    """

    def __init__(self) -> None:
        """Take no memory yet."""
        self._memory = torch.empty(0)

    def __call__(self, frames: Sequence[Tensor]) -> Tensor:
        """Return the frames of B utterances, each (T, D), as (ΣT, D).

        No gradient goes back to them.
        """
        shape = (sum(map(len, frames)), frames[0].shape[1])
        memory = self._memory_of(math.prod(shape), frames[0])
        with torch.no_grad():
            return torch.cat(tuple(frames), out=memory.view(shape))

    def _memory_of(self, size: int, like: Tensor) -> Tensor:
        """Return so many values of what is kept, grown where it is too small."""
        kept, kind = self._memory, (like.dtype, like.device)
        if kept.numel() < size or (kept.dtype, kept.device) != kind:
            with torch.inference_mode(mode=False):  # else training could not write it
                kept = torch.empty(size, dtype=like.dtype, device=like.device)
        self._memory = kept
        return kept[:size]


class ReLUDropout(nn.Module):
    """``nn.ReLU`` and ``nn.Dropout`` in one, in place.

    Which values are dropped is decided by 16 bits each of torch's generator of the
    device, which training seeds, so that p is met to 2⁻¹⁷. ``nn.Dropout`` draws a
    float for each value, which takes four times as long on a CPU.
    """

    def __init__(self, p: float) -> None:
        """Drop a share p of the values in training; 0 ≤ p < 1."""
        super().__init__()
        self.p = p

    def forward(self, inputs: Tensor) -> Tensor:
        """Overwrite inputs of any shape."""
        if not self.training:
            return inputs.relu_()
        kept = keep_mask(inputs, self.p)
        outputs: Tensor = _ReLUDropout.apply(inputs, kept, 1 / (1 - self.p))  # type: ignore[no-untyped-call]
        return outputs


def keep_mask(values: Tensor, p: float) -> Tensor:
    """Draw which values a dropout of p keeps: 1 or 0 for each, in their type."""
    count, device = values.numel(), values.device
    words = torch.empty(-(-count // 4), dtype=torch.int64, device=device)
    draws = words.random_(-(2**63), None).view(torch.int16)[:count]
    kept = torch.empty_like(values, memory_format=torch.contiguous_format)
    threshold = round(p * 2**16) - 2**15  # written as a float at once: no mask of bools
    torch.ge(draws.view(values.shape), threshold, out=kept)
    return kept


class _ReLUDropout(torch.autograd.Function):
    @staticmethod
    def forward(inputs: Tensor, kept: Tensor, scale: float) -> Tensor:
        return inputs.relu_().mul_(kept).mul_(scale)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        ctx.mark_dirty(inputs[0])
        ctx.save_for_backward(output)
        ctx.scale = inputs[2]

    @staticmethod
    def backward(ctx, gradient: Tensor):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN205
        (output,) = ctx.saved_tensors  # above 0 where it was kept, and only there
        passed = torch.ops.aten.threshold_backward(gradient, output, 0)
        return passed.mul_(ctx.scale), None, None


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


def sum_of_layers(weights: Tensor, frames: Sequence[Tensor]) -> Tensor:
    """Sum the layers of each utterance, weighted.

    Every stored state is read once forward and once backward, in place: nothing is
    padded, stacked or copied, since reading memory is all that this costs.

    Args:
        weights: Shape (L,).
        frames: For each of the B utterances, shape (L, T, D); no gradient goes there.

    Returns:
        Shape (ΣT, D), the utterances one after another.
    """
    packed: Tensor = _SumOfLayers.apply(weights, *frames)  # type: ignore[no-untyped-call]
    return packed


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
