from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from boards import GROUPED, MARKED, table
from harness_leaderboard.render import escapes, latex
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


def written(of: Table, width: int = latex.COLUMN) -> str:
    return latex.latex(of, width=width, colour=False)


def test_a_board_in_latex():
    said = (
        "Bold: may be the best. =: tied, no other is shown to be better. "
        "Underlined: the highest of its group. 100 \\% of runs."
    )
    assert (
        written(MARKED).replace(said, "…")
        == r"""% needs \usepackage{booktabs,array}
\begin{table}
\centering\emergencystretch=3em
\setlength{\belowcaptionskip}{4pt}
\caption[{Macro-F1 in percent}]{Macro-F1 in percent. …}
\fontsize{8}{9.6}\selectfont
\setlength{\tabcolsep}{3pt}
\begin{tabular}{@{}llrr@{}}
\toprule
upstream & downstream & emodb & cafe \\
\midrule
whisper\_base & linear \dag{} & \textbf{82.9 $\pm$ 1.0 (3)} & \underline{60.0 (1)} \\
fbank & linear & =82.0 (1) & 7/10 folds \\
\bottomrule
\end{tabular}
\end{table}
"""
    )


def test_groups_stand_above_their_columns():
    lines = written(GROUPED).splitlines()
    assert r"\cmidrule(lr){2-3}" in lines
    above = lines[lines.index(r"\cmidrule(lr){2-3}") - 1]
    assert above == r" & \multicolumn{2}{c}{English-only} &  \\"


def test_a_heading_is_broken_rather_than_widen_its_column():
    of = table(("a", "82.9"), columns=("upstream", "whisper-small-en"))
    lines = written(of).splitlines()
    assert lines[lines.index(r"\toprule") + 1 :][:2] == [
        r" & whisper- \\",
        r"upstream & small-en \\",
    ]


def test_a_caption_stands_alone_and_comments_say_where_it_comes_from():
    of = replace(
        MARKED,
        name="board",
        command="harness leaderboard --format latex",
        run_ids=("a" * 16, "b" * 16),
    )
    text = written(of)
    assert r"Made by \texttt{harness leaderboard -{}-format latex}.}" in text
    assert r"\label{tab:board}" in text
    assert f"% run ids: {'a' * 16} {'b' * 16}" in text


def test_what_stands_below_a_heading_and_the_order_of_rows_are_shown():
    of = replace(
        MARKED,
        facts=((), (), ("7 classes", "n = 535"), ()),
        sorted_by=(2, "descending"),
    )
    lines = written(of).splitlines()
    assert lines[lines.index(r"\toprule") + 1 :][:3] == [
        r"upstream & downstream & emodb $\downarrow$ & cafe \\",
        r" &  & 7 classes &  \\",
        r" &  & n = 535 &  \\",
    ]


def test_a_table_that_is_too_wide_is_parted_and_never_squeezed():
    def wide(columns: int, width: int) -> str:
        figures = ["82.9 ± 1.0"] * columns
        entries = (Entry(text="a", value="a"), *(Entry(text=one) for one in figures))
        names = ("upstream", *(f"c{place}" for place in range(columns)))
        return written(Table(title="T", columns=names, rows=(entries,)), width)

    def pieces(columns: int, width: int) -> int:
        return wide(columns, width).count(r"\begin{tabular}")

    assert [pieces(count, latex.COLUMN) for count in (3, 7, 14)] == [1, 2, 4]
    assert [pieces(count, latex.PAGE) for count in (3, 7, 14)] == [1, 1, 2]
    assert r"\resizebox" not in wide(14, latex.COLUMN)


def test_a_table_is_as_wide_as_it_needs_where_no_width_is_asked_for():
    many = table(("a", *["82.9"] * 12), columns=("upstream", *map(str, range(12))))
    assert r"\begin{table}" in written(MARKED, 0)
    assert r"\begin{table*}" in written(many, 0)


def test_a_table_that_is_too_long_goes_on_in_floats_of_the_same_number():
    rows = [(f"u{place}", "82.9") for place in range(100)]
    text = written(table(*rows, columns=("upstream", "emodb")))
    assert text.count(r"\begin{table}") == 3
    assert text.count(r"\addtocounter{table}{-1}") == 2
    assert "UAR in percent (2 of 3)" in text
    assert all(f"u{place} &" in text for place in range(100))


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_a_command(name: str):
    kept = escapes.escape(name)
    commands = set(re.findall(r"\\[A-Za-z]+", kept))
    assert commands <= {
        *(r"\textbackslash", r"\textasciitilde", r"\textasciicircum"),
        *(r"\textless", r"\textgreater", r"\textbar", r"\textasciigrave"),
        *(r"\char", r"\ifdefined", r"\Umathchar", r"\else", r"\fi"),
    }
    assert not re.search(r"(?<!\\)[$%&#_]", kept)


@pytest.mark.parametrize("name", ["[red]", "*starred"])
def test_a_row_does_not_begin_with_what_ends_the_row_before(name: str):
    assert escapes.escape(name)[0] == "{"


def test_a_number_below_nought_has_a_minus_and_a_name_keeps_its_hyphen():
    assert escapes.escape("[-2.0, xls-300m]") == "{[}$-$2.0, xls-300m]"


def test_letters_that_pdflatex_lacks_have_their_codes_there():
    assert escapes.escape("中文 ü") == (
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
    log = compiled("".join(map(written, (MARKED, GROUPED, hostile, long))), tmp_path)
    assert "root:" not in log
    assert (tmp_path / "paper.pdf").exists()


PAPER = r"""\documentclass[10pt,twocolumn]{article}
\usepackage[a4paper,left=15mm,textwidth=170mm,textheight=247mm,columnsep=10mm]
  {geometry}
\usepackage{booktabs,array}
\begin{document}
%s\end{document}
"""


def compiled(tables: str, folder: Path) -> str:
    """Set tables in two columns of 80 mm, and return what pdflatex says."""
    (folder / "paper.tex").write_text(PAPER % tables, "utf-8")
    pdflatex = program("pdflatex", package="texlive-latex-recommended")
    command = (pdflatex, "-halt-on-error", "-interaction=nonstopmode", "paper.tex")
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
    log = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, log[-2000:]
    return log


def wide_board(corpora: int) -> Table:
    """A board like the paper's, with as many corpora."""
    names = ("whisper-small-en", "wav2vec2-large", "xls-r-300m", "fbank")
    heads = ("multilayer", "linear", "nonlinear (control)")
    figure = Entry(text="96.6 [87, 100]", value=0.966, best=True)
    facts = ("7 classes", "chance 14.3", "10 speakers", "n = 1120")
    return Table(
        title="Macro-F1 in percent, pooled over speakers, one fold",
        columns=("upstream", "downstream", *(f"emomatch-{n}" for n in range(corpora))),
        facts=((), (), *[facts] * corpora),
        rows=tuple(
            (
                Entry(text=name, value=name),
                Entry(text=head, value=head),
                *[figure] * corpora,
            )
            for name in names
            for head in heads
        ),
        notes=("Each figure is of one run.",),
        command="harness leaderboard --view board --only corpus=emodb,cafe",
    )


@pytest.mark.programs
@pytest.mark.parametrize("width", latex.WIDTHS.values())
def test_no_table_is_wider_than_was_asked_for_nor_smaller_than_8_pt(
    width: int, tmp_path: Path
):
    tables = "".join(written(wide_board(count), width) for count in (1, 3, 10))
    log = compiled(tables, tmp_path)
    assert not re.findall(r"Overfull .*|Float too large.*", log)
    sizes = {int(size) for size in re.findall(r"\\fontsize{(\d+)}", tables)}
    assert min(sizes) >= 8
    assert not re.search(r"\\(tiny|scriptsize|footnotesize|resizebox)", tables)
