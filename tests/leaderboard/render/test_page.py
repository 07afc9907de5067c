from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from boards import BOARD, GROUPED
from harness_leaderboard.render import page

from harness.types import Entry, Table

HOSTILE = (
    "</td><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "</script>",
    "</style><style>*{display:none}</style>",
    "<!--",
    "\x1b[2J\n[red]x[/]",
)
SURE = Entry(text="80 [70, 90]", value=0.8, details={"low": 0.7, "high": 0.9})


def hostile(name: str) -> page.Panel:
    entry = Entry(text=name, value=name + " ", details={"a": name})
    table = Table(
        title=name, columns=(name,), groups=(name,), rows=((entry,),), notes=(name,)
    )
    return page.Panel(table=table, cells={(0, 0): 1}, names={(0, 0): name})


class Page(HTMLParser):
    """What a browser makes of a page: its tags and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.said.append(data)


def cells(table: Table, **more: Any) -> list[dict[str, str | None]]:
    shown = Page(page.panel(page.Panel(table=table, **more)))
    return [attributes for tag, attributes in shown.tags if tag == "td"]


def figures(*rows: tuple[float, ...], heat: bool = True) -> Table:
    entries = tuple(tuple(Entry(text=str(v), value=v) for v in row) for row in rows)
    return Table(title="", columns=("x",) * len(rows[0]), rows=entries, heat=heat)


def test_a_board_as_a_page():
    shown = Page(page.html(BOARD, width=80, colour=False))
    assert cells(BOARD) == [
        {"class": "best", "data-value": "0.8290000000000001"},
        {"data-value": "0.601"},
        {"data-value": "0.41"},
        {"data-value": "0.33299999999999996"},
    ]
    assert ("th", {"scope": "row", "class": "name"}) in shown.tags
    assert {"82.9", "All runs: split loso.", "Bold, ★: may be the best."} <= set(
        shown.said
    )


def test_scores_are_shaded_among_all_of_their_table():
    shaded = cells(figures((0.0, 0.5), (0.2, 1.0)))
    assert [cell["class"] for cell in shaded] == [
        *("heat s0", "heat s5", "heat s2", "heat s10"),
    ]


def test_or_among_those_of_their_row():
    shaded = cells(figures((0.0, 0.5), (0.2, 1.0)), scale="row")
    assert [cell["class"] for cell in shaded] == ["heat s0", "heat s10"] * 2


def test_what_is_on_no_common_scale_is_not_shaded():
    assert all("class" not in cell for cell in cells(figures((0.0, 0.5), heat=False)))


def test_scores_that_are_all_the_same_have_no_strong_colour():
    assert [cell["class"] for cell in cells(figures((0.5, 0.5)))] == ["heat s0"] * 2


def test_a_figure_that_is_no_number_has_no_value():
    assert cells(figures((float("nan"), 0.5)))[0] == {}


def test_an_interval_is_a_bar_where_there_are_no_shades():
    table = Table(title="", columns=("x",), rows=((SURE,),))
    shown = Page(page.panel(page.Panel(table=table)))
    bar = next(attributes for tag, attributes in shown.tags if tag == "rect")
    assert bar == {"x": "70.0", "width": "20.0", "height": "1"}
    shaded = Page(page.panel(page.Panel(table=replace(table, heat=True))))
    assert not [tag for tag, _ in shaded.tags if tag == "rect"]


def sure(value: float, low: float, high: float) -> Entry:
    return Entry(text="", value=value, details={"low": low, "high": high})


@pytest.mark.parametrize(
    ("bounds", "entries", "bars", "said"),
    [
        ((0.0, 1.0), [sure(0.8, 0.7, 0.9)], [("70.0", "20.0")], "from 0 to 100 %"),
        (
            (-1.0, 1.0),
            [sure(-0.2, -0.5, 0.0), sure(0.5, 0.4, 0.6)],
            [("25.0", "25.0"), ("70.0", "10.0")],
            "from −100 to 100 %",
        ),
        (
            (0.0, math.inf),
            [sure(4.0, 2.0, 6.0), sure(5.0, 4.0, 8.0)],
            [("25.0", "50.0"), ("50.0", "50.0")],
            "from 0 to 8",
        ),
        (
            (0.0, math.inf),
            [sure(5.0, 2.0, 1e300)],
            [("20.0", "80.0")],
            "from 0 to 10",
        ),
        ((0.0, math.inf), [sure(0.0, 0.0, 0.0)], [("0.0", "0.0")], "from 0 to 1"),
    ],
)
def test_a_bar_lies_within_what_scores_may_be(bounds, entries, bars, said):
    rows = tuple((entry,) for entry in entries)
    table = Table(title="", columns=("x",), rows=rows, bounds=bounds)
    shown = Page(page.panel(page.Panel(table=table)))
    drawn = [(of["x"], of["width"]) for tag, of in shown.tags if tag == "rect"]
    assert drawn == bars
    assert f"Bars are intervals, {said}." in " ".join(shown.said)


def test_of_errors_the_lowest_has_the_strongest_colour():
    table = replace(figures((0.0, 0.5), (0.2, 1.0)), lowest=True)
    assert [cell["class"] for cell in cells(table)] == [
        *("heat s10", "heat s5", "heat s8", "heat s0"),
    ]
    said = " ".join(Page(page.panel(page.Panel(table=table))).said)
    assert "the nearer to the lowest of the table" in said


def test_groups_of_columns_have_a_heading_of_their_own():
    shown = Page(page.panel(page.Panel(table=GROUPED)))
    spans = [values for tag, values in shown.tags if values.get("scope") == "colgroup"]
    assert spans == [{"scope": "colgroup", "colspan": "2"}]
    full = [v["data-full"] for tag, v in shown.tags if tag == "th" and "data-full" in v]
    assert full == ["English-only: x", "English-only: y"]


def test_axes_are_known_by_the_names_of_columns():
    heads = Page(page.panel(page.Panel(table=BOARD, across="corpus"))).tags
    known = [values for tag, values in heads if values.get("scope") == "col"]
    assert known[0]["data-axis"] == "upstream"
    assert [head.get("data-across") for head in known] == [None, "corpus", "corpus"]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_markup(name: str):
    shown, plain = (Page(page.panel(hostile(one))) for one in (name, "a name"))
    assert [(tag, *values) for tag, values in shown.tags] == [
        (tag, *values) for tag, values in plain.tags
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_title_is_markup(name: str):
    shown, plain = (
        Page(page.html(hostile(one).table, width=80, colour=False))
        for one in (name, "a name")
    )
    assert [tag for tag, _ in shown.tags] == [tag for tag, _ in plain.tags]


@pytest.mark.parametrize("tag", ["script", "style"])
def test_nothing_but_the_pages_own_script_and_style_count(tag: str):
    text = page.html(BOARD, width=80, colour=False)
    own = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    assert own is not None
    digest = base64.b64encode(hashlib.sha256(own[1].encode()).digest()).decode()
    assert f"{tag}-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text


def test_a_page_asks_nothing_of_the_network():
    shown = Page(page.html(BOARD, width=80, colour=False))
    assert not [values for _, values in shown.tags if {"src", "href"} & values.keys()]


def test_a_page_without_rows_is_a_page():
    empty = Table(title="", columns=("a",), rows=(), heat=True)
    assert "<tbody>" in page.html(empty, width=80, colour=False)
