"""``random:NAME`` and ``wav2vec2-random``: models with random weights.

``random:NAME`` is another upstream with random weights, as a control: what a head reads
out of it is due to the architecture, not to pre-training. ``--all-controls`` sets it
beside every upstream that has weights.

    harness run --upstream random:whisper-base --downstream linear --corpus emodb

``wav2vec2-random`` is a small wav2vec 2.0 that was never trained. It downloads
nothing, and runs through the same code as the published ones: for the demonstration,
and to try a command before a model is there. Its seed is an option.

    harness run --upstream wav2vec2-random --downstream linear --corpus demo
    harness run --upstream wav2vec2-random:seed=1 --downstream linear --corpus demo
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from harness import CheckpointError, Upstream, hookimpl
from harness_plugins.upstreams import _config, wav2vec2
from harness_plugins.upstreams._schema import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from harness_plugins.upstreams._config import Description

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
    found = _config.read(_config.require(checkpoint), *FAMILIES)
    with TemporaryDirectory() as name:
        for file in _config.CONFIG:
            if (found.folder / file).exists():
                shutil.copy(found.folder / file, name)
        _draw(found, SEED, Path(name))
        return trained.load(Path(name), device=device, feeding=feeding)


def _draw(found: Description, seed: int, folder: Path) -> None:
    """Write the weights of a model as transformers initialises them."""
    import torch
    from safetensors.torch import save_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        save_model(_config.build(found), str(folder / "model.safetensors"))


# ---------------------------------------------------------------- a model of its own

LAYERS, DIM = 6, 64
TINY = {
    "model_type": "wav2vec2",
    "hidden_size": DIM,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "initializer_range": 0.1,
    "conv_dim": [DIM] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_bias": False,
    "feat_extract_activation": "gelu",
    "feat_extract_norm": "group",
    "do_stable_layer_norm": False,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
"""wav2vec 2.0 base with a twelfth of its width and half of its blocks.

Weights are drawn with a deviation of 0.1 instead of 0.02, so that blocks as narrow as
these change what passes them, and layers differ.
"""

FRONT_END = {"do_normalize": True, "sampling_rate": wav2vec2.RATE}
"""That of wav2vec 2.0 base."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may set by ``wav2vec2-random:seed=1``.

    Attributes:
        seed: Of the weights.
    """

    seed: int = SEED

    def __post_init__(self) -> None:
        """Refuse what torch refuses."""
        if not 0 <= self.seed < 2**63:
            raise ValueError("seed begins at 0")


@hookimpl
def harness_upstreams() -> Iterator[Upstream]:
    """Offer the model that is made on demand."""
    yield Upstream(
        name="wav2vec2-random",
        load=load_tiny,
        layers=LAYERS,
        dim=DIM,
        hop=wav2vec2.HOP / wav2vec2.RATE,
        parameters=271_616,
        pretraining="none (random weights)",
        licence="Apache-2.0",
        options=Options,
        version=wav2vec2.VERSION + VERSION,
    )


def load_tiny(
    checkpoint: Path | None, *, device: str, feeding: str, options: Options = Options()
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Write a checkpoint of random weights, and read it as any wav2vec 2.0."""
    with TemporaryDirectory() as name:
        for file, said in zip(_config.CONFIG, (TINY, FRONT_END), strict=False):
            Path(name, file).write_text(json.dumps(said))
        _draw(_config.read(Path(name), "wav2vec2"), options.seed, Path(name))
        return wav2vec2.load(Path(name), device=device, feeding=feeding)
