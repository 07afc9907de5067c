from __future__ import annotations

import csv
import io
import json

import pytest
from harness_leaderboard import render

from harness.types import Entry, Table


def table(
    *rows: tuple[str, ...], columns: tuple[str, ...] = (), **more: object
) -> Table:
    """A table of names and percentages; the first figure of the first row is best."""

    def entry(text: str, best: bool) -> Entry:
        if text.replace(".", "").isdigit():
            return Entry(text=text, value=float(text) / 100, best=best)
        return Entry(text=text, value=text)

    entries = tuple(
        tuple(entry(text, (down, across) == (0, 1)) for across, text in enumerate(row))
        for down, row in enumerate(rows)
    )
    return Table(title="UAR in percent", columns=columns, rows=entries, **more)


BOARD = table(
    ("whisper-base", "82.9", "60.1"),
    ("fbank", "41.0", "33.3"),
    columns=("upstream", "emodb", "cafe"),
    notes=("All runs: split loso.",),
)
HOSTILE = table(
    ("[red]x[/]", "82.9"),
    ("a|b", "1.0"),
    ("../x\nnewline\x1b[2J", "2.0"),
    ("*bold* _it_ `c` <b> &amp;", "3.0"),
    columns=("up\nstream", "em|odb"),
)


def drawn(table: Table, width: int = 60) -> str:
    return render.rich(table, width=width, colour=False)


def test_a_board_in_the_terminal():
    assert (
        drawn(BOARD)
        == """\
UAR in percent
upstream       emodb   cafe
───────────────────────────
whisper-base   *82.9   60.1
fbank           41.0   33.3

*: the best.
All runs: split loso.
"""
    )


def test_a_board_that_is_too_wide_continues_below_itself():
    assert (
        drawn(BOARD, width=26)
        == """\
UAR in percent
upstream       emodb
────────────────────
whisper-base   *82.9
fbank           41.0

upstream       cafe
───────────────────
whisper-base   60.1
fbank          33.3

*: the best.
All runs: split loso.
"""
    )


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_width_loses_a_figure_or_part_of_a_name(width: int):
    name = "an-upstream-with-a-name-that-is-much-too-long-for-any-terminal"
    figures = tuple(f"{10 + place}.5" for place in range(12))
    columns = ("upstream", *(f"corpus-{place}" for place in range(12)))
    text = drawn(table((name, *figures), columns=columns), width)
    assert all(figure in text for figure in figures)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_a_long_name_is_folded_and_whole():
    text = drawn(table(("x" * 50, "82.9"), columns=("upstream", "emodb")), width=40)
    assert text.count("x") == 50


def test_hostile_names_in_the_terminal_stay_text():
    assert (
        drawn(HOSTILE)
        == """\
UAR in percent
up\\nstream                  em|odb
──────────────────────────────────
[red]x[/]                    *82.9
a|b                            1.0
../x\\nnewline\\x1b[2J           2.0
*bold* _it_ `c` <b> &amp;      3.0

*: the best.
"""
    )


def test_colour_makes_the_best_bold():
    text = render.rich(BOARD, width=60, colour=True)
    assert "\x1b[1m82.9\x1b[0m" in text.replace("m 82.9", "m82.9")
    assert "*" not in text


def test_a_table_without_rows_is_drawn():
    assert "UAR" in drawn(table(columns=("upstream", "emodb")))


def test_a_board_in_markdown():
    assert (
        render.markdown(BOARD, width=80, colour=False)
        == """\
**UAR in percent**

| upstream | emodb | cafe |
| --- | ---: | ---: |
| whisper-base | **82.9** | 60.1 |
| fbank | 41.0 | 33.3 |

All runs: split loso.
"""
    )


def test_hostile_names_in_markdown_stay_text():
    assert (
        render.markdown(HOSTILE, width=80, colour=False)
        == r"""**UAR in percent**

| up\\nstream | em\|odb |
| --- | ---: |
| \[red\]x\[/\] | **82.9** |
| a\|b | 1.0 |
| ../x\\nnewline\\x1b\[2J | 2.0 |
| \*bold\* \_it\_ \`c\` &lt;b&gt; &amp;amp; | 3.0 |
"""
    )


def test_csv_holds_values_and_quotes_what_needs_it():
    text = render.to_csv(HOSTILE, width=80, colour=False)
    read = list(csv.reader(io.StringIO(text)))
    assert read[0] == ["up\nstream", "em|odb"]
    values = [float(row[1]) for row in read[1:]]
    assert values == pytest.approx([0.829, 0.01, 0.02, 0.03])
    assert read[3][0] == "../x\nnewline\x1b[2J"


def test_csv_says_in_words_what_has_no_value():
    board = Table(
        title="",
        columns=("emodb", "cafe"),
        rows=((Entry(text="90.0 (7, 7/10 folds)"), Entry(text="")),),
    )
    assert render.to_csv(board, width=80, colour=False).splitlines() == [
        "emodb,cafe",
        '"90.0 (7, 7/10 folds)",',
    ]


def test_json_holds_everything():
    content = json.loads(render.to_json(BOARD, width=80, colour=False))
    assert content["columns"] == ["upstream", "emodb", "cafe"]
    assert content["notes"] == ["All runs: split loso."]
    assert content["rows"][0][1]["text"] == "82.9"
    assert content["rows"][0][1]["value"] == pytest.approx(0.829)
    assert content["rows"][0][1]["best"] is True


def test_json_has_no_nan():
    board = Table(
        title="", columns=("a",), rows=((Entry(text="nan", value=float("nan")),),)
    )
    content = json.loads(render.to_json(board, width=80, colour=False))
    assert content["rows"][0][0]["value"] is None


def test_the_best_of_a_group_is_marked_apart():
    entries = (
        Entry(text="a", value="a"),
        Entry(text="80.0", value=0.8, best=True, second=True),
        Entry(text="70.0", value=0.7, second=True),
    )
    board = Table(title="T", columns=("upstream", "x", "y"), rows=(entries,))
    assert drawn(board).splitlines()[3:] == [
        "a          *80.0   '70.0",
        "",
        "*: the best. ': the best of its group.",
    ]
    assert "\x1b[1;4m80.0" in render.rich(board, width=60, colour=True)
    lines = render.markdown(board, width=60, colour=False).splitlines()
    assert lines[-1] == "| a | **<u>80.0</u>** | <u>70.0</u> |"


def test_csv_gives_details_columns_of_their_own():
    first = Entry(text="80.0", value=0.8, details={"low": 0.7, "high": 0.9})
    board = Table(
        title="",
        columns=("upstream", "emodb"),
        rows=((Entry(text="a", value="a"), first), (Entry(text="b"), Entry(text=""))),
    )
    assert render.to_csv(board, width=80, colour=False).splitlines() == [
        "upstream,emodb,emodb low,emodb high",
        "a,0.8,0.7,0.9",
        "b,,,",
    ]
