"""The AST baseline against transformers' own forward pass, and its training."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import signal
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow.parquet
import pytest
import torch
from harness_plugins.downstreams import ast
from torch import nn
from transformers import ASTConfig, ASTModel

from harness import Batch, Downstream, Optimiser, Reads, Schedule, hookimpl
from harness.files import read_sealed

build = partial(ast.build, layers=1, dim=128, classes=3, width=64, blocks=1)


@pytest.fixture
def head():
    torch.manual_seed(0)
    return build().eval()


def energies(*lengths, seed=0):
    random = torch.Generator().manual_seed(seed)
    return tuple(0.5 * torch.randn(t, 128, generator=random) for t in lengths)


def classify(head, *utterances):
    with torch.inference_mode():
        return head(Batch(frames=utterances))


def seen_by(head, *utterances):
    """Return what the Transformer itself reads, for each bucket."""
    images = []
    hook = head.transformer.register_forward_pre_hook(
        lambda module, arguments: images.append(arguments[0])
    )
    classify(head, *utterances)
    hook.remove()
    return images


@pytest.mark.parametrize(
    ("name", "millions"), [("ast", 86.19), ("ast-small", 21.86), ("ast-tiny", 5.62)]
)
def test_the_sizes_have_the_official_number_of_parameters(name, millions):
    """A block has 12 w² + 13 w of them; 85.7 M in all at AST's 512 frames."""
    (offer,) = (d for d in ast.harness_downstreams() if d.name == name)
    assert isinstance(offer.build, partial)
    made = offer.build(layers=1, dim=128, classes=7)
    width, patches = offer.build.keywords["width"], 12 * 101
    expected = (
        12 * (12 * width**2 + 13 * width)
        + (16 * 16 + 1) * width
        + (4 + patches) * width
        + 2 * width
        + (2 * width + 7 * width + 7)
    )
    count = sum(parameter.numel() for parameter in made.parameters())
    assert count == expected
    assert count / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize(
    ("frames", "columns"),
    [(16, 1), (25, 1), (26, 2), (128, 12), (512, 50), (1024, 101)],
)
def test_patches_overlap_by_six(frames, columns):
    assert ast.patches(frames) == columns
    image = torch.zeros(1, 1, 128, frames)
    assert nn.Conv2d(1, 1, 16, 10)(image).shape == (1, 1, 12, columns)


def test_five_seconds_are_six_hundred_patches(head):
    assert head.positions(512).shape == (1, 2 + 600, 64)


def test_a_patch_keeps_its_position_however_long_the_clip_is(head):
    whole, part = head.positions(1024)[:, 2:], head.positions(512)[:, 2:]
    grid = whole.view(12, 101, 64)[:, :50]
    assert torch.equal(part.view(12, 50, 64), grid)
    assert torch.equal(head.positions(512)[:, :2], head.positions(1024)[:, :2])


@pytest.mark.parametrize("length", [64, 512, 1024])
def test_it_is_transformers_own_ast_at_every_length(head, length):
    config = ASTConfig(**(head.transformer.config.to_dict() | {"max_length": length}))
    reference = ASTModel(config).eval()
    weights = head.transformer.state_dict()
    weights["embeddings.position_embeddings"] = head.positions(length)
    reference.load_state_dict(weights)
    (clip,) = energies(length)
    with torch.inference_mode():
        expected = head.classify(reference(clip[None]).pooler_output)
    torch.testing.assert_close(classify(head, clip), expected, atol=1e-5, rtol=0)


def test_scores_do_not_depend_on_the_batch(head):
    clips = energies(300, 20, 140, 310, 150)
    alone = torch.cat([classify(head, clip) for clip in clips])
    torch.testing.assert_close(classify(head, *clips), alone, atol=1e-5, rtol=0)
    assert len(alone.unique(dim=0)) == 5


@pytest.mark.parametrize("frames", [1, 15, 16])
def test_a_clip_shorter_than_a_patch_is_padded(head, frames):
    (clip,) = energies(frames)
    assert torch.isfinite(classify(head, clip)).all()
    (image,) = seen_by(head, clip)
    assert image.shape == (1, 64, 128)
    assert torch.equal(image[0, :frames], clip)


def test_padding_is_zero_on_asts_own_scale(head):
    (image,) = seen_by(head, *energies(20))
    padding = image[0, 20:] * 2 * 4.5689974 - 4.2677393
    torch.testing.assert_close(padding, torch.zeros(44, 128), atol=1e-5, rtol=0)


def test_a_long_clip_is_cut_at_ten_seconds(head):
    (clip,) = energies(1500)
    assert torch.equal(classify(head, clip), classify(head, clip[:1024]))


def test_energies_are_normalised_by_the_training_part(head):
    clips = [3 + 2 * clip for clip in energies(90, 30, 64)]
    head.prepare([Batch(frames=tuple(clips[:2])), Batch(frames=tuple(clips[2:]))])
    every = np.concatenate([clip.numpy() for clip in clips])
    assert head.mean.item() == pytest.approx(every.mean(), rel=1e-5)
    assert head.spread.item() == pytest.approx(2 * every.std(), rel=1e-5)
    (image,) = seen_by(head, clips[2])
    torch.testing.assert_close(image[0], (clips[2] - every.mean()) / 2 / every.std())


def test_masks_are_bands_of_zero_in_training_alone(head):
    clips = energies(*[512] * 40)
    plain = torch.stack(clips)
    (image,) = seen_by(head, *clips)
    assert torch.equal(image, plain)
    (image,) = seen_by(head.train(), *clips)
    masked = image != plain
    assert torch.all(image[masked] == ast.ZERO)
    in_bins = masked.all(1).sum(1)
    in_frames = masked.all(2).sum(1)
    assert 15 < in_bins.max() < 24
    assert 70 < in_frames.max() < 96
    assert len(in_bins.unique()) > 5
    only_bands = masked.all(1)[:, None, :] | masked.all(2)[:, :, None]
    assert torch.equal(masked, only_bands)


def test_a_time_mask_takes_less_than_a_fifth_of_a_short_clip(head):
    head.train()
    masked = seen_by(head, *energies(*[128] * 40))[0] != torch.stack(
        energies(*[128] * 40)
    )
    assert 15 < masked.all(2).sum(1).max() <= 24


def test_initial_weights_are_the_official_ones(head):
    begin = head.transformer.embeddings
    for drawn in (
        begin.cls_token,
        begin.distillation_token,
        begin.position_embeddings,
    ):
        assert drawn.std().item() == pytest.approx(0.02, rel=0.25)
    weights = begin.patch_embeddings.projection.weight
    assert 0.06 < weights.abs().max() <= 1 / 16


def test_the_loss_reaches_every_weight(head):
    head.train()
    logits = head(Batch(frames=energies(300, 20, 1024)))
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
    for name, parameter in head.named_parameters():
        assert torch.isfinite(parameter.grad).all()
        if not name.endswith(("k_proj.bias", "key.bias")):  # which softmax cancels
            assert parameter.grad.abs().max() > 0, name


def test_the_offer_can_be_sent_to_a_worker():
    for offer in ast.harness_downstreams():
        assert pickle.loads(pickle.dumps(offer)).name == offer.name


def test_the_recipe_is_esc50s_without_pretrained_weights():
    """``egs/esc50/run_esc.sh``, and ``run.py`` for the optimiser and its schedule."""
    recipe = ast.RECIPE
    assert (recipe.epochs, recipe.batch) == (25, 48)
    assert recipe.optimiser == Optimiser(
        learning_rate=1e-4, weight_decay=5e-7, betas=(0.95, 0.999), eps=1e-8
    )
    assert recipe.schedule == Schedule(
        kind="milestones", factor=0.85, milestones=tuple(range(5, 25))
    )
    assert recipe.loss == "class-weighted cross-entropy"
    assert recipe.mixed_precision


# ---------------------------------------------------------------- training


class Mortal(nn.Module):
    """A small AST that ends its process in the middle of a step."""

    def __init__(self, head, last_step):
        super().__init__()
        self.head, self.steps = head, last_step

    def prepare(self, train):
        self.head.prepare(train)

    def forward(self, batch):
        if self.training:
            self.steps -= 1
            if self.steps < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.head(batch)


def build_mortal(*, layers, dim, classes):
    small = build(layers=layers, dim=dim, classes=classes)
    return Mortal(small, int(os.environ.get("LAST_STEP", 10**9)))


class SmallPlugin:
    """Offers an AST that trains in a second, and one that learns in three."""

    @hookimpl
    def harness_downstreams(self):
        quick = replace(
            ast.RECIPE,
            batch=8,
            epochs=6,
            optimiser=replace(ast.RECIPE.optimiser, learning_rate=1e-3),
            schedule=replace(ast.RECIPE.schedule, milestones=(2, 4)),
        )
        long = replace(quick, epochs=40, schedule=Schedule())
        for name, recipe in (("ast-toy", quick), ("ast-toy-long", long)):
            yield Downstream(
                name=name,
                summary="",
                reads=Reads(layers="last", frames=True),
                build=build_mortal,
                recipe=recipe,
            )


GRID = (
    *("run", "--upstream", "fbank", "--corpus", "tones", "--no-controls"),
    *("--executor", "serial", "--quiet", "--device", "cpu", "--downstream"),
)


def rows(runs):
    names = ["run_id", "scores", "best_epoch", "epochs", "history", "predictions"]
    return pyarrow.parquet.read_table(runs, columns=names).to_pylist()


@pytest.fixture
def small(harness, manager):
    manager.register(SmallPlugin(), name="small-plugin")
    return harness


def run_until(last_step, arguments, manager):
    from harness.cli.main import execute

    os.environ["LAST_STEP"] = str(last_step)
    execute(arguments, manager)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_killed_training_goes_on_and_ends_with_the_same_numbers(
    small, manager, tmp_path, monkeypatch
):
    """It dies in its fourth epoch of three steps each."""
    monkeypatch.setattr("harness.training.loop.KEEP_EVERY", 0)
    whole = ("--cache", str(tmp_path / "a"), "--runs", str(tmp_path / "whole"))
    assert small(*GRID, "ast-toy", *whole)[0] == 0
    killed = ("--cache", str(tmp_path / "b"), "--runs", str(tmp_path / "killed"))
    child = multiprocessing.get_context("fork").Process(
        target=run_until, args=(10, [*GRID, "ast-toy", *killed], manager)
    )
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    (state,) = (tmp_path / "b" / "training").glob("*.pt")
    kept = torch.load(io.BytesIO(read_sealed(state)), weights_only=True)
    assert len(kept["history"]) == 3
    assert small(*GRID, "ast-toy", *killed)[0] == 0
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    assert list((tmp_path / "b" / "training").iterdir()) == []


def test_the_same_seed_gives_the_same_numbers(small, tmp_path):
    for runs in ("one", "other"):
        small(*GRID, "ast-toy", "--runs", str(tmp_path / runs))
    assert rows(tmp_path / "one") == rows(tmp_path / "other")


def test_it_learns_what_it_is_taught(small, tmp_path):
    """Whether it generalises takes more than two dozen clips to say."""
    small(*GRID, "ast-toy-long", "--runs", str(tmp_path / "runs"))
    (row,) = rows(tmp_path / "runs")
    assert row["history"][0]["train_loss"] > 0.6
    assert min(epoch["train_loss"] for epoch in row["history"]) < 0.4


def test_the_baseline_is_ast_on_fbank_beside_what_was_asked(harness):
    asked = ("--upstream", "toy", "--downstream", "linear", "--corpus", "tones")
    code, out, _ = harness("plan", *asked, "--no-controls", "--baseline", "ast-tiny")
    assert code == 0
    cells = [line.split() for line in out.splitlines() if " tones " in line]
    assert [row[0] for row in cells] == ["toy", "fbank"]


def test_a_baseline_needs_no_upstream_of_its_own(harness):
    code, out, _ = harness("plan", "--baseline", "ast", "--corpus", "tones")
    assert code == 0
    assert "fbank" in out


def test_ast_on_another_upstream_is_refused(harness):
    asked = ("--upstream", "toy", "--downstream", "ast", "--corpus", "tones")
    code, _, err = harness("plan", *asked)
    assert code == 2
    assert "'ast' is made for 'fbank'" in err
    assert "--baseline ast" in err


def test_a_head_for_any_upstream_is_no_baseline(harness):
    code, _, err = harness("plan", "--baseline", "linear", "--corpus", "tones")
    assert code == 2
    assert "'linear' goes on any upstream" in err
