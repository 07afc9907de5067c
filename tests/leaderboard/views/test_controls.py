"""Controls stand below a line, win no mark, and are no upstream's best head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from boards import table
from harness_leaderboard.analysis.question import Question
from harness_leaderboard.render import latex, page, terminal
from harness_leaderboard.results import reading, store
from harness_leaderboard.views.catalogue import VIEWS

from harness import HarnessError

if TYPE_CHECKING:
    from results import MakeResult

    from harness.types import Result, Table

CONTROLS = frozenset({"fbank", "chance", "permuted"})
PRETRAINING = {"fbank": (), "whisper-base": ("mul",)}


def show(name: str, *results: Result) -> Table:
    asked = Question(
        pretraining=PRETRAINING, controls=CONTROLS, classifiers=frozenset({"ast"})
    )
    view = VIEWS[name]
    runs = reading.flattened(store.table_of(results), view.columns(asked))
    return view.make(runs, asked)


@pytest.fixture
def grid(make_result: MakeResult) -> list[Result]:
    """A model that its own control and log-mels beat."""
    scores = {
        "whisper-base/linear": 0.4,
        "whisper-base/permuted": 0.5,
        "fbank/linear": 0.7,
        "fbank/chance": 0.9,
        "random:whisper-base/linear": 0.6,
    }
    return [
        make_result(upstream=up, downstream=down, macro_f1=score)
        for name, score in scores.items()
        for up, down in [name.split("/")]
    ]


def test_controls_stand_below_a_line_whatever_they_reach(grid):
    board = show("board", *grid)
    names = [" ".join(entry.text for entry in row[:2]) for row in board.rows]
    assert names[0] == "whisper-base linear"
    assert all(name.endswith("(control)") for name in names[1:])
    assert board.apart == 4


def test_nothing_stands_below_a_line_where_all_are_controls(grid):
    assert show("board", *grid[1:]).apart == 0


def test_a_control_is_no_upstreams_best_head(grid):
    shown = show("languages", *grid)
    assert shown.columns == (
        *("corpus", "fbank†", "random:whisper-base†", "whisper-base†"),
    )
    assert shown.groups == ("", "baseline", "baseline", "multilingual")


def test_a_classifier_that_is_made_for_an_upstream_stands_beside_it(
    grid, make_result: MakeResult
):
    ast: dict[str, Any] = {"upstream": "fbank", "downstream": "ast", "macro_f1": 0.1}
    shown = show("languages", *grid, make_result(**ast))
    assert shown.columns[1:3] == ("fbank ast", "fbank†")


def test_label_only_results_alone_have_no_languages_to_show(grid):
    with pytest.raises(HarnessError, match="all are controls"):
        show("languages", grid[3])


def test_no_control_is_the_highest_of_an_upstream(grid):
    shown = show("classifiers", *grid)
    assert shown.columns == ("upstream", "linear", "chance", "permuted")
    assert shown.apart == 2
    assert not any(entry.second for row in shown.rows[1:] for entry in row)


def test_no_control_is_the_highest_of_a_transfer(make_result: MakeResult):
    abroad = {"test_corpus": "emovo", "split": "transfer", "labels": ("a", "b")}
    shown = show(
        "transfer",
        *(
            make_result(
                upstream=up, uar=score, corpus="emodb", labels_absent=(), **abroad
            )
            for up, score in (("whisper-base", 0.6), ("acme", 0.3), ("fbank", 0.9))
        ),
    )
    assert [row[0].text for row in shown.rows] == ["acme", "whisper-base", "fbank"]
    assert [row[3].second for row in shown.rows] == [False, True, False]
    assert shown.apart == 1
    (said,) = [note for note in shown.notes if "Below chance" in note]
    assert "emodb → emovo (acme · linear)." in said


BOARD = table(
    ("whisper-base", "82.9"),
    ("fbank", "41.0"),
    columns=("upstream", "emodb"),
    apart=1,
)


def test_the_line_is_drawn_in_a_terminal():
    lines = terminal.rich(BOARD, width=80, colour=False).splitlines()
    assert [line[:5] for line in lines[2:6]] == ["─────", "whisp", "─────", "fbank"]


def test_the_line_is_drawn_in_a_paper():
    assert "\\midrule\nfbank" in latex.latex(BOARD, width=80, colour=False)


def test_the_line_is_drawn_on_a_page():
    assert '<tr class="apart"><th' in page.html(BOARD, width=80, colour=False)
