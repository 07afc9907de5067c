from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import harness_leaderboard
import pytest
from harness_leaderboard import latex, page

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
HOSTILE = (
    "</td><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script>",
    "\\input{/etc/passwd}",
    "$\\write18{rm}$ % & # _ ^ ~ {",
    "\x1b[2J\n[red]x[/]",
)


def hostile(name: str) -> Table:
    entry = Entry(text=name, value=name)
    return Table(title=name, columns=(name,), rows=((entry,),), notes=(name,))


def test_a_board_in_latex():
    assert latex.latex(BOARD, width=80, colour=False) == (
        r"""% needs \usepackage{booktabs}
\begin{table}
\centering
\caption{Macro-F1 in percent}
\begin{tabular}{llrr}
\toprule
upstream & downstream & emodb & cafe \\
\midrule
whisper\_base & linear \dag{} & \textbf{82.9 $\pm$ 1.0 (3)} & \underline{60.0 (1)} \\
fbank & linear & 41.0 (1) & 7/10 folds \\
\bottomrule
\end{tabular}
\par\smallskip\footnotesize 100 \% of runs.
\end{table}
"""
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_a_command_in_latex(name: str):
    kept = latex.escape(name)
    commands = set(re.findall(r"\\[A-Za-z]+", kept))
    assert commands <= {
        r"\textbackslash",
        r"\textasciitilde",
        r"\textasciicircum",
        r"\textless",
        r"\textgreater",
        r"\textquotedbl",
    }
    assert not re.search(r"(?<!\\)[$%&#_]", kept)


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

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def test_a_board_as_a_page():
    shown = Page(page.html(BOARD, width=80, colour=False))
    cells = [attributes for tag, attributes in shown.tags if tag == "td"]
    assert cells == [
        {"class": "name"},
        {"class": "best s10", "data-value": "0.829"},
        {"class": "second", "data-value": "0.6"},
        {"class": "name"},
        {"class": "s0", "data-value": "0.41"},
        {},
    ]
    assert "82.9 ± 1.0 (3)" in shown.said
    assert "100 % of runs." in shown.said


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_markup_on_a_page(name: str):
    shown = Page(page.html(hostile(name), width=80, colour=False))
    plain = Page(page.html(hostile("a name"), width=80, colour=False))
    assert [tag for tag, _ in shown.tags] == [tag for tag, _ in plain.tags]
    assert shown.count("script") == 1


def test_only_the_pages_own_script_may_run():
    text = page.html(BOARD, width=80, colour=False)
    script = text[text.index("<script>") + 8 : text.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text


def test_a_page_asks_nothing_of_the_network():
    shown = Page(page.html(BOARD, width=80, colour=False))
    assert not [values for _, values in shown.tags if {"src", "href"} & values.keys()]


@pytest.mark.parametrize(
    "renderer", list(harness_leaderboard.harness_renderers()), ids=lambda one: one.name
)
@pytest.mark.parametrize("board", [BOARD, Table(title="", columns=("a",), rows=())])
def test_every_form_ends_with_a_newline(renderer, board: Table):
    assert renderer.render(board, width=80, colour=False).endswith("\n")
