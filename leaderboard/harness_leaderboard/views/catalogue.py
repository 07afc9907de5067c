"""The views of ``harness leaderboard``: the columns each reads, and how it is made.

Each is a pure function from results to a table; none averages over corpora unless every
row has the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.text import counted
from harness.training.metrics import macro_f1, uar
from harness_leaderboard.analysis.figures import columns
from harness_leaderboard.analysis.layers import LAYERED, LOCATED
from harness_leaderboard.analysis.places import unmixed
from harness_leaderboard.analysis.question import of_kind
from harness_leaderboard.analysis.validation import LEARNED
from harness_leaderboard.views import classifiers, corpora, languages, provenance
from harness_leaderboard.views.board import board
from harness_leaderboard.views.layers import layers
from harness_leaderboard.views.transfer import transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from harness.types import Metric, Table
    from harness_leaderboard.analysis.question import Question


@dataclass(frozen=True, kw_only=True)
class View:
    """A table by name.

    Attributes:
        summary: One line for ``--help``.
        columns: Those that it reads for a question.
        make: From results to the table.
        published: Whether the paper has figures to set beside it.
        metric: The metric that it shows for a question.
        sure: Whether it also reads ``PREDICTED``, where these are not too many, to say
            how sure its figures are.
    """

    summary: str
    columns: Callable[[Question], tuple[str, ...]]
    make: Callable[[pa.Table, Question], Table]
    published: bool = False
    metric: Callable[[Question], Metric] = lambda question: question.metric
    sure: bool = False

    def table(self, runs: pa.Table, question: Question) -> Table:
        """Make the table, and say in it which of its scores are good ones."""
        metric = self.metric(question)
        made = self.make(runs, question)
        return replace(made, bounds=metric.bounds, lowest=not metric.higher_is_better)


PREDICTED = ("labels", "predictions")
"""The columns that errors, intervals and tests are computed from."""


def _scores(question: Question) -> tuple[str, ...]:
    """Return the columns of figures, with predictions where intervals are needed."""
    if question.against:
        return _predicted(question)
    return (*columns(question.metric), "n_test")


def _predicted(question: Question) -> tuple[str, ...]:
    return (*columns(question.metric), "n_test", *PREDICTED)


def _layered(question: Question) -> Metric:
    return of_kind(question, macro_f1)


def _transferred(question: Question) -> Metric:
    return of_kind(question, uar)


def _intervals(runs: pa.Table, question: Question) -> Table:
    from harness_leaderboard.views.intervals import intervals  # brings numpy

    return intervals(runs, question)


def _calibrated(question: Question) -> tuple[str, ...]:
    return (*columns(macro_f1), *PREDICTED, "valid_predictions")


def _calibration(runs: pa.Table, question: Question) -> Table:
    from harness_leaderboard.views.calibration import calibration  # brings numpy

    return calibration(runs, question)


def _fairness(runs: pa.Table, question: Question) -> Table:
    from harness_leaderboard.views.fairness import fairness  # brings numpy

    return fairness(runs, question)


def _map(runs: pa.Table, question: Question) -> Table:
    from harness_leaderboard.views.map import map_of  # brings numpy

    return map_of(runs, question)


def _spread(runs: pa.Table, question: Question) -> Table:
    from harness_leaderboard.views.spread import spread  # brings numpy

    return spread(runs, question)


def _clean(
    make: Callable[[pa.Table, Question], Table],
) -> Callable[[pa.Table, Question], Table]:
    """Leave out results on perturbed recordings, where others are clean, and say so."""

    def made(runs: pa.Table, question: Question) -> Table:
        kept = unmixed(runs)
        table = make(kept, question)
        if len(kept) == len(runs):
            return table
        left = counted(len(runs) - len(kept), "result")
        note = f"Left out: {left} on perturbed recordings, see --view robustness."
        return replace(table, notes=(*table.notes, note))

    return made


def _robustness(runs: pa.Table, question: Question) -> Table:
    from harness_leaderboard.views.robustness import robustness  # brings numpy

    return robustness(runs, question)


VIEWS = {
    "board": View(
        summary="systems against corpora", columns=_scores, make=board, sure=True
    ),
    "intervals": View(
        summary="the board with intervals, ranks and the worst speaker",
        columns=_predicted,
        make=_intervals,
    ),
    "classifiers": View(
        summary="upstreams against downstreams, means over corpora",
        columns=_scores,
        make=_clean(classifiers.classifiers),
        sure=True,
        published=True,
    ),
    "languages": View(
        summary="corpora against upstreams, each with its best downstream",
        columns=lambda question: (*_scores(question), *LEARNED),
        make=_clean(languages.languages),
        sure=True,
        published=True,
    ),
    "corpora": View(
        summary="what was read of each corpus",
        columns=lambda _: corpora.COLUMNS,
        make=corpora.corpora,
        published=True,
    ),
    "layers": View(
        summary="the layers that heads weigh",
        columns=lambda question: (*columns(_layered(question)), *LAYERED),
        make=_clean(layers),
        metric=_layered,
    ),
    "map": View(
        summary="where targets sit: targets against layers, chance taken off",
        columns=lambda _: (*columns(macro_f1), *LOCATED),
        make=_clean(_map),
        metric=_layered,
    ),
    "transfer": View(
        summary="trained on one corpus, tested on another, chance taken off",
        columns=lambda question: (
            *columns(_transferred(question)),
            *("labels", "labels_absent"),
        ),
        make=_clean(transfer),
        metric=_transferred,
    ),
    "robustness": View(
        summary="what perturbed recordings cost, against clean ones",
        columns=_predicted,
        make=_robustness,
    ),
    "spread": View(
        summary="how much seeds, folds and speakers move a figure",
        columns=_predicted,
        make=_spread,
    ),
    "calibration": View(
        summary="how far probabilities can be believed, before and after a temperature",
        columns=_calibrated,
        make=_calibration,
        metric=lambda _: macro_f1,
    ),
    "fairness": View(
        summary="scores by gender, or by what --by names, and how far they are apart",
        columns=_predicted,
        make=_fairness,
    ),
    "runs": View(
        summary="what stands behind each figure",
        columns=provenance.needed,
        make=provenance.provenance,
    ),
}
