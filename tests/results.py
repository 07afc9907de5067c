"""Small plausible results, made without a run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from typing import Any, Protocol, get_origin

from conditions import CONDITION
from harness_leaderboard.results.columns import chosen_by, kind_of, path_of, paths
from study import put

from harness.types import (
    Epoch,
    ExtractionRecord,
    Prediction,
    Provenance,
    Result,
)


class MakeResult(Protocol):
    """The type of the fixture ``make_result``."""

    def __call__(self, **changes: Any) -> Result: ...


RESULT = Result(
    run_id="0" * 16,
    condition=CONDITION,
    fold="0",
    seed=0,
    n_train=4,
    n_valid=2,
    n_test=2,
    speakers_train=("03", "08"),
    speakers_valid=("09",),
    speakers_test=("10",),
    labels=("anger", "joy"),
    labels_absent=(),
    scores={"macro_f1": 0.8, "weighted_f1": 0.81, "uar": 0.82, "accuracy": 0.83},
    confusion=((1, 0), (1, 0)),
    best_epoch=2,
    epochs=2,
    trainable_parameters=132_359,
    layer_weights=(0.2, 0.3, 0.5),
    layer_norms=(1.0, 2.0, 4.0),
    history=(
        Epoch(
            epoch=1,
            learning_rate=5e-4,
            train_loss=0.7,
            valid_loss=0.6,
            valid_macro_f1=0.5,
            valid_uar=0.5,
        ),
    ),
    predictions=(
        Prediction(
            utterance="wav/10a01Wa.wav",
            speaker="10",
            gender="male",
            label="anger",
            predicted="anger",
            scores=(0.9, 0.1),
        ),
        Prediction(
            utterance="wav/10a01Fa.wav",
            speaker="10",
            gender=None,
            label="joy",
            predicted="anger",
            scores=(0.6, 0.4),
        ),
    ),
    training=Provenance(
        device="cpu",
        versions={"torch": "2.11.0", "python": "3.11.9"},
        harness_version="0.1.0",
        plugins={"upstream": "whisper (speech-harness 0.1.0)"},
        revision="e37978b",
        created="2025-01-01T00:00:00+00:00",
        seconds=2.5,
        peak_memory=1_000_000,
    ),
    extraction=ExtractionRecord(
        devices=("cpu",), versions={"torch": "2.11.0"}, seconds=61.5
    ),
)

OF_RESULT = {field.name for field in fields(Result)} - {"training", "extraction"}


def make_result(**changes: Any) -> Result:
    """A small plausible result, whose run_id follows from what is changed.

    What is changed is named by a field of ``Result``, a metric, or a word of
    ``harness leaderboard --only``; a text where a tuple belongs is its only member.
    """
    text = json.dumps(changes, default=str).encode()
    made = replace(RESULT, run_id=hashlib.sha256(text).hexdigest()[:16])
    for word, value in changes.items():
        column = word if word in OF_RESULT or word in paths() else chosen_by().get(word)
        if column is None:
            scores = {**made.scores, word: value}
            made = replace(made, scores=scores)
            continue
        path = path_of(column)
        alone = isinstance(value, str) and get_origin(kind_of(path)) is tuple
        made = put(made, path, (value,) if alone else value)
    return made
