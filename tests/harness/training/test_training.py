"""Training against a second implementation of the recipe, written straight through."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from harness_plugins.downstreams import (
    layerwise,
    linear,
    majority,
    multilayer,
    nonlinear,
)
from sklearn.metrics import f1_score, recall_score
from torch import nn
from toys import TONES, TOY

from harness import Batch, Downstream, HarnessError, PluginError, Reads, Recipe
from harness.data.manifest import read_manifest
from harness.features.checkpoints import Checkpoint
from harness.features.extraction import Extraction, Source, chunks, extract
from harness.files import Memory
from harness.training import loop as descent
from harness.training.loop import class_weights
from harness.training.task import Training, train

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


def pooled(task, part, layer=-1):
    keys = [recording.key for recording in part]
    reader = task.source.store(task.cache).read("pooled", keys)
    states = torch.stack([reader[key][layer] for key in keys])
    truth = torch.tensor([task.labels.index(r.utterance.label) for r in part])
    return states, truth


def by_hand(task, epochs=30, layer=-1):
    """PEFT-SER's training of a linear head, as its file has it, without the harness."""
    (x, y), (vx, vy), (tx, ty) = (pooled(task, part, layer) for part in task.parts)
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


def test_the_learning_rate_falls_at_milestones(task):
    changes = {"epochs": 5, "milestones": (2, 3), "milestone_factor": 0.5}
    result = train(with_head(task, linear, learning_rate=0.08, **changes))
    rates = [epoch.learning_rate for epoch in result.history]
    assert rates == pytest.approx([0.08, 0.08, 0.04, 0.02, 0.02])


def test_half_precision_is_for_gpus(task):
    plain = train(with_head(task, nonlinear, epochs=3))
    assert train(with_head(task, nonlinear, epochs=3, half_on_gpu=True)).history == (
        plain.history
    )


def test_a_head_may_take_statistics_of_the_training_part_alone(task):
    seen = []

    class Careful(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 2)
            self.register_buffer("mean", torch.zeros(8))

        def prepare(self, train):
            batches = list(train)
            seen.append(torch.cat([batch.pooled for batch in batches]))
            self.mean.copy_(seen[0].mean(0))

        def forward(self, batch):
            assert torch.equal(self.mean, seen[0].mean(0))
            return self.layer(batch.pooled - self.mean)

    careful = Downstream(
        name="careful",
        summary="",
        reads=Reads(layers="last", frames=False),
        build=lambda **sizes: Careful(),
        recipe=Recipe(epochs=2, batch=7),
    )
    train(dataclasses.replace(task, downstream=careful))
    (once,) = seen
    assert torch.equal(once, pooled(task, task.train)[0])


# ---------------------------------------------------------------- probes


def test_a_probe_of_every_layer_trains_as_the_recipe_says(task):
    result = train(with_head(task, layerwise))
    best = [by_hand(task, layer=layer)[1] for layer in range(3)]
    truth = pooled(task, task.test)[1]
    assert result.layer_scores == pytest.approx(
        [f1_score(truth, scores.argmax(1), average="macro") for _, _, scores in best]
    )
    validated = [score for score, _, _ in best]
    assert result.layer == validated.index(max(validated)) + 1
    assert result.best_epoch == best[result.layer - 1][1]
    assert result.macro_f1 == result.layer_scores[result.layer - 1]


@pytest.mark.parametrize(("head", "frames"), [(linear, False), (nonlinear, True)])
def test_the_probe_of_the_last_layer_is_the_head_itself(task, head, frames):
    changes = {"reads": Reads(layers="each", frames=frames)}
    each = dataclasses.replace(offered(head), **changes)
    probes = train(dataclasses.replace(task, downstream=each))
    assert len(probes.layer_scores) == probes.layers == 3
    assert probes.layer_scores[-1] == train(with_head(task, head)).macro_f1


def test_the_test_part_has_no_say_in_which_layer_is_taken(task):
    swapped = dataclasses.replace(task, test=task.train)
    one, other = (train(with_head(each, layerwise)) for each in (task, swapped))
    assert (one.layer, one.history) == (other.layer, other.history)


def test_other_heads_have_no_layer_of_their_own(task):
    result = train(task)
    assert (result.layer, result.layer_scores) == (0, ())


# ---------------------------------------------------------------- resumed


class Interruption(Exception):
    """Stands for whatever ends a process."""


def counted(task, *, stop_at=None, **recipe):
    """Give a resumable task, and a list that grows by each of its training steps."""
    changed = with_head(task, nonlinear, batch=8, epochs=5, resumable=True, **recipe)
    steps = []

    def build(**sizes):
        head = nonlinear.build(**sizes)

        def count(module, arguments):
            if module.training:
                if len(steps) == stop_at:
                    raise Interruption
                steps.append(1)

        head.register_forward_pre_hook(count)
        return head

    head = dataclasses.replace(changed.downstream, build=build)
    return dataclasses.replace(changed, downstream=head), steps


@pytest.mark.parametrize("schedule", [{}, {"milestones": (2, 4)}])
@pytest.mark.parametrize("stop_at", [0, 1, 3, 8, 14])
def test_an_interrupted_training_goes_on_to_the_same_numbers(task, stop_at, schedule):
    whole = train(with_head(task, nonlinear, batch=8, epochs=5, **schedule))
    stopped, _ = counted(task, stop_at=stop_at, **schedule)
    with pytest.raises(Interruption):
        train(stopped)
    resumed, steps = counted(task, **schedule)
    result = train(resumed)
    assert len(steps) == 15 - stop_at // 3 * 3
    assert result.history == whole.history
    assert result.predictions == whole.predictions
    assert result.best_epoch == whole.best_epoch


def test_a_finished_training_whose_result_was_lost_is_not_done_again(task):
    first = train(counted(task)[0])
    resumed, steps = counted(task)
    before = torch.load(resumed.state, weights_only=True)["seconds"]
    again = train(resumed)
    assert steps == []
    assert again.predictions == first.predictions
    assert again.seconds_train > before > 0


def test_memory_is_the_most_that_was_held_before_or_after_an_interruption(task):
    resumed, _ = counted(task)
    train(resumed)
    state = torch.load(resumed.state, weights_only=True)
    torch.save(state | {"memory": 10**15}, resumed.state)
    assert train(resumed).peak_memory_bytes == 10**15


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:-40], lambda b: b"no"])
def test_a_damaged_state_is_passed_over(task, damage):
    whole, steps = counted(task)
    expected = train(whole)
    whole.state.write_bytes(damage(whole.state.read_bytes()))
    assert train(whole).predictions == expected.predictions
    assert len(steps) == 30


def test_a_state_that_would_run_code_is_passed_over(task):
    whole, _ = counted(task)
    expected = train(whole)
    torch.save({"head": Interruption}, whole.state)
    assert train(whole).predictions == expected.predictions


def test_short_trainings_leave_no_state(task):
    train(with_head(task, linear, epochs=2))
    assert not task.state.parent.exists()


def test_a_long_training_says_how_far_it_is(task, monkeypatch, capsys):
    monkeypatch.setattr(descent, "EVERY", 0.0)
    loud = dataclasses.replace(counted(task)[0], quiet=False)
    train(loud)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert lines[1].startswith("nonlinear · tones · fold 0 · seed 0: 2/5 epochs in ")
    train(loud)
    assert capsys.readouterr().err == (
        "nonlinear · tones · fold 0 · seed 0: goes on after epoch 5\n"
    )
    train(dataclasses.replace(loud, quiet=True))
    assert capsys.readouterr().err == ""
