"""The heads without a seed: logistic regression, ridge regression, neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from harness_plugins.downstreams import knn, logistic, ridge
from scipy.optimize import minimize
from sklearn.neighbors import KNeighborsClassifier

from harness import Batch, Reads, Validation
from harness.conformance.toy import Toy, fit_toy
from harness.registry.options import with_defaults

MEANS = Reads(layers="last", frames=False, standardise=True)
HEADS = [
    *logistic.harness_downstreams(),
    *ridge.harness_downstreams(),
    *map(with_defaults, knn.harness_downstreams()),
]
ids = [head.name for head in HEADS]


def drawn(seed, count=60, dim=5, classes=3):
    """Draw batches whose first dims say the label, as far as noise lets them."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    noise = torch.randn(count, dim, generator=draw)
    return Batch(pooled=noise + torch.eye(classes, dim)[labels]), labels


def numbers(seed, count=60, dim=5):
    batch, _ = drawn(seed, count, dim)
    return batch, batch.pooled @ torch.arange(1.0, dim + 1) + 3


def preferring(batch, labels, *, score):
    return Validation(batch, labels, score)


def accuracy(labels):
    return lambda scores: float((scores.argmax(1) == labels).float().mean())


def least_error(targets):
    return lambda scores: -float((scores[:, 0] - targets).square().mean())


def nothing(scores):
    return 0.0


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("head", HEADS, ids=ids)
def test_they_read_standardised_means_and_ask_for_one_seed(head):
    each = replace(MEANS, layers="each")
    assert head.reads == (each if head.name.endswith("layerwise") else MEANS)
    assert head.seeds == 1


@pytest.mark.parametrize("head", HEADS, ids=ids)
def test_the_seed_changes_nothing(head):
    train, labels = drawn(0)
    valid = preferring(*drawn(1), score=accuracy(drawn(1)[1]))
    one, other = (
        head.fit(train, labels, valid=valid, classes=3, seed=seed)(drawn(2)[0])
        for seed in (0, 1)
    )
    assert one.equal(other)


@pytest.mark.parametrize("head", HEADS, ids=ids)
def test_the_last_bits_of_features_move_no_score_much(head):
    toy = Toy.of(1)
    draw = torch.Generator().manual_seed(0)
    noisy = replace(
        toy,
        states=tuple(
            one * (1 + 1e-7 * torch.randn(one.shape, generator=draw))
            for one in toy.states
        ),
    )
    one, other = (fit_toy(head, of).scores for of in (toy, noisy))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("head", HEADS, ids=ids)
def test_a_label_that_training_lacks_is_never_predicted(head):
    train, labels = drawn(0)
    valid = preferring(*drawn(1), score=nothing)
    scores = head.fit(train, labels, valid=valid, classes=5, seed=0)(drawn(2)[0])
    assert scores.shape == (60, 5)
    assert int(scores.argmax(1).max()) < 3


# ---------------------------------------------------------------- logistic


def objective(flat, features, labels, strength):
    weights = flat.reshape(3, -1)
    logits = features @ weights[:, :-1].T + weights[:, -1]
    losses = np.logaddexp.reduce(logits, axis=1) - logits[range(len(labels)), labels]
    return losses.mean() + strength / 2 * np.square(weights[:, :-1]).sum()


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_strength_is_that_of_the_mean_cross_entropy(place):
    train, labels = drawn(0)
    features = train.pooled.double().numpy()
    model = list(logistic.path(features, labels.numpy()))[place]
    found = np.hstack([model.coef_, model.intercept_[:, None]])
    arguments = (features, labels.numpy(), logistic.STRENGTHS[place])
    least = minimize(objective, np.zeros(18), arguments, tol=1e-10)
    assert objective(found.ravel(), *arguments) == pytest.approx(least.fun, abs=1e-9)


def scores_at(place):
    train, labels = drawn(0)
    models = list(logistic.path(train.pooled.double().numpy(), labels.numpy()))
    found = models[place].predict_proba(drawn(2)[0].pooled.double().numpy())
    return torch.from_numpy(found).float()


def chosen(score):
    train, labels = drawn(0)
    valid = preferring(*drawn(1), score=score)
    return logistic.fit(train, labels, valid=valid, classes=3, seed=0)(drawn(2)[0])


def test_the_strength_is_chosen_by_the_metric_of_the_user():
    strongest, weakest = scores_at(0), scores_at(-1)
    assert chosen(lambda scores: -float(scores.max())).equal(strongest)
    assert chosen(lambda scores: float(scores.max())).equal(weakest)


def test_of_equal_strengths_the_largest_is_taken():
    assert chosen(nothing).equal(scores_at(0))


# ---------------------------------------------------------------- ridge


def test_ridge_predicts_numbers_as_the_closed_form_does():
    (train, targets), (test, _) = numbers(0), numbers(2)
    valid = preferring(*numbers(1), score=nothing)
    found = ridge.fit(train, targets, valid=valid, classes=1, seed=0)(test)
    x, y = train.pooled.double(), targets.double()
    centred = x - x.mean(0)
    penalty = ridge.STRENGTHS[0] * len(x) * torch.eye(5)
    weights = torch.linalg.solve(centred.T @ centred + penalty, centred.T @ y)
    expected = (test.pooled.double() - x.mean(0)) @ weights + y.mean()
    assert found.shape == (60, 1)
    torch.testing.assert_close(found[:, 0], expected.float())


@pytest.mark.parametrize("fit", [ridge.fit, HEADS[-1].fit])
def test_numbers_are_predicted_better_than_by_their_mean(fit):
    (train, targets), (valid, wanted), (test, true) = map(numbers, range(3))
    valid = preferring(valid, wanted, score=least_error(wanted))
    found = fit(train, targets, valid=valid, classes=1, seed=0)(test)
    assert found.shape == (60, 1)
    assert (found[:, 0] - true).square().mean() < 0.5 * true.var()


# ---------------------------------------------------------------- neighbours


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_neighbours_vote_as_those_of_sklearn(distance):
    train, labels = drawn(0)
    valid, wanted = drawn(1)
    found = knn.fit(
        train,
        labels,
        valid=preferring(valid, wanted, score=nothing),
        classes=3,
        seed=0,
        options=knn.Options(distance=distance),
    )(valid)
    assert max(k for k in knn.NEIGHBOURS if k <= 60) == 33
    model = KNeighborsClassifier(33, weights="distance", metric=distance)
    expected = model.fit(train.pooled.double(), labels).predict_proba(
        valid.pooled.double()
    )
    torch.testing.assert_close(found, torch.from_numpy(expected).float())
