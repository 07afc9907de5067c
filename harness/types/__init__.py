"""The nouns of the harness: frozen descriptions that plugins offer, and results.

Shape letters, here and everywhere: N utterances, B utterances of a batch,
S samples, L layers, T frames, D dims, C classes. Time is in seconds, rates are in
hertz, metrics are fractions of one.
"""

from __future__ import annotations

from harness.types.conditions import (
    Condition,
    CorpusCondition,
    DownstreamCondition,
    UpstreamCondition,
    leaf,
    leaves,
    run_id,
)
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
    Control,
    Cost,
    Downstream,
    Fit,
    Loss,
    Optimiser,
    Reads,
    Recipe,
    Schedule,
)
from harness.types.metrics import Metric, Predictions, metric
from harness.types.results import (
    Cell,
    CellFailed,
    CellFinished,
    Epoch,
    ExtractionRecord,
    Prediction,
    Provenance,
    Result,
    RunFinished,
    RunStarted,
    RunStarting,
)
from harness.types.splits import (
    PARTS,
    Fold,
    Split,
    SplitOptions,
    SplitStrategy,
)
from harness.types.stored import Results, Shown
from harness.types.tables import (
    Entry,
    Render,
    Renderer,
    Table,
)
from harness.types.upstreams import (
    HubCheckpoint,
    Load,
    Upstream,
)
from harness.types.work import (
    Executor,
    FrameType,
    Precision,
    Resources,
    Stages,
    Suite,
    Task,
    perform,
    silence,
)

__all__ = [
    "PARTS",
    "Archive",
    "Batch",
    "Build",
    "Cell",
    "CellFailed",
    "CellFinished",
    "Claim",
    "Condition",
    "Control",
    "Corpus",
    "CorpusCondition",
    "Cost",
    "Downstream",
    "DownstreamCondition",
    "Entry",
    "Epoch",
    "Executor",
    "ExtractionRecord",
    "Fit",
    "Fold",
    "FrameType",
    "Gender",
    "HubCheckpoint",
    "KnownFile",
    "Load",
    "Loss",
    "Metric",
    "Optimiser",
    "Precision",
    "Prediction",
    "Predictions",
    "Provenance",
    "Reads",
    "Recipe",
    "Render",
    "Renderer",
    "Resources",
    "Result",
    "Results",
    "RunFinished",
    "RunStarted",
    "RunStarting",
    "Schedule",
    "Shown",
    "Split",
    "SplitOptions",
    "SplitStrategy",
    "Stages",
    "Suite",
    "Table",
    "Task",
    "Upstream",
    "UpstreamCondition",
    "Utterance",
    "leaf",
    "leaves",
    "metric",
    "perform",
    "run_id",
    "silence",
]
