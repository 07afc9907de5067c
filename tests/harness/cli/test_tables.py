"""Tables of the command line: no word is broken, whatever the terminal's width."""

from __future__ import annotations

import click
import pytest

from harness.cli.tables import print_table

COLUMNS = ("upstream", "layers", "trained on")
ROWS = [
    ("wav2vec2-base", "12", "960 h of English audio books (LibriSpeech)"),
    ("fbank", "1", "–"),
]


@pytest.fixture
def printed(monkeypatch, capsys):
    """Print a table in a terminal of some width, or piped where there is none."""

    def printed(width):
        monkeypatch.setattr("sys.stdout.isatty", lambda: width is not None)
        monkeypatch.setenv("COLUMNS", str(width or 20))
        print_table(COLUMNS, ROWS)
        return click.unstyle(capsys.readouterr().out).splitlines()

    return printed


def test_piped_a_row_is_a_line_without_blanks_at_its_end(printed):
    assert printed(None) == [
        "upstream       layers  trained on",
        "wav2vec2-base      12  960 h of English audio books (LibriSpeech)",
        "fbank               1  –",
    ]


@pytest.mark.parametrize("width", [30, 40, 60, 80])
def test_in_a_terminal_lines_are_no_wider_and_no_word_is_broken(printed, width):
    lines = printed(width)
    assert max(map(len, lines)) <= width
    words = {word for row in (COLUMNS, *ROWS) for text in row for word in text.split()}
    assert words <= {
        word for line in lines for word in line.replace(";", "").split()
    } | {
        "upstream",
        "–",
    }


def test_where_no_table_fits_a_row_is_a_paragraph(printed):
    assert printed(30)[:3] == [
        "wav2vec2-base",
        "  layers 12; trained on 960 h",
        "  of English audio books",
    ]
