"""What workers write to stderr passes the stream on which bars are drawn."""

from __future__ import annotations

import io
import os
import sys
import warnings

import pytest

from harness.execution.executors import Processes
from harness.execution.relay import relayed

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes of Unix")


class Terminal(io.StringIO):
    """A stream that stands for a terminal."""

    def isatty(self):
        return True


def write_in_every_way():
    sys.stderr.write("from Python\n")
    os.write(2, b"from a library in C\n")
    os.write(2, b"10 %\r50 %\r100 %\r\n")
    warnings.warn("from a package", stacklevel=1)
    os.write(2, b"half a line")


def test_lines_of_a_worker_reach_the_stream_of_the_bars_whole(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with Processes(1) as pool:
        pool.submit(write_in_every_way).result()
    lines = terminal.getvalue().splitlines()
    assert lines[:3] == ["from Python", "from a library in C", "100 %"]
    assert "from a package" in lines[3]
    assert lines[-1] == "half a line"


def test_nothing_is_relayed_where_no_bars_are_drawn(monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert relayed() is None
