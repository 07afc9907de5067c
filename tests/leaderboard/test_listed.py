"""What the leaderboard's options take is in ``harness list``."""

from __future__ import annotations

import json

import pytest
from harness_leaderboard.figures import DRAWINGS
from harness_leaderboard.views.catalogue import VIEWS


@pytest.mark.parametrize(("plural", "known"), [("views", VIEWS), ("figures", DRAWINGS)])
def test_views_and_figures_are_listed_with_what_they_show(harness, plural, known):
    code, out, _ = harness("list", plural, "--format", "json")
    assert code == 0
    assert json.loads(out) == [
        {plural[:-1]: name, "summary": one.summary} for name, one in known.items()
    ]
    assert f"|{plural}" in harness("list", "--help")[1].replace("\n", "").replace(
        " ", ""
    )


def test_what_is_in_no_list_is_refused_with_what_is(harness):
    code, _, err = harness("list", "view")
    assert code == 2
    assert "'views'" in err
