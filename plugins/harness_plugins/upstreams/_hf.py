"""``hf:ID-or-PATH``: describe any checkpoint of a known family by its own files."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from harness import CheckpointError, Upstream
from harness_plugins.upstreams import (
    _config,
    _wav2vec2_bert,
    hubert,
    wav2vec2,
    wavlm,
    whisper,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor

CONFIG = ("config.json", "preprocessor_config.json")
"""What is read of a checkpoint to describe it."""


def describe(name: str, checkpoint: str, folder: Path) -> Upstream:
    """Describe a checkpoint without opening its weights.

    Args:
        name: What the upstream is to be called.
        checkpoint: Where its weights are: an id on the hub, or a folder.
        folder: Holds the files named by ``CONFIG``.

    Raises:
        CheckpointError: Where its family is unknown or its configuration incomplete.
    """
    config: dict[str, Any] = _config.read_config(folder, *LOADS)
    settings: dict[str, Any] = _config.read_settings(folder, sampling_rate=16_000)
    family, rate = config["model_type"], settings["sampling_rate"]
    try:
        size = SIZES.get(family, _convolutional)(config, rate)
    except KeyError as missing:
        raise CheckpointError(
            f"{folder / 'config.json'} has no {missing}, so {name} cannot be described."
        ) from None
    return Upstream(
        name=name,
        load=LOADS[family],
        rate=rate,
        checkpoint=checkpoint,
        files=wav2vec2.FILES,
        **size,
    )


def _convolutional(config: dict[str, Any], rate: int) -> dict[str, Any]:
    """Size a model that begins with convolutions on the waveform."""
    field = 1  # samples that the first frame sees
    pairs = zip(config["conv_kernel"], config["conv_stride"], strict=True)
    for kernel, stride in reversed(list(pairs)):
        field = (field - 1) * stride + kernel
    return {
        "layers": config["num_hidden_layers"],
        "dim": config["hidden_size"],
        "hop": prod(config["conv_stride"]) / rate,
        "min_seconds": field / rate,
    }


def _conformer(config: dict[str, Any], rate: int) -> dict[str, Any]:
    """Size a model that pairs log-mel frames of 25 ms every 10 ms."""
    return {
        "layers": config["num_hidden_layers"],
        "dim": config["hidden_size"],
        "hop": 0.020,
        "min_seconds": 0.035,
    }


def _whisper(config: dict[str, Any], rate: int) -> dict[str, Any]:
    """Size a Whisper."""
    hop = whisper.HOP / rate
    return {
        "layers": config["encoder_layers"],
        "dim": config["d_model"],
        "hop": hop,
        "feedings": whisper.FEEDINGS,
        "window": config["max_source_positions"] * hop,
    }


def _load_data2vec(
    checkpoint: Path | None, *, device: str, feeding: str
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Read data2vec's convolutions and Transformer (Baevski et al. 2022)."""
    from transformers import Data2VecAudioModel

    return wav2vec2.load_like(Data2VecAudioModel, checkpoint, device)


LOADS = {
    "data2vec-audio": _load_data2vec,
    "hubert": hubert.load,
    "wav2vec2": wav2vec2.load,
    "wav2vec2-bert": _wav2vec2_bert.load,
    "wavlm": wavlm.load,
    "whisper": whisper.load,
}
SIZES = {"wav2vec2-bert": _conformer, "whisper": _whisper}
