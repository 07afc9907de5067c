from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.heads import mean_over_time, sum_of_layers

LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=5)


@given(LENGTHS)
def test_the_mean_over_time_is_each_utterances_own(lengths):
    frames = torch.randn(sum(lengths), 3, dtype=torch.float64)
    expected = torch.stack([part.mean(0) for part in frames.split(lengths)])
    assert torch.allclose(mean_over_time(frames, lengths), expected)


@given(LENGTHS)
def test_the_sum_of_layers_is_the_naive_one_with_the_same_gradient(lengths):
    frames = [torch.randn(4, length, 3, dtype=torch.float64) for length in lengths]
    weights = torch.randn(4, dtype=torch.float64).softmax(0).requires_grad_()
    again = weights.detach().clone().requires_grad_()
    fast = sum_of_layers(weights, frames)
    naive = [(again[:, None, None] * states).sum(0) for states in frames]
    assert [len(states) for states in fast] == lengths
    assert torch.allclose(torch.cat(fast), torch.cat(naive))
    target = torch.randn(sum(lengths), 3, dtype=torch.float64)
    (torch.cat(fast) * target).sum().backward()
    (torch.cat(naive) * target).sum().backward()
    assert weights.grad is not None
    assert again.grad is not None
    assert torch.allclose(weights.grad, again.grad)


def test_half_precision_frames_are_summed_in_single_precision():
    frames = torch.randn(4, 50, 3).half()
    weights = torch.full((4,), 0.25)
    (summed,) = sum_of_layers(weights, [frames])
    assert summed.dtype == torch.float32
    assert torch.allclose(summed, frames.float().mean(0), atol=1e-6)
