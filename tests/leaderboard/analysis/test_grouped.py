"""Scores by group against scikit-learn and scipy, and tests against plain loops."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from harness_leaderboard.analysis import grouped, statistics
from harness_leaderboard.analysis.grouping import Grouping
from harness_leaderboard.results import reading, store
from scipy.stats import ttest_ind, ttest_rel
from sklearn.metrics import f1_score
from study import LABELS, with_predictions

from harness.training.metrics import accuracy, macro_f1

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from harness_leaderboard.analysis.grouped import Grouped
    from results import MakeResult

    from harness.types import Result

    Skill = Callable[[int, int], float]
    Where = Callable[[int, int], str | None]

EACH = 30


@pytest.fixture
def spoken(make_result: MakeResult):
    """Make a result whose utterances are right as often, and in a group, as asked."""

    def spoken(
        skill: Skill, group: Where, *, speakers: int = 8, seed: int = 0
    ) -> Result:
        random = np.random.default_rng(seed)
        true = np.random.default_rng(99).integers(0, 3, (speakers, EACH))
        right = [
            [random.random() < skill(s, n) for n in range(EACH)]
            for s in range(speakers)
        ]
        made = with_predictions(
            make_result(seed=seed), true, np.where(right, true, (true + 1) % 3)
        )
        named = tuple(
            replace(one, sentence=group(*divmod(place, EACH)))
            for place, one in enumerate(made.predictions)
        )
        return replace(made, predictions=named)

    return spoken


def of(*results: Result) -> Grouped:
    """The predictions of a place by ``sentence``, which stands for any field."""
    needed = ("seed", "labels", "predictions")
    runs = reading.flattened(store.table_of(results), needed)
    found = grouped.grouped(runs, Grouping(name="sentence"))
    assert found is not None
    return found


def f1(
    results: list[Result], *, groups: str = "", speakers: Collection[str] = ()
) -> float:
    """The mean over seeds of the macro-F1 of some utterances, by scikit-learn."""
    found = []
    for result in results:
        kept = [
            p
            for p in result.predictions
            if p.sentence in [*groups] or p.speaker in speakers
        ]
        true, said = [p.label for p in kept], [p.predicted for p in kept]
        found.append(f1_score(true, said, labels=sorted(set(true)), average="macro"))
    return float(np.mean(found))


def by_speaker(speaker: int, place: int) -> str:
    return "ab"[speaker % 2]


def by_place(speaker: int, place: int) -> str:
    return "abc"[place % 3]


def test_a_groups_figure_is_that_of_its_utterances_in_the_mean_over_seeds(spoken):
    results = [spoken(lambda s, n: 0.5 + 0.05 * s, by_place, seed=k) for k in (0, 1)]
    found = grouped.figures(of(*results), macro_f1)
    expected = [f1(results, groups=one) for one in "abc"]
    assert found == pytest.approx(expected)


def test_the_worst_speaker_is_named(spoken):
    found = of(spoken(lambda s, n: 0.2 if s == 3 else 0.9, by_place))
    name, _, number = grouped.worst_speaker(found, macro_f1)
    assert (name, number) == ("s3", EACH)


def test_p_among_speakers_is_the_share_of_all_divisions_with_as_large_a_gap(spoken):
    results = [spoken(lambda s, n: 0.5 + 0.1 * (s % 3), by_speaker)]
    test = grouped.test_of(of(*results), macro_f1)
    gaps = []
    everyone = [f"s{number}" for number in range(8)]
    for chosen in combinations(everyone, 4):
        inside = f1(results, speakers=chosen)
        outside = f1(results, speakers=set(everyone) - set(chosen))
        gaps.append(abs(inside - outside))
    found = grouped.figures(of(*results), macro_f1)
    observed = np.ptp(found)
    assert test is not None
    assert test.permutations == len(gaps) == 70
    assert test.p == pytest.approx(np.mean(np.array(gaps) >= observed - 1e-9))


def test_within_speakers_groups_are_permuted_and_nothing_moves_between_them(spoken):
    found = of(spoken(lambda s, n: 0.7, by_place))
    orders, every = grouped._permutations(found)
    drawn = np.concatenate(list(orders))
    assert not every
    assert (np.sort(drawn.reshape(-1, 8, 3), axis=2) == np.arange(3)).all()
    assert len(np.unique(drawn[:, :3], axis=0)) == 6


@pytest.mark.parametrize(
    ("group", "better"),
    [(by_speaker, lambda s, n: s % 2 == 0), (by_place, lambda s, n: n % 3 == 0)],
)
def test_a_planted_gap_is_found_and_chance_is_not(group, better, spoken):
    planted = spoken(lambda s, n: 0.95 if better(s, n) else 0.4, group)
    test = grouped.test_of(of(planted), macro_f1)
    assert test is not None
    assert test.p < 0.05
    ps = []
    for seed in range(20):
        test = grouped.test_of(of(spoken(lambda s, n: 0.7, group, seed=seed)), accuracy)
        assert test is not None
        ps.append(test.p)
    assert 0.3 < np.mean(ps) < 0.7


def test_a_gap_between_speakers_is_welchs(spoken):
    found = of(spoken(lambda s, n: 0.5 + 0.05 * s, by_speaker, speakers=12))
    hits = np.einsum("pcc->p", found.counts[0]) / EACH
    first, second = hits[found.group == 0], hits[found.group == 1]
    expected = ttest_ind(first, second, equal_var=False)
    made = grouped.gap_estimate(found, (0, 1), accuracy)
    assert made is not None
    assert made.value == pytest.approx(first.mean() - second.mean())
    assert made.freedom == pytest.approx(expected.df)
    assert statistics.interval_of_difference(made) == pytest.approx(
        tuple(expected.confidence_interval())
    )


def test_a_gap_within_speakers_is_of_their_differences(spoken):
    found = of(spoken(lambda s, n: 0.5 + 0.2 * (n % 3) - 0.03 * s, by_place))
    hits = np.einsum("pcc->p", found.counts[0]).reshape(8, 3) / 10
    expected = ttest_rel(hits[:, 2], hits[:, 0]).confidence_interval()
    made = grouped.gap_estimate(found, (2, 0), accuracy)
    assert made is not None
    low, high = statistics.interval_of_difference(made)
    assert (low + high) / 2 == pytest.approx((expected.low + expected.high) / 2)
    assert high - low >= 0.99 * (expected.high - expected.low)  # utterances: a floor


def test_a_group_of_one_speaker_has_no_interval_and_says_so(spoken):
    found = of(spoken(lambda s, n: 0.7, lambda s, n: "ab"[s == 0], speakers=9))
    assert grouped.estimate(found, 0, accuracy) is not None
    assert grouped.estimate(found, 1, accuracy) is None
    assert grouped.gap_estimate(found, (0, 1), accuracy) is None
    (said,) = grouped.remarks(found, 1, accuracy)
    assert "1 test speaker" in said
    test = grouped.test_of(found, accuracy)
    assert test is not None
    assert test.permutations == 9


def test_where_each_group_is_one_speaker_there_is_no_test(spoken):
    found = of(spoken(lambda s, n: 0.7, lambda s, n: f"s{s}"))
    assert grouped.test_of(found, accuracy) is None


def test_utterances_without_a_group_are_counted_and_left_out(spoken):
    found = of(spoken(lambda s, n: 0.7, lambda s, n: "a" if n else None))
    assert found.unknown == 8
    assert found.utterances(0) == 8 * (EACH - 1)


def test_seeds_that_were_tested_on_other_groups_have_no_interval(spoken):
    first = spoken(lambda s, n: 0.7, by_speaker)
    second = spoken(lambda s, n: 0.7, by_speaker, seed=1)
    less = tuple(one for one in second.predictions if one.speaker != "s0")
    found = of(first, replace(second, predictions=less))
    assert not found.crossed
    assert grouped.estimate(found, 0, accuracy) is None


def test_labels_that_a_group_lacks_are_named(spoken):
    result = spoken(lambda s, n: 0.7, by_place)
    less = tuple(
        one
        for one in result.predictions
        if not (one.sentence == "a" and one.label == LABELS[0])
    )
    assert of(replace(result, predictions=less)).lacking() == {"a": [LABELS[0]]}
