"""The views of ``harness leaderboard``: the columns each reads, and how it is made.

Each is a pure function from results to a table; none averages over corpora unless every
row has the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_leaderboard.analysis.tables import Question, board, columns
from harness_leaderboard.views import averages, inventory, layers, transfer
from harness_leaderboard.views import intervals as certainty

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from harness.types import Table


@dataclass(frozen=True, kw_only=True)
class View:
    """A table by name.

    Attributes:
        summary: One line for ``--help``.
        columns: Those that it reads for a question.
        make: From results to the table.
        published: Whether the paper has figures to set beside it.
    """

    summary: str
    columns: Callable[[Question], tuple[str, ...]]
    make: Callable[[pa.Table, Question], Table]
    published: bool = False


def _scores(question: Question) -> tuple[str, ...]:
    """Give the columns of figures, with predictions where intervals are needed."""
    more = ("labels", "predictions") if question.against else ()
    return (*columns(question.metric), *more)


def _board(runs: pa.Table, question: Question) -> Table:
    return board(runs, question.metric)


def _spread(runs: pa.Table, question: Question) -> Table:
    from harness_leaderboard.views.spread import spread  # brings numpy

    return spread(runs, question)


VIEWS = {
    "board": View(summary="systems against corpora", columns=_scores, make=_board),
    "intervals": View(
        summary="the board with intervals, ranks and ties",
        columns=lambda question: (*columns(question.metric), "labels", "predictions"),
        make=certainty.intervals,
    ),
    "classifiers": View(
        summary="upstreams against downstreams, means over corpora",
        columns=_scores,
        make=averages.classifiers,
        published=True,
    ),
    "languages": View(
        summary="corpora against upstreams, each with its best downstream",
        columns=_scores,
        make=averages.languages,
        published=True,
    ),
    "corpora": View(
        summary="what was read of each corpus",
        columns=lambda _: (
            *(*inventory.READ, "labels", "skipped"),
            *(f"n_{part}" for part in inventory.PARTS),
            *(f"speakers_{part}" for part in inventory.PARTS),
        ),
        make=inventory.corpora,
        published=True,
    ),
    "layers": View(
        summary="the layers that heads weigh",
        columns=lambda _: (*columns("macro_f1"), *layers.LAYERED),
        make=layers.layers,
    ),
    "transfer": View(
        summary="trained on one corpus, tested on another, chance taken off",
        columns=lambda _: (*columns("uar"), "labels", "labels_absent"),
        make=transfer.transfer,
    ),
    "spread": View(
        summary="how much seeds, folds and speakers move a figure",
        columns=lambda question: (*columns(question.metric), "labels", "predictions"),
        make=_spread,
    ),
    "runs": View(
        summary="what stands behind each figure",
        columns=lambda question: (
            *columns(question.metric),
            *("n_train", "n_valid", "n_test", "harness_version", "versions", "device"),
            "plugin",
        ),
        make=inventory.provenance,
    ),
}
