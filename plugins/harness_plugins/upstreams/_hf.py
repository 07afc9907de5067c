"""``hf:ID-or-PATH``: any checkpoint of a known family, described by its own files.

The families are those whose ``model_type`` in ``config.json`` is a key of ``FAMILIES``.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

from harness import CheckpointError, Upstream
from harness_plugins.upstreams import (
    _wav2vec2_bert,
    hubert,
    wav2vec2,
    wavlm,
    whisper,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

CONFIG = ("config.json", "preprocessor_config.json")
"""What ``describe`` reads of a checkpoint."""


def describe(name: str, source: str, folder: Path) -> Upstream:
    """Describe a checkpoint by its ``config.json``, without opening its weights.

    Args:
        name: What the upstream is to be called.
        source: Where its weights are: an id on the hub, or a folder.
        folder: Holds the files named by ``CONFIG``.

    Raises:
        CheckpointError: Where its family is unknown or its configuration incomplete.
    """
    from harness_plugins.upstreams import _weights

    config = _weights.read_config(folder, *FAMILIES)
    settings = _weights.read_settings(folder, sampling_rate=16_000)
    load, family = FAMILIES[str(config["model_type"])]
    try:
        upstream = family(name, load, config, settings)
    except KeyError as missing:
        raise CheckpointError(
            f"{folder / 'config.json'} has no {missing}, so {name} cannot be described."
        ) from None
    return replace(upstream, checkpoint=source, files=wav2vec2.FILES)
