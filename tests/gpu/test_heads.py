"""Heads on a GPU: they repeat, go on after a crash, and read half precision."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from harness_plugins.downstreams import ast, layerwise, linear, multilayer, nonlinear

from harness.conformance.toy import Toy
from harness.heads import mean_over_time
from harness.training import loop
from harness.training.loop import Fitting, fit
from harness.training.metrics import macro_f1

pytestmark = pytest.mark.gpu

MODULES = (linear, nonlinear, multilayer, layerwise, ast)
HEADS = {head.name: head for one in MODULES for head in one.harness_downstreams()}
REPEATED = ("linear", "nonlinear", "multilayer", "layerwise", "ast-tiny")


def fitting_of(name, device, **changes):
    """Train a head for two epochs."""
    head = HEADS[name]
    short = dataclasses.replace(head.recipe, epochs=2)
    return Fitting(
        downstream=dataclasses.replace(head, recipe=short),
        classes=3,
        selection=macro_f1,
        seed=0,
        device=device,
        **changes,
    )


def parts_of(fitting, kind=None):
    """Make a toy, its frames stored in another type if one is given."""
    parts = Toy.of(1, classes=3).parts(fitting.downstream.reads)
    if kind is None:
        return parts
    return tuple(
        dataclasses.replace(part, frames=tuple(one.to(kind) for one in part.frames))
        for part in parts
    )


def scores(fitting, kind=None):
    train, valid, test = parts_of(fitting, kind)
    return fit(fitting, train, valid).predict(test).cpu()


@pytest.mark.parametrize("name", REPEATED)
def test_a_seed_has_one_result(device, name):
    fitting = fitting_of(name, device)
    assert scores(fitting).equal(scores(fitting))


@pytest.mark.parametrize("name", ["linear", "nonlinear", "multilayer"])
def test_a_gpu_learns_what_the_cpu_learns(device, name):
    found, expected = scores(fitting_of(name, device)), scores(fitting_of(name, "cpu"))
    assert found.shape == expected.shape
    if name == "linear":  # no dropout, whose draws are each device's own
        assert found.allclose(expected, atol=1e-3)


@pytest.mark.parametrize("name", REPEATED)
def test_frames_in_float16_are_read(device, name):
    assert torch.isfinite(scores(fitting_of(name, device), torch.float16)).all()


class Crash(Exception):
    """What ends a training in the middle."""


@pytest.mark.parametrize("name", ["nonlinear", "ast-tiny"])
def test_a_training_that_was_ended_goes_on_with_the_same_numbers(
    tmp_path, device, name, monkeypatch
):
    monkeypatch.setattr(loop, "KEEP_EVERY", 0.0)
    expected = scores(fitting_of(name, device))

    def crash(number, logits):
        if number == 2:
            raise Crash

    state = tmp_path / "state.pt"
    with pytest.raises(Crash):
        scores(fitting_of(name, device, state=state, observe=crash))
    assert state.exists()
    assert scores(fitting_of(name, device, state=state)).equal(expected)


def test_the_mean_over_time_repeats_and_has_a_gradient(device):
    frames = torch.randn(900, 64, device=device, requires_grad=True)
    lengths = [300, 1, 199, 400]
    first = mean_over_time(frames, lengths)
    assert first.equal(mean_over_time(frames, lengths))
    parts = torch.split(frames.detach().cpu(), lengths)
    expected = torch.stack([part.mean(0) for part in parts])
    assert first.detach().cpu().allclose(expected, atol=1e-5)
    first.sum().backward()
    counts = torch.tensor(lengths, dtype=torch.float32)
    by_frame = (1 / counts).repeat_interleave(torch.tensor(lengths))
    assert frames.grad is not None
    assert frames.grad.cpu().allclose(by_frame[:, None].expand(-1, 64), atol=1e-6)
