"""What a metric is: one function over predictions, with a name and a title."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _nothing() -> NDArray[np.floating[Any]]:
    import numpy as np

    return np.zeros((0, 0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What was predicted of N utterances, of C classes or as numbers.

    Statistics put many weighted confusions, or moments, into one call, so a metric of
    them keeps leading dimensions.

    Attributes:
        confusion: (…, C, C) counts, rows are true labels; (0, 0) of numbers.
        moments: (…, 6) sums over utterances of 1, x, y, x², y², xy of true numbers x
            and predicted ones y, each less the same constant; (0, 0) of classes.
        true: (N,) class indices, or true numbers; ``None`` where only confusions or
            moments are known.
        scores: (N, C) probabilities, or (N, 1) predicted numbers; ``None`` likewise.
    """

    confusion: NDArray[np.floating[Any]] = field(default_factory=_nothing)
    moments: NDArray[np.floating[Any]] = field(default_factory=_nothing)
    true: NDArray[np.number[Any]] | None = None
    scores: NDArray[np.floating[Any]] | None = None

    @property
    def of_numbers(self) -> bool:
        """Whether numbers were predicted, not classes."""
        return bool(self.moments.size)


Score = Callable[[Predictions], Any]
"""From predictions to a score, or to (…) of them for (…, C, C) or (…, 6) statistics."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A way to score predictions.

    Attributes:
        name: Snake-case; the word after ``--metric``.
        title: As tables print it.
        summary: One line for ``harness list metrics``.
        score: The function.
        of_confusion: Whether it reads the confusion alone.
        of_moments: Whether it reads the moments alone.
        of_numbers: Whether it scores numbers, not classes.
        higher_is_better: Whether the best is the highest.
        bounds: The lowest and the highest score. A bounded one is printed in percent;
            with (0, inf) it is in the units of the numbers.
    """

    name: str
    title: str
    summary: str
    score: Score
    of_confusion: bool = True
    of_moments: bool = False
    of_numbers: bool = False
    higher_is_better: bool = True
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def additive(self) -> bool:
        """Whether it reads sums over utterances alone, as intervals and tests need."""
        return self.of_confusion or self.of_moments

    @property
    def in_percent(self) -> bool:
        """Whether it is printed in percent, not in the units of the numbers."""
        return isfinite(self.bounds[1])

    def __reduce__(self) -> tuple[Callable[[str, str], Metric], tuple[str, str]]:
        """Pickle the metric by where it is defined, as functions are."""
        return _defined_at, (self.score.__module__, self.score.__name__)


def _defined_at(module: str, name: str) -> Metric:
    found = getattr(import_module(module), name)
    if not isinstance(found, Metric):
        raise TypeError(f"{module}.{name} is no metric: define it at the top of it.")
    return found


def metric(
    title: str,
    *,
    of_confusion: bool = True,
    of_moments: bool = False,
    of_numbers: bool = False,
    higher_is_better: bool = True,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Callable[[Score], Metric]:
    """Make a function over ``Predictions`` a metric that is called as it is called.

    Args:
        title: As tables print it.
        of_confusion: Whether it reads the confusion alone; none of numbers does.
        of_moments: Whether it reads the moments alone, and so is of numbers.
        of_numbers: Whether it scores numbers, not classes.
        higher_is_better: Whether the best is the highest.
        bounds: The lowest and the highest score.
    """

    def decorate(score: Score) -> Metric:
        return Metric(
            name=score.__name__,
            title=title,
            summary=(score.__doc__ or title).strip().partition("\n")[0],
            score=score,
            of_confusion=of_confusion and not (of_moments or of_numbers),
            of_moments=of_moments,
            of_numbers=of_numbers or of_moments,
            higher_is_better=higher_is_better,
            bounds=bounds,
        )

    return decorate
