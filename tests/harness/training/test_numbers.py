"""Numbers are predicted: the loss, the units, the controls, and what is stored."""

from __future__ import annotations

from dataclasses import replace

import audmetric
import numpy as np
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
)
from trainings import offered, with_downstream, with_head

from harness import Downstream
from harness.training.loop import fit
from harness.training.metrics import ccc, pearson, rmse
from harness.training.recipes import discordance
from harness.training.task import Trial, train

HEADS = [linear, nonlinear, multilayer, layerwise]


@pytest.fixture
def recordings(recordings):
    """The tones, rated: high ones near 110, low ones near 100, by speaker."""

    def rated(one):
        high, who = one.label == "high", int(one.speaker[1])
        return replace(one, value=100.0 + 10.0 * high + who)

    return tuple(replace(one, utterance=rated(one.utterance)) for one in recordings)


@pytest.fixture
def rating(task):
    """Predict the rating, selected by CCC."""
    downstream = replace(task.cell.condition.downstream, selection="ccc")
    condition = replace(task.cell.condition, downstream=downstream)
    cell = replace(task.cell, condition=condition)
    return replace(task, cell=cell, metrics=(ccc, pearson, rmse))


def quick(task, module):
    return with_head(task, module, epochs=60, learning_rate=0.01)


def pairs(result):
    true = np.array([one.value for one in result.predictions])
    return true, np.array([one.predicted_value for one in result.predictions])


def test_the_loss_is_one_less_the_concordance_of_the_batch():
    rng = np.random.default_rng(0)
    true, predicted = rng.normal(3, 2, 32), rng.normal(2, 1, 32)
    loss = discordance(torch.tensor(predicted)[:, None], torch.tensor(true))
    expected = 1 - audmetric.concordance_cc(true, predicted)
    assert loss.item() == pytest.approx(expected)


def test_the_loss_of_a_constant_is_one_and_has_a_gradient():
    predicted = torch.zeros(4, 1, requires_grad=True)
    loss = discordance(predicted, torch.zeros(4))
    loss.backward()
    assert loss.item() == 1.0
    assert predicted.grad is not None
    assert torch.isfinite(predicted.grad).all()


@pytest.mark.parametrize("module", HEADS)
def test_every_head_predicts_numbers_of_a_new_speaker(rating, module):
    result = train(quick(rating, module))
    assert result.scores["ccc"] > 0.7
    assert len(result.layer_scores) == (3 if module is layerwise else 0)
    true, predicted = pairs(result)
    assert set(true) == {104.0, 114.0}
    assert predicted.mean() == pytest.approx(109.0, abs=6.0)


def test_scores_are_those_of_independent_code(rating):
    result = train(quick(rating, linear))
    true, predicted = pairs(result)
    assert result.scores == {
        "ccc": pytest.approx(audmetric.concordance_cc(true, predicted)),
        "pearson": pytest.approx(np.corrcoef(true, predicted)[0, 1]),
        "rmse": pytest.approx(np.sqrt(np.mean((true - predicted) ** 2))),
    }


def test_a_result_of_numbers_has_bins_and_no_confusion(rating):
    result = train(quick(rating, linear))
    assert (result.labels, result.labels_absent) == (("high", "low"), ())
    assert result.confusion == ()
    assert {one.scores for one in result.predictions} == {()}
    assert all(one.predicted == one.label for one in result.predictions)
    last = result.history[-1]
    assert (last.valid_macro_f1, last.valid_uar) == (None, None)
    reached = [epoch.valid_ccc or 0.0 for epoch in result.history]
    assert reached[result.best_epoch - 1] == max(reached)
    assert last.valid_loss == pytest.approx(1 - reached[-1], abs=1e-5)
    assert last.reached.startswith("valid CCC ")


def test_heads_are_trained_on_a_standard_scale(rating):
    trial = Trial(quick(rating, linear))
    labels = trial.training.labels
    assert labels.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert labels.std(correction=0).item() == pytest.approx(1.0)
    assert trial.units is not None
    back = trial.units.back(trial.units.scaled(trial.test)[:, None])
    assert back[:, 0].tolist() == pytest.approx(
        [one.utterance.value for one in trial.test], rel=1e-6
    )


def test_permuted_numbers_are_those_of_training_and_validation(rating):
    plain, control = Trial(quick(rating, linear)), Trial(quick(rating, permuted))
    for part in ("training", "validation"):
        true, mixed = getattr(plain, part).labels, getattr(control, part).labels
        assert not true.equal(mixed)
        assert true.sort().values.equal(mixed.sort().values)
    assert train(quick(rating, permuted)).scores["ccc"] < 0.7


def test_the_mean_is_predicted_where_no_feature_is_read(rating):
    result = train(with_downstream(rating, offered(majority)))
    true, predicted = pairs(result)
    assert predicted == pytest.approx(np.full(len(true), 106.0), rel=1e-6)
    assert result.scores["ccc"] == pytest.approx(0.0, abs=1e-9)


def test_chance_draws_from_the_numbers_of_the_training_part(rating):
    _, predicted = pairs(train(with_downstream(rating, offered(chance))))
    assert set(predicted.round(3)) <= {100.0, 101.0, 102.0, 110.0, 111.0, 112.0}
    assert len(set(predicted)) > 1


def test_who_can_predict_numbers_is_said_by_the_head():
    build, means = offered(linear), offered(linear).reads
    own = Downstream(name="own", summary="", reads=means, fit=majority.fit)
    alone = replace(own, predicts=("numbers",))
    for head, classes, numbers in ((build, 1, 1), (own, 1, 0), (alone, 0, 1)):
        assert head.can_predict(numbers=False) == bool(classes)
        assert head.can_predict(numbers=True) == bool(numbers)


def test_several_epochs_are_averaged_as_numbers(rating):
    trial = Trial(quick(rating, linear))
    of_one = fit(trial.fitting, trial.training, trial.validation)
    several = replace(trial.fitting, averaged=5)
    of_five = fit(several, trial.training, trial.validation)
    test = trial.dataset(trial.test)
    assert of_five.predict(test).shape == (len(trial.test), 1)
    assert not of_five.predict(test).equal(of_one.predict(test))
