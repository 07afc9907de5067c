"""Training against a second implementation of the recipe, written straight through."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from harness_plugins.downstreams import linear, majority, multilayer, nonlinear
from sklearn.metrics import f1_score, recall_score
from torch import nn
from toys import TONES, TOY

from harness import Batch, Downstream, HarnessError, PluginError, Reads, Recipe
from harness.checkpoints import Checkpoint
from harness.descent import class_weights
from harness.features import Extraction, Source, chunks, extract
from harness.files import Memory
from harness.manifest import read_manifest
from harness.training import Training, train

FACTS = {
    "run_id": "0",
    "upstream": "toy",
    "upstream_revision": "",
    "upstream_feeding": "full",
    "checkpoint_sha256": "",
    "downstream": "linear",
    "recipe": "peft-ser",
    "recipe_deviations": (),
    "selection": "macro_f1",
    "corpus": "tones",
    "corpus_version": "1",
    "manifest_sha256": "",
    "language": "x-tones",
    "max_seconds": None,
    "split": "file",
    "split_sha256": "",
    "fold": "0",
    "folds": 1,
    "seed": 0,
    "skipped": (),
    "harness_version": "",
    "plugin": {},
}


def offered(module):
    (downstream,) = module.harness_downstreams()
    return downstream


@pytest.fixture
def task(tones, tmp_path):
    """Train on three speakers, select on the fourth, test on the fifth."""
    manifest = read_manifest(TONES, tones, Memory(tmp_path / "memory.json"))
    checkpoint = Checkpoint(folder=None, revision="", sha256="")
    source = Source(upstream=TOY, checkpoint=checkpoint, feeding="full")
    for chunk in chunks(manifest.recordings):
        extract(
            Extraction(
                source=source,
                root=tones,
                recordings=chunk,
                kinds=("pooled", "all"),
                cache=tmp_path,
                device="cpu",
            )
        )
    of = {r.utterance.id: r for r in manifest.recordings}
    parts = [
        tuple(r for name, r in of.items() if r.utterance.speaker in speakers)
        for speakers in (("s0", "s1", "s2"), ("s3",), ("s4",))
    ]
    return Training(
        source=source,
        cache=tmp_path,
        downstream=offered(linear),
        train=parts[0],
        valid=parts[1],
        test=parts[2],
        labels=manifest.labels,
        selection="macro_f1",
        seed=0,
        device="cpu",
        facts=FACTS,
    )


def with_head(task, module, **recipe):
    downstream = offered(module)
    changed = dataclasses.replace(downstream.recipe, **recipe)
    return dataclasses.replace(
        task, downstream=dataclasses.replace(downstream, recipe=changed)
    )


def pooled(task, part):
    keys = [recording.key for recording in part]
    reader = task.source.store(task.cache).read("pooled", keys)
    states = torch.stack([reader[key][-1] for key in keys])
    truth = torch.tensor([task.labels.index(r.utterance.label) for r in part])
    return states, truth


def by_hand(task, epochs=30):
    """PEFT-SER's training of a linear head, as its file has it, without the harness."""
    (x, y), (vx, vy), (tx, ty) = (pooled(task, part) for part in task.parts)
    torch.manual_seed(task.seed)
    model = linear.build(layers=1, dim=8, classes=2)
    optimiser = torch.optim.Adam(
        model.parameters(), lr=5e-4, weight_decay=1e-4, betas=(0.9, 0.98), eps=1e-8
    )
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, mode="min", patience=5, factor=0.5, min_lr=5e-5
    )
    share = np.bincount(y, minlength=2) / len(y)
    weights = torch.tensor((1 / share) / (1 / share).sum(), dtype=torch.float32)
    criterion = nn.CrossEntropyLoss(weights)
    order = torch.Generator().manual_seed(task.seed)
    best, history = None, []
    for epoch in range(1, epochs + 1):
        permutation = torch.randperm(len(y), generator=order)
        size = min(32, len(y))
        for start in range(0, len(y) - size + 1, size):
            chosen = permutation[start : start + size]
            optimiser.zero_grad()
            criterion(model(Batch(pooled=x[chosen])), y[chosen]).backward()
            optimiser.step()
        with torch.no_grad():
            logits = model(Batch(pooled=vx))
            loss = nn.functional.cross_entropy(logits, vy).item()
            plateau.step(loss)
            score = f1_score(vy, logits.argmax(1), average="macro", zero_division=0)
            test = model(Batch(pooled=tx))
        history.append((loss, score))
        if best is None or score > best[0]:
            best = (score, epoch, test.softmax(1))
    return history, best, ty


def test_the_linear_head_trains_as_the_recipe_says(task):
    result = train(task)
    history, (_, epoch, probabilities), truth = by_hand(task)
    measured = [(e.valid_loss, e.valid_macro_f1) for e in result.history]
    assert np.allclose(measured, history, atol=1e-5)
    assert result.best_epoch == epoch
    scores = torch.tensor([p.scores for p in result.predictions])
    assert torch.allclose(scores, probabilities, atol=1e-5)
    predicted = probabilities.argmax(1)
    assert result.macro_f1 == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert result.uar == pytest.approx(recall_score(truth, predicted, average="macro"))


@pytest.mark.parametrize("module", [linear, nonlinear, multilayer])
def test_every_head_hears_the_difference_in_a_new_speaker(task, module):
    result = train(with_head(task, module, epochs=60, batch=8, learning_rate=5e-3))
    assert result.macro_f1 > 0.8


@pytest.mark.parametrize("module", [linear, nonlinear, multilayer])
def test_the_same_seed_gives_the_same_numbers(task, module):
    one, other = (train(with_head(task, module, epochs=3)) for _ in range(2))
    assert one.history == other.history
    assert one.predictions == other.predictions


def test_another_seed_gives_other_numbers(task):
    assert train(task).history != train(dataclasses.replace(task, seed=1)).history


def test_the_global_random_state_is_left_alone(task):
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    train(with_head(task, nonlinear, epochs=1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_learnt_layer_weights_are_stored(task):
    result = train(with_head(task, multilayer, epochs=5))
    assert len(result.layer_weights) == result.layers == 3
    assert sum(result.layer_weights) == pytest.approx(1)
    assert len(set(result.layer_weights)) == 3
    assert len(result.layer_norms) == 3
    assert result.trainable_parameters == sum(
        p.numel() for p in multilayer.build(layers=3, dim=8, classes=2).parameters()
    )


def test_class_weights_are_inverse_frequencies_that_sum_to_one():
    weights = class_weights(torch.tensor([0, 0, 0, 1]), 3)
    assert weights.tolist() == pytest.approx([0.25, 0.75, 0.0])


def test_the_earliest_of_equally_good_epochs_is_taken(task):
    result = train(with_head(task, linear, epochs=30))
    scores = [epoch.valid_macro_f1 for epoch in result.history]
    assert result.best_epoch == scores.index(max(scores)) + 1


def test_the_learning_rate_falls_on_a_plateau_and_stops_falling(task):
    changes = {"epochs": 60, "plateau_patience": 0, "learning_rate": 0.2}
    rates = [e.learning_rate for e in train(with_head(task, linear, **changes)).history]
    assert rates[0] == 0.2
    assert sorted(rates, reverse=True) == rates
    assert min(rates) >= 5e-5
    assert min(rates) < 0.2


def test_selection_by_uar_takes_the_best_uar(task):
    result = train(dataclasses.replace(task, selection="uar"))
    scores = [epoch.valid_uar for epoch in result.history]
    assert result.best_epoch == scores.index(max(scores)) + 1


def test_a_downstream_may_train_by_itself(task):
    result = train(with_head(task, majority))
    assert result.uar == 0.5
    assert result.epochs == 0
    assert {p.predicted for p in result.predictions} == {"high"}


def test_the_test_part_changes_nothing_but_its_own_score(task):
    other = dataclasses.replace(task, test=task.valid)
    assert train(task).history == train(other).history


def test_an_incomplete_last_batch_is_dropped(task):
    seen = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 2)

        def forward(self, batch):
            if self.training:
                seen.append(len(batch))
            return self.layer(batch.pooled)

    spy = Downstream(
        name="spy",
        summary="",
        reads=Reads(layers="last", frames=False),
        build=lambda **sizes: Spy(),
        recipe=Recipe(batch=10, epochs=2),
    )
    train(dataclasses.replace(task, downstream=spy))
    assert seen == [10] * 4


def broken(forward):
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 2)

        def forward(self, batch):
            return forward(self.layer(batch.pooled))

    return Downstream(
        name="broken",
        summary="",
        reads=Reads(layers="last", frames=False),
        build=lambda **sizes: Head(),
        recipe=Recipe(epochs=1),
    )


@pytest.mark.parametrize(
    ("forward", "error", "complaint"),
    [
        (lambda x: x * torch.nan, HarnessError, "diverged"),
        (lambda x: torch.cat([x, x], 1), PluginError, r"\(24, 4\) where \(24, 2\)"),
    ],
)
def test_a_head_that_breaks_its_word_is_named(task, forward, error, complaint):
    with pytest.raises(error, match=complaint):
        train(dataclasses.replace(task, downstream=broken(forward)))
