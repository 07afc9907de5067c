from __future__ import annotations

import numpy as np
import pytest
from harness_leaderboard.analysis import statistics
from harness_leaderboard.analysis.samples import Sample, sample_of
from harness_leaderboard.results import reading, store
from scipy import stats
from voices import part, said, sample, skills

from harness.training.metrics import harness_metrics, macro_f1, uar

MANY = ("one", "loso")


def ones(of: Sample):
    return np.ones((1, len(of.speakers)), np.float32)


# ---------------------------------------------------------------- scores


@pytest.mark.parametrize("metric", list(harness_metrics()), ids=lambda one: one.name)
def test_no_utterances_score_nothing(metric):
    assert statistics.score(np.zeros((3, 2, 2)), metric).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("metric", list(harness_metrics()), ids=lambda one: one.name)
def test_many_confusions_score_as_each_alone(metric):
    counts = said(np.random.default_rng(0), np.linspace(0.1, 0.9, 5))
    counts[:, 3] = 0  # a label that is predicted but absent
    alone = [float(statistics.score(one, metric)) for one in counts]
    assert statistics.score(counts, metric) == pytest.approx(alone, abs=1e-12)


def sampled(*results):
    needed = ("seed", "labels", "predictions")
    return sample_of(reading.flattened(store.table_of(results), needed))


def test_a_sample_gives_back_the_stored_figure(make_result):
    result = make_result(macro_f1=1 / 3)
    of = sampled(result)
    assert of.speakers == ("10",)
    assert statistics.replicate(of, ones(of), macro_f1) == pytest.approx([1 / 3])


def test_predictions_go_to_the_run_and_the_speaker_that_they_belong_to(make_result):
    first = make_result(seed=0)
    other = make_result(seed=1, predictions=first.predictions[1:])
    of = sampled(first, other)
    assert [one.counts.tolist() for one in of.parts] == [
        [[[1, 0], [1, 0]]],
        [[[0, 0], [1, 0]]],
    ]


def test_with_all_weights_one_the_figure_is_the_mean_over_seeds_of_folds():
    rng = np.random.default_rng(0)
    counts = said(rng, skills(rng, 6))
    parts = (
        part(counts[:2], [0, 1], seed=0, name="a"),
        part(counts[2:3], [2], seed=0, name="b"),
        part(counts[3:6], [3, 4, 5], seed=1, name="c"),
    )
    of = Sample(speakers=tuple("abcdef"), parts=parts)
    folds = [statistics.score(one.counts.sum(0), uar) for one in parts]
    expected = ((folds[0] + folds[1]) / 2 + folds[2]) / 2
    assert statistics.replicate(of, ones(of), uar) == pytest.approx([expected])


def test_a_speaker_drawn_twice_counts_twice():
    rng = np.random.default_rng(0)
    counts = said(rng, skills(rng, 3))
    of = sample(counts, "one")
    twice = np.array([[2, 1, 0]], np.float32)
    expected = float(statistics.score(2 * counts[0] + counts[1], macro_f1))
    assert statistics.replicate(of, twice, macro_f1) == pytest.approx([expected])


def test_resampled_folds_of_one_speaker_are_resampled_scores():
    rng = np.random.default_rng(0)
    counts = said(rng, skills(rng, 3))
    twice = np.array([[2, 1, 0]], np.float32)
    scores = statistics.score(counts, macro_f1)
    expected = (2 * scores[0] + scores[1]) / 3
    replicated = statistics.replicate(sample(counts, "loso"), twice, macro_f1)
    assert replicated == pytest.approx([expected])


# ---------------------------------------------------------------- intervals


def test_resamples_are_the_same_for_the_same_seed():
    drawn = statistics.resamples(5, times=20, seed=3)
    assert (drawn == statistics.resamples(5, times=20, seed=3)).all()
    assert drawn.sum(1).tolist() == [5.0] * 20


def test_the_standard_error_is_that_of_scipys_bootstrap():
    rng = np.random.default_rng(0)
    counts = said(rng, skills(rng, 12))
    scores = statistics.score(counts, uar)
    theirs = stats.bootstrap((scores,), np.mean, n_resamples=5000, rng=rng)
    drawn = statistics.resamples(12, times=5000)
    replicates = statistics.replicate(sample(counts, "loso"), drawn, uar)
    assert replicates.std() == pytest.approx(theirs.standard_error, rel=0.04)


def test_the_error_of_a_mean_of_speakers_is_that_of_the_t_interval():
    rng = np.random.default_rng(0)
    counts = said(rng, skills(rng, 12))
    scores = statistics.score(counts, uar)
    drawn = statistics.resamples(12, times=20_000)
    replicates = statistics.replicate(sample(counts, "loso"), drawn, uar)
    made = statistics.estimate(scores.mean(), replicates, 12)
    theirs = stats.ttest_1samp(scores, 0).confidence_interval()
    assert made is not None
    assert statistics.interval_of_difference(made) == pytest.approx(theirs, abs=0.003)


@pytest.mark.parametrize("split", MANY)
@pytest.mark.parametrize("speakers", [5, 10, 25])
def test_an_interval_covers_the_truth_as_often_as_it_says(split: str, speakers: int):
    rng = np.random.default_rng(1)
    everyone = sample(said(rng, skills(rng, 3000)), split)
    truth = statistics.replicate(everyone, ones(everyone), macro_f1)[0]
    drawn = statistics.resamples(speakers, times=500)
    covered = 0
    for _ in range(500):
        of = sample(said(rng, skills(rng, speakers)), split)
        replicates = statistics.replicate(of, drawn, macro_f1)
        value = statistics.replicate(of, ones(of), macro_f1)[0]
        made = statistics.estimate(value, replicates, speakers)
        assert made is not None
        low, high = statistics.interval(made)
        covered += low <= truth <= high
    assert 0.93 <= covered / 500 <= 0.97


def test_three_speakers_have_no_interval():
    assert statistics.estimate(0.5, np.array([0.4, 0.6]), 3) is None


def test_an_interval_stays_between_zero_and_one():
    of = statistics.Estimate(value=0.97, error=0.05, freedom=9)
    low, high = statistics.interval(of)
    assert 0 < low < 0.97 < high < 1


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_an_interval_holds_its_figure(value: float):
    of = statistics.Estimate(value=value, error=0.01, freedom=9)
    low, high = statistics.interval(of)
    assert 0 <= low <= value <= high <= 1


def test_the_mean_of_figures_has_the_freedom_of_welch():
    a = statistics.Estimate(value=0.2, error=0.03, freedom=9)
    b = statistics.Estimate(value=0.6, error=0.04, freedom=4)
    mean = statistics.average([a, b])
    rng = np.random.default_rng(0)
    x, y = (stats.zscore(rng.standard_normal(n), ddof=1) for n in (10, 5))
    welch = stats.ttest_ind(0.03 * 10**0.5 * x, 0.04 * 5**0.5 * y, equal_var=False)
    assert mean.value == pytest.approx(0.4)
    assert mean.error == pytest.approx(0.025)
    assert mean.freedom == pytest.approx(welch.df)


def test_ranks_are_sure_where_systems_are_far_apart():
    near = np.random.default_rng(0).normal(0.5, 0.01, (2, 1000))
    replicates = np.vstack([near, np.full((1, 1000), 0.9)])
    assert statistics.rank_intervals(replicates) == [(2, 3), (2, 3), (1, 1)]


# ---------------------------------------------------------------- differences


def test_the_permutation_test_is_scipys_where_each_fold_is_a_speaker():
    rng = np.random.default_rng(0)
    a, b = (said(rng, skills(rng, 9) + lift) for lift in (0, 0.05))
    theirs = stats.permutation_test(
        (statistics.score(a, uar), statistics.score(b, uar)),
        lambda x, y, axis: (x - y).mean(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    ours = statistics.differ(sample(a, "loso"), sample(b, "loso"), uar)
    assert ours.value == pytest.approx(theirs.statistic, abs=1e-6)
    assert ours.p == pytest.approx(theirs.pvalue)


def test_drawn_swaps_agree_with_trying_all():
    rng = np.random.default_rng(3)
    a, b = (sample(said(rng, skills(rng, 12)), "one") for _ in "ab")
    exact = statistics.differ(a, b, macro_f1, times=5000)
    drawn = statistics.differ(a, b, macro_f1, times=4000)
    assert exact.least_p == pytest.approx(2 / 2**12)
    assert drawn.least_p == pytest.approx(1 / 4001)
    assert drawn.p == pytest.approx(exact.p, abs=0.03)


@pytest.mark.parametrize("split", MANY)
def test_equal_systems_are_found_to_differ_one_time_in_twenty(split: str):
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(500):
        ability = skills(rng, 10)
        taste = 0.1 * rng.standard_normal((2, 10))  # of a system for a speaker
        a, b = (
            sample(said(rng, np.clip(ability + of, 0, 1), utterances=25), split)
            for of in taste
        )
        found += statistics.differ(a, b, macro_f1, times=1100).p <= 0.05
    assert 0.03 <= found / 500 <= 0.07


def test_a_clear_difference_is_found_and_its_interval_lacks_zero():
    rng = np.random.default_rng(0)
    ability = skills(rng, 10)
    a, b = (sample(said(rng, ability - less), "one") for less in (0, 0.3))
    difference = statistics.differ(a, b, macro_f1, times=2000)
    assert difference.p == difference.least_p
    assert difference.estimate is not None
    assert statistics.interval_of_difference(difference.estimate)[0] > 0.1


def test_swapping_the_two_systems_changes_the_sign_alone():
    rng = np.random.default_rng(0)
    a, b = (sample(said(rng, skills(rng, 6)), "one") for _ in "ab")
    there = statistics.differ(a, b, uar, times=100)
    back = statistics.differ(b, a, uar, times=100)
    assert (there.value, there.p) == pytest.approx((-back.value, back.p))


def test_speakers_are_matched_by_name():
    rng = np.random.default_rng(0)
    counts = said(rng, skills(rng, 5))
    a = sample(counts, "one")
    turned = Sample(speakers=a.speakers[::-1], parts=(part(counts[::-1], range(5)),))
    assert statistics.differ(a, turned, uar, times=50).value == 0
    _, matched = statistics.paired(a, turned)
    assert (matched.parts[0].counts == a.parts[0].counts).all()


def test_only_seeds_that_both_have_are_compared():
    rng = np.random.default_rng(0)
    a, b, other = (said(rng, skills(rng, 5)) for _ in "abc")
    both = Sample(
        speakers=tuple("01234"), parts=(part(a, range(5)), part(other, range(5), 1))
    )
    found = statistics.differ(both, sample(b, "one"), uar, times=50).value
    expected = statistics.differ(sample(a, "one"), sample(b, "one"), uar, times=50)
    assert found == expected.value


def test_other_utterances_cannot_be_compared():
    a = sample(np.ones((2, 2, 2)), "one")
    b = Sample(
        speakers=a.speakers, parts=(part(np.ones((2, 2, 2)), [0, 1], name="other"),)
    )
    with pytest.raises(ValueError, match="not tested on the same utterances"):
        statistics.differ(a, b, uar)


def test_holm_gives_the_textbooks_values():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx(
        [0.03, 0.06, 0.06, 0.02]
    )


def test_holm_never_exceeds_one():
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]
