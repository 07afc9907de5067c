"""The sections of the leaderboard's page: the views, laid out, with heat maps of them.

Every figure is a view's; here tables are only turned, and linked to what stands behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.types import Entry, Table
from harness_leaderboard.render.entries import NOTHING, marked, percent, word
from harness_leaderboard.render.page import Panel
from harness_leaderboard.render.text import name_columns
from harness_leaderboard.views.catalogue import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from harness_leaderboard.analysis.tables import Question
    from harness_leaderboard.render.page import Place

PREDICTIONS = "predictions"
"""The column that only chosen results are read with, as it is by far the largest."""

MOST_INTERVALS = 1_000  # figures; each takes tenths of a second
MOST_MAPPED = 60  # upstreams side by side

Names = tuple[str, str, str]
"""The labels of a figure's upstream, downstream and corpus."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page.

    Attributes:
        name: Its id.
        heading: Above it, and in the page's contents.
        about: How to read it.
        panels: Its tables, by the words that a reader chooses one of several by.
    """

    name: str
    heading: str
    about: str
    panels: Mapping[str, Panel] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Views:
    """What the views are made of.

    Attributes:
        runs: All results.
        chosen: The results behind every figure, if all their predictions were read.
        question: Which metric is shown.
    """

    runs: pa.Table
    chosen: pa.Table | None
    question: Question

    def make(self, name: str) -> Table:
        """Make a view from the columns that it reads."""
        needed = dict.fromkeys(VIEWS[name].columns(self.question))
        results = self.runs
        if PREDICTIONS in needed and self.chosen is not None:
            results = self.chosen
        return VIEWS[name].make(results.select(list(needed)), self.question)

    def try_to_make(self, name: str) -> Table:
        """Make a view, or an empty table where it has nothing to show."""
        try:
            return self.make(name)
        except HarnessError:
            return Table(title="", columns=(), rows=())


def sections(views: Views, cells: Mapping[Names, int]) -> Iterator[Section]:
    """Lay out every view that has something to show."""
    board = views.make("board")
    yield Section(
        name="board",
        heading="Board",
        about="Systems against corpora, the best first.",
        panels={"board": _figures("systems", board, cells)},
    )
    yield _map(_maps(board, views.make("languages"), cells))
    yield _intervals(views, cells)
    yield _means(views)
    yield from _if_any(
        Section(
            name="layers",
            heading="Layers",
            about="Where in an upstream the emotion sits, in percent: weights that a "
            "head learned, or the test macro-F1 of a head on each layer. A layer of "
            "large states counts for more than its weight says, hence × norms. The "
            "highest of a row is bold.",
            panels=_layer_maps(views.try_to_make("layers")),
        ),
        Section(
            name="transfer",
            heading="Transfer",
            about="Trained on one corpus, tested on another.",
            panels={"": Panel(table=views.try_to_make("transfer"), name="transferred")},
        ),
    )
    yield Section(
        name="corpora",
        heading="Corpora",
        about="What was read of each.",
        panels={"": Panel(table=views.make("corpora"), name="read")},
    )
    yield Section(
        name="runs",
        heading="Provenance",
        about="What stands behind each figure. The CSV has all digits of the hashes.",
        panels={"": _listed("behind", views.make("runs"), cells)},
    )


def _if_any(*sections: Section) -> Iterator[Section]:
    """Leave out sections whose tables have no row."""
    for section in sections:
        if any(one.table.rows for one in section.panels.values()):
            yield section


def _figures(name: str, table: Table, cells: Mapping[Names, int]) -> Panel:
    """Lay out a table of systems against corpora; a figure opens its cell."""
    opened = {}
    for row, entries in enumerate(table.rows):
        for column, corpus in enumerate(table.columns[2:], start=2):
            names = entries[0].text, entries[1].text, corpus
            if names in cells and entries[column].text:
                opened[row, column] = cells[names]
    return Panel(table=table, name=name, across="corpus", cells=opened)


def _map(panels: Mapping[str, Panel]) -> Section:
    """Lay out the heat maps, or say why there are none."""
    name, heading = "map", "Corpora × upstreams"
    if not panels:
        return Section(
            name=name,
            heading=heading,
            about=f"More than {MOST_MAPPED} upstreams do not stand side by side. "
            "Choose fewer results with --only.",
        )
    return Section(
        name=name,
        heading=heading,
        about="Where each upstream reads emotion well: with its best downstream, or "
        "with the same one for all.",
        panels=panels,
    )


def _intervals(views: Views, cells: Mapping[Names, int]) -> Section:
    """Lay out the intervals, or say why there are none."""
    name, heading = "intervals", "How sure"
    if views.chosen is None or len(cells) > MOST_INTERVALS:
        return Section(
            name=name,
            heading=heading,
            about="There are too many figures here for intervals. Choose fewer results "
            "with --only, or ask for --view intervals.",
        )
    return Section(
        name=name,
        heading=heading,
        about="The same figures with 95 % intervals, the ranks that each may have, and "
        "≈ where it cannot be told from the best; and what moves a figure most: seeds, "
        "folds or speakers.",
        panels={
            "intervals": _figures("sure", views.make("intervals"), cells),
            "what moves them": _listed("moved", views.try_to_make("spread"), cells),
        },
    )


def _means(views: Views) -> Section:
    """Lay out means over corpora, or say why there are none."""
    name, heading = "means", "Upstreams × downstreams"
    try:
        table = views.make("classifiers")
    except HarnessError as reason:
        return Section(name=name, heading=heading, about=str(reason))
    return Section(
        name=name,
        heading=heading,
        about="Means over corpora; a system has one if it has every corpus.",
        panels={"": Panel(table=table, name="averaged")},
    )


def _listed(name: str, table: Table, cells: Mapping[Names, int]) -> Panel:
    """Lay out a table with a row a figure; the row's corpus opens its cell."""
    opened = {}
    for row, (upstream, downstream, corpus, *_) in enumerate(table.rows):
        names = upstream.text, downstream.text, corpus.text
        if names in cells:
            opened[row, 2] = cells[names]
    return Panel(table=table, name=name, cells=opened)


# ---------------------------------------------------------------- heat maps


def _maps(
    board: Table, languages: Table, cells: Mapping[Names, int]
) -> dict[str, Panel]:
    """Lay out corpora against upstreams, with the best head of each and with each."""
    known = {corpus for _, _, corpus in cells}
    corpora = [corpus for corpus in board.columns[2:] if corpus in known]
    named = {(row, 0): corpus for row, corpus in enumerate(corpora)}
    maps = {"best of each": Panel(table=languages, name="best", names=named)}
    heads = dict.fromkeys(row[1].text for row in board.rows)
    for head in heads:
        rows = {row[0].text: row for row in board.rows if row[1].text == head}
        if 1 < len(rows) <= MOST_MAPPED:
            name = f"map-{len(maps)}"
            turned, opened = _turned(board, head, rows, corpora, cells)
            maps[head] = Panel(table=turned, name=name, across="upstream", cells=opened)
    if len(languages.columns) > MOST_MAPPED:
        del maps["best of each"]
    return maps


def _turned(
    board: Table,
    head: str,
    rows: Mapping[str, tuple[Entry, ...]],
    corpora: Sequence[str],
    cells: Mapping[Names, int],
) -> tuple[Table, dict[Place, int]]:
    """Turn a head's rows of the board into columns; say which figures open what."""
    body, opened = [], {}
    for line, corpus in enumerate(corpora):
        entries = {upstream: row[2 + line] for upstream, row in rows.items()}
        body.append((word(corpus), *marked(entries).values()))
        for column, upstream in enumerate(entries, start=1):
            if (upstream, head, corpus) in cells:
                opened[line, column] = cells[upstream, head, corpus]
    table = Table(
        title=f"{board.title}, downstream {head}",
        columns=("corpus", *rows),
        rows=tuple(body),
        heat=True,
    )
    return table, opened


def _layer_maps(table: Table) -> dict[str, Panel]:
    """Give each curve of the layers' view a table of its own, a column a layer."""
    names = name_columns(table)
    maps = {}
    for column, heading in enumerate(table.columns):
        curves = [(row[:names], _curve(row[column])) for row in table.rows]
        longest = max((len(curve) for _, curve in curves), default=0)
        if longest:
            shown = Table(
                title=f"{table.title}, {heading}",
                columns=(*table.columns[:names], *map(str, range(1, longest + 1))),
                rows=tuple(
                    (*system, *curve, *[NOTHING] * (longest - len(curve)))
                    for system, curve in curves
                    if curve
                ),
                heat=True,
            )
            maps[heading] = Panel(table=shown, name=f"layers-{column}", scale="row")
    return maps


def _curve(entry: Entry) -> list[Entry]:
    """Print the layers of an entry in percent, with the highest marked."""
    layers = {
        name: percent(float(value))
        for name, value in entry.details.items()
        if name.startswith("layer ")
    }
    return list(marked(layers).values())
