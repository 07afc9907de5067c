"""Intervals and tests of CCC, Pearson's r and RMSE, beside scipy and a bootstrap."""

from __future__ import annotations

import audmetric
import numpy as np
import pytest
from harness_leaderboard.analysis import sampling, statistics
from harness_leaderboard.analysis.components import spread_of
from harness_leaderboard.analysis.estimates import figure_of, worst_speaker
from harness_leaderboard.analysis.samples import pooled, sample_of
from harness_leaderboard.analysis.tested import tested as described
from harness_leaderboard.results import reading, store
from ratings import BINS, Raters, drawn, rated, with_numbers
from ratings import sample_of as sample_of_numbers
from scipy import stats

from harness.training.metrics import ccc, pearson, rmse

METRICS = [ccc, pearson, rmse]


def sampled(*results):
    needed = ("seed", "labels", "predictions")
    return sample_of(reading.flattened(store.table_of(results), needed))


def numbers_of(result):
    pairs = [(one.value, one.predicted_value) for one in result.predictions]
    return np.array(pairs).T


@pytest.mark.parametrize("metric", METRICS, ids=lambda one: one.name)
def test_a_sample_has_the_stored_figure(make_result, metric):
    result = rated(make_result(), 0.7)
    figure = figure_of(sampled(result), metric)
    assert figure == pytest.approx(result.scores[metric.name], abs=1e-6)


def test_pooled_folds_are_scored_as_one_part(make_result):
    rng = np.random.default_rng(0)
    true = rng.normal(3, 1, (2, 5, 30))
    said = true + rng.normal(0, 1, true.shape)
    folds = [
        with_numbers(make_result(fold=str(fold)), true[fold], said[fold])
        for fold in (0, 1)
    ]
    renamed = pooled(sampled(*folds))
    expected = audmetric.concordance_cc(true.ravel(), said.ravel())
    assert figure_of(renamed, ccc) == pytest.approx(expected)
    assert renamed.parts[0].squares is not None


@pytest.mark.parametrize("metric", METRICS, ids=lambda one: one.name)
def test_the_mean_of_values_is_nearly_the_figure(metric):
    (of,) = drawn(np.random.default_rng(0), Raters(), 8)
    made = sampling.estimate(sampling.draws(of, metric))
    assert made is not None
    assert made.value == pytest.approx(figure_of(of, metric), abs=1e-6)


@pytest.mark.parametrize("metric", METRICS, ids=lambda one: one.name)
def test_the_error_is_that_of_a_bootstrap_over_speakers(metric):
    rng = np.random.default_rng(1)
    (of,) = drawn(rng, Raters(), 40)
    counts = of.parts[0].counts
    chosen = rng.integers(0, 40, (4000, 40))
    theirs = statistics.score(counts[chosen].sum(1), metric).std()
    made = sampling.estimate(sampling.draws(of, metric))
    assert made is not None
    assert made.error == pytest.approx(float(theirs), rel=0.1)


@pytest.mark.parametrize("metric", METRICS, ids=lambda one: one.name)
def test_the_error_of_utterances_is_that_of_a_bootstrap_over_utterances(metric):
    rng = np.random.default_rng(2)
    true = rng.normal(0, 1, (1, 300))
    said = 0.7 * true + rng.normal(0, 0.6, true.shape)
    part = sample_of_numbers(true, said).parts[0]
    ours = sampling._part_variance(part, metric) ** 0.5
    chosen = rng.integers(0, 300, (4000, 300))
    drawn_anew = [sample_of_numbers(true[:, c], said[:, c]) for c in chosen[:1500]]
    theirs = np.std([figure_of(one, metric) for one in drawn_anew])
    assert ours == pytest.approx(float(theirs), rel=0.1)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_error_grows_with_the_unit_and_not_of_what_has_none(scale):
    (of,) = drawn(np.random.default_rng(4), Raters(), 6)
    powers = scale ** np.array([0, 1, 1, 2, 2, 2])
    part = of.parts[0]
    scaled = type(part)(
        seed=0,
        utterances=part.utterances,
        speakers=part.speakers,
        counts=part.counts * powers,
        squares=part.squares * powers * powers[:, None],
    )
    for metric, factor in ((ccc, 1.0), (rmse, scale)):
        ours = sampling._part_variance(part, metric) ** 0.5
        theirs = sampling._part_variance(scaled, metric) ** 0.5
        assert theirs == pytest.approx(factor * ours, rel=1e-4)


@pytest.mark.parametrize("folds", ["one", "each"])
@pytest.mark.parametrize("metric", METRICS, ids=lambda one: one.name)
def test_intervals_hold_the_truth_and_equal_systems_do_not_differ(metric, folds):
    world = Raters(folds=folds)
    rng = np.random.default_rng(5)
    (large,) = drawn(rng, world, 4000)
    true = figure_of(large, metric)
    covered, false = [], []
    for _ in range(200):
        of, other = (
            sampling.draws(one, metric) for one in drawn(rng, world, 10, systems=2)
        )
        assert of is not None
        assert other is not None
        made, gap = sampling.estimate(of), sampling.estimate(of - other)
        assert made is not None
        assert gap is not None
        low, high = statistics.interval(made)
        covered.append(low <= true <= high)
        false.append(gap.p <= 0.05)
    assert np.mean(covered) >= 0.88
    assert np.mean(false) <= 0.12


def test_the_interval_of_a_correlation_is_on_fishers_scale():
    made = statistics.Estimate(value=0.6, error=0.1, freedom=9, bounds=(-1.0, 1.0))
    low, high = statistics.interval(made)
    reach = stats.t.ppf(0.975, 9) * 0.1 / (1 - 0.6**2)
    expected = np.tanh(np.arctanh(0.6) + reach * np.array([-1, 1]))
    assert (low, high) == pytest.approx(tuple(expected))


def test_the_interval_of_an_error_is_on_the_log_scale():
    made = statistics.Estimate(value=2.0, error=0.5, freedom=9, bounds=(0.0, np.inf))
    low, high = statistics.interval(made)
    reach = stats.t.ppf(0.975, 9) * 0.5 / 2.0
    assert (low, high) == pytest.approx((2 * np.exp(-reach), 2 * np.exp(reach)))


def test_a_difference_of_errors_has_no_bound():
    made = statistics.Estimate(value=5.0, error=2.0, freedom=9, bounds=(0.0, np.inf))
    low, high = statistics.interval_of_difference(made)
    assert (low, high) == pytest.approx(tuple(stats.t.interval(0.95, 9, 5.0, 2.0)))


def test_chance_is_the_mean_as_the_answer_to_all():
    rng = np.random.default_rng(6)
    true = rng.normal(3, 1.5, (4, 50))
    of = sample_of_numbers(true, true + rng.normal(0, 1, true.shape))
    assert described(of, ccc).chance == pytest.approx(0.0)
    assert described(of, rmse).chance == pytest.approx(true.std())
    assert described(of, rmse).lines[:2] == ("numbers", f"chance {true.std():.3g}")


def test_numbers_have_a_worst_speaker_and_a_spread_and_no_rare_label():
    rng = np.random.default_rng(7)
    true = rng.normal(0, 1, (5, 30))
    said = true + np.linspace(0.1, 2, 5)[:, None] * rng.normal(0, 1, true.shape)
    of = sample_of_numbers(true, said)
    root = np.sqrt(((true - said) ** 2).mean(1))
    assert worst_speaker(of, rmse) == pytest.approx(root.max())
    assert worst_speaker(of, ccc) == pytest.approx(
        min(map(audmetric.concordance_cc, true, said))
    )
    assert spread_of(of, ccc) is not None
    assert sampling.rare_labels(of) == {}
    assert not sampling.rests_on_rare(of, ccc)
    assert BINS[0] not in of.labels
