from __future__ import annotations

import re
from dataclasses import replace

import pytest
from boards import BOARD, GROUPED, HOSTILE, table
from harness_leaderboard.render import terminal

from harness.types import Entry, Table


def drawn(table: Table, width: int = 60) -> str:
    return terminal.rich(table, width=width, colour=False)


def test_a_board_in_the_terminal():
    assert (
        drawn(BOARD)
        == """\
UAR in percent
upstream       emodb   cafe
───────────────────────────
whisper-base   *82.9   60.1
fbank           41.0   33.3

*: may be the best.
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

*: may be the best.
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

*: may be the best.
"""
    )


def test_colour_makes_the_best_bold():
    text = terminal.rich(BOARD, width=60, colour=True)
    assert "\x1b[1m82.9\x1b[0m" in text
    assert "*" not in text


def test_the_best_of_a_group_is_marked_apart():
    assert drawn(GROUPED).splitlines()[1:] == [
        "            English-only",
        "upstream       x       y      z",
        "───────────────────────────────",
        "a          *80.0   '70.0   60.0",
        "",
        "*: may be the best. ': the highest of its group.",
    ]


def test_colour_underlines_the_best_of_a_group():
    text = terminal.rich(GROUPED, width=60, colour=True)
    assert "\x1b[1;4m80.0" in text
    assert "\x1b[4m70.0" in text


def test_a_group_that_is_parted_stands_above_each_part():
    assert drawn(GROUPED, width=20).count("English-only") == 2


def test_a_part_without_groups_has_no_line_for_them():
    last = "\n\nupstream      z\n───────────────\na          60.0\n"
    assert last in drawn(GROUPED, width=20)


def test_a_group_with_room_stands_between_rules():
    wide = replace(GROUPED, groups=("", "en", "en", ""))
    assert drawn(wide).splitlines()[1] == "           ───── en ────"


HEAT = replace(BOARD, heat=True)


@pytest.fixture(params=["xterm-256color", "xterm"])
def colours(request, monkeypatch) -> int:
    monkeypatch.delenv("COLORTERM", raising=False)
    monkeypatch.setenv("TERM", request.param)
    return 256 if "256" in request.param else 16


def backgrounds(text: str) -> set[str]:
    return set(re.findall(r"48;[0-9;]+", text))


def test_scores_have_shades_where_the_terminal_has_many_colours(colours: int):
    text = terminal.rich(HEAT, width=60, colour=True)
    assert len(backgrounds(text)) == (4 if colours == 256 else 0)


def test_of_errors_the_lowest_has_the_brightest_shade():
    scores = [Entry(text=str(one), value=one) for one in (0.0, 0.5, 1.0)]
    table = Table(title="", columns=("x",) * 3, rows=(tuple(scores),), heat=True)
    for lowest in (False, True):
        scale = terminal._scale(replace(table, lowest=lowest))
        shades = [terminal._shade(entry, scale) for entry in scores]
        ends = [terminal.SHADES[0], terminal.SHADES[-1]][:: -1 if lowest else 1]
        assert [shade.split()[-1] for shade in shades[::2]] == ends


def test_what_is_no_score_has_no_shade(monkeypatch):
    monkeypatch.setenv("COLORTERM", "truecolor")
    assert not backgrounds(terminal.rich(BOARD, width=60, colour=True))


def test_a_pipe_has_neither_colour_nor_shade(monkeypatch):
    monkeypatch.setenv("COLORTERM", "truecolor")
    assert "\x1b" not in drawn(HEAT)


def test_every_shade_is_legible():
    for step, shade in enumerate(terminal.SHADES):
        ink = 0.0 if step >= terminal.BRIGHT else 1.0
        light = sorted((luminance(shade), ink))
        assert (light[1] + 0.05) / (light[0] + 0.05) >= 4.5  # WCAG AA


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts
    ]
    return sum(
        weight * x for weight, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )


def test_a_table_without_rows_is_drawn():
    assert "UAR" in drawn(table(columns=("upstream", "emodb")))


def test_a_heading_is_not_broken_before_a_dot():
    of = table(("a", "1.0"), columns=("upstream", "emodb · loso · whole"))
    assert drawn(of).splitlines()[1:4] == [
        "           emodb ·",
        "            loso ·",
        "upstream     whole",
    ]
