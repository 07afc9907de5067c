"""What a metric is: one function over predictions, with a name and a title."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What was predicted of N utterances of C classes.

    Attributes:
        confusion: (…, C, C) counts, rows are true labels. Statistics put many weighted
            confusions into one call, so a metric of it keeps leading dimensions.
        true: (N,) class indices; ``None`` where only confusions are known.
        scores: (N, C) probabilities; ``None`` where only confusions are known.
    """

    confusion: NDArray[np.floating[Any]]
    true: NDArray[np.integer[Any]] | None = None
    scores: NDArray[np.floating[Any]] | None = None


Score = Callable[[Predictions], Any]
"""From predictions to a fraction of one, or to (…) of them for (…, C, C) confusions."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A way to score predictions.

    Attributes:
        name: Snake-case; the word after ``--metric``.
        title: As tables print it.
        summary: One line for ``harness list metrics``.
        score: The function.
        of_confusion: Whether it reads the confusion alone; intervals and tests need
            that.
        higher_is_better: Whether the best is the highest.
    """

    name: str
    title: str
    summary: str
    score: Score
    of_confusion: bool = True
    higher_is_better: bool = True

    def __reduce__(self) -> tuple[Callable[[str, str], Metric], tuple[str, str]]:
        """Pickle the metric by where it is defined, as functions are."""
        return _defined_at, (self.score.__module__, self.score.__name__)


def _defined_at(module: str, name: str) -> Metric:
    found = getattr(import_module(module), name)
    if not isinstance(found, Metric):
        raise TypeError(f"{module}.{name} is no metric: define it at the top of it.")
    return found


def metric(
    title: str, *, of_confusion: bool = True, higher_is_better: bool = True
) -> Callable[[Score], Metric]:
    """Make a function over ``Predictions`` a metric that is called as it is called.

    Args:
        title: As tables print it.
        of_confusion: Whether it reads the confusion alone.
        higher_is_better: Whether the best is the highest.
    """

    def decorate(score: Score) -> Metric:
        return Metric(
            name=score.__name__,
            title=title,
            summary=(score.__doc__ or title).strip().partition("\n")[0],
            score=score,
            of_confusion=of_confusion,
            higher_is_better=higher_is_better,
        )

    return decorate
