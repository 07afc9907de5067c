"""Training against a second implementation of the recipe, written straight through."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
import torch
from conditions import condition_of, upstream_condition
from harness_plugins.downstreams import (
    chance,
    layerwise,
    linear,
    majority,
    multilayer,
    nonlinear,
    permuted,
)
from sklearn.metrics import f1_score, recall_score
from torch import nn
from toys import TONES, TOY

from harness import (
    Batch,
    Cell,
    Downstream,
    Fold,
    HarnessError,
    Optimiser,
    PluginError,
    Reads,
    Recipe,
    Schedule,
)
from harness.data import stored
from harness.data.manifest import read_manifest
from harness.data.places import Places
from harness.features.extraction import Extraction, Use, extract, store_of
from harness.files import read_sealed, write_sealed
from harness.memory import Memory
from harness.training import loop
from harness.training.logits import scored
from harness.training.metrics import accuracy, macro_f1, uar, weighted_f1
from harness.training.recipes import class_weights
from harness.training.task import Training, Trial, state_of, train

MEANS = Reads(layers="last", frames=False)
CONDITION = upstream_condition()
SPEAKERS = (("s0", "s1", "s2"), ("s3",), ("s4",))
METRICS = (accuracy, macro_f1, uar, weighted_f1)


def offered(module):
    (downstream,) = module.harness_downstreams()
    return downstream


@pytest.fixture
def recordings(tones, tmp_path):
    return read_manifest(TONES, tones, Memory(tmp_path / "memory.json")).recordings


@pytest.fixture
def divided(tones, tmp_path, recordings):
    """Divide the stored features by speakers; returns a function from three groups."""
    places = Places(data=tones.parent, cache=tmp_path / "cache")
    use = Use(
        upstream=TOY, condition=CONDITION, plugin="toy", places=places, device="cpu"
    )

    def divided(*speakers):
        ids = (
            tuple(r.utterance.id for r in recordings if r.utterance.speaker in group)
            for group in speakers
        )
        parts = dict(zip(("train", "valid", "test"), ids, strict=True))
        corpus = stored.store(places, recordings, [Fold(name="0", **parts)])
        everything = Extraction(
            use=use,
            corpus=corpus,
            first=0,
            last=len(recordings),
            kinds=("pooled", "all"),
        )
        extract(everything)
        head = offered(linear)
        return Training(
            cell=Cell(condition=condition_of(CONDITION, head), fold="0", seed=0),
            use=use,
            downstream=head,
            corpus=corpus,
            labels=("high", "low"),
            metrics=METRICS,
            plugins={"upstream": "toy", "downstream": "a-head", "corpus": "toy"},
        )

    return divided


@pytest.fixture
def task(divided):
    """Train on three speakers, select on the fourth, test on the fifth."""
    return divided(*SPEAKERS)


def with_downstream(task, downstream):
    selection = task.cell.condition.downstream.selection
    condition = condition_of(CONDITION, downstream, selection)
    cell = dataclasses.replace(task.cell, condition=condition)
    return dataclasses.replace(task, cell=cell, downstream=downstream)


def with_head(task, module, *, learning_rate=None, **recipe):
    downstream = offered(module)
    if learning_rate is not None:
        optimiser = downstream.recipe.optimiser
        recipe["optimiser"] = dataclasses.replace(
            optimiser, learning_rate=learning_rate
        )
    changed = dataclasses.replace(downstream.recipe, **recipe)
    return with_downstream(task, dataclasses.replace(downstream, recipe=changed))


def with_seed(task, seed):
    return dataclasses.replace(task, cell=dataclasses.replace(task.cell, seed=seed))


def with_selection(task, name):
    condition = condition_of(CONDITION, task.downstream, name)
    cell = dataclasses.replace(task.cell, condition=condition)
    return dataclasses.replace(task, cell=cell)


def recipe(**changes):
    """A short recipe of no particular origin."""
    short = Recipe(
        name="short", epochs=2, batch=32, optimiser=Optimiser(learning_rate=1e-3)
    )
    return dataclasses.replace(short, **changes)


def means(task, part, layer=-1):
    """Read the means over time (N, D) of a part, and its labels, from the store."""
    listed = stored.load(task.use.places, task.corpus).fold("0")[part]
    keys = [recording.key for recording in listed]
    reader = store_of(CONDITION, task.use.places.cache).read("pooled", keys)
    states = torch.stack([reader[key][layer] for key in keys])
    truth = torch.tensor([task.labels.index(r.utterance.label) for r in listed])
    return states, truth


def flipped(data):
    """Flip one bit in the middle."""
    half = len(data) // 2
    return data[:half] + bytes([data[half] ^ 1]) + data[half + 1 :]


def by_hand(task, epochs=30, layer=-1):
    """PEFT-SER's training of a linear head, as its file has it, without the harness."""
    (x, y), (vx, vy), (tx, ty) = (means(task, part, layer) for part in range(3))
    torch.manual_seed(task.cell.seed)
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
    order = torch.Generator().manual_seed(task.cell.seed)
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
    assert result.scores["macro_f1"] == pytest.approx(
        f1_score(truth, predicted, average="macro")
    )
    assert result.scores["uar"] == pytest.approx(
        recall_score(truth, predicted, average="macro")
    )
    assert result.scores.keys() == {metric.name for metric in METRICS}


@pytest.mark.parametrize("module", [linear, nonlinear, multilayer])
def test_every_head_classifies_a_new_speaker(task, module):
    result = train(with_head(task, module, epochs=60, batch=8, learning_rate=5e-3))
    assert result.scores["macro_f1"] > 0.8


@pytest.mark.parametrize("module", [linear, nonlinear, multilayer])
def test_the_same_seed_gives_the_same_numbers(task, module):
    one, other = (train(with_head(task, module, epochs=3)) for _ in range(2))
    assert one.history == other.history
    assert one.predictions == other.predictions


def test_another_seed_gives_other_numbers(task):
    assert train(task).history != train(with_seed(task, 1)).history


def test_the_global_random_state_is_left_alone(task):
    torch.manual_seed(123)
    before = torch.random.get_rng_state()
    train(with_head(task, nonlinear, epochs=1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_learnt_layer_weights_are_stored(task):
    result = train(with_head(task, multilayer, epochs=5))
    assert len(result.layer_weights) == 3
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


@pytest.mark.parametrize("module", [linear, multilayer])
def test_who_observes_epochs_moves_no_number_and_sees_the_head_of_each(task, module):
    trial, seen = Trial(with_head(task, module, epochs=5)), []
    training, valid = trial.training, trial.dataset(trial.valid)

    def observe(number, logits_of):
        found = scored(valid.labels, logits_of(valid))
        seen.append((number, float(macro_f1.score(found))))

    fitting = dataclasses.replace(trial.fitting, observe=observe)
    observed = loop.fit(fitting, training, valid)
    assert observed.history == loop.fit(trial.fitting, training, valid).history
    assert seen == [(one.epoch, one.valid_macro_f1) for one in observed.history]


@pytest.mark.parametrize("module", [linear, multilayer])
def test_probabilities_of_the_best_epochs_are_averaged_if_asked(task, module):
    asked = with_selection(with_head(task, module, epochs=6), "macro_f1:epochs=3")
    trial, probabilities = Trial(asked), []
    test = trial.dataset(trial.test)

    def observe(_, logits_of):
        probabilities.append(logits_of(test).softmax(1))

    fitting = dataclasses.replace(trial.fitting, observe=observe)
    fitted = loop.fit(fitting, trial.training, trial.dataset(trial.valid))
    scores = [one.valid_macro_f1 for one in fitted.history]
    best = sorted(range(6), key=lambda epoch: -scores[epoch])[:3]
    mean = torch.stack([probabilities[epoch] for epoch in best]).mean(0)
    assert fitted.predict(test).equal(mean)
    assert (fitted.best_epoch, fitted.best) == (best[0] + 1, scores[best[0]])
    assert [list(one.scores) for one in train(asked).predictions] == mean.tolist()


@pytest.mark.parametrize("module", [linear, layerwise])
def test_the_mean_of_one_epoch_is_that_epoch(task, module):
    one = train(with_selection(with_head(task, module, epochs=5), "macro_f1:epochs=1"))
    assert one.predictions == train(with_head(task, module, epochs=5)).predictions


def test_an_interrupted_training_averages_the_same_epochs(task, kept):
    averaged = with_selection(task, "macro_f1:epochs=3")
    whole = train(with_head(averaged, nonlinear, batch=8, epochs=5))
    stopped, _ = counted(averaged, stop_at=10)
    state_file(stopped).unlink()
    with pytest.raises(Interruption):
        train(stopped)
    assert train(counted(averaged)[0]).predictions == whole.predictions


def test_the_learning_rate_falls_on_a_plateau_and_stops_falling(task):
    plateau = Schedule(kind="plateau", factor=0.5, patience=0, minimum=5e-5)
    changed = with_head(task, linear, epochs=60, learning_rate=0.2, schedule=plateau)
    rates = [epoch.learning_rate for epoch in train(changed).history]
    assert rates[0] == 0.2
    assert sorted(rates, reverse=True) == rates
    assert min(rates) >= 5e-5
    assert min(rates) < 0.2


def test_selection_by_uar_takes_the_best_uar(task):
    result = train(with_selection(task, "uar"))
    scores = [epoch.valid_uar for epoch in result.history]
    assert result.best_epoch == scores.index(max(scores)) + 1


@pytest.mark.parametrize("damage", ["removed", "flipped"])
@pytest.mark.parametrize("module", [linear, nonlinear, multilayer])
def test_features_that_are_gone_are_extracted_again(task, module, damage):
    store = store_of(CONDITION, task.use.places.cache)
    asked = with_head(task, module, epochs=2)
    expected = train(asked)
    for kind in ("pooled", "all"):
        for shard in store.shards(kind):
            if damage == "removed":
                shard.path.unlink()
            else:
                shard.path.write_bytes(flipped(shard.path.read_bytes()))
    again = train(asked)
    assert again.history == expected.history
    assert again.predictions == expected.predictions


@pytest.fixture
def tested_on_others(divided):
    """The same training and validation parts, and two test parts."""
    rest = ("s0", "s1"), ("s3",)
    return [divided(*rest, test) for test in (("s2",), ("s4",))]


def test_the_test_part_changes_nothing_but_its_own_score(tested_on_others):
    one, other = map(train, tested_on_others)
    assert one.history == other.history
    assert one.predictions != other.predictions


def test_an_epoch_is_selected_by_a_metric_that_is_lower_the_better(task):
    errors = dataclasses.replace(
        accuracy,
        name="errors",
        score=lambda predictions: 1 - accuracy.score(predictions),
        higher_is_better=False,
    )
    worst = dataclasses.replace(task, metrics=(*METRICS, errors))
    one, other = (train(with_selection(worst, name)) for name in ("errors", "accuracy"))
    assert one.best_epoch == other.best_epoch
    assert one.predictions == other.predictions
    assert one.scores["errors"] == pytest.approx(1 - one.scores["accuracy"])


def test_a_result_says_what_it_was_computed_from(task):
    filled = dataclasses.replace(
        task,
        skipped=("x.wav: silent",),
        revision="abc",
        harness_version="1.0",
        warnings=("linear: too slow",),
    )
    result = train(filled)
    assert result.run_id == task.cell.run_id
    assert (result.n_train, result.n_valid, result.n_test) == (24, 8, 8)
    assert result.speakers_train == SPEAKERS[0]
    assert (result.speakers_valid, result.speakers_test) == (("s3",), ("s4",))
    assert [sum(row) for row in result.confusion] == [4, 4]
    assert result.skipped == ("x.wav: silent",)
    provenance = result.training
    assert (provenance.revision, provenance.harness_version) == ("abc", "1.0")
    assert provenance.warnings == ("linear: too slow",)
    assert provenance.plugins == task.plugins
    assert provenance.device.startswith("cpu (")
    assert result.extraction.devices == (provenance.device,)


def test_a_label_that_the_test_part_lacks_is_named(task):
    three = dataclasses.replace(task, labels=("high", "low", "middle"))
    assert train(three).labels_absent == ("middle",)


# ---------------------------------------------------------------- own training


def test_a_downstream_may_train_by_itself(task):
    result = train(with_downstream(task, offered(majority)))
    assert result.scores["uar"] == 0.5
    assert result.epochs == 0
    assert {p.predicted for p in result.predictions} == {"high"}


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
        fit=lambda train, labels, *, classes, seed: lambda batch: scores(len(batch)),
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


# ---------------------------------------------------------------- resumed


class Interruption(BaseException):
    """Stands for whatever ends a process."""


@pytest.fixture
def kept(monkeypatch):
    """Keep the state after every epoch, as if each took long."""
    monkeypatch.setattr(loop, "KEEP_EVERY", 0.0)


def state_file(task):
    return state_of(task.use.places, task.cell)


def read_state(task):
    return torch.load(io.BytesIO(read_sealed(state_file(task))), weights_only=True)


def write_state(task, state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_sealed(state_file(task), buffer.getvalue())


def counted(task, *, stop_at=None, **recipe):
    """Return a task, and a list that grows by each of its training steps."""
    changed = with_head(task, nonlinear, batch=8, epochs=5, **recipe)
    steps: list[int] = []

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


SCHEDULES = [{}, {"schedule": Schedule(kind="milestones", milestones=(2, 4))}]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=["plateau", "milestones"])
@pytest.mark.parametrize("stop_at", [0, 1, 3, 8, 14])
def test_an_interrupted_training_goes_on_to_the_same_numbers(
    task, kept, stop_at, schedule
):
    whole = train(with_head(task, nonlinear, batch=8, epochs=5, **schedule))
    stopped, _ = counted(task, stop_at=stop_at, **schedule)
    state_file(stopped).unlink()
    with pytest.raises(Interruption):
        train(stopped)
    resumed, steps = counted(task, **schedule)
    result = train(resumed)
    assert len(steps) == 15 - stop_at // 3 * 3
    assert result.history == whole.history
    assert result.predictions == whole.predictions
    assert result.best_epoch == whole.best_epoch


def test_a_finished_training_whose_result_was_lost_repeats_its_last_epoch(task, kept):
    first = train(counted(task)[0])
    resumed, steps = counted(task)
    before = read_state(resumed)["seconds"]
    again = train(resumed)
    assert len(steps) == 3
    assert again.history == first.history
    assert again.predictions == first.predictions
    assert again.training.seconds > before > 0


def test_memory_is_the_most_that_was_held_before_or_after_an_interruption(task, kept):
    resumed, _ = counted(task)
    train(resumed)
    write_state(resumed, read_state(resumed) | {"memory": 10**15})
    assert train(resumed).training.peak_memory == 10**15


DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:-40],
    "other": lambda data: b"no",
    "flipped": flipped,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_state_is_passed_over(task, kept, damage):
    whole, steps = counted(task)
    expected = train(whole)
    state_file(whole).write_bytes(damage(state_file(whole).read_bytes()))
    assert train(whole).predictions == expected.predictions
    assert len(steps) == 30


class Malicious:
    """Creates a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("sealed", [False, True])
def test_a_state_that_would_run_code_is_passed_over(task, kept, tmp_path, sealed):
    whole, _ = counted(task)
    expected = train(whole)
    state = {"head": Malicious(str(tmp_path / "code ran"))}
    if sealed:
        write_state(whole, state)
    else:
        torch.save(state, state_file(whole))
    assert train(whole).predictions == expected.predictions
    assert not (tmp_path / "code ran").exists()


def test_no_state_of_another_cell_is_taken(task, kept):
    train(counted(task)[0])
    other, steps = counted(with_seed(task, 1))
    train(other)
    assert len(steps) == 15


def test_a_head_takes_its_statistics_once_however_often_it_is_interrupted(task, kept):
    seen = []

    class Careful(nn.Module):
        mean: torch.Tensor

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 2)
            self.register_buffer("mean", torch.zeros(8))

        def prepare(self, train):
            seen.append(1)
            self.mean += 1

        def forward(self, batch):
            assert torch.equal(self.mean, torch.ones(8))
            return self.layer(batch.pooled)

    careful = Downstream(
        name="careful",
        summary="",
        reads=MEANS,
        build=lambda **sizes: Careful(),
        recipe=recipe(epochs=3),
    )
    for _ in range(2):
        train(with_downstream(task, careful))
    assert seen == [1]


def test_short_trainings_leave_no_state(task):
    train(with_head(task, nonlinear, epochs=2))
    assert not state_file(task).parent.exists()


def test_the_state_is_kept_when_enough_would_be_lost_without(task, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    stored_at = []

    class Slow(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 2)

        def forward(self, batch):
            if self.training:
                stored_at.append(state_file(slow).exists())
                now[0] += loop.KEEP_EVERY / 2 + 0.1
            return self.layer(batch.pooled)

    head = Downstream(
        name="slow",
        summary="",
        reads=MEANS,
        build=lambda **sizes: Slow(),
        recipe=recipe(epochs=4),
    )
    slow = with_downstream(task, head)
    train(slow)
    assert stored_at == [False, False, True, True]


def test_a_long_training_reports_how_far_it_is(task, kept, monkeypatch, capsys):
    monkeypatch.setattr(loop, "REPORT_EVERY", 0.0)
    loud = dataclasses.replace(counted(task)[0], quiet=False)
    train(loud)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    title = "toy · nonlinear · emodb · speaker-independent 0 · seed 0: "
    assert lines[1].startswith(f"{title}2/5 epochs in ")
    train(loud)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"{title}goes on after epoch 4"
    assert len(lines) == 2
    train(dataclasses.replace(loud, quiet=True))
    assert capsys.readouterr().err == ""
