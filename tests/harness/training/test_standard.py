"""Standardised features: by the training part alone, for every kind of head."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from conditions import CONDITION
from harness_plugins.downstreams import layerwise, linear, multilayer
from sklearn.preprocessing import StandardScaler
from trainings import means, offered, with_downstream

from harness import Downstream, Reads, Validation
from harness.conformance.toy import Toy, fit_toy
from harness.training import loop
from harness.training.dataset import Dataset
from harness.training.metrics import macro_f1
from harness.training.standard import Standard
from harness.training.task import train
from harness.types import run_id


def part(*shape, frames=False):
    draw = torch.Generator().manual_seed(0)
    features = 3 + 5 * torch.randn(*shape, generator=draw)
    labels = torch.arange(len(features)) % 2
    if frames:
        return Dataset(frames=tuple(features), labels=labels)
    return Dataset(pooled=features, labels=labels)


def test_means_are_standardised_as_sklearn_does_it():
    training = part(40, 6)
    scaled = training.scaled(Standard.of(training)).batch(slice(None), "cpu").pooled
    expected = StandardScaler().fit_transform(training.pooled.double().numpy())
    torch.testing.assert_close(scaled, torch.from_numpy(expected).float())


def test_each_layer_has_a_scale_of_its_own():
    training = part(40, 3, 6)
    whole = training.scaled(Standard.of(training))
    for layer in (1, 2, 3):
        alone = training.layer(layer)
        torch.testing.assert_close(
            whole.layer(layer).batch([0, 5], "cpu").pooled,
            alone.scaled(Standard.of(alone)).batch([0, 5], "cpu").pooled,
        )


@pytest.mark.parametrize("shape", [(7, 6), (3, 7, 6)])
def test_frames_are_standardised_over_all_frames(shape):
    training = part(20, *shape, frames=True)
    scaled = training.scaled(Standard.of(training))
    batch = torch.stack(scaled.batch(slice(None), "cpu").frames)
    over = (0, batch.ndim - 2)
    torch.testing.assert_close(batch.mean(over), torch.zeros(batch.mean(over).shape))
    deviation = batch.std(over, correction=0)
    torch.testing.assert_close(deviation, torch.ones(deviation.shape))


@pytest.mark.parametrize("value", [0.1, 0.0, 1e8])
def test_a_dim_that_is_constant_in_training_is_0_everywhere(value):
    training = part(40, 6)
    training.pooled[:, 2] = value
    test = part(3, 6).scaled(Standard.of(training)).batch(slice(None), "cpu").pooled
    assert (test[:, 2] == 0).all()
    assert torch.isfinite(test).all()


def test_the_scale_is_that_of_the_training_part_alone(task):
    """The validation part is scored, the test part predicted, then the former, too."""
    seen: dict[str, torch.Tensor] = {}
    predicted: list[torch.Tensor] = []

    def fit(training, labels, *, valid, classes, seed):
        seen.update(train=training.pooled, valid=valid.batch.pooled)

        def predict(batch):
            predicted.append(batch.pooled)
            return torch.zeros(len(batch), classes)

        return predict

    head = Downstream(
        name="spy",
        summary="",
        reads=Reads(layers="last", frames=False, standardise=True),
        fit=fit,
    )
    train(with_downstream(task, head))
    _, seen["test"], _ = predicted
    parts = [means(task, number)[0].double() for number in range(3)]
    mean, deviation = parts[0].mean(0), parts[0].std(0, correction=0)
    for name, features in zip(("train", "valid", "test"), parts, strict=True):
        expected = ((features - mean) / deviation).float()
        torch.testing.assert_close(seen[name], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("module", [linear, layerwise, multilayer])
def test_a_head_with_a_recipe_may_ask_for_it(module):
    """Shifted and stretched features then make no difference."""
    head = offered(module)
    head = replace(head, reads=replace(head.reads, standardise=True))
    toy = Toy.of(1)
    moved = replace(toy, states=tuple(4 * states + 100 for states in toy.states))
    one, other = (fit_toy(head, of, epochs=2).scores for of in (toy, moved))
    torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-3)


def test_who_observes_passes_parts_as_they_are_stored():
    head = offered(linear)
    head = replace(head, reads=replace(head.reads, standardise=True))
    training, valid, test = Toy.of(1).parts(head.reads)
    last = []
    fitting = loop.Fitting(
        downstream=replace(head, recipe=replace(head.recipe, epochs=1)),
        classes=3,
        selection=macro_f1,
        seed=0,
        observe=lambda number, logits: last.append(logits(test)),
    )
    fitted = loop.fit(fitting, training, valid)
    torch.testing.assert_close(fitted.predict(test), last[0].softmax(1))


BEFORE = "50d99a01b57d531e"
"""The name of a cell before features could be standardised."""


def test_cells_keep_the_names_that_they_had_before_features_could_be_standardised():
    assert run_id(CONDITION, "0", 0) == BEFORE
    head = CONDITION.downstream
    scaled = replace(head, reads=replace(head.reads, standardise=True))
    assert run_id(replace(CONDITION, downstream=scaled), "0", 0) != BEFORE


# ---------------------------------------------------------------- validation


def test_a_head_that_trains_by_itself_gets_the_validation_part(task):
    seen: list[Validation] = []

    def fit(training, labels, *, valid, classes, seed):
        seen.append(valid)
        return lambda batch: batch.pooled[:, :classes]

    reads = Reads(layers="last", frames=False)
    train(with_downstream(task, Downstream(name="a", summary="", reads=reads, fit=fit)))
    [valid] = seen
    features, labels = means(task, 1)
    torch.testing.assert_close(valid.batch.pooled, features)
    assert valid.labels.equal(labels)
    assert valid.score(torch.nn.functional.one_hot(labels, 2)) == 1.0


def test_the_layer_that_is_best_in_validation_is_the_result_of_own_training(task):
    def fit(training, labels, *, valid, classes, seed):
        """Recognise the one layer, 2 of 3, that is passed as it is stored."""
        right = means(task, 1, layer=1)[0].equal(valid.batch.pooled)

        def predict(batch):
            good = right and len(batch) == len(valid.batch)
            truth = torch.nn.functional.one_hot(valid.labels, classes).float()
            return truth if good else torch.ones(len(batch), classes)

        return predict

    reads = Reads(layers="each", frames=False)
    head = Downstream(name="a", summary="", reads=reads, fit=fit)
    result = train(with_downstream(task, head))
    assert result.layer == 2
    assert len(result.layer_scores) == 3
