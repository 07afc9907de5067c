from __future__ import annotations

import numpy as np
import pytest
from harness_leaderboard.analysis import statistics
from harness_leaderboard.analysis.samples import Sample, sample_of
from harness_leaderboard.results import reading, store
from scipy import stats
from voices import part, said, sample, skills

from harness.training.metrics import harness_metrics, macro_f1, uar

OF_CLASSES = [one for one in harness_metrics() if not one.of_numbers]


def ones(of: Sample):
    return np.ones((1, len(of.speakers)), np.float32)


# ---------------------------------------------------------------- scores


@pytest.mark.parametrize("metric", OF_CLASSES, ids=lambda one: one.name)
def test_no_utterances_score_nothing(metric):
    assert statistics.score(np.zeros((3, 2, 2)), metric).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("metric", OF_CLASSES, ids=lambda one: one.name)
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


# ---------------------------------------------------------------- differences


def test_p_is_that_of_scipys_paired_t_test():
    gaps = np.random.default_rng(0).normal(0.02, 0.05, 9)
    theirs = stats.ttest_1samp(gaps, 0)
    error = gaps.std(ddof=1) / 3
    made = statistics.Estimate(value=gaps.mean(), error=error, freedom=8)
    assert made.p == pytest.approx(theirs.pvalue)
    assert statistics.interval_of_difference(made) == pytest.approx(
        theirs.confidence_interval()
    )


@pytest.mark.parametrize(("value", "p"), [(0.0, 1.0), (0.1, 2 / 2**6)])
def test_without_an_error_p_is_the_sign_tests(value: float, p: float):
    assert statistics.Estimate(value=value, error=0.0, freedom=5).p == p


def test_speakers_are_matched_by_name():
    rng = np.random.default_rng(0)
    counts = said(rng, skills(rng, 5))
    a = sample(counts, "one")
    turned = Sample(speakers=a.speakers[::-1], parts=(part(counts[::-1], range(5)),))
    _, matched = statistics.aligned((a, turned))
    assert matched.speakers == a.speakers
    assert (matched.parts[0].counts == a.parts[0].counts).all()


def test_only_seeds_that_all_have_are_compared():
    rng = np.random.default_rng(0)
    counts = said(rng, skills(rng, 5))
    parts = (part(counts, range(5)), part(counts, range(5), 1))
    both = Sample(speakers=tuple("01234"), parts=parts)
    kept = statistics.aligned((both, sample(counts, "one")))
    assert [one.seeds for one in kept] == [(0,), (0,)]


def test_other_utterances_cannot_be_compared():
    a = sample(np.ones((2, 2, 2)), "one")
    b = Sample(
        speakers=a.speakers, parts=(part(np.ones((2, 2, 2)), [0, 1], name="other"),)
    )
    with pytest.raises(ValueError, match="not tested on the same utterances"):
        statistics.aligned((a, b))


def test_holm_gives_the_textbooks_values():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx(
        [0.03, 0.06, 0.06, 0.02]
    )


def test_holm_never_exceeds_one():
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]
