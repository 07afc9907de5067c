from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from boards import GROUPED, MARKED, table
from harness_leaderboard.render import latex
from programs import program

from harness.types import Entry, Table

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    "\\input{/etc/passwd}",
    "$\\write18{rm}$ % & # _ ^ ~ {",
    "\x1b[2J\n[red]x[/]",
    "}\\end{document}^^5cinput{/etc/passwd}",
    '*a* "quoted" `name\' org/model--x | < >',
    "Größe ñandú čaj łódź ø½€²",
    "中文 العربية Привет 👍🏽",
)


def written(of: Table) -> str:
    return latex.latex(of, width=80, colour=False)


def test_a_board_in_latex():
    assert (
        written(MARKED)
        == r"""% needs \usepackage{booktabs,graphicx}
\begin{table}
\centering\small
\caption{Macro-F1 in percent}
\setlength{\tabcolsep}{4pt}
\begin{tabular}{llrr}
\toprule
upstream & downstream & emodb & cafe \\
\midrule
whisper\_base & linear \dag{} & \textbf{82.9 $\pm$ 1.0 (3)} & \underline{60.0 (1)} \\
fbank & linear & 41.0 (1) & 7/10 folds \\
\bottomrule
\end{tabular}
\par\smallskip\raggedright\footnotesize 100 \% of runs.
\end{table}
"""
    )


def test_groups_stand_above_their_columns():
    lines = written(GROUPED).splitlines()
    assert lines[7:9] == [
        r" & \multicolumn{2}{c}{English-only} &  \\",
        r"\cmidrule(lr){2-3}",
    ]


def test_a_heading_is_broken_rather_than_widen_its_column():
    of = table(("a", "82.9"), columns=("upstream", "whisper-small-en"))
    lines = written(of).splitlines()
    assert lines[7:9] == [
        r" & whisper- \\",
        r"upstream & small-en \\",
    ]


def test_a_table_that_is_too_wide_is_squeezed_and_then_parted():
    def wide(columns: int) -> str:
        figures = ["82.9 ± 1.0"] * columns
        entries = (Entry(text="a", value="a"), *(Entry(text=one) for one in figures))
        names = ("upstream", *(f"c{place}" for place in range(columns)))
        return written(Table(title="T", columns=names, rows=(entries,)))

    assert r"\resizebox" not in wide(3)
    assert r"\resizebox" in wide(7)
    assert wide(7).count(r"\begin{tabular}") == 1
    assert wide(14).count(r"\begin{tabular}") == 2


def test_a_table_that_is_too_long_goes_on_in_floats_of_the_same_number():
    rows = [(f"u{place}", "82.9") for place in range(100)]
    text = written(table(*rows, columns=("upstream", "emodb")))
    assert text.count(r"\begin{table}") == 3
    assert text.count(r"\addtocounter{table}{-1}") == 2
    assert "UAR in percent (2 of 3)" in text
    assert all(f"u{place} &" in text for place in range(100))


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_a_command(name: str):
    kept = latex.escape(name)
    commands = set(re.findall(r"\\[A-Za-z]+", kept))
    assert commands <= {
        *(r"\textbackslash", r"\textasciitilde", r"\textasciicircum"),
        *(r"\textless", r"\textgreater", r"\textbar", r"\textasciigrave"),
        *(r"\char", r"\ifdefined", r"\Umathchar", r"\else", r"\fi"),
    }
    assert not re.search(r"(?<!\\)[$%&#_]", kept)


@pytest.mark.parametrize("name", ["[red]", "*starred"])
def test_a_row_does_not_begin_with_what_ends_the_row_before(name: str):
    assert latex.escape(name)[0] == "{"


def test_a_number_below_nought_has_a_minus_and_a_name_keeps_its_hyphen():
    assert latex.escape("[-2.0, xls-300m]") == "{[}$-$2.0, xls-300m]"


def test_letters_that_pdflatex_lacks_have_their_codes_there():
    assert latex.escape("中文 ü") == (
        r"\ifdefined\Umathchar 中文\else {[}U+4E2D U+6587{]}\fi{} ü"
    )


@pytest.mark.programs
def test_it_compiles_whatever_the_names(tmp_path: Path):
    hostile = table(
        *((name, "82.9") for name in HOSTILE),
        columns=HOSTILE[:2],
        notes=HOSTILE,
        groups=(HOSTILE[2], HOSTILE[3]),
    )
    long = table(*((f"u{row}", "82.9") for row in range(60)), columns=("a", "b"))
    tables = "".join(map(written, (MARKED, GROUPED, hostile, long)))
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,graphicx}\n"
        f"\\begin{{document}}\n{tables}\\end{{document}}\n",
        "utf-8",
    )
    pdflatex = program("pdflatex", package="texlive-latex-recommended")
    command = (pdflatex, "-halt-on-error", "-interaction=nonstopmode", "paper.tex")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
    log = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, log[-2000:]
    assert "root:" not in log
    assert (tmp_path / "paper.pdf").exists()
