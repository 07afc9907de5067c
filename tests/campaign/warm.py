"""What every try needs, imported once: tries are forks of a process that has it."""

from __future__ import annotations

import logging
import os
from importlib import import_module

NEEDED = (
    *("torch", "torch._dynamo", "soundfile", "sklearn.metrics"),
    *("pyarrow.parquet", "safetensors.torch"),
    *("harness.cli.main", "harness.execution.run", "harness.conformance.upstreams"),
    *("harness_leaderboard.commands", "harness_leaderboard.views.catalogue"),
    *("harness_leaderboard.results.upkeep", "harness_plugins.upstreams.wav2vec2"),
)

for name in NEEDED:
    import_module(name)

import_module("harness.registry").plugin_manager()

# Facts of files that have just been written, so that what guards them is met at once;
# and no waiting for a disk, which no kill of a process can empty.
import_module("harness.files").SETTLED_SECONDS = -1.0  # type: ignore[attr-defined]
os.fsync = lambda fd: None
logging.disable(logging.CRITICAL)
