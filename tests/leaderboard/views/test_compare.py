from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from harness_leaderboard.analysis.tables import Question
from harness_leaderboard.render.text import headings
from harness_leaderboard.results import store
from harness_leaderboard.views.compare import compare

from harness import HarnessError
from harness.errors import UnknownNameError
from harness.training.metrics import score
from harness.types import Prediction

if TYPE_CHECKING:
    from harness.types import Result, Table


@pytest.fixture
def heard(make_result):
    """A result of a head that is right about each speaker as often as asked."""

    def heard(head: str, skill: float, seed: int = 0, speakers: int = 10, **changes):
        random = np.random.default_rng([seed, int(1e6 * skill)])
        true = np.random.default_rng(speakers).integers(0, 2, (speakers, 20))
        said = np.where(random.random(true.shape) < skill, true, 1 - true)
        labels = ("anger", "joy")
        predictions = tuple(
            Prediction(
                utterance=f"{speaker}-{place}",
                speaker=str(speaker),
                gender=None,
                label=labels[true[speaker, place]],
                predicted=labels[said[speaker, place]],
                scores=(0.5, 0.5),
            )
            for speaker, place in np.ndindex(true.shape)
        )
        macro_f1 = score(true.ravel(), said.ravel(), classes=2).macro_f1
        return make_result(
            downstream=head,
            seed=seed,
            macro_f1=macro_f1,
            predictions=predictions,
            **changes,
        )

    return heard


def against(*results: Result, a: str = "linear", b: str = "multilayer") -> Table:
    rows = [store._row(result) for result in results]
    table = pa.Table.from_pylist(rows, schema=store.schema())
    names = (f"whisper-base/{a}", f"whisper-base/{b}")
    return compare(table, Question(), names)


def first(table: Table) -> dict:
    return dict(zip(headings(table), table.rows[0], strict=True))


def test_a_clear_difference_is_significant_and_needs_no_more_speakers(heard):
    a, b = heard("linear", 0.95), heard("multilayer", 0.6)
    row = first(against(a, b))
    assert row["A"].value == pytest.approx(a.macro_f1, abs=1e-6)
    assert row["B"].value == pytest.approx(b.macro_f1, abs=1e-6)
    assert row["A−B"].value == pytest.approx(a.macro_f1 - b.macro_f1, abs=1e-6)
    assert row["p"].value == pytest.approx(2 / 2**10)
    assert row["to separate: speakers"].text == "these do"


def test_a_small_difference_says_how_many_speakers_would_settle_it(heard):
    row = first(against(heard("linear", 0.8), heard("multilayer", 0.78)))
    assert row["p"].value > 0.05
    assert row["to separate: speakers"].value > 10


def seeds(heard, count: int, skills: tuple[float, float] = (0.8, 0.78)) -> list[Result]:
    heads = ("linear", "multilayer")
    return [
        heard(head, skill, seed)
        for seed in range(count)
        for head, skill in zip(heads, skills, strict=True)
    ]


def test_one_seed_tells_nothing_of_seeds_and_says_so(heard):
    table = against(*seeds(heard, 1))
    row = first(table)
    assert row["deviation of one: seed"].text == row["to separate: seeds"].text == ""
    assert any("two seeds or more" in note for note in table.notes)


def test_several_seeds_say_how_many_would_settle_it(heard):
    table = against(*seeds(heard, 3))
    row = first(table)
    assert row["deviation of one: seed"].value >= 0
    assert row["to separate: seeds"].text.startswith(("about", "no number"))
    assert not any("two seeds or more" in note for note in table.notes)


def test_five_speakers_settle_nothing_whatever_the_seeds(heard):
    results = [
        heard(head, skill, seed, speakers=5)
        for seed in (0, 1)
        for head, skill in (("linear", 0.95), ("multilayer", 0.5))
    ]
    row = first(against(*results))
    assert row["p"].value > 0.05
    assert row["to separate: seeds"].text == "no number"
    assert row["to separate: speakers"].value >= 6


def test_several_corpora_are_corrected_for_and_averaged(heard):
    corpora = ("emodb", "cafe")
    results = [heard("linear", 0.9, corpus=corpus) for corpus in corpora]
    results += [heard("multilayer", 0.7, corpus=corpus) for corpus in corpora]
    table = against(*results)
    assert [row[0].text for row in table.rows] == ["cafe", "emodb", "mean of 2"]
    row = first(table)
    assert row["p (Holm)"].value == pytest.approx(2 * row["p"].value)
    gaps = [row[4].value for row in table.rows]
    assert gaps[2] == pytest.approx((gaps[0] + gaps[1]) / 2)


def test_systems_without_common_utterances_are_one_clear_error(heard):
    with pytest.raises(HarnessError, match="not tested on the same utterances"):
        against(heard("linear", 0.9), heard("multilayer", 0.7, speakers=6))


def test_an_unknown_system_suggests_a_near_one(heard):
    with pytest.raises(UnknownNameError, match="Did you mean 'whisper-base/linear'"):
        against(heard("linear", 0.9), a="linea")


def test_a_name_that_means_several_systems_asks_for_more(heard):
    fed = [heard("linear", 0.9, upstream_feeding=way) for way in ("full", "trimmed")]
    with pytest.raises(HarnessError, match=r"whisper-base · trimmed/linear"):
        against(*fed, b="linear")


def test_a_system_is_also_named_as_the_board_names_it(heard):
    fed = [heard("linear", 0.9, upstream_feeding=way) for way in ("full", "trimmed")]
    rows = [store._row(result) for result in fed]
    table = pa.Table.from_pylist(rows, schema=store.schema())
    names = ("whisper-base · full/linear", "whisper-base · trimmed/linear")
    assert compare(table, Question(), names).rows[0][4].value == 0
