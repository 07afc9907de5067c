from __future__ import annotations

import harness_leaderboard
import pytest
from boards import MARKED

from harness.types import Table


@pytest.mark.parametrize(
    "renderer", list(harness_leaderboard.harness_renderers()), ids=lambda one: one.name
)
@pytest.mark.parametrize("board", [MARKED, Table(title="", columns=("a",), rows=())])
def test_every_form_ends_with_a_newline(renderer, board: Table):
    assert renderer.render(board, width=80, colour=False).endswith("\n")
