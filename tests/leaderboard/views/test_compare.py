from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from boards import number
from harness_leaderboard.analysis.figures import columns
from harness_leaderboard.analysis.question import Question
from harness_leaderboard.render.text import headings
from harness_leaderboard.results import reading, store
from harness_leaderboard.views.compare import compare
from study import with_predictions

from harness import HarnessError
from harness.errors import UnknownNameError
from harness.training.metrics import macro_f1

if TYPE_CHECKING:
    import pyarrow as pa

    from harness.types import Entry, Result, Table


@pytest.fixture
def predicting(make_result):
    """A result of a head that is right about each speaker as often as asked."""

    def predicting(head: str, skill: float, seed: int = 0, speakers: int = 10, **more):
        random = np.random.default_rng([seed, int(1e6 * skill)])
        true = np.random.default_rng(speakers).integers(0, 2, (speakers, 20))
        said = np.where(random.random(true.shape) < skill, true, 1 - true)
        return with_predictions(
            make_result(downstream=head, seed=seed, **more), true, said
        )

    return predicting


def table_of(*results: Result) -> pa.Table:
    needed = (*columns(macro_f1), "labels", "predictions")
    return reading.flattened(store.table_of(results), needed)


def against(
    *results: Result, a: str = "linear", b: str = "multilayer", **question: Any
) -> Table:
    names = (f"whisper-base/{a}", f"whisper-base/{b}")
    return compare(table_of(*results), Question(**question), names)


def first(table: Table) -> dict[str, Entry]:
    return dict(zip(headings(table), table.rows[0], strict=True))


def test_a_clear_difference_is_significant(predicting):
    a, b = predicting("linear", 0.95), predicting("multilayer", 0.6)
    row = first(against(a, b))
    assert row["A"].value == pytest.approx(a.scores["macro_f1"], abs=1e-6)
    assert row["B"].value == pytest.approx(b.scores["macro_f1"], abs=1e-6)
    assert row["A−B"].value == pytest.approx(
        a.scores["macro_f1"] - b.scores["macro_f1"], abs=1e-6
    )
    assert number(row["p"]) < 0.001
    assert 0 < number(row["detectable"]) < number(row["A−B"])


def test_how_many_speakers_would_find_a_named_difference_is_said(predicting):
    results = predicting("linear", 0.8), predicting("multilayer", 0.78)
    few, many = (first(against(*results, detect=points / 100)) for points in (20, 5))
    assert "to detect 5 points: speakers" in many
    assert number(few["to detect 20 points: speakers"]) < number(
        many["to detect 5 points: speakers"]
    )
    high = many["to detect 5 points: speakers"].details["high"]
    assert number(many["to detect 5 points: speakers"]) < float(high)
    assert not any("to detect" in name for name in first(against(*results)))


def seeds(
    predicting, count: int, skills: tuple[float, float] = (0.8, 0.78)
) -> list[Result]:
    heads = ("linear", "multilayer")
    return [
        predicting(head, skill, seed)
        for seed in range(count)
        for head, skill in zip(heads, skills, strict=True)
    ]


def test_one_seed_says_nothing_of_seeds_and_the_row_says_so(predicting):
    table = against(*seeds(predicting, 1), detect=0.05)
    row = first(table)
    assert (
        row["deviation of one: seed"].text
        == row["to detect 5 points: seeds"].text
        == ""
    )
    assert (
        row["corpus"].details["figures"] == "pooled over speakers, one fold, one seed"
    )
    assert any("two seeds on" in note for note in table.notes)


def test_several_seeds_say_how_many_would_find_a_difference(predicting):
    table = against(*seeds(predicting, 3), detect=0.05)
    row = first(table)
    assert number(row["deviation of one: seed"]) >= 0
    assert row["to detect 5 points: seeds"].text
    assert not any("two seeds on" in note for note in table.notes)


def test_three_speakers_have_no_test_and_a_note(predicting):
    table = against(
        *(predicting(head, skill, speakers=3) for head, skill in HEADS.items())
    )
    assert first(table)["p"].text == first(table)["detectable"].text == ""
    assert any("3 test speakers: too few for an error" in note for note in table.notes)


HEADS = {"linear": 0.95, "multilayer": 0.5}


def test_several_corpora_are_corrected_for_and_averaged(predicting):
    corpora = ("emodb", "cafe")
    results = [predicting("linear", 0.9, corpus=corpus) for corpus in corpora]
    results += [predicting("multilayer", 0.7, corpus=corpus) for corpus in corpora]
    table = against(*results)
    assert [row[0].text for row in table.rows] == ["cafe", "emodb", "mean of 2"]
    row = first(table)
    assert row["p (Holm)"].value == pytest.approx(2 * number(row["p"]))
    gaps = [number(row[5]) for row in table.rows]
    assert gaps[2] == pytest.approx((gaps[0] + gaps[1]) / 2)


def test_systems_without_common_utterances_are_one_clear_error(predicting):
    with pytest.raises(HarnessError, match="not tested on the same utterances"):
        against(predicting("linear", 0.9), predicting("multilayer", 0.7, speakers=6))


def test_an_unknown_system_suggests_a_near_one(predicting):
    with pytest.raises(UnknownNameError, match="Did you mean 'whisper-base/linear'"):
        against(predicting("linear", 0.9), a="linea")


def test_a_name_that_means_several_systems_asks_for_more(predicting):
    fed = [predicting("linear", 0.9, feeding=way) for way in ("full", "trimmed")]
    with pytest.raises(HarnessError, match=r"whisper-base · trimmed/linear"):
        against(*fed, b="linear")


def test_a_metric_of_more_than_confusions_is_refused(predicting):
    results = table_of(predicting("linear", 0.9))
    metric = replace(macro_f1, name="loss", title="Log loss", of_confusion=False)
    with pytest.raises(HarnessError, match="Log loss is not computed from confusions"):
        compare(results, Question(metric=metric), ("a/b", "c/d"))


def test_a_system_is_also_named_as_the_board_names_it(predicting):
    fed = [predicting("linear", 0.9, feeding=way) for way in ("full", "trimmed")]
    names = ("whisper-base · full/linear", "whisper-base · trimmed/linear")
    assert compare(table_of(*fed), Question(), names).rows[0][5].value == 0
