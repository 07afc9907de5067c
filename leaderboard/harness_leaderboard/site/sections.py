"""The sections of the leaderboard's page: the views, laid out, with heat maps of them.

Every figure is a view's; here tables are only turned, and linked to what stands behind.
A section that cannot be made says why, and the others stand.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.types import Table
from harness_leaderboard.analysis.grouping import Grouping
from harness_leaderboard.render.entries import word
from harness_leaderboard.render.page import Panel
from harness_leaderboard.results.columns import GROUPS
from harness_leaderboard.views.board import matrix_of
from harness_leaderboard.views.catalogue import PREDICTED, VIEWS
from harness_leaderboard.views.layers import maps as layer_maps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

    from harness_leaderboard.analysis.matrix import Matrix
    from harness_leaderboard.analysis.places import Place
    from harness_leaderboard.analysis.question import Question
    from harness_leaderboard.render import page

PREDICTIONS = "predictions"
LARGE = (PREDICTIONS, "valid_predictions")
"""Columns that only chosen results are read with, as they are by far the largest."""

MOST_INTERVALS = 1_000  # figures; each takes tenths of a second
MOST_GROUPED = 500  # rows of groups
MOST_MAPPED = 60  # upstreams side by side


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
        matrix: All figures.
        cells: The number by which the page knows each figure.
    """

    runs: pa.Table
    chosen: pa.Table | None
    question: Question
    matrix: Matrix
    cells: Mapping[Place, int]

    def read(self, name: str) -> pa.Table:
        """Return the columns that a view reads."""
        needed = dict.fromkeys(VIEWS[name].columns(self.question))
        if self.chosen is None:
            return self.runs.select(list(needed))
        if VIEWS[name].sure and self.question.metric.additive:
            needed |= dict.fromkeys(PREDICTED)
        results = self.chosen if PREDICTIONS in needed else self.runs
        return results.select(list(needed))

    def make(self, name: str) -> Table:
        """Make a view from the columns that it reads."""
        asked = replace(self.question, against=False)
        return VIEWS[name].table(self.read(name), asked)

    def beside_the_paper(self, name: str) -> Table:
        """Make a view beside the paper's figures."""
        runs = self.chosen if self.chosen is not None else self.runs
        return VIEWS[name].table(runs, replace(self.question, against=True))

    def linked(self, table: Table) -> dict[page.Position, int]:
        """Return which entries of a table open which cell: those about a figure."""
        return {
            (row, column): self.cells[entry.key]  # type: ignore[index]
            for row, entries in enumerate(table.rows)
            for column, entry in enumerate(entries)
            if entry.text and entry.key in self.cells
        }

    def panel(self, name: str, table: Table, *, across: str = "") -> Panel:
        """Lay out a table whose figures open their cells."""
        return Panel(table=table, name=name, across=across, cells=self.linked(table))


@dataclass(frozen=True, kw_only=True)
class Outline:
    """A section that is to be made.

    Attributes:
        name: Its id.
        heading: Above it.
        about: How to read it.
        panels: Makes its tables; what it raises stands in their place.
        optional: Whether it is left out where it has no rows.
        asked: Whether a question asks for it at all.
    """

    name: str
    heading: str
    about: str
    panels: Callable[[Views], Mapping[str, Panel]]
    optional: bool = False
    asked: Callable[[Question], bool] = lambda _: True


def sections(views: Views) -> Iterator[Section]:
    """Lay out every view that has something to show."""
    for outline in (one for one in OUTLINES if one.asked(views.question)):
        made = _made(outline, views)
        if made is not None:
            yield made


def _made(outline: Outline, views: Views) -> Section | None:
    """Make a section, or one that says in a sentence why there is none."""
    section = Section(name=outline.name, heading=outline.heading, about=outline.about)
    try:
        panels = outline.panels(views)
    except HarnessError as reason:
        return None if outline.optional else replace(section, about=str(reason))
    except Exception as error:  # isolates the section that outline.heading names
        return replace(
            section,
            about=f"«{outline.heading}» could not be made: {type(error).__name__}: "
            f"{error}. This is a bug of the harness; please report it.",
        )
    shown = any(one.table.rows for one in panels.values())
    return replace(section, panels=panels) if shown or not outline.optional else None


# ---------------------------------------------------------------- the panels


def _board(views: Views) -> Mapping[str, Panel]:
    board = views.make("board")
    return {"board": views.panel("systems", board, across="corpus")}


def _intervals(views: Views) -> Mapping[str, Panel]:
    if views.chosen is None or len(views.cells) > MOST_INTERVALS:
        raise HarnessError(
            "There are too many figures here for intervals. Choose fewer results with "
            "--only, or ask for --view intervals."
        )
    sure = views.panel("sure", views.make("intervals"), across="corpus")
    moved = views.panel("moved", views.make("spread"))
    return {"intervals": sure, "what moves them": moved}


def _means(views: Views) -> Mapping[str, Panel]:
    return {"": Panel(table=views.make("classifiers"), name="averaged")}


def _layers(views: Views) -> Mapping[str, Panel]:
    return {
        name: Panel(table=table, name=f"layers-{number}", scale="row")
        for number, (name, table) in enumerate(
            layer_maps(views.read("layers"), views.question).items()
        )
    }


def _targets(views: Views) -> Mapping[str, Panel]:
    return {"": Panel(table=views.make("map"), name="targets-map", scale="table")}


def _transfer(views: Views) -> Mapping[str, Panel]:
    return {"": Panel(table=views.make("transfer"), name="transferred")}


def _robustness(views: Views) -> Mapping[str, Panel]:
    return {"": views.panel("perturbed", views.make("robustness"))}


def _calibration(views: Views) -> Mapping[str, Panel]:
    _require_predictions(views, "calibration")
    return {"": views.panel("calibrated", views.make("calibration"))}


def _fairness(views: Views) -> Mapping[str, Panel]:
    """Lay out the gaps between groups of several speakers, by each field that has any.

    Speakers are no groups here: each table names the worst.
    """
    _require_predictions(views, "fairness")
    made, reasons = {}, []
    for by in (name for name in GROUPS if name != "speaker"):
        asked = replace(views, question=replace(views.question, by=Grouping(name=by)))
        try:
            table = asked.make("fairness")
        except HarnessError as reason:  # no corpus states it; the others stand
            reasons.append(reason)
            continue
        if _has_gap(table) and len(table.rows) <= MOST_GROUPED:
            made[by] = views.panel(f"by-{by}", table)
    if reasons and not made:
        raise reasons[0]
    if not made:
        raise HarnessError(
            "No corpus here states a gender, language, sentence or intensity that "
            f"differs between utterances, or there are more than {MOST_GROUPED} rows. "
            "Ask for --view fairness --by speaker."
        )
    return made


def _has_gap(table: Table) -> bool:
    """Say whether a table of groups has a gap between some."""
    return any(one.details.get("row") == "gap" for row in table.rows for one in row)


def _require_predictions(views: Views, name: str) -> None:
    """Refuse a view of predictions where these are too many for a page."""
    if views.chosen is None or len(views.cells) > MOST_INTERVALS:
        raise HarnessError(
            "There are too many predictions here. Choose fewer results with --only, or "
            f"ask for --view {name}."
        )


def _corpora(views: Views) -> Mapping[str, Panel]:
    return {"": Panel(table=views.make("corpora"), name="read")}


def _published(views: Views) -> Mapping[str, Panel]:
    """Set the paper's tables beside ours."""
    if views.chosen is None:
        raise HarnessError(
            "There are too many figures here to be set beside the paper's. Choose "
            "fewer results with --only."
        )
    names = {"by corpus": "languages", "means": "classifiers", "corpora": "corpora"}
    made = {}
    for label, name in names.items():
        try:
            table = views.beside_the_paper(name)
        except HarnessError:  # no common mean, for example; the others stand
            continue
        made[label] = Panel(table=table, name=f"published-{name}")
    return made


def _runs(views: Views) -> Mapping[str, Panel]:
    return {"": views.panel("behind", views.make("runs"))}


def _maps(views: Views) -> Mapping[str, Panel]:
    """Lay out corpora against upstreams, with the best head of each and with each."""
    asked = replace(views.question, against=False)
    matrix, _ = matrix_of(views.read("board"), asked)
    languages = views.make("languages")
    named = {
        (row, 0): matrix.corpora[entries[0].key]  # type: ignore[index]
        for row, entries in enumerate(languages.rows)
    }
    maps = {"best of each": Panel(table=languages, name="best", names=named)}
    for head in dict.fromkeys(matrix.systems[system][1] for system in matrix.ranked()):
        table = _turned(matrix, head)
        if 2 < len(table.columns) <= MOST_MAPPED + 1:
            maps[head] = views.panel(f"map-{len(maps)}", table, across="upstream")
    if len(languages.columns) > MOST_MAPPED:
        del maps["best of each"]
    if not maps:
        raise HarnessError(
            f"More than {MOST_MAPPED} upstreams do not stand side by side. Choose "
            "fewer results with --only."
        )
    return maps


def _turned(matrix: Matrix, head: str) -> Table:
    """Turn a head's rows of the board into columns."""
    systems = [one for one in matrix.ranked() if matrix.systems[one][1] == head]
    body = []
    for corpus, label in matrix.corpora.items():
        column = matrix.column(corpus)
        entries = {system: column[system] for system in systems}
        body.append((word(label, key=corpus), *entries.values()))
    return Table(
        title=f"{matrix.metric.title} {matrix.unit.said}, downstream {head}",
        columns=("corpus", *(matrix.systems[system][0] for system in systems)),
        rows=tuple(body),
        heat=True,
        lowest=matrix.lowest,
    )


OUTLINES = (
    Outline(
        name="board",
        heading="Board",
        about="Systems against corpora, the best first.",
        panels=_board,
    ),
    Outline(
        name="map",
        heading="Corpora × upstreams",
        about="What is read well out of each upstream: with its best downstream, or "
        "with the same one for all.",
        panels=_maps,
    ),
    Outline(
        name="intervals",
        heading="How sure",
        about="The same figures with 95 % intervals, the ranks that each may have, "
        "and the worst test speaker; and what moves a figure most: seeds, folds or "
        "speakers.",
        panels=_intervals,
    ),
    Outline(
        name="means",
        heading="Upstreams × downstreams",
        about="Means over corpora; a system has one if it has every corpus.",
        panels=_means,
    ),
    Outline(
        name="layers",
        heading="Layers",
        about="Where in an upstream the target sits, in percent: weights that a "
        "head learned, or the test macro-F1 (of numbers, CCC) of a head on each layer. "
        "A layer of "
        "large states counts for more than its weight says, hence × norms. The "
        "highest of a row is underlined.",
        panels=_layers,
        optional=True,
    ),
    Outline(
        name="targets",
        heading="Targets × layers",
        about="Where each target sits: a head on each layer alone, with what guessing "
        "reaches taken off, or what the same head finds with permuted labels.",
        panels=_targets,
        optional=True,
    ),
    Outline(
        name="transfer",
        heading="Transfer",
        about="Trained on one corpus, tested on another.",
        panels=_transfer,
        optional=True,
    ),
    Outline(
        name="robustness",
        heading="Robustness",
        about="Scores on perturbed recordings, each with its difference to the clean "
        "one and the 95 % interval of that difference, paired.",
        panels=_robustness,
        optional=True,
    ),
    Outline(
        name="calibration",
        heading="Calibration",
        about="How far the probabilities can be believed: as trained, and with a "
        "temperature that was fitted on validation predictions.",
        panels=_calibration,
    ),
    Outline(
        name="fairness",
        heading="Fairness",
        about="The score of each group of utterances, the gap between them with its "
        "interval and test, and the worst speaker.",
        panels=_fairness,
    ),
    Outline(
        name="published",
        heading="Beside the paper",
        about="Ours, the figures of the paper, and where these lie from our interval.",
        panels=_published,
        asked=lambda question: question.against,
    ),
    Outline(
        name="corpora",
        heading="Corpora",
        about="What was read of each.",
        panels=_corpora,
    ),
    Outline(
        name="runs",
        heading="Provenance",
        about="What stands behind each figure. The CSV has all digits of the hashes.",
        panels=_runs,
    ),
)
