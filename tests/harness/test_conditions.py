from __future__ import annotations

from dataclasses import replace

from conditions import CONDITION

from harness.types import TargetCondition, run_id

BEFORE_TARGETS = "50d99a01b57d531e"
"""The name of the same cell before conditions had a target."""


def test_a_cell_keeps_the_name_that_it_had_before_there_were_targets():
    assert run_id(CONDITION, "0", 0) == BEFORE_TARGETS


def test_another_target_is_another_cell():
    gender = replace(CONDITION, target=TargetCondition(name="gender"))
    newer = replace(CONDITION, target=TargetCondition(version=2))
    names = {run_id(one, "0", 0) for one in (CONDITION, gender, newer)}
    assert len(names) == 3
