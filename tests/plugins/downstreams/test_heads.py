"""The bundled heads against the paper's equations, written out frame by frame."""

from __future__ import annotations

import pytest
import torch
from harness_plugins.downstreams import linear, majority, multilayer, nonlinear
from torch import nn

from harness import Batch


def frames(*shapes, dtype=torch.float64):
    return tuple(torch.randn(*shape, dtype=dtype) for shape in shapes)


@pytest.mark.parametrize(
    ("layers", "dim", "parameters"),
    [(12, 768, 395_280), (6, 512, 329_738), (4, 384, 296_968), (24, 1024, 460_828)],
)
def test_the_multilayer_head_has_peft_sers_number_of_parameters(
    layers, dim, parameters
):
    head = multilayer.build(layers=layers, dim=dim, classes=4)
    assert sum(p.numel() for p in head.parameters()) == parameters


def test_the_nonlinear_head_is_the_multilayer_one_without_layer_weights():
    head = nonlinear.build(layers=12, dim=768, classes=4)
    assert sum(p.numel() for p in head.parameters()) == 395_280 - 12


def test_the_linear_head_on_means_is_the_frame_wise_one():
    """Predictions and gradients of φ(ρ(ℓ1(h))) with every frame projected (eq. 2)."""
    head = linear.build(layers=1, dim=5, classes=3).double()
    utterances, truth = frames((7, 5), (2, 5), (4, 5)), torch.tensor([0, 2, 1])
    pooled = torch.stack([states.mean(0) for states in utterances])
    logits = head(Batch(pooled=pooled))
    nn.functional.cross_entropy(logits, truth).backward()
    gradients = [p.grad.clone() for p in head.parameters()]
    head.zero_grad()
    framewise = torch.stack(
        [head.classify(head.project(states).mean(0)) for states in utterances]
    )
    nn.functional.cross_entropy(framewise, truth).backward()
    assert torch.allclose(logits, framewise)
    for gradient, parameter in zip(gradients, head.parameters(), strict=True):
        assert torch.allclose(gradient, parameter.grad)


def test_the_nonlinear_head_is_equation_3():
    head = nonlinear.build(layers=1, dim=5, classes=3).double().eval()
    utterances = frames((7, 5), (2, 5))
    expected = torch.stack(
        [
            head.classify(head.combine(head.project(head.blocks(states)).mean(0)))
            for states in utterances
        ]
    )
    assert torch.allclose(head(Batch(frames=utterances)), expected)
    kinds = [type(layer).__name__ for layer in head.blocks]
    assert kinds == ["Linear", "ReLU", "Dropout"] * 2
    assert [layer.p for layer in head.blocks if isinstance(layer, nn.Dropout)] == [
        0.1
    ] * 2


def test_the_multilayer_head_is_equations_4_and_5():
    head = multilayer.build(layers=4, dim=5, classes=3).double().eval()
    with torch.no_grad():
        head.scores.copy_(torch.randn(4))
    utterances = frames((4, 7, 5), (4, 2, 5))
    weights = head.scores.exp() / head.scores.exp().sum()
    summed = tuple(torch.einsum("l,ltd->td", weights, states) for states in utterances)
    expected = head.nonlinear(Batch(frames=summed))
    assert torch.allclose(head(Batch(frames=utterances)), expected)
    assert torch.allclose(head.layer_weights, weights)


def test_layer_weights_start_equal():
    head = multilayer.build(layers=6, dim=4, classes=2)
    assert torch.allclose(head.layer_weights, torch.full((6,), 1 / 6))


def test_the_majority_row_says_the_commonest_label():
    labels = torch.tensor([2, 0, 2, 1])
    train = Batch(pooled=torch.zeros(4, 1))
    predict = majority.fit(train, labels, classes=4, seed=0)
    scores = predict(Batch(pooled=torch.zeros(3, 1)))
    assert scores.tolist() == [[0.25, 0.25, 0.5, 0.0]] * 3
