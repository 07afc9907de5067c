"""A small study with predictions: three systems on two corpora, with two seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.training.metrics import harness_metrics, predictions_of, score
from harness.types import PerturbationCondition, Prediction, run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.types import Result

LABELS = ("anger", "joy", "neutral")
SPEAKERS, EACH = 6, 10
SYSTEMS = {
    ("whisper", "linear"): 0.9,
    ("whisper", "probe"): 0.7,
    ("mel", "linear"): 0.4,
}


def study(make_result: Callable[..., Result], **changes: Any) -> list[Result]:
    """Make the results.

    Args:
        make_result: The fixture of that name.
        changes: Fields that every result has, such as a hostile name.
    """
    return grid(make_result, SYSTEMS, predicted, **changes)


def grid(
    make_result: Callable[..., Result],
    systems: Mapping[tuple[str, str], float],
    put_in: Callable[[Result, float], Result],
    **changes: Any,
) -> list[Result]:
    """Make results of systems on two corpora with two seeds, by each one's skill."""
    return [
        put_in(
            make_result(
                upstream=upstream,
                downstream=downstream,
                corpus=corpus,
                language=language,
                seed=seed,
                **changes,
            ),
            skill,
        )
        for (upstream, downstream), skill in systems.items()
        for corpus, language in (("cafe", "fr"), ("emodb", "de"))
        for seed in (0, 1)
    ]


def predicted(result: Result, skill: float) -> Result:
    """Put predictions into a result that are right as often as asked."""
    truth = np.random.default_rng(len(result.condition.corpus.name))
    random = np.random.default_rng([result.seed, int(100 * skill)])
    true = truth.integers(0, len(LABELS), (SPEAKERS, EACH))
    wrong = (true + random.integers(1, len(LABELS), true.shape)) % len(LABELS)
    said = np.where(random.random(true.shape) < skill, true, wrong)
    return with_predictions(result, true, said)


def with_predictions(result: Result, true: Any, said: Any) -> Result:
    """Put predictions, (speakers, utterances), and their metrics into a result."""
    probable = np.where(np.eye(len(LABELS), dtype=bool)[said], 0.8, 0.1)
    known = predictions_of(true.ravel(), probable.reshape(-1, len(LABELS)))
    return replace(
        result,
        labels=LABELS,
        n_test=true.size,
        confusion=tuple(tuple(map(int, row)) for row in known.confusion),
        scores=score(known, harness_metrics()),
        predictions=tuple(
            Prediction(
                utterance=f"{speaker}/{place}.wav",
                speaker=f"s{speaker}",
                gender=None,
                label=LABELS[true[speaker, place]],
                predicted=LABELS[said[speaker, place]],
                scores=tuple(probable[speaker, place].tolist()),
            )
            for speaker, place in np.ndindex(true.shape)
        ),
    )


def perturbed(result: Result, name: str, **more: Any) -> Result:
    """Return a copy that was tested on perturbed recordings."""
    described = PerturbationCondition(
        name=name, version=1, plugin="", parts="test", applied=1
    )
    condition = replace(result.condition, perturbation=replace(described, **more))
    return replace(
        result,
        condition=condition,
        run_id=run_id(condition, result.fold, result.seed),
    )


def put(of: Any, path: tuple[str, ...], value: object) -> Any:
    """Return a copy of a frozen dataclass with another value at a path."""
    name, *rest = path
    new = put(getattr(of, name), tuple(rest), value) if rest else value
    return replace(of, **{name: new})
