"""The bundled heads against the paper's equations, written out frame by frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from harness_plugins.downstreams import (
    chance,
    layerwise,
    linear,
    majority,
    multilayer,
    nonlinear,
    permuted,
    permuted_layerwise,
)
from harness_plugins.recipes import PEFT_SER
from torch import nn

from harness import Batch, Optimiser, Reads, Recipe, Schedule, Validation
from harness.conformance.toy import Toy, fit_toy
from harness.heads import keep_mask


def frames(*shapes, dtype=torch.float64):
    return tuple(torch.randn(*shape, dtype=dtype) for shape in shapes)


def built(module, **sizes) -> Any:
    """A head whose class only its module knows."""
    return module.build(**sizes)


def offer(module):
    (made,) = module.harness_downstreams()
    return made


# ---------------------------------------------------------------- figures of the papers


def test_peft_sers_recipe_has_the_figures_of_its_code():
    """usc-sail/peft-ser 74cd9e2, ``experiment/finetune_emotion.py``."""
    assert PEFT_SER == Recipe(
        name="peft-ser",
        epochs=30,
        batch=32,
        optimiser=Optimiser(
            name="adam",
            learning_rate=0.0005,
            weight_decay=0.0001,
            betas=(0.9, 0.98),
            eps=1e-8,
        ),
        schedule=Schedule(kind="plateau", factor=0.5, patience=5, minimum=0.00005),
        loss="class-weighted cross-entropy",
        deviations=PEFT_SER.deviations,
    )


@pytest.mark.parametrize("module", [linear, nonlinear, multilayer, layerwise])
def test_the_papers_heads_are_trained_by_peft_sers_recipe(module):
    assert offer(module).recipe == PEFT_SER


@pytest.mark.parametrize(
    ("control", "head"), [(permuted, linear), (permuted_layerwise, layerwise)]
)
def test_a_permuted_control_differs_from_its_head_in_its_labels_alone(control, head):
    control, head = offer(control), offer(head)
    assert control.recipe.permuted_labels
    assert replace(control.recipe, permuted_labels=False) == head.recipe
    assert (control.build, control.reads) == (head.build, head.reads)
    assert control.control == "permuted-labels"


@pytest.mark.parametrize("module", [majority, chance])
def test_a_label_only_baseline_brings_no_recipe(module):
    assert offer(module).recipe is None
    assert offer(module).control == "label-only"


def test_projections_have_256_dims():
    """m of the paper's section 4.2."""
    one = built(linear, layers=1, dim=5, classes=3)
    assert (one.project.out_features, one.classify.in_features) == (256, 256)
    two = built(nonlinear, layers=1, dim=5, classes=3)
    sizes = [m.out_features for m in two.modules() if isinstance(m, nn.Linear)]
    assert sizes == [256, 256, 256, 256, 3]


@pytest.mark.parametrize(
    ("module", "below", "reads"),
    [
        (layerwise, linear, Reads(layers="each", frames=False)),
        (permuted, linear, Reads(layers="last", frames=False)),
        (multilayer, nonlinear, Reads(layers="all", frames=True)),
    ],
)
def test_a_head_that_builds_on_another_takes_its_version(
    monkeypatch, module, below, reads
):
    before = offer(module)
    monkeypatch.setattr(below, "VERSION", below.VERSION + 1)
    assert offer(module).version == before.version + 1
    assert before.reads == reads


# ---------------------------------------------------------------- equations


@pytest.mark.parametrize(
    ("layers", "dim", "parameters"),
    [(12, 768, 395_280), (6, 512, 329_738), (4, 384, 296_968), (24, 1024, 460_828)],
)
def test_the_multilayer_head_has_peft_sers_number_of_parameters(
    layers, dim, parameters
):
    head = built(multilayer, layers=layers, dim=dim, classes=4)
    assert sum(p.numel() for p in head.parameters()) == parameters


def test_the_nonlinear_head_is_the_multilayer_one_without_layer_weights():
    head = built(nonlinear, layers=12, dim=768, classes=4)
    assert sum(p.numel() for p in head.parameters()) == 395_280 - 12


def test_the_linear_head_on_means_is_the_frame_wise_one():
    """Predictions and gradients of φ(ρ(ℓ1(h))) with every frame projected (eq. 2)."""
    head = built(linear, layers=1, dim=5, classes=3).double()
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
    head = built(nonlinear, layers=1, dim=5, classes=3).double().eval()
    utterances = frames((7, 5), (2, 5))
    expected = torch.stack(
        [
            head.classify(head.combine(head.project(head.blocks(states)).mean(0)))
            for states in utterances
        ]
    )
    assert torch.allclose(head(Batch(frames=utterances)), expected)
    kinds = [type(layer).__name__ for layer in head.blocks]
    assert kinds == ["Linear", "ReLUDropout"] * 2
    assert [head.blocks[1].p, head.blocks[3].p] == [0.1] * 2


def test_the_multilayer_head_is_equations_4_and_5():
    head = built(multilayer, layers=4, dim=5, classes=3).double().eval()
    with torch.no_grad():
        head.scores.copy_(torch.randn(4))
    utterances = frames((4, 7, 5), (4, 2, 5))
    weights = head.scores.exp() / head.scores.exp().sum()
    summed = tuple(torch.einsum("l,ltd->td", weights, states) for states in utterances)
    expected = head.nonlinear(Batch(frames=summed))
    assert torch.allclose(head(Batch(frames=utterances)), expected)
    assert torch.allclose(head.layer_weights, weights)


def plain(head, utterances, masks):
    """Compute a batch's logits clip by clip, frames dropped by masks (ΣT, 256)."""
    one = getattr(head, "nonlinear", head)
    states = list(utterances)
    if one is not head:
        weights = head.scores.exp() / head.scores.exp().sum()
        states = [torch.einsum("l,ltd->td", weights, clip) for clip in states]
    lengths = [len(clip) for clip in states]
    means = []
    for clip, *kept in zip(states, *(m.split(lengths) for m in masks), strict=True):
        for layer, keep in zip((one.blocks[0], one.blocks[2]), kept, strict=True):
            clip = nn.functional.relu(layer(clip)) * keep / 0.9
        means.append(clip.mean(0))
    return one.classify(
        nn.functional.relu(one.combine[0](one.project(torch.stack(means))))
    )


@pytest.mark.parametrize("module", [nonlinear, multilayer])
def test_training_is_that_of_plain_modules_with_the_same_masks(module):
    """Three epochs of PEFT-SER's recipe, written out clip by clip."""
    found = fit_toy(offer(module), Toy.of(1), epochs=3).fitted
    train, valid, _ = Toy.of(1).parts(offer(module).reads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = built(module, layers=train.layers, dim=train.dim, classes=3)
        optimiser = torch.optim.Adam(
            head.parameters(), lr=5e-4, weight_decay=1e-4, betas=(0.9, 0.98)
        )
        order = torch.Generator().manual_seed(0)
        for epoch in found.history:
            losses = []
            for chosen in torch.randperm(96, generator=order).split(32):
                clips = [train.frames[index] for index in chosen]
                frames = sum(clip.shape[-2] for clip in clips)
                masks = [keep_mask(torch.empty(frames, 256), 0.1) for _ in range(2)]
                loss = nn.functional.cross_entropy(
                    plain(head, clips, masks), train.labels[chosen]
                )
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                losses.append(loss.item())
            head.eval()
            with torch.no_grad():
                logits = head(Batch(frames=valid.frames))
            head.train()
            assert epoch.train_loss == pytest.approx(sum(losses) / 3, rel=1e-4)
            expected = nn.functional.cross_entropy(logits, valid.labels).item()
            assert epoch.valid_loss == pytest.approx(expected, rel=1e-4)


def test_layer_weights_start_equal():
    head = built(multilayer, layers=6, dim=4, classes=2)
    assert torch.allclose(head.layer_weights, torch.full((6,), 1 / 6))


def test_the_majority_row_says_the_commonest_label():
    labels = torch.tensor([2, 0, 2, 1])
    train = Batch(pooled=torch.zeros(4, 1))
    valid = Validation(train, labels, lambda scores: 0.0)
    predict = majority.fit(train, labels, valid=valid, classes=4, seed=0)
    scores = predict(Batch(pooled=torch.zeros(3, 1)))
    assert scores.tolist() == [[0.25, 0.25, 0.5, 0.0]] * 3
