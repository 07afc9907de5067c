"""A small study with predictions: three systems on two corpora, with two seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.training.metrics import score
from harness.types import Prediction

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.types import Result

LABELS = ("anger", "joy", "neutral")
SPEAKERS, EACH = 6, 10
SYSTEMS = {
    ("whisper", "linear"): 0.9,
    ("whisper", "probe"): 0.7,
    ("mel", "linear"): 0.4,
}


def study(make_result: Callable[..., Result], **names: str) -> list[Result]:
    """Make the results.

    Args:
        make_result: The fixture of that name.
        names: Fields that every result has, such as a hostile name.
    """
    return [
        told(
            make_result(
                upstream=upstream,
                downstream=downstream,
                corpus=corpus,
                language=language,
                seed=seed,
                **names,
            ),
            skill,
        )
        for (upstream, downstream), skill in SYSTEMS.items()
        for corpus, language in (("cafe", "fr"), ("emodb", "de"))
        for seed in (0, 1)
    ]


def told(result: Result, skill: float) -> Result:
    """Give a result predictions that are right as often as asked, and their scores."""
    truth = np.random.default_rng(len(result.corpus))
    random = np.random.default_rng([result.seed, int(100 * skill)])
    true = truth.integers(0, len(LABELS), (SPEAKERS, EACH))
    wrong = (true + random.integers(1, len(LABELS), true.shape)) % len(LABELS)
    said = np.where(random.random(true.shape) < skill, true, wrong)
    return with_predictions(result, true, said)


def with_predictions(result: Result, true: Any, said: Any) -> Result:
    """Give a result these predictions, (speakers, utterances), and what they score."""
    classes = len(LABELS)
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (true.ravel(), said.ravel()), 1)
    scores = score(true.ravel(), said.ravel(), classes=classes)
    return replace(
        result,
        labels=LABELS,
        n_test=true.size,
        confusion=tuple(map(tuple, confusion.tolist())),
        macro_f1=scores.macro_f1,
        uar=scores.uar,
        predictions=tuple(
            Prediction(
                utterance=f"{speaker}/{place}.wav",
                speaker=f"s{speaker}",
                gender=None,
                label=LABELS[true[speaker, place]],
                predicted=LABELS[said[speaker, place]],
                scores=tuple(
                    0.8 if label == said[speaker, place] else 0.1
                    for label in range(classes)
                ),
            )
            for speaker, place in np.ndindex(true.shape)
        ),
    )
