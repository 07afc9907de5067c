"""What is asked of a view or a figure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from harness.errors import HarnessError
from harness.training.metrics import macro_f1

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.types import Metric


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of a view.

    Attributes:
        metric: What is averaged.
        against: Whether the paper's figures are set beside ours.
        pooled: Whether the folds of a seed are scored as one test part.
        controls: Upstreams and downstreams that others must beat, by name; they stand
            apart from what is ranked.
        classifiers: Downstreams that are made for one upstream, by name, such as
            ``ast``: they are no heads of others.
        detect: A difference that matters, as a fraction of one, for ``compare``.
        heads: What ``languages`` chooses the best head of an upstream by: its score in
            validation, or, as the paper does, on the test.
        width: How wide a figure is: a column or a page of a paper; ``""`` for what its
            panels need.
        pretraining: The languages that each upstream was trained on, by its name.
        spreads: How far the figure of a head moves with the seed, by its name.
    """

    metric: Metric = macro_f1
    against: bool = False
    pooled: bool = False
    controls: frozenset[str] = frozenset()
    classifiers: frozenset[str] = frozenset()
    detect: float | None = None
    heads: Literal["validation", "test"] = "validation"
    width: Literal["", "column", "page"] = ""
    pretraining: Mapping[str, Sequence[str]] = field(default_factory=dict)
    spreads: Mapping[str, float] = field(default_factory=dict)


def require_confusion(metric: Metric) -> None:
    """Refuse a metric that speakers cannot be resampled for.

    Raises:
        HarnessError: Where it reads more than confusions.
    """
    if not metric.of_confusion:
        raise HarnessError(
            f"{metric.title} is not computed from confusions alone, so there are no "
            "intervals and no tests for it. Choose another --metric, such as macro_f1."
        )
