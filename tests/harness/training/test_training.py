"""Training against a second implementation of the recipe, written straight through."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from harness_plugins.downstreams import layerwise, linear, multilayer, nonlinear
from sklearn.metrics import f1_score, recall_score
from trainings import (
    CONDITION,
    METRICS,
    SPEAKERS,
    Interruption,
    by_hand,
    counted,
    flipped,
    state_file,
    with_head,
    with_seed,
    with_selection,
)

from harness import Schedule
from harness.features.extraction import store_of
from harness.training import loop
from harness.training.logits import scored
from harness.training.metrics import accuracy, macro_f1
from harness.training.recipes import class_weights
from harness.training.task import Trial, train


def test_the_linear_head_trains_as_the_recipe_says(task):
    result = train(task)
    history, (_, epoch, probabilities), truth = by_hand(task)
    measured = [(e.valid_loss, e.valid_macro_f1 or 0.0) for e in result.history]
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
    scores = [epoch.valid_macro_f1 or 0.0 for epoch in result.history]
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
    scores = [one.valid_macro_f1 or 0.0 for one in fitted.history]
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
    scores = [epoch.valid_uar or 0.0 for epoch in result.history]
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
