"""How good predictions are: macro-F1, weighted F1, unweighted average recall, accuracy.

Macro-F1 and UAR are means over the labels that are present in the truth. A label that
is predicted but absent there has no score of its own and does not enter the means
(scikit-learn's ``f1_score`` would count it as 0 unless told the labels); each such
prediction still counts against the label that is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The metrics of one part, as fractions of one.

    Attributes:
        macro_f1: Mean F1 of the labels that are present.
        weighted_f1: Their mean F1, weighted by how many utterances have each.
        uar: Mean recall of the labels that are present.
        accuracy: Share of utterances whose label is predicted.
        confusion: (C, C) counts, rows are true labels.
        labels_absent: Indices of the classes that no utterance has.
    """

    macro_f1: float
    weighted_f1: float
    uar: float
    accuracy: float
    confusion: tuple[tuple[int, ...], ...]
    labels_absent: tuple[int, ...]


def score(
    true: NDArray[np.integer], predicted: NDArray[np.integer], *, classes: int
) -> Scores:
    """Compare predictions with the truth; about a millisecond.

    Args:
        true: (N,) class indices below ``classes``, N ≥ 1.
        predicted: (N,) class indices below ``classes``.
        classes: C.
    """
    import numpy as np
    from sklearn.metrics import precision_recall_fscore_support

    pairs = np.bincount(true * classes + predicted, minlength=classes**2)
    confusion = pairs.reshape(classes, classes)
    support = confusion.sum(axis=1)
    present = support.nonzero()[0]
    _, recall, f1, _ = precision_recall_fscore_support(
        true, predicted, labels=present, average=None, zero_division=0
    )
    return Scores(
        macro_f1=float(f1.mean()),
        weighted_f1=float(np.average(f1, weights=support[present])),
        uar=float(recall.mean()),
        accuracy=float(confusion.trace() / len(true)),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        labels_absent=tuple((support == 0).nonzero()[0].tolist()),
    )
