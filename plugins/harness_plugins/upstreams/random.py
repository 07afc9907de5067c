"""``random:NAME``: another upstream with random weights, as a control.

What a head reads out of it is due to the architecture, not to pre-training.

    harness run --upstream random:whisper-base --downstream linear --corpus emodb

``--all-controls`` sets it beside every upstream that has weights.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from harness import CheckpointError, Upstream, hookimpl
from harness_plugins.upstreams import _config
from harness_plugins.upstreams._schema import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

PREFIX = "random:"
SEED = 0

VERSION = 2
"""Raised when a change of this file moves a number; the versions add up."""


@hookimpl
def harness_upstream(name: str, find: Callable[[str], Upstream]) -> Upstream | None:
    """Describe ``random:NAME`` by describing ``NAME``."""
    if not name.startswith(PREFIX):
        return None
    trained = find(name.removeprefix(PREFIX))
    if trained.checkpoint is None or trained.reads == "utterances":
        raise CheckpointError(f"{trained.name} has no weights, so none can be random.")
    if trained.more_checkpoints:
        raise CheckpointError(
            f"{trained.name} is made of several checkpoints, and only the weights of "
            "one can be drawn at random."
        )
    return replace(
        trained,
        name=name,
        load=partial(load, trained),
        files=_config.CONFIG,
        checkpoint_of=trained.checkpoint_of or trained.name,
        pretraining="none (random weights)",
        languages=(),
        options=None,
        version=trained.version + VERSION,
    )


@hookimpl
def harness_control_upstreams(upstream: Upstream) -> Iterator[str]:
    """Set beside an upstream with weights the same one without."""
    has_weights = upstream.checkpoint is not None and upstream.reads == "waveforms"
    if has_weights and not upstream.name.startswith(PREFIX):
        yield PREFIX + upstream.name


def load(
    trained: Upstream, checkpoint: Path | None, *, device: str, feeding: str
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Initialise the model that the checkpoint's configuration describes."""
    import torch
    from safetensors.torch import save_model

    found = _config.read(_config.require(checkpoint), *FAMILIES)
    with TemporaryDirectory() as name, torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        save_model(_config.build(found), str(Path(name) / "model.safetensors"))
        for file in _config.CONFIG:
            if (found.folder / file).exists():
                shutil.copy(found.folder / file, name)
        return trained.load(Path(name), device=device, feeding=feeding)
