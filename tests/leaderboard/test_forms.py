from __future__ import annotations

import harness_leaderboard
import pytest

from harness.types import Entry, Table

BOARD = Table(
    title="Macro-F1 in percent",
    columns=("upstream", "downstream", "emodb", "cafe"),
    rows=(
        (
            Entry(text="whisper_base", value="whisper_base"),
            Entry(text="linear †", value="linear †"),
            Entry(text="82.9 ± 1.0 (3)", value=0.829, best=True),
            Entry(text="60.0 (1)", value=0.6, second=True),
        ),
        (
            Entry(text="fbank", value="fbank"),
            Entry(text="linear", value="linear"),
            Entry(text="41.0 (1)", value=0.41),
            Entry(text="7/10 folds"),
        ),
    ),
    notes=("100 % of runs.",),
)


@pytest.mark.parametrize(
    "renderer", list(harness_leaderboard.harness_renderers()), ids=lambda one: one.name
)
@pytest.mark.parametrize("board", [BOARD, Table(title="", columns=("a",), rows=())])
def test_every_form_ends_with_a_newline(renderer, board: Table):
    assert renderer.render(board, width=80, colour=False).endswith("\n")
