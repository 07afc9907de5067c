"""Whatever stands in names, what is printed moves no cursor and is no markup."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text
from toys import TONES, write_tone

import harness.cli
from harness import Utterance, hookimpl
from harness.cli.console import say, stages
from harness.cli.tables import print_table
from harness.text import fenced, json_text, markdown, plain

NASTY = {
    "an escape sequence": "\x1b[31mred\x1b[0m",
    "a window title": "\x1b]0;title\x07",
    "C1": "\x9b2J",
    "a bell and a backspace": "\a\b",
    "a line feed": "one\nerror: two",
    "a carriage return": "one\rtwo",
    "a turn of direction": "\u202eevil\u2066",
    "a line separator": "a\u2028b",
    "half a pair": "a\udcffb",
    "rich markup": "[/nothing][bold red]x",
    "HTML": "<script>alert(1)</script>&lt;",
    "Markdown": "a|b`c` [x](y) *z* _w_",
}
NAME = "".join(NASTY.values()).replace("\udcff", "")  # a name is UTF-8
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def hidden(text):
    """What of a text a terminal would not show as it is, but for ends of lines."""
    return [c for c in text if unicodedata.category(c) in HIDDEN and c != "\n"]


@given(st.text())
def test_plain_text_is_printable_and_what_is_printable_stays(text):
    assert plain(text).isprintable()
    assert plain(plain(text)) == plain(text)
    assert hidden(plain(text, lines=True)) == []
    assert not text.isprintable() or plain(text) == text


@given(st.text())
def test_markdown_has_no_tag_and_no_line_of_its_own(text):
    written = markdown(text)
    assert not set("<>\n") & set(written)
    assert written.replace("\\\\", "").count("|") == written.replace("\\\\", "").count(
        "\\|"
    )


@given(st.text(alphabet="`a\n"))
def test_a_fence_is_longer_than_any_in_the_text(text):
    fence, *inside, last = fenced(text).split("\n")
    assert fence == last
    assert fence not in "\n".join(inside)


VALUES = st.recursive(
    st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(VALUES)
def test_json_is_printable_and_reads_back(value):
    written = json_text(value)
    assert hidden(written) == []
    assert json.loads(written) == value


class NastyPlugin:
    """Offers a corpus whose labels, speakers and title are nasty."""

    @hookimpl
    def harness_corpora(self):
        labels = (f"{NAME}0", f"{NAME}1")
        yield replace(TONES, name="nasty", labels=labels, title=NAME, read=read_nasty)


def read_nasty(root):
    for path in root.glob("*.wav"):
        speaker, label = f"{NAME}{path.stem[0]}", f"{NAME}{path.stem[1]}"
        yield Utterance(id=path.name, path=path.name, label=label, speaker=speaker)


@pytest.fixture
def nasty(tones, manager):
    """The recordings of that corpus; gives its name."""
    folder = tones.parent / "nasty"
    folder.mkdir()
    for number in range(16):
        file = folder / f"{number // 4}{number % 2}{number}.wav"
        write_tone(file, 300, seconds=0.3, seed=number)
    manager.register(NastyPlugin())
    return "nasty"


VERBS = {
    "check": ("corpus", "check", "{}"),
    "Markdown": ("corpus", "check", "{}", "--format", "markdown"),
    "JSON": ("corpus", "check", "{}", "--format", "json"),
    "info": ("corpus", "info", "{}"),
    "split": ("split", "{}", "--split", "loso"),
    "plan": ("plan", "--upstream", "toy", "--downstream", "linear", "--corpus", "{}"),
    "error": ("split", "{}", "--split", "published"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_prints_what_stands_in_names_as_it_is(harness, nasty, verb):
    code, out, err = harness(*(word.format(nasty) for word in VERBS[verb]))
    assert code == (2 if verb == "error" else 0), err
    assert hidden(out + err) == []
    if verb == "Markdown":
        assert not set("<>") & set(out)


@pytest.mark.parametrize(
    "arguments",
    [(), ("corpus", "info"), ("split", "tones", "--split"), ("run", "--only")],
)
def test_no_error_message_prints_what_was_typed_as_it_is(harness, arguments):
    code, out, err = harness(*arguments, "".join(NASTY.values()))
    assert code == 2
    assert hidden(out + err) == []


def test_a_table_shows_markup_as_text(capsys):
    print_table(["[/nothing]"], [["[bold]x", "\x1b[31m"][:1]])
    assert capsys.readouterr().out.split() == ["[/nothing]", "[bold]x"]


def test_progress_shows_markup_as_text(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with stages(quiet=False)("downloading [/nothing]\x1b[31m", 1.0, "MB") as advance:
        advance(1.0)
    printed = Text.from_ansi(capsys.readouterr().err).plain
    assert "[/nothing]\\x1b[31m" in printed


def test_a_message_has_lines_and_no_codes(capsys):
    say("one\n  two\x1b[31m")
    assert capsys.readouterr().err == "one\n  two\\x1b[31m\n"


def test_only_the_console_prints():
    folder = Path(harness.cli.__file__).parent
    printing = re.compile(r"click\.(echo|secho)\(|\bprint\(|sys\.std(out|err)\.write\(")
    texts = {path.name: path.read_text("utf-8") for path in folder.glob("*.py")}
    found = [name for name, text in texts.items() if printing.search(text)]
    assert found == ["console.py", "tables.py"]
