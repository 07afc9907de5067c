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
    Batch,
    Cell,
    Corpus,
    Downstream,
    Entry,
    Epoch,
    Executor,
    Prediction,
    Reads,
    Recipe,
    Renderer,
    Report,
    Result,
    Table,
    Upstream,
    Utterance,
)

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Cell",
    "CheckpointError",
    "Corpus",
    "DataError",
    "Downstream",
    "Entry",
    "Epoch",
    "Executor",
    "HarnessError",
    "PluginError",
    "Prediction",
    "Reads",
    "Recipe",
    "Renderer",
    "Report",
    "Result",
    "StoreError",
    "Table",
    "Upstream",
    "Utterance",
    "__version__",
    "hookimpl",
]
