"""How good predictions are: macro-F1, UAR and others of classes; CCC, RMSE of numbers.

Macro-F1 and UAR are means over the labels that are present in the truth. A label that
is predicted but absent there has no score of its own and does not enter the means
(scikit-learn's ``f1_score`` would count it as 0 unless passed the labels); each such
prediction still counts against the label that is true.

A metric is one decorated function over ``Predictions``; a plugin offers its own in the
same way. Confusions have shape (…, C, C), rows are true labels; the metric is (…).
Moments have shape (…, 6), the sums of 1, x, y, x², y², xy; variances are those of the
population (divided by n), as in audmetric.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.hookspecs import hookimpl
from harness.types import Metric, Predictions, metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

ROUNDING = 1e-13
"""Of a mean square: less is what float64 leaves of the variance of a constant."""


@metric("Macro-F1")
def macro_f1(predictions: Predictions) -> Floats:
    """Mean F1 of the labels that are present."""
    return _mean_over_present(_f1(predictions.confusion), predictions.confusion)


@metric("Weighted F1")
def weighted_f1(predictions: Predictions) -> Floats:
    """Mean F1 of the labels, weighted by how many utterances have each."""
    support = predictions.confusion.sum(-1)
    return _ratio((_f1(predictions.confusion) * support).sum(-1), support.sum(-1))


@metric("UAR")
def uar(predictions: Predictions) -> Floats:
    """Mean recall of the labels that are present."""
    confusion = predictions.confusion
    recall = _ratio(_hits(confusion), confusion.sum(-1))
    return _mean_over_present(recall, confusion)


@metric("Accuracy")
def accuracy(predictions: Predictions) -> Floats:
    """Share of utterances whose label is predicted."""
    confusion = predictions.confusion
    return _ratio(_hits(confusion).sum(-1), confusion.sum((-2, -1)))


@metric("CCC", of_moments=True, bounds=(-1.0, 1.0))
def ccc(predictions: Predictions) -> Floats:
    """Concordance correlation coefficient (Lin 1989): agreement in shape and scale."""
    of = _central(predictions.moments)
    return _ratio(2 * of.covariance, of.var_true + of.var_predicted + of.bias**2)


@metric("Pearson's r", of_moments=True, bounds=(-1.0, 1.0))
def pearson(predictions: Predictions) -> Floats:
    """Correlation of true and predicted numbers; 0 where either is constant."""
    of = _central(predictions.moments)
    r = _ratio(of.covariance, (of.var_true * of.var_predicted) ** 0.5)
    return r.clip(-1.0, 1.0)


@metric("RMSE", of_moments=True, higher_is_better=False, bounds=(0.0, inf))
def rmse(predictions: Predictions) -> Floats:
    """Root mean square error, in the units of the numbers."""
    of = _central(predictions.moments)
    square = of.var_true + of.var_predicted - 2 * of.covariance + of.bias**2
    root: Floats = square.clip(0.0) ** 0.5
    return root


@hookimpl
def harness_metrics() -> Iterator[Metric]:
    """Offer the metrics of the field of emotion recognition."""
    yield macro_f1
    yield weighted_f1
    yield uar
    yield accuracy
    yield ccc
    yield pearson
    yield rmse


def score(predictions: Predictions, metrics: Iterable[Metric]) -> dict[str, float]:
    """Return every metric of a part that is of what was predicted, by name."""
    return {
        one.name: float(one.score(predictions))
        for one in metrics
        if one.of_numbers == predictions.of_numbers
    }


def predictions_of(true: Ints, scores: Floats) -> Predictions:
    """Bring class indices (N,) and scores (N, C) into the form that metrics read."""
    classes = scores.shape[1]
    confusion = confusion_of(true, scores.argmax(1), classes=classes)
    return Predictions(confusion=confusion, true=true, scores=scores)


def confusion_of(true: Ints, predicted: Ints, *, classes: int) -> Floats:
    """Count pairs of class indices, each (N,); (C, C), rows are true labels."""
    import numpy as np

    pairs = np.bincount(true * classes + predicted, minlength=classes**2)
    return pairs.reshape(classes, classes).astype(np.float64)


def predictions_of_numbers(true: Floats, predicted: Floats) -> Predictions:
    """Bring true and predicted numbers, each (N,), into the form that metrics read."""
    moments = moments_of(true, predicted, origin=float(true.mean()) if len(true) else 0)
    return Predictions(moments=moments.sum(0), true=true, scores=predicted[:, None])


def moments_of(true: Floats, predicted: Floats, *, origin: float) -> Floats:
    """Return what each utterance adds to the moments, (N, 6).

    Args:
        true: (N,) x.
        predicted: (N,) y.
        origin: Taken off both, so that sums of squares stay small; it changes no
            metric.
    """
    import numpy as np

    x, y = (np.asarray(one, np.float64) - origin for one in (true, predicted))
    return np.stack([np.ones_like(x), x, y, x**2, y**2, x * y], axis=-1)


class _Central(NamedTuple):
    """What moments say of true and predicted numbers, each (…)."""

    var_true: Floats
    var_predicted: Floats
    covariance: Floats
    bias: Floats


def _central(moments: Floats) -> _Central:
    """Return variances, covariance and the difference of the means."""
    import numpy as np

    number, *sums = np.moveaxis(np.asarray(moments, np.float64), -1, 0)
    x, y, xx, yy, xy = (_ratio(one, number) for one in sums)
    return _Central(
        var_true=_positive(xx - x**2, xx),
        var_predicted=_positive(yy - y**2, yy),
        covariance=xy - x * y,
        bias=x - y,
    )


def _positive(variance: Floats, square: Floats) -> Floats:
    """Return a variance, 0 where it is no more than what rounding leaves of it."""
    import numpy as np

    return np.where(variance > ROUNDING * square, variance, 0.0)


def _f1(confusion: Floats) -> Floats:
    both = confusion.sum(-1) + confusion.sum(-2)
    return _ratio(2 * _hits(confusion), both)


def _hits(confusion: Floats) -> Floats:
    import numpy as np

    hits: Floats = np.einsum("...cc->...c", confusion)
    return hits


def _mean_over_present(of_class: Floats, confusion: Floats) -> Floats:
    """Average (…, C) over the labels that some utterance has."""
    present = confusion.sum(-1) > 0
    if of_class.ndim == 1:  # as numpy's mean of the present ones, to the last bit
        of_present: Floats = of_class[present] if present.any() else 0 * of_class
        mean: Floats = of_present.mean(keepdims=True)[0]
        return mean
    weight = present.astype(of_class.dtype)
    return _ratio((of_class * weight).sum(-1), weight.sum(-1))


def _ratio(above: Floats, below: Floats) -> Floats:
    """Divide; nothing over nothing is 0."""
    import numpy as np

    zeros = np.zeros_like(above)
    ratio: Floats = np.divide(above, below, out=zeros, where=below > 0)
    return ratio
