from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from harness.heads import (
    Packing,
    ReLUDropout,
    keep_mask,
    mean_over_time,
    sum_of_layers,
)

DRAWS = 1_000_000
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
    assert torch.allclose(fast, torch.cat(naive))
    target = torch.randn(sum(lengths), 3, dtype=torch.float64)
    (fast * target).sum().backward()
    (torch.cat(naive) * target).sum().backward()
    assert weights.grad is not None
    assert again.grad is not None
    assert torch.allclose(weights.grad, again.grad)


def test_half_precision_frames_are_summed_in_single_precision():
    frames = torch.randn(4, 50, 3).half()
    weights = torch.full((4,), 0.25)
    summed = sum_of_layers(weights, [frames])
    assert summed.dtype == torch.float32
    assert torch.allclose(summed, frames.float().mean(0), atol=1e-6)


# ---------------------------------------------------------------- packing


@given(LENGTHS, LENGTHS)
def test_packed_frames_are_the_utterances_one_after_another(first, second):
    pack = Packing()
    for lengths in (first, second):
        frames = [torch.randn(length, 3, dtype=torch.float64) for length in lengths]
        assert torch.equal(pack(frames), torch.cat(frames))


def test_memory_of_packed_frames_is_kept_until_more_is_needed():
    pack = Packing()
    large, small = torch.randn(7, 3), torch.randn(2, 3)
    place = pack([large, large]).data_ptr()
    assert pack([small, large]).data_ptr() == place
    assert torch.equal(pack([large] * 9), torch.cat([large] * 9))
    assert pack([small.double()]).dtype == torch.float64


def test_frames_may_be_packed_for_validation_before_training():
    pack, layer, frames = Packing(), nn.Linear(3, 1), torch.randn(5, 3)
    with torch.inference_mode():
        pack([frames])
    layer(pack([frames])).sum().backward()
    assert layer.weight.grad is not None
    assert torch.allclose(layer.weight.grad, frames.sum(0, keepdim=True))


def test_memory_that_is_packed_anew_before_the_gradient_is_taken_is_an_error():
    pack, layer, frames = Packing(), nn.Linear(3, 1), torch.randn(5, 3)
    loss = layer(pack([frames])).sum()
    pack([frames])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


# ---------------------------------------------------------------- dropout


def mask(p=0.1, seed=0, size=DRAWS, dtype=torch.float32):
    """Draw a mask by a seed, and leave torch's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return keep_mask(torch.empty(size, dtype=dtype), p)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_a_share_p_is_dropped(p):
    """Within five deviations of a binomial one."""
    dropped = 1 - mask(p, dtype=torch.float64).mean().item()
    assert abs(dropped - p) <= 5 * (p * (1 - p) / DRAWS) ** 0.5 + 1e-5


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 8, 256, 1024])
def test_what_is_dropped_depends_on_no_other_value(lag):
    """Neither in a word of 64 bits nor in its neighbours nor a frame later."""
    kept = mask(dtype=torch.float64) - 0.9
    correlation = (kept[lag:] * kept[:-lag]).mean() / 0.09
    assert abs(correlation) < 5 / DRAWS**0.5


def test_two_masks_are_independent_and_a_seed_repeats_them():
    one, other = mask(), mask(seed=1)
    assert torch.equal(one, mask())
    correlation = ((one - 0.9) * (other - 0.9)).mean() / 0.09
    assert abs(correlation) < 5 / DRAWS**0.5


@pytest.mark.parametrize("size", [(3,), (5, 7), (2, 3, 5)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_mask_has_the_shape_and_type_of_the_values(size, dtype):
    kept = mask(0.5, size=size, dtype=dtype)
    assert (kept.shape, kept.dtype) == (size, dtype)
    assert set(kept.flatten().tolist()) <= {0.0, 1.0}


@given(st.integers(1, 40), st.sampled_from([0.0, 0.1, 0.5]))
def test_relu_with_dropout_is_the_plain_one_with_the_same_mask(rows, p):
    inputs = torch.randn(rows, 6, dtype=torch.float64, requires_grad=True)
    again = inputs.detach().clone().requires_grad_()
    target = torch.randn(rows, 6, dtype=torch.float64)
    kept = mask(p, seed=rows, size=(rows, 6), dtype=torch.float64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rows)
        fast = ReLUDropout(p).train()(inputs * 1)
    plain = nn.functional.relu(again) * kept / (1 - p)
    assert torch.allclose(fast, plain)
    (fast * target).sum().backward()
    (plain * target).sum().backward()
    assert inputs.grad is not None
    assert again.grad is not None
    assert torch.allclose(inputs.grad, again.grad)


def test_nothing_is_dropped_outside_of_training():
    values = torch.randn(50)
    assert torch.equal(ReLUDropout(0.5).eval()(values.clone()), values.relu())
