"""Every rule for downstreams catches its culprit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from culprits import UPSTREAMS, findings
from harness_plugins.downstreams import ast, chance, linear, majority

from harness import Cost, Downstream, Reads, conformance
from harness.conformance import Broken, Check, DownstreamCheck, downstreams

MEANS = Reads(layers="last", frames=False)


def fitting(fit):
    return Downstream(name="culprit", summary="", reads=MEANS, fit=fit)


def by_position(train, labels, *, valid, classes, seed):
    """Guess that test utterances come class by class."""
    return lambda batch: torch.eye(3)[torch.arange(len(batch)) * 3 // len(batch)]


def unseeded(train, labels, *, valid, classes, seed):
    return lambda batch: torch.rand(len(batch), classes)


def by_batch(train, labels, *, valid, classes, seed):
    return lambda batch: (batch.pooled - batch.pooled.mean(0))[:, :classes]


def adapting(train, labels, *, valid, classes, seed):
    seen = []

    def predict(batch):
        seen.extend(batch.pooled)
        return batch.pooled[:, :classes] - len(seen)

    return predict


def three(train, labels, *, valid, classes, seed):
    """Expect three classes always."""
    return lambda batch: torch.zeros(len(batch), 3)


DOWNSTREAMS = {
    "one_of_build_and_fit": (fitting(None), "exactly one of 'build' and 'fit'"),
    "a_seed_is_run": (replace(fitting(three), seeds=0), "seeds=0.*at least 1"),
    "any_number_of_classes_is_fitted": (
        fitting(three),
        r"of 2 classes|where \(24, 2\)",
    ),
    "numbers_are_fitted": (
        replace(fitting(majority.fit), predicts=("numbers",)),
        "Its CCC is 0.00",
    ),
    "a_separable_toy_is_learned": (fitting(majority.fit), "macro-F1 is 0.17"),
    "permuted_labels_are_not_learned": (
        fitting(by_position),
        "accuracy is 1.00 where a third is chance.*the order of utterances",
    ),
    "the_same_seed_has_the_same_scores": (fitting(unseeded), "from 'seed' in 'fit'"),
    "scores_are_batch_invariant": (fitting(by_batch), "its own frames only"),
    "scoring_changes_no_later_score": (fitting(adapting), "learn nothing"),
}


@pytest.mark.parametrize(
    "rule", conformance.DOWNSTREAM_RULES[3:], ids=lambda r: r.__name__
)
def test_a_rule_for_downstreams_catches_its_culprit(rule):
    culprit, sentence = DOWNSTREAMS[rule.__name__]
    with pytest.raises(Broken, match=sentence):
        Check(rule=rule, subject=DownstreamCheck(offer=culprit))()


@pytest.mark.parametrize(
    ("module", "rule", "reason"),
    [
        (majority, "a_separable_toy_is_learned", "a control need not learn"),
        (majority, "numbers_are_fitted", "a control need not learn"),
        (ast, "numbers_are_fitted", "costly, and cut to 2 epochs"),
        (ast, "a_separable_toy_is_learned", "costly, and cut to 2 epochs"),
        (chance, "scores_are_batch_invariant", "label-only baseline may draw"),
    ],
)
def test_what_a_rule_cannot_ask_of_a_head_is_said(module, rule, reason):
    offer = next(iter(module.harness_downstreams()))
    assert reason in getattr(downstreams, rule)(DownstreamCheck(offer=offer))


def test_a_head_for_numbers_alone_keeps_the_rules():
    """It is put to numbers, where others are put to classes."""

    def fit(train, labels, *, valid, classes, seed):
        features = torch.cat([train.pooled, torch.ones(len(train), 1)], 1)
        weights = torch.linalg.pinv(features, rcond=0.01) @ labels[:, None]
        return lambda batch: batch.pooled @ weights[:-1] + weights[-1]

    head = replace(fitting(fit), predicts=("numbers",))
    check = DownstreamCheck(offer=head)
    for rule in conformance.DOWNSTREAM_RULES[3:]:
        Check(rule=rule, subject=check)()
    reason = downstreams.any_number_of_classes_is_fitted(check)
    assert reason == "it is for numbers alone"


def test_a_head_for_classes_alone_is_asked_for_no_number():
    reason = downstreams.numbers_are_fitted(DownstreamCheck(offer=fitting(three)))
    assert reason == "it is for classes alone"


def test_a_costly_training_is_cut_short():
    (head,) = linear.harness_downstreams()
    costly = replace(head, cost=Cost(weights=1, memory=1))
    assert head.recipe is not None
    assert len(DownstreamCheck(offer=head).trial.fitted.history) == head.recipe.epochs
    assert len(DownstreamCheck(offer=costly).trial.fitted.history) == 2


def test_a_head_without_a_recipe_is_named_and_not_trained():
    (head,) = linear.harness_downstreams()
    found = findings(DownstreamCheck(offer=replace(head, recipe=None)))
    assert "say how it is trained" in found["one of build and fit"].text
    assert found["a separable toy is learned"].text == "it has no recipe"
    assert found["a separable toy is learned"].verdict == "not run"


def test_what_fit_returns_must_be_a_tensor():
    def listing(train, labels, *, valid, classes, seed):
        return lambda batch: [[0.0] * classes] * len(batch)

    found = findings(DownstreamCheck(offer=fitting(listing)))
    assert found["any number of classes is fitted"].verdict == "BROKEN"


def test_every_rule_has_a_culprit():
    rules = {rule.__name__ for rule in conformance.DOWNSTREAM_RULES}
    assert DOWNSTREAMS.keys() <= rules <= DOWNSTREAMS.keys() | UPSTREAMS.keys()
