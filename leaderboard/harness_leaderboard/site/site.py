"""The leaderboard as one page: every view, and what stands behind each figure.

The figures are those of the views; here they are only laid out. Names are escaped, and
data for the script stands in JSON that no parser takes for markup.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.text import counted
from harness_leaderboard.analysis.figures import figures
from harness_leaderboard.analysis.matrix import Matrix
from harness_leaderboard.render.page import document, panel, text
from harness_leaderboard.site.footer import footer
from harness_leaderboard.site.sections import LARGE, PREDICTIONS, Views, sections
from harness_leaderboard.views.catalogue import VIEWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from harness_leaderboard.analysis.places import Place
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.site.sections import Section


def columns(question: Question) -> tuple[str, ...]:
    """Return the columns that all results are read with."""
    needed = [name for view in VIEWS.values() for name in view.columns(question)]
    return tuple(dict.fromkeys(name for name in needed if name not in LARGE))


def chosen_columns(question: Question) -> tuple[str, ...]:
    """Return the columns of those results whose predictions the page holds."""
    from harness_leaderboard.site import details

    read = (view.columns(question) for view in VIEWS.values())
    needed = [name for columns in read if PREDICTIONS in columns for name in columns]
    return tuple(dict.fromkeys((*needed, *details.COLUMNS)))


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a page comes from.

    Attributes:
        command: What makes it again.
        files: The file of each result below its folder, by ``run_id``.
        sources: What to cite for a corpus, by its name.
    """

    command: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def site(
    runs: pa.Table,
    chosen: pa.Table,
    question: Question,
    origin: Origin | None = None,
) -> str:
    """Write the page.

    Args:
        runs: All results, with ``columns``.
        chosen: Those of them that ``details.chosen`` chose, with ``chosen_columns``.
        question: Which metric is shown, and whether the paper's figures stand beside.
        origin: Where it comes from.
    """
    origin = origin or Origin()
    found, notes = figures(runs, question.metric)
    matrix = Matrix(found, question.metric)
    cells = {place: number for number, place in enumerate(matrix.figures)}
    written, failed = _packed(chosen, cells, question, origin)
    whole = len(written["cells"]) == len(cells)
    views = Views(
        runs=runs,
        chosen=chosen if whole else None,
        question=question,
        matrix=matrix,
        cells=cells,
    )
    made = list(sections(views))
    title = f"Leaderboard: {question.metric.title}"
    contents = "\n".join(
        f'<li><a href="#{one.name}">{one.heading}</a></li>' for one in made
    )
    body = f"""\
<header>
<h1>{text(title)}</h1>
<p>{_introduction(runs, matrix, notes, len(cells) - len(written["cells"]))}</p>{failed}
<nav aria-label="Contents">
<ul>
{contents}
</ul>
</nav>
</header>
<main>
<div id="choice"></div>
{"".join(map(_section, made))}</main>
<dialog id="cell" aria-labelledby="cell-title"></dialog>
{footer(origin.command, _cited(matrix, origin))}
<script type="application/json" id="details">{_json(written)}</script>"""
    return document(
        title,
        body,
        styles=("render/page.css", "site/site.css"),
        scripts=("render/page.js", *(f"site/{name}.js" for name in SCRIPTS)),
        policy="media-src blob:",  # recordings that the reader chooses, and no others
    )


def _packed(
    chosen: pa.Table, cells: Mapping[Place, int], question: Question, origin: Origin
) -> tuple[dict[str, Any], str]:
    """Pack predictions, or say why a page has its tables alone."""
    from harness_leaderboard.site import details

    try:
        return details.packed(chosen, cells, question, origin.files), ""
    except Exception as error:  # isolates the predictions, which the sentence names
        why = f"{type(error).__name__}: {error}"
        said = f"The predictions could not be added: {why}. Please report this bug."
        return {"tasks": [], "cells": {}}, f"\n<p>{text(said)}</p>"


SCRIPTS = ("behind", "play", "pair", "numbers", "site")
"""Of this folder, in this order."""


def _cited(matrix: Matrix, origin: Origin) -> dict[str, str]:
    """Return what to cite for the corpora that are shown, in their order."""
    names = [
        name for of in matrix.corpora for name in (*of.trained, *(of.tested or ()))
    ]
    return {
        name: origin.sources[name]
        for name in dict.fromkeys(names)
        if name in origin.sources
    }


def _introduction(
    runs: pa.Table, matrix: Matrix, notes: Sequence[str], without: int
) -> str:
    import pyarrow.compute as pc

    newest = str(pc.max(runs["training_created"]).as_py() or "")[:10]
    said = (
        f"{len(runs)} results of {len(matrix.systems)} systems on "
        f"{counted(len(matrix.corpora), 'corpus', 'corpora')}, the newest of "
        f"{newest}. "
        "A system is a frozen speech model, the upstream, with a head on top, the "
        "downstream."
    )
    said = " ".join((said, *notes))
    if without:
        said += (
            f" The predictions behind {without} figures are left out, for the size of "
            "this page; choose fewer results with --only."
        )
    return text(said)


def _section(of: Section) -> str:
    panes = "\n".join(
        f'<div class="pane" data-pane="{text(name)}">\n{panel(one)}\n</div>'
        for name, one in of.panels.items()
    )
    return f"""\
<section aria-labelledby="{of.name}">
<h2 id="{of.name}" tabindex="-1">{text(of.heading)}</h2>
<p class="about">{text(of.about)}</p>
{panes}
</section>
"""


def _json(content: object) -> str:
    """Write JSON that may stand in a script element: nothing in it ends the element."""
    written = json.dumps(content, separators=(",", ":"))  # ASCII alone
    for character in "<>&":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written
