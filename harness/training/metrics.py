"""How good predictions are: macro-F1, weighted F1, unweighted average recall, accuracy.

Macro-F1 and UAR are means over the labels that are present in the truth. A label that
is predicted but absent there has no score of its own and does not enter the means
(scikit-learn's ``f1_score`` would count it as 0 unless passed the labels); each such
prediction still counts against the label that is true.

A metric is one decorated function over ``Predictions``; a plugin offers its own in the
same way. Confusions have shape (…, C, C), rows are true labels; the metric is (…).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.hookspecs import hookimpl
from harness.types import Metric, Predictions, metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]


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


@hookimpl
def harness_metrics() -> Iterator[Metric]:
    """Offer the metrics of the field of emotion recognition."""
    yield macro_f1
    yield weighted_f1
    yield uar
    yield accuracy


def score(predictions: Predictions, metrics: Iterable[Metric]) -> dict[str, float]:
    """Return every metric of a part, by name."""
    return {one.name: float(one.score(predictions)) for one in metrics}


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
