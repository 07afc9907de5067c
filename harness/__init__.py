"""The face of the harness: what a plugin imports."""

from harness.errors import (
    CheckpointError,
    DataError,
    HarnessError,
    PluginError,
    StoreError,
)
from harness.hookspecs import hookimpl
from harness.types import (
    Archive,
    Batch,
    Cell,
    Claim,
    Corpus,
    Downstream,
    Entry,
    Epoch,
    Executor,
    KnownFile,
    Prediction,
    Reads,
    Recipe,
    Renderer,
    Report,
    Result,
    Suite,
    Table,
    Upstream,
    Utterance,
)

__version__ = "0.1.0"

__all__ = [
    "Archive",
    "Batch",
    "Cell",
    "CheckpointError",
    "Claim",
    "Corpus",
    "DataError",
    "Downstream",
    "Entry",
    "Epoch",
    "Executor",
    "HarnessError",
    "KnownFile",
    "PluginError",
    "Prediction",
    "Reads",
    "Recipe",
    "Renderer",
    "Report",
    "Result",
    "StoreError",
    "Suite",
    "Table",
    "Upstream",
    "Utterance",
    "__version__",
    "hookimpl",
]
