"""The short form of the campaign; ``make campaign`` makes some thousand tries."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from campaign import flips, inputs, tries, world
from campaign.__main__ import PARTS
from campaign.tally import Tally, Try

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from campaign.world import World

SHORT = {
    "kills": 12,
    "disks": 7,
    "flips": 2 * len(flips.KINDS),
    "changes": 7,
    "crowds": 2,
    "readers": 1,
    "inputs": 120,
}


@pytest.fixture(scope="session", autouse=True)
def importable():
    """Let processes of their own import the campaign."""
    from pathlib import Path

    tests = str(Path(__file__).parent.parent)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [tests, before]))
    yield
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="session")
def worlds(importable, tmp_path_factory) -> Mapping[str, World]:
    return flips.worlds(tmp_path_factory.mktemp("campaign"))


@pytest.mark.parametrize("part", SHORT)
def test_nothing_that_happens_makes_a_wrong_number(
    part: str, worlds: Mapping[str, World]
):
    tally = Tally()
    tally.make(PARTS[part][1](worlds, SHORT[part], 0), at_once=2)
    assert tally.wrongs == []
    assert tally.tries.total() >= SHORT[part]


# ---------------------------------------------------------------- it sees what is wrong


def test_a_hang_is_seen():
    ended = tries.attempt(time.sleep, 60, patience=0.5)
    assert world.faults(ended) == ["it hangs"]


def test_a_process_that_is_left_is_seen(monkeypatch):
    monkeypatch.setattr(tries, "GRACE", 0.2)
    ended = tries.attempt(os.system, "sleep 60 &")
    assert ended.orphans == 1


def test_a_traceback_is_seen():
    ended = tries.attempt(divmod, 1, 0)
    assert "ZeroDivisionError" in world.faults(ended)[0]


def test_an_input_that_ends_its_process_is_named_and_the_others_are_fed(
    worlds: Mapping[str, World], monkeypatch, tmp_path: Path
):
    tally = Tally()
    monkeypatch.setitem(inputs.KINDS, "culprit", None)
    tally.make(inputs.tries(worlds["plain"], "culprit", 3, 7))
    assert [wrong.split(": ")[1][:6] for _, wrong in tally.wrongs] == [
        "seed 7",
        "seed 8",
        "seed 9",
    ]


def test_the_table_counts_tries_and_wrongs():
    tally = Tally()
    tally.make([Try("a", "1", list), Try("a", "2", lambda: ["bad"])])
    assert tally.table().splitlines()[-2:] == ["| a | 2 | 1 |", "| in all | 2 | 1 |"]
    assert tally.wrongs == [("a", "2: bad")]
