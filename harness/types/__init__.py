"""The nouns of the harness: frozen descriptions that plugins offer, and results.

Shape letters, here and everywhere: N utterances, B utterances of a batch,
S samples, L layers, T frames, D dims, C classes. Time is in seconds, rates are in
hertz, metrics are fractions of one.
"""

from __future__ import annotations

from harness.types.corpora import (
    Archive,
    Claim,
    Corpus,
    Gender,
    KnownFile,
    Utterance,
)
from harness.types.downstreams import (
    Batch,
    Build,
    Downstream,
    Fit,
    Reads,
    Recipe,
)
from harness.types.results import (
    Cell,
    Epoch,
    Prediction,
    Report,
    Result,
)
from harness.types.tables import (
    Entry,
    Render,
    Renderer,
    Table,
)
from harness.types.upstreams import (
    Load,
    Upstream,
)
from harness.types.work import (
    Executor,
    FrameType,
    Map,
    Outcome,
    Precision,
    Selection,
    Stages,
    Suite,
    Task,
    silence,
)

__all__ = [
    "Archive",
    "Batch",
    "Build",
    "Cell",
    "Claim",
    "Corpus",
    "Downstream",
    "Entry",
    "Epoch",
    "Executor",
    "Fit",
    "FrameType",
    "Gender",
    "KnownFile",
    "Load",
    "Map",
    "Outcome",
    "Precision",
    "Prediction",
    "Reads",
    "Recipe",
    "Render",
    "Renderer",
    "Report",
    "Result",
    "Selection",
    "Stages",
    "Suite",
    "Table",
    "Task",
    "Upstream",
    "Utterance",
    "silence",
]
