"""What is asked of a view or a figure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from harness.errors import HarnessError
from harness.training.metrics import ccc, macro_f1
from harness_leaderboard.analysis.grouping import Grouping
from harness_leaderboard.results.columns import scored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from harness.types import Metric


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a view.

    Attributes:
        metric: What is averaged.
        named: Whether the metric was named, or stands for what suits the results.
        against: Whether the paper's figures are set beside ours.
        pooled: Whether the folds of a seed are scored as one test part.
        controls: Upstreams and downstreams that others must beat, by name; they stand
            apart from what is ranked.
        classifiers: Downstreams that are made for one upstream, by name, such as
            ``ast``: they are no heads of others.
        detect: A difference that matters, as a fraction of one, for ``compare``.
        heads: What ``languages`` chooses the best head of an upstream by: its score in
            validation, or, as the paper does, on the test.
        by: What ``fairness`` groups predictions by.
        width: How wide a figure is: a column or a page of a paper; ``""`` for what its
            panels need.
        pretraining: The languages that each upstream was trained on, by its name.
        spreads: How far the figure of a head moves with the seed, by its name.
    """

    metric: Metric = macro_f1
    named: bool = True
    against: bool = False
    pooled: bool = False
    controls: frozenset[str] = frozenset()
    classifiers: frozenset[str] = frozenset()
    detect: float | None = None
    heads: Literal["validation", "test"] = "validation"
    by: Grouping = field(default_factory=Grouping)
    width: Literal["", "column", "page"] = ""
    pretraining: Mapping[str, Sequence[str]] = field(default_factory=dict)
    spreads: Mapping[str, float] = field(default_factory=dict)


DEFAULTS = (scored(macro_f1), scored(ccc))
"""The columns that say whether results are of classes or of numbers."""


def suited(question: Question, runs: pa.Table) -> Question:
    """Ask for CCC where no metric was named and numbers alone were predicted.

    Args:
        question: What is asked.
        runs: Results with ``DEFAULTS``.
    """
    of_classes, of_numbers = (runs[name] for name in DEFAULTS)
    numbers = of_classes.null_count == len(runs) > of_numbers.null_count
    return replace(question, metric=ccc) if numbers and not question.named else question


def of_kind(question: Question, of_classes: Metric) -> Metric:
    """Return CCC where a metric of numbers is asked for, else one of classes."""
    return ccc if question.metric.of_numbers else of_classes


def require_additive(metric: Metric) -> None:
    """Refuse a metric that speakers cannot be resampled for.

    Raises:
        HarnessError: Where it reads more than confusions or moments.
    """
    if not metric.additive:
        sums, other = (
            ("moments", "ccc") if metric.of_numbers else ("confusions", "macro_f1")
        )
        raise HarnessError(
            f"{metric.title} is not computed from {sums} alone, so there are no "
            f"intervals and no tests for it. Choose another --metric, such as {other}."
        )
