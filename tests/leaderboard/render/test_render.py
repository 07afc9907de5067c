from __future__ import annotations

import csv
import io
import json

import pytest
from boards import BOARD, GROUPED, HOSTILE, MARKED
from harness_leaderboard.render import entries, latex, page, terminal
from harness_leaderboard.render import text as render

from harness.types import Entry, Table


def test_a_board_in_markdown():
    assert (
        render.markdown(BOARD, width=80, colour=False)
        == """\
**UAR in percent**

| upstream | emodb | cafe |
| --- | ---: | ---: |
| whisper-base | **82.9** | 60.1 |
| fbank | 41.0 | 33.3 |

Bold: may be the best.

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

Bold: may be the best.
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


def test_the_best_of_a_group_is_underlined_in_markdown():
    lines = render.markdown(GROUPED, width=60, colour=False).splitlines()
    assert lines[-3] == "| a | **<u>80.0</u>** | <u>70.0</u> | 60.0 |"
    assert lines[-1] == "Bold: may be the best. Underlined: the highest of its group."


def test_a_tie_has_a_sign_of_its_own_in_every_form_that_people_read():
    for form in (render.markdown, latex.latex, terminal.rich):
        text = form(MARKED, width=80, colour=False)
        assert "=82.0 (1)" in text
        assert "=: tied, no other is shown to be better." in " ".join(text.split())
    assert "=82.0" in terminal.rich(MARKED, width=80, colour=True)
    assert 'class="tie"' in page.html(MARKED, width=80, colour=False)


def test_a_heading_of_one_line_has_its_group_before_it():
    lines = render.markdown(GROUPED, width=60, colour=False).splitlines()
    assert lines[2] == "| upstream | English-only: x | English-only: y | z |"
    header = render.to_csv(GROUPED, width=60, colour=False).splitlines()[0]
    assert header == "upstream,English-only: x,English-only: y,z"


def test_json_has_groups_of_their_own():
    content = json.loads(render.to_json(GROUPED, width=60, colour=False))
    assert content["groups"] == ["", "English-only", "English-only", ""]


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


def test_errors_that_read_the_same_are_marked_alike():
    values = {"a": 10.12, "b": 10.14, "c": 12.3}
    errors = {name: Entry(text="", value=value) for name, value in values.items()}
    unit = entries.Unit(percent=False)
    found = entries.marked(errors, lowest=True, unit=unit)
    assert [name for name, entry in found.items() if entry.second] == ["a", "b"]
