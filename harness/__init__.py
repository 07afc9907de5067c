"""The face of the harness: what a plugin imports, and the verbs for Python.

The verbs are imported when they are first used, so that ``import harness`` is quick.
"""

from typing import TYPE_CHECKING

from harness.errors import (
    CheckpointError,
    DataError,
    HarnessError,
    PluginError,
    StoreError,
)
from harness.hookspecs import hookimpl
from harness.registry.options import configured, with_defaults
from harness.types import (
    Archive,
    Batch,
    Cell,
    CellFailed,
    CellFinished,
    Claim,
    Condition,
    Corpus,
    Cost,
    Download,
    Downstream,
    Entry,
    Epoch,
    Executor,
    Fold,
    Gender,
    HubCheckpoint,
    KnownFile,
    Metric,
    Optimiser,
    Perturbation,
    Prediction,
    Predictions,
    Reads,
    Recipe,
    Renderer,
    Resources,
    Result,
    RunFinished,
    RunStarted,
    RunStarting,
    Schedule,
    Speech,
    Split,
    SplitOptions,
    SplitStrategy,
    Suite,
    Table,
    Target,
    Task,
    Upstream,
    Utterance,
    Validation,
    metric,
    perform,
)

if TYPE_CHECKING:
    from harness.api import features, plan, results, run

__version__ = "0.1.0"

__all__ = [
    "Archive",
    "Batch",
    "Cell",
    "CellFailed",
    "CellFinished",
    "CheckpointError",
    "Claim",
    "Condition",
    "Corpus",
    "Cost",
    "DataError",
    "Download",
    "Downstream",
    "Entry",
    "Epoch",
    "Executor",
    "Fold",
    "Gender",
    "HarnessError",
    "HubCheckpoint",
    "KnownFile",
    "Metric",
    "Optimiser",
    "Perturbation",
    "PluginError",
    "Prediction",
    "Predictions",
    "Reads",
    "Recipe",
    "Renderer",
    "Resources",
    "Result",
    "RunFinished",
    "RunStarted",
    "RunStarting",
    "Schedule",
    "Speech",
    "Split",
    "SplitOptions",
    "SplitStrategy",
    "StoreError",
    "Suite",
    "Table",
    "Target",
    "Task",
    "Upstream",
    "Utterance",
    "Validation",
    "__version__",
    "configured",
    "features",
    "hookimpl",
    "metric",
    "perform",
    "plan",
    "results",
    "run",
    "with_defaults",
]


def __getattr__(name: str) -> object:
    """Import a verb when it is first used."""
    if name not in ("plan", "results", "run"):
        if name == "features":
            from importlib import import_module

            return import_module("harness.features")  # a package, which can be called
        raise AttributeError(f"module 'harness' has no attribute '{name}'")
    from harness import api

    verb: object = getattr(api, name)
    return verb
