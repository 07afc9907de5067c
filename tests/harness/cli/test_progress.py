"""What a run prints while it works: one line a stage, whatever the width."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from harness.cli import console, logs
from harness.cli.remaining import Remaining
from harness.text import wrapped

DAY = 86_400.0


@pytest.fixture
def drawn(monkeypatch):
    """Draw two stages, of which one is at work for ten hours, as wide as asked."""

    def drawn(width):
        display = console._display()
        for title, total, unit in (
            ("extracting", DAY, "audio"),
            ("fitting heads", 12_000.0, "cells"),
        ):
            rest = Remaining(total, done=total / 3)
            bar = display.add_task(title, total=total, unit=unit, rest=rest)
            display.advance(bar, total / 3)
            monkeypatch.setattr(display.tasks[bar], "start_time", -36_000.0)
            monkeypatch.setattr(display.tasks[bar], "_get_time", lambda: 0.0)
        file = io.StringIO()
        Console(width=width, file=file).print(display.get_renderable())
        return file.getvalue().splitlines()

    return drawn


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_stage_takes_one_line_that_says_what_its_times_are(drawn, width):
    lines = drawn(width)
    assert len(lines) == 2
    assert all(len(line) <= width for line in lines)
    audio, cells = (line.rstrip() for line in lines)
    assert "8:00:00 of 24:00:00 of audio" in audio
    assert cells.endswith("4000/12000 cells in 10:00:00, 20:00:00 left")


def test_stages_that_overlap_share_one_display():
    bars = console._Bars()
    with bars("extracting", 1.0, "audio") as extracted:
        first = bars._progress
        with bars("fitting heads", 1.0, "cells") as fitted:
            assert bars._progress is first
            extracted(1.0)
            fitted(1.0)
    assert bars._progress is None


def test_a_stage_that_is_over_is_said_once(monkeypatch, capsys):
    clock = iter(range(100))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    with console._lines("extracting", 2.0, "audio") as advance:
        for amount in (1.0, 1.0, 0.0, 0.0):
            advance(amount)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "extracting: 0:02 of 0:02 of audio, 1.0 × real time in 0:02"


def test_a_message_goes_through_whatever_stands_for_the_stream(monkeypatch):
    """Live bars put a stream of their own there, which draws the message above them."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    console.say("a cell is done")
    assert stream.getvalue() == "a cell is done\n"


def test_no_word_is_broken_in_a_terminal_and_no_command():
    text = "The name is too long: use 'harness run --split loso' for it.\n  - indented"
    assert wrapped(text, 28).splitlines() == [
        "The name is too long: use",
        "'harness run --split loso'",
        "for it.",
        "  - indented",
    ]


def test_a_log_goes_through_whatever_stands_for_the_stream(monkeypatch):
    stream = io.StringIO()
    handler = logs._Said()
    monkeypatch.setattr("sys.stderr", stream)
    handler.emit(logging.makeLogRecord({"msg": "a worker is lost"}))
    assert stream.getvalue() == "a worker is lost\n"
