from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from harness.types import Epoch, Prediction, Result

if TYPE_CHECKING:
    from pathlib import Path


class MakeResult(Protocol):
    def __call__(self, **changes: Any) -> Result: ...


def result(**changes: Any) -> Result:
    """A small plausible result, whose run_id follows from what is changed."""
    run_id = hashlib.sha256(json.dumps(changes, default=str).encode()).hexdigest()[:32]
    fields: dict[str, Any] = {
        "run_id": run_id,
        "upstream": "whisper-base",
        "upstream_revision": "e37978b",
        "upstream_feeding": "full",
        "checkpoint_sha256": "c" * 64,
        "layers": 3,
        "dim": 8,
        "downstream": "linear",
        "recipe": "peft-ser",
        "recipe_deviations": ("no waveform augmentation", "clips whole"),
        "selection": "macro_f1",
        "corpus": "emodb",
        "corpus_version": "1",
        "manifest_sha256": "d" * 64,
        "language": "de",
        "max_seconds": None,
        "split": "speaker-independent",
        "split_sha256": "e" * 64,
        "fold": "0",
        "folds": 1,
        "seed": 0,
        "n_train": 4,
        "n_valid": 2,
        "n_test": 2,
        "speakers_train": ("03", "08"),
        "speakers_valid": ("09",),
        "speakers_test": ("10",),
        "labels": ("anger", "joy"),
        "labels_absent": (),
        "macro_f1": 0.8,
        "weighted_f1": 0.81,
        "uar": 0.82,
        "accuracy": 0.83,
        "best_epoch": 2,
        "epochs": 2,
        "layer_weights": (0.2, 0.3, 0.5),
        "layer_norms": (1.0, 2.0, 4.0),
        "confusion": ((1, 0), (1, 0)),
        "history": (
            Epoch(
                epoch=1,
                learning_rate=5e-4,
                train_loss=0.7,
                valid_loss=0.6,
                valid_macro_f1=0.5,
                valid_uar=0.5,
            ),
        ),
        "predictions": (
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
        "skipped": (),
        "trainable_parameters": 132_359,
        "seconds_extract": 61.5,
        "seconds_train": 2.5,
        "peak_memory_bytes": 1_000_000,
        "device": "cpu",
        "versions": {"torch": "2.11.0", "python": "3.11.9"},
        "harness_version": "0.1.0",
        "plugin": {"whisper": "speech-harness 0.1.0"},
        "created": "2025-01-01T00:00:00+00:00",
    }
    return Result(**(fields | changes))


@pytest.fixture(scope="session")
def make_result() -> MakeResult:
    return result


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"
