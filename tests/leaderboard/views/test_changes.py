from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from harness_leaderboard.analysis.question import Question
from harness_leaderboard.results import reading, store
from harness_leaderboard.views.changes import changes, columns

if TYPE_CHECKING:
    from results import MakeResult

    from harness.types import Result, Table


def moved(old: list[Result], new: list[Result]) -> Table:
    needed = columns(Question())
    before, after = (
        reading.flattened(store.table_of(results), needed) for results in (old, new)
    )
    return changes(before, after, Question())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"checkpoint": "f" * 64}, "upstream weights cccccccc → ffffffff"),
        ({"frame_type": "float16"}, "upstream frame_type float32 → float16"),
        ({"manifest": "f" * 64}, "corpus data dddddddd → ffffffff"),
        ({"recipe": "mine"}, "downstream recipe peft-ser → mine"),
        ({"harness_version": "0.2.0"}, "training harness version 0.1.0 → 0.2.0"),
        (
            {"training_versions": {"torch": "2.12.0", "python": "3.11.9"}},
            "training versions torch 2.11.0 → 2.12.0",
        ),
        ({"device": "cuda"}, "training device cpu → cuda"),
        ({"extraction_devices": "cuda"}, "extraction devices cpu → cuda"),
        (
            {"extraction_versions": {"torch": "2.12.0"}},
            "extraction versions torch 2.11.0 → 2.12.0",
        ),
        ({}, "nothing that is stored"),
    ],
)
def test_what_moved_says_why(change: dict[str, Any], why: str, make_result: MakeResult):
    table = moved([make_result()], [make_result(macro_f1=0.75, **change)])
    assert [entry.text for entry in table.rows[0]] == [
        "whisper-base · full",
        "linear",
        "emodb · speaker-independent 0 · seed 0",
        *("80.0", "75.0", "-5.00", why),
    ]


def test_what_did_not_move_is_not_shown(make_result: MakeResult):
    old, new = make_result(), make_result(harness_version="0.2.0")
    assert moved([old], [new]).rows == ()


def test_what_moved_furthest_comes_first(make_result: MakeResult):
    old = [make_result(seed=seed) for seed in (0, 1)]
    new = [
        make_result(seed=0, macro_f1=0.81),
        make_result(seed=1, macro_f1=0.6),
    ]
    assert [row[5].text for row in moved(old, new).rows] == ["-20.00", "+1.00"]


def test_what_is_new_and_what_is_gone_is_counted(make_result: MakeResult):
    old = [make_result(seed=0), make_result(seed=1), make_result(seed=2)]
    new = [make_result(seed=0), make_result(seed=3)]
    note = "0 of 1 cells moved; 1 are new, 2 are gone."
    assert moved(old, new).notes[0] == note


def test_the_newest_result_of_a_cell_counts(make_result: MakeResult):
    later = make_result(macro_f1=0.5, training_created="2025-06-01T00:00:00+00:00")
    table = moved([make_result()], [later, make_result(macro_f1=0.9)])
    assert table.rows[0][4].text == "50.0"


def test_results_of_a_cell_are_paired_by_what_they_have_in_common(make_result):
    old = [make_result(frame_type=kind) for kind in ("float16", "float32")]
    new = [
        make_result(frame_type="float32", macro_f1=0.7),
        make_result(frame_type="float16", macro_f1=0.6),
    ]
    table = moved(old, new)
    assert [row[6].text for row in table.rows] == ["nothing that is stored"] * 2
    assert [row[4].text for row in table.rows] == ["60.0", "70.0"]
