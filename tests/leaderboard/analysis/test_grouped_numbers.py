"""Groups of predicted numbers, beside audmetric, scipy and a plain loop."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import audmetric
import numpy as np
import pytest
from harness_leaderboard.analysis import grouped, sampling
from harness_leaderboard.analysis.grouping import Grouping
from harness_leaderboard.analysis.samples import sample_of
from harness_leaderboard.results import reading, store
from ratings import with_numbers
from scipy import stats

from harness.training.metrics import ccc, pearson, rmse

METRICS = {
    ccc: audmetric.concordance_cc,
    pearson: lambda true, said: stats.pearsonr(true, said).statistic,
    rmse: lambda true, said: np.sqrt(np.mean((true - said) ** 2)),
}
MEASURED = pytest.mark.parametrize(
    ("metric", "theirs"), METRICS.items(), ids=lambda one: getattr(one, "name", "")
)
SPEAKERS, EACH = 8, 12


@pytest.fixture
def spoken(make_result):
    """Make results of two seeds, whose odd speakers are predicted worse."""

    def spoken(scale=1.0):
        rng = np.random.default_rng(5)
        true = scale * rng.normal(3, 1, (SPEAKERS, EACH))
        noise = scale * np.where(np.arange(SPEAKERS) % 2, 0.9, 0.4)[:, None]
        return [
            with_numbers(
                make_result(seed=seed), true, true + noise * rng.normal(size=true.shape)
            )
            for seed in (0, 1)
        ]

    return spoken


def table_of(results, group):
    named = [
        replace(
            result,
            predictions=tuple(
                replace(one, sentence=group(*divmod(place, EACH)))
                for place, one in enumerate(result.predictions)
            ),
        )
        for result in results
    ]
    needed = ("seed", "labels", "predictions")
    return reading.flattened(store.table_of(named), needed)


def of(results, group):
    found = grouped.grouped(table_of(results, group), Grouping(name="sentence"))
    assert found is not None
    return found


def figure(results, theirs, chosen):
    """The mean over seeds of a metric of some utterances."""
    pairs = (
        [
            (one.value, one.predicted_value)
            for place, one in enumerate(result.predictions)
            if chosen(*divmod(place, EACH))
        ]
        for result in results
    )
    return np.mean([theirs(*np.array(of_seed).T) for of_seed in pairs])


def by_speaker(speaker, place):
    return "ab"[speaker % 2]


def by_place(speaker, place):
    return "abc"[place % 3]


@MEASURED
@pytest.mark.parametrize("group", [by_speaker, by_place])
def test_a_groups_figure_is_that_of_its_numbers(metric, theirs, group, spoken):
    results = spoken()
    found = of(results, group)
    expected = [
        figure(results, theirs, lambda *at, name=name: group(*at) == name)
        for name in found.groups
    ]
    assert grouped.figures(found, metric) == pytest.approx(expected)
    assert found.utterances(0) == sum(
        group(speaker, place) == "a" for speaker, place in np.ndindex(SPEAKERS, EACH)
    )


@MEASURED
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_p_among_speakers_is_the_share_of_all_divisions(metric, theirs, scale, spoken):
    results = spoken(scale)
    test = grouped.test_of(of(results, by_speaker), metric)
    gaps = {}
    for chosen in combinations(range(SPEAKERS), 4):
        inside = figure(results, theirs, lambda s, _, c=chosen: s in c)
        outside = figure(results, theirs, lambda s, _, c=chosen: s not in c)
        gaps[chosen] = abs(inside - outside)
    observed = gaps[0, 2, 4, 6] * (1 - 1e-6)
    assert test is not None
    assert test.permutations == len(gaps) == 70
    assert test.p == np.mean(np.array([*gaps.values()]) >= observed)


@MEASURED
def test_the_worst_speaker_is_at_the_right_end(metric, theirs, spoken):
    results = spoken()
    of_speaker = [
        theirs(
            *np.array(
                [
                    (one.value, one.predicted_value)
                    for result in results
                    for one in result.predictions
                    if one.speaker == f"s{speaker}"
                ]
            ).T
        )
        for speaker in range(SPEAKERS)
    ]
    worst = int((np.argmax if metric is rmse else np.argmin)(of_speaker))
    name, value, number = grouped.worst_speaker(of(results, by_place), metric)
    assert (name, number) == (f"s{worst}", EACH)
    assert value == pytest.approx(of_speaker[worst])


@MEASURED
def test_the_interval_of_everyone_is_that_of_the_board(metric, theirs, spoken):
    results = spoken()
    alone = of(results, lambda *_: "all")
    whole = sample_of(table_of(results, by_place))
    expected = sampling.estimate(sampling.draws(whole, metric))
    assert expected is not None
    made = grouped.estimate(alone, 0, metric)
    assert made is not None
    assert made.value == pytest.approx(expected.value)
    assert made.error == pytest.approx(expected.error, rel=1e-6)


@MEASURED
def test_gaps_have_intervals_between_and_within_speakers(metric, theirs, spoken):
    for group in (by_speaker, by_place):
        found = of(spoken(), group)
        figures = grouped.figures(found, metric)
        made = grouped.gap_estimate(found, (0, 1), metric)
        assert made is not None
        assert made.value == pytest.approx(figures[0] - figures[1], abs=0.02)
        assert made.error > 0


def test_numbers_lack_no_labels_and_have_no_rare_ones(spoken):
    found = of(spoken(), by_place)
    assert found.labels == ()
    assert found.lacking() == {}
    assert list(grouped.remarks(found, 0, ccc)) == []
    assert found.crossed
