"""Numbers that are predicted, such as arousal: results, and samples of known truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from harness_leaderboard.analysis.samples import Sample, TestPart
from study import grid

from harness.training.metrics import (
    harness_metrics,
    moments_of,
    predictions_of_numbers,
    score,
)
from harness.types import Epoch, Prediction

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.types import Result

BINS = ("q1", "q2", "q3", "q4")
SPEAKERS, EACH = 6, 20
SYSTEMS = {
    ("whisper", "linear"): 0.9,
    ("whisper", "multilayer"): 0.7,
    ("mel", "linear"): 0.3,
}


def ratings(make_result: Callable[..., Result], **changes: Any) -> list[Result]:
    """Make a study of a number: three systems on two corpora, with two seeds."""
    return grid(make_result, SYSTEMS, rated, **{"target": "arousal", **changes})


def rated(result: Result, skill: float) -> Result:
    """Put predicted numbers into a result, (speakers, utterances)."""
    truth = np.random.default_rng(len(result.condition.corpus.name))
    random = np.random.default_rng([result.seed, int(100 * skill)])
    true = truth.normal(3.0, 1.0, (SPEAKERS, EACH))
    bias = random.normal(0.0, 0.2, (SPEAKERS, 1))
    noise = random.normal(0.0, 1.0 - skill, true.shape)
    return with_numbers(result, true, 3.0 + skill * (true - 3.0) + bias + noise)


def with_numbers(result: Result, true: Any, said: Any) -> Result:
    """Put numbers, (speakers, utterances), and their metrics into a result."""
    edges = np.quantile(true, [0.25, 0.5, 0.75])
    return replace(
        result,
        labels=BINS,
        n_test=true.size,
        speakers_test=tuple(f"s{speaker}" for speaker in range(len(true))),
        confusion=(),
        scores=score(predictions_of_numbers(true.ravel(), said.ravel()), METRICS),
        history=(
            Epoch(
                epoch=2,
                learning_rate=5e-4,
                train_loss=0.4,
                valid_loss=0.5,
                valid_ccc=0.5,
            ),
        ),
        predictions=tuple(
            Prediction(
                utterance=f"{speaker}/{place}.wav",
                speaker=f"s{speaker}",
                gender=None,
                label=BINS[np.searchsorted(edges, true[speaker, place])],
                predicted=BINS[np.searchsorted(edges, said[speaker, place])],
                scores=(),
                value=float(true[speaker, place]),
                predicted_value=float(said[speaker, place]),
            )
            for speaker, place in np.ndindex(true.shape)
        ),
    )


METRICS = tuple(harness_metrics())


# ---------------------------------------------------------------- samples


@dataclass(frozen=True, kw_only=True)
class Raters:
    """How speakers and systems are drawn; deviations are in those of the truth.

    Attributes:
        slope: Of the prediction on the truth, on average.
        noise: Of an utterance.
        bias: Between speakers.
        taste: Of the slope between speakers.
        own: Between the means of the speakers' true numbers.
        utterances: Of a speaker.
        folds: ``one``, or ``each`` for a speaker a fold.
    """

    slope: float = 0.7
    noise: float = 0.5
    bias: float = 0.2
    taste: float = 0.1
    own: float = 0.3
    utterances: int = 40
    folds: str = "one"


def drawn(rng: np.random.Generator, world: Raters, speakers: int, systems: int = 1):
    """Draw speakers, and test equally good systems on them; return a sample of each."""
    own = world.own * rng.standard_normal((speakers, 1))
    true = own + rng.standard_normal((speakers, world.utterances))
    found = []
    for _ in range(systems):
        slope = world.slope + world.taste * rng.standard_normal((speakers, 1))
        bias = world.bias * rng.standard_normal((speakers, 1))
        noise = world.noise * rng.standard_normal(true.shape)
        found.append(sample_of(true, slope * true + bias + noise, world.folds))
    return found


def sample_of(true: Any, said: Any, folds: str = "one") -> Sample:
    """From numbers (speakers, utterances): one test part, or each speaker's own."""
    each = moments_of(true, said, origin=0.0)
    groups = [range(len(true))] if folds == "one" else [[s] for s in range(len(true))]
    parts = tuple(
        TestPart(
            seed=0,
            utterances=tuple(map(str, group)),
            speakers=np.array(group),
            counts=each[group].sum(1),
            squares=np.einsum("sni,snj->sij", each[group], each[group]),
        )
        for group in map(list, groups)
    )
    return Sample(speakers=tuple(map(str, range(len(true)))), parts=parts)
