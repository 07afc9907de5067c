from __future__ import annotations

import numpy as np
import pytest
from harness_leaderboard.analysis import sampling
from harness_leaderboard.analysis.samples import Sample, pooled
from harness_leaderboard.analysis.statistics import interval, replicate, score
from harness_leaderboard.analysis.tested import of_one_class
from samples import DYESTUFF, PENICILLIN
from scipy import stats
from voices import in_folds, part, said, sample, skills

from harness.training.metrics import accuracy, harness_metrics, macro_f1, uar

OF_CLASSES = [one for one in harness_metrics() if not one.of_numbers]


def estimated(of: Sample, metric=macro_f1):
    made = sampling.estimate(sampling.draws(of, metric))
    assert made is not None
    return made


# ---------------------------------------------------------------- what was drawn


def test_with_one_fold_a_speaker_is_what_is_drawn():
    of = sample(np.ones((6, 2, 2)), "one")
    assert sampling.units_of(of).tolist() == [0, 1, 2, 3, 4, 5]
    assert sampling.estimand(of) == "pooled over speakers"
    assert sampling.unknown(of) == ("one fold", "one seed")


def test_with_several_folds_a_fold_is_what_is_drawn():
    of = in_folds(np.ones((6, 2, 2)), [0, 0, 1, 1, 2, 2])
    assert sampling.units_of(of).tolist() == [0, 0, 1, 1, 2, 2]
    assert sampling.estimand(of) == "mean over folds"
    assert sampling.unknown(of) == ("3 folds", "one seed")


def test_with_a_speaker_a_fold_the_two_are_one():
    of = sample(np.ones((6, 2, 2)), "loso")
    assert sampling.units_of(of).tolist() == [0, 1, 2, 3, 4, 5]
    assert sampling.estimand(of) == "mean over speakers"


def test_pooled_folds_stay_what_is_drawn():
    of = pooled(in_folds(np.ones((6, 2, 2)), [0, 0, 1, 1, 2, 2]))
    assert sampling.units_of(of).tolist() == [0, 0, 1, 1, 2, 2]
    assert sampling.estimand(of) == "pooled over speakers"


def test_speakers_who_stand_in_several_folds_are_of_no_fold():
    counts = np.ones((2, 2, 2))
    parts = (part(counts, [0, 1], name="a"), part(counts, [0, 1], name="b"))
    assert Sample(speakers=("a", "b"), parts=parts).folds.tolist() == [0, 0]


# ---------------------------------------------------------------- values


def test_values_of_folds_are_their_scores():
    rng = np.random.default_rng(0)
    counts = said(rng, skills(rng, 6))
    of = in_folds(counts, [0, 0, 0, 1, 1, 2])
    found = sampling.draws(of, uar)
    expected = [score(counts[group].sum(0), uar) for group in ([0, 1, 2], [3, 4], [5])]
    assert found is not None
    assert found.values == pytest.approx(np.array([expected]), abs=1e-6)


@pytest.mark.parametrize("metric", OF_CLASSES, ids=lambda one: one.name)
def test_the_mean_of_values_is_the_figure(metric):
    rng = np.random.default_rng(0)
    of = sample(said(rng, skills(rng, 7)), "one")
    figure = replicate(of, np.ones((1, 7), np.float32), metric)[0]
    assert estimated(of, metric).value == pytest.approx(figure, abs=1e-6)


def test_the_error_is_that_of_scipys_bootstrap():
    rng = np.random.default_rng(0)
    counts = said(rng, skills(rng, 25))
    theirs = stats.bootstrap(
        (np.arange(25),),
        lambda drawn, axis: score(counts[drawn].sum(drawn.ndim - 1), macro_f1),
        n_resamples=4000,
        rng=rng,
    )
    # the bootstrap's own is too small by √(24/25)
    expected = theirs.standard_error * (25 / 24) ** 0.5
    assert estimated(sample(counts, "one")).error == pytest.approx(expected, rel=0.05)


def test_the_error_of_a_mean_of_folds_is_that_of_the_t_test():
    rng = np.random.default_rng(0)
    counts = said(rng, skills(rng, 12))
    scores = score(counts, uar)
    made = estimated(sample(counts, "loso"), uar)
    theirs = stats.ttest_1samp(scores, 0)
    assert made.error == pytest.approx(scores.mean() / theirs.statistic, rel=1e-4)
    assert made.freedom == theirs.df


def test_a_difference_has_no_error_where_systems_do_not_differ():
    rng = np.random.default_rng(0)
    found = sampling.draws(sample(said(rng, skills(rng, 8)), "loso"), uar)
    assert found is not None
    none = sampling.estimate(found - found)
    assert none is not None
    assert (none.value, none.error, none.p) == (0, 0, 1)


def test_seeds_with_other_speakers_are_not_taken_apart():
    counts = np.ones((3, 2, 2))
    parts = (part(counts[:2], [0, 1], seed=0), part(counts, [0, 1, 2], seed=1))
    of = Sample(speakers=("a", "b", "c"), parts=parts)
    assert sampling.draws(of, uar) is None


def test_three_units_have_no_error_and_it_is_said():
    of = in_folds(np.ones((6, 2, 2)), [0, 0, 1, 1, 2, 2])
    assert sampling.estimate(sampling.draws(of, uar)) is None
    assert list(sampling.remarks(of, uar)) == [
        "3 folds: too few for an error (four are needed)"
    ]


def test_folds_of_few_speakers_share_training_and_it_is_said():
    said = ["the folds share training speakers, so a test at 5 % errs in up to 9 %"]
    few, many = sampling.SHARING_SPEAKERS - 5, sampling.SHARING_SPEAKERS
    folds = [speaker % 5 for speaker in range(few)]
    assert list(sampling.remarks(in_folds(np.ones((few, 2, 2)), folds), uar)) == said
    folds = [speaker % 5 for speaker in range(many)]
    assert list(sampling.remarks(in_folds(np.ones((many, 2, 2)), folds), uar)) == []
    alone = in_folds(np.ones((few, 2, 2)), list(range(few)))
    assert list(sampling.remarks(alone, uar)) == []


def test_speakers_of_most_utterances_leave_few_degrees_of_freedom():
    counts = np.ones((8, 2, 2)) + np.eye(2)
    assert estimated(sample(counts, "one")).freedom == pytest.approx(7)
    counts[:2] *= 1000
    assert estimated(sample(counts, "one")).freedom == pytest.approx(1, abs=0.02)
    assert estimated(sample(counts, "loso")).freedom == pytest.approx(7)


# ---------------------------------------------------------------- seeds


def test_the_error_of_crossed_seeds_and_units_is_that_of_lme4():
    digits = np.array([list(map(int, row)) for row in PENICILLIN])
    plates = 10.0 * digits[:, ::2] + digits[:, 1::2]
    found = sampling.squares(plates.T)
    assert found.error == pytest.approx(0.8086, abs=5e-5)
    assert found.rest is not None
    assert found.rest**0.5 == pytest.approx(0.5499, abs=5e-5)
    assert (found.shared / 24) ** 0.5 == pytest.approx(1.9316, abs=5e-5)
    assert ((found.unit - found.rest) / 6) ** 0.5 == pytest.approx(0.8467, abs=5e-5)


def test_the_error_of_folds_is_that_of_lme4():
    of_folds = np.array(DYESTUFF).reshape(6, 5).mean(1)
    assert sampling.squares(of_folds[None]).error == pytest.approx(19.38, abs=0.005)


def test_degrees_of_freedom_are_satterthwaites():
    found = sampling.Squares(
        seeds=3, units=10, unit=4.0, unit_freedom=9, seed=9.0, rest=1.0
    )
    assert found.freedom == pytest.approx(12**2 / (16 / 9 + 81 / 2 + 1 / 18))
    few = sampling.Squares(
        seeds=3, units=10, unit=4.0, unit_freedom=9, seed=3.0, rest=2.9
    )
    assert 2 <= few.freedom <= 9


def test_seeds_that_do_not_differ_cost_nothing():
    values = np.random.default_rng(0).normal(0.7, 0.1, 8)
    found = sampling.squares(np.stack([values] * 3))
    assert found.error == pytest.approx(sampling.squares(values[None]).error)
    assert found.freedom == 7


# ---------------------------------------------------------------- utterances


def test_the_error_is_never_below_what_utterances_explain():
    rng = np.random.default_rng(0)
    one = said(rng, [0.6], utterances=60)
    alike = sample(np.repeat(one, 6, 0), "loso")  # six speakers, alike by chance
    again = [
        score(1.0 * rng.multinomial(60, one.ravel() / 60).reshape(4, 4), macro_f1)
        for _ in range(2000)
    ]
    assert estimated(alike).error == pytest.approx(np.std(again) / 6**0.5, rel=0.1)


def test_utterances_that_are_tested_in_each_seed_are_not_more_utterances():
    rng = np.random.default_rng(0)
    one = np.repeat(said(rng, [0.6], utterances=60), 6, 0)
    parts = tuple(part(one, range(6), seed=seed) for seed in range(3))
    three = Sample(speakers=tuple("abcdef"), parts=parts)
    assert estimated(three).error == pytest.approx(estimated(sample(one, "one")).error)


# ---------------------------------------------------------------- rare labels


def with_rare(holders: int):
    """Ten speakers of whom some have a third label, once each."""
    rng = np.random.default_rng(0)
    counts = np.zeros((10, 3, 3))
    counts[:, :2, :2] = said(rng, skills(rng, 10), classes=2)
    counts[:holders, 2, 2] = 1
    return counts


@pytest.mark.parametrize("holders", [1, 2])
def test_nothing_is_computed_from_a_label_of_one_or_two_speakers(holders: int):
    of = sample(with_rare(holders), "one")
    assert sampling.estimate(sampling.draws(of, macro_f1)) is None
    speakers = "1 test speaker" if holders == 1 else "2 test speakers"
    assert list(sampling.remarks(of, macro_f1)) == [
        f"label '2' rests on {speakers}, and so there is no error"
    ]


def test_a_metric_that_weighs_utterances_alike_rests_on_no_label():
    of = sample(with_rare(1), "one")
    assert sampling.estimate(sampling.draws(of, accuracy)) is not None
    assert list(sampling.remarks(of, accuracy)) == ["label '2' rests on 1 test speaker"]


def test_a_label_of_three_speakers_is_not_lost():
    made = estimated(sample(with_rare(3), "one"))
    low, high = interval(made)
    assert 0 < made.error < 0.05
    assert 0.5 < low < made.value < high < 1


# ---------------------------------------------------------------- of one class


@pytest.mark.parametrize(("metric", "said"), [(macro_f1, 1), (uar, 0), (accuracy, 0)])
def test_folds_of_one_class_are_named_where_guessing_is_worth_more(metric, said):
    counts = np.array([[[3, 1], [0, 0]], [[0, 0], [2, 2]]] * 3)  # true × predicted
    alone = sample(counts, "loso")
    found = list(of_one_class(alone, metric))
    assert len(found) == said
    assert all("each test part holds one class alone" in one for one in found)
    assert list(of_one_class(pooled(alone), metric)) == []
    assert list(of_one_class(in_folds(counts, [0, 0, 1, 1, 2, 2]), metric)) == []


def test_some_folds_of_one_class_are_counted():
    counts = np.array([[[3, 1], [0, 0]], [[1, 1], [2, 2]], [[1, 1], [2, 2]]])
    (found,) = of_one_class(sample(counts, "loso"), macro_f1)
    assert found.startswith("1 of 3 test parts hold one class alone")
