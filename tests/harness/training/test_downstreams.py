"""Heads of all kinds: that train themselves, that break, that probe each layer."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from harness_plugins.downstreams import (
    chance,
    layerwise,
    linear,
    majority,
    nonlinear,
    permuted,
)
from sklearn.metrics import f1_score
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn
from trainings import (
    MEANS,
    by_hand,
    means,
    offered,
    recipe,
    with_downstream,
    with_head,
    with_seed,
)

from harness import Downstream, HarnessError, PluginError, Reads, Schedule
from harness.training.task import train

# ---------------------------------------------------------------- own training


def test_a_downstream_may_train_by_itself(task):
    result = train(with_downstream(task, offered(majority)))
    assert result.scores["uar"] == 0.5
    assert result.epochs == 0
    assert {p.predicted for p in result.predictions} == {"high"}


def test_own_training_has_one_thread_as_torch_has(task):
    """A thread a core in each of the tasks side by side would wait for the others."""
    threads: list[int] = []

    def note(batch):
        threads.extend(pool["num_threads"] for pool in threadpool_info())
        return torch.zeros(len(batch), 2)

    def fit(train, labels, *, valid, classes, seed):
        note(train)
        return note

    reads = Reads(layers="last", frames=False)
    own = Downstream(name="own", summary="", reads=reads, fit=fit)
    with threadpool_limits(limits=2):
        train(with_downstream(task, own))
    assert len(threads) > 1
    assert set(threads) == {1}


def test_no_two_cells_draw_the_same(task):
    drawn = [
        [p.predicted for p in train(with_seed(drawing, seed)).predictions]
        for drawing in [with_downstream(task, offered(chance))]
        for seed in range(8)
    ]
    assert len({tuple(one) for one in drawn}) > 4


def test_permuted_labels_are_those_of_the_training_part_alone(task):
    plain = train(with_head(task, linear, epochs=3))
    control = train(with_head(task, permuted, epochs=3))
    assert control.history != plain.history
    assert [p.label for p in control.predictions] == [
        p.label for p in plain.predictions
    ]
    again = train(with_head(task, permuted, epochs=3))
    assert again.history == control.history


def returning(scores):
    """A downstream that fits nothing and scores everything in one way."""
    return Downstream(
        name="own",
        summary="",
        reads=MEANS,
        fit=lambda train, labels, *, valid, classes, seed: (
            lambda batch: scores(len(batch))
        ),
    )


@pytest.mark.parametrize(
    ("scores", "complaint"),
    [
        (lambda n: [[0.5, 0.5]] * n, "list where a tensor"),
        (lambda n: torch.full((n,), 0.5), r"shape \(8,\) where \(8, 2\)"),
        (lambda n: torch.full((n, 3), 0.5), r"shape \(8, 3\) where \(8, 2\)"),
        (lambda n: torch.full((n, 2), torch.nan), "NaN or infinite"),
        (lambda n: torch.full((n, 2), torch.inf), "NaN or infinite"),
    ],
)
def test_own_training_that_returns_something_else_is_named(task, scores, complaint):
    with pytest.raises(PluginError, match=f"'own' returned.*{complaint}"):
        train(with_downstream(task, returning(scores)))


def test_the_plugin_of_a_head_that_raises_is_named(task):
    def scores(n):
        raise ValueError("no such class")

    with pytest.raises(
        PluginError, match=r"a-head failed while fitting 'own': .*no such"
    ):
        train(with_downstream(task, returning(scores)))


# ---------------------------------------------------------------- heads of all kinds


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
        reads=MEANS,
        build=lambda **sizes: Spy(),
        recipe=recipe(batch=10),
    )
    train(with_downstream(task, spy))
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
        reads=MEANS,
        build=lambda **sizes: Head(),
        recipe=recipe(epochs=1),
    )


@pytest.mark.parametrize(
    ("forward", "error", "complaint"),
    [
        (lambda x: x * torch.nan, HarnessError, "diverged"),
        (lambda x: torch.cat([x, x], 1), PluginError, r"\(24, 4\) where \(24, 2\)"),
        (lambda x: x.tolist(), PluginError, "list where a tensor"),
    ],
)
def test_a_head_that_returns_something_else_is_named(task, forward, error, complaint):
    with pytest.raises(error, match=complaint):
        train(with_downstream(task, broken(forward)))


def test_a_head_without_a_recipe_is_named(task):
    head = dataclasses.replace(offered(linear), recipe=None)
    with pytest.raises(PluginError, match="'linear' has a 'build' and no 'recipe'"):
        train(with_downstream(task, head))


def test_the_learning_rate_falls_at_milestones(task):
    falls = Schedule(kind="milestones", milestones=(2, 3), factor=0.5)
    changed = with_head(task, linear, epochs=5, learning_rate=0.08, schedule=falls)
    result = train(changed)
    rates = [epoch.learning_rate for epoch in result.history]
    assert rates == pytest.approx([0.08, 0.08, 0.04, 0.02, 0.02])


def test_the_learning_rate_stays_where_nothing_is_said(task):
    changed = with_head(task, linear, epochs=3, schedule=Schedule())
    rates = {epoch.learning_rate for epoch in train(changed).history}
    assert rates == {5e-4}


def test_mixed_precision_is_for_gpus(task):
    plain, mixed = (
        train(with_head(task, nonlinear, epochs=3, mixed_precision=mixed))
        for mixed in (False, True)
    )
    assert mixed.history == plain.history


def test_a_head_may_take_statistics_of_the_training_part_alone(task):
    seen = []

    class Careful(nn.Module):
        mean: torch.Tensor

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
        reads=MEANS,
        build=lambda **sizes: Careful(),
        recipe=recipe(batch=7),
    )
    train(with_downstream(task, careful))
    (once,) = seen
    assert torch.equal(once, means(task, 0)[0])


# ---------------------------------------------------------------- probes


def test_a_probe_of_every_layer_trains_as_the_recipe_says(task):
    result = train(with_head(task, layerwise))
    best = [by_hand(task, layer=layer)[1] for layer in range(3)]
    truth = means(task, 2)[1]
    assert result.layer_scores == pytest.approx(
        [f1_score(truth, scores.argmax(1), average="macro") for _, _, scores in best]
    )
    validated = [score for score, _, _ in best]
    assert result.layer == validated.index(max(validated)) + 1
    assert result.best_epoch == best[result.layer - 1][1]
    assert result.scores["macro_f1"] == result.layer_scores[result.layer - 1]


@pytest.mark.parametrize(("head", "frames"), [(linear, False), (nonlinear, True)])
def test_the_probe_of_the_last_layer_is_the_head_itself(task, head, frames):
    changes = {"reads": Reads(layers="each", frames=frames)}
    each = dataclasses.replace(offered(head), **changes)
    probes = train(with_downstream(task, each))
    assert len(probes.layer_scores) == 3
    alone = train(with_head(task, head))
    assert probes.layer_scores[-1] == alone.scores["macro_f1"]


def test_the_test_part_has_no_say_in_which_layer_is_taken(tested_on_others):
    one, other = (train(with_head(each, layerwise)) for each in tested_on_others)
    assert (one.layer, one.history) == (other.layer, other.history)


def test_other_heads_have_no_layer_of_their_own(task):
    result = train(task)
    assert (result.layer, result.layer_scores) == (0, ())
