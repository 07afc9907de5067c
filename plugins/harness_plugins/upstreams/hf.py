"""``hf:ID-or-PATH``: any checkpoint of a known family, described by its own files.

    harness run --upstream hf:openai/whisper-large-v3 --downstream linear --corpus demo
    harness run --upstream hf:checkpoints/mine --downstream linear --corpus demo

Of a hub's checkpoint, ``hf:ID`` or ``hf:ID@REVISION``, only the configuration is
fetched to describe it, and the commit that it was found at is the one that is used.
"""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import CheckpointError, Upstream, hookimpl
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

    from torch import Tensor

CONFIG = ["config.json", "preprocessor_config.json"]
"""What is read of a checkpoint to describe it."""


@hookimpl
def harness_upstream(name: str) -> Upstream | None:
    """Describe ``hf:PATH``, ``hf:ID`` or ``hf:ID@REVISION``."""
    kind, _, place = name.partition(":")
    if kind != "hf" or not place:
        return None
    for folder in _folders(name, place):
        if folder.is_dir():
            return describe(name, folder.absolute(), str(folder.absolute()), "local")
    checkpoint, _, revision = place.partition("@")
    folder = _fetch(name, checkpoint, revision or "main")
    return describe(name, folder, checkpoint, revision=folder.name)


def _folders(name: str, place: str) -> list[Path]:
    """List where a local copy may lie; ``$HARNESS_CHECKPOINTS`` may have one, too."""
    root = os.environ.get("HARNESS_CHECKPOINTS")
    return [Path(place).expanduser(), *([Path(root, name)] if root else [])]


def _fetch(name: str, checkpoint: str, revision: str) -> Path:
    """Fetch a checkpoint's configuration, into a folder that its commit names."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        return Path(
            snapshot_download(checkpoint, revision=revision, allow_patterns=CONFIG)
        )
    except HFValidationError:
        problem = "there is no such folder, and it is no id of the Hugging Face hub"
    except LocalEntryNotFoundError:
        problem = "there is no such folder, and the Hugging Face hub cannot be reached"
    except (HfHubHTTPError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        problem = f"there is no such folder, and the Hugging Face hub said: {reason}"
    raise CheckpointError(
        f"{name} cannot be described: {problem}. Name a folder of this machine by "
        "--upstream hf:FOLDER, or run once where the hub can be reached."
    )


def describe(name: str, folder: Path, checkpoint: str, revision: str) -> Upstream:
    """Describe a checkpoint without opening its weights.

    Args:
        name: What the upstream is to be called.
        folder: Holds the files named by ``CONFIG``.
        checkpoint: Where its weights are: an id on the hub, or a folder.
        revision: The hub's commit.

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
        revision=revision,
        files=wav2vec2.FILES,
        version=VERSIONS[family],
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
VERSIONS = dict.fromkeys(LOADS, wav2vec2.VERSION) | {"whisper": whisper.VERSION}
"""A family's version is that of the module whose code it runs."""
SIZES = {"wav2vec2-bert": _conformer, "whisper": _whisper}
