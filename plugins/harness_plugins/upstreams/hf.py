"""``hf:ID-or-PATH``: any checkpoint of a known family, described by its own files.

    harness run --upstream hf:openai/whisper-large-v3 --downstream linear --corpus demo
    harness run --upstream hf:checkpoints/mine --downstream linear --corpus demo

Of a hub's checkpoint, ``hf:ID`` or ``hf:ID@REVISION``, only the configuration is
fetched to describe it, and the commit that it was found at is the one that is used.
"""

from __future__ import annotations

import os
import re
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import CheckpointError, Upstream, hookimpl
from harness.hub import reachable
from harness_plugins.upstreams import (
    _config,
    _wav2vec2_bert,
    hubert,
    wav2vec2,
    wavlm,
    whisper,
)
from harness_plugins.upstreams._schema import receptive_field

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from harness_plugins.upstreams._rules import Fields


ID = re.compile(r"[\w.-]+/[\w.-]+(@\w+)?")
"""A checkpoint's name on the hub, and perhaps its commit."""

FAMILY = (
    "For a model of another family, write a plugin: 'harness new-plugin NAME' makes a "
    "package that works, to put it in."
)


NO_CONFIG = (
    "Name a folder in Hugging Face's layout, or the id of a model on its hub; for a "
    "model of another kind 'harness new-plugin NAME' writes a package to put it in."
)


@hookimpl(trylast=True)
def harness_upstream(name: str) -> Upstream | None:
    """Describe ``hf:PATH``, ``hf:ID`` or ``hf:ID@REVISION``."""
    kind, _, place = name.partition(":")
    if kind != "hf":
        _refuse_bare(name)
        return None
    if not place:
        raise CheckpointError(
            "hf: names nothing. Add a folder, or an id of the Hugging Face hub, such "
            "as hf:openai/whisper-tiny."
        )
    for folder in _folders(name, place):
        if folder.is_dir():
            return describe(name, folder.absolute(), str(folder.absolute()), "local")
    checkpoint, _, revision = place.partition("@")
    folder = _fetch(name, checkpoint, revision or "main")
    return describe(name, folder, checkpoint, revision=folder.name)


def _refuse_bare(name: str) -> None:
    """Say how a checkpoint is named to who writes its id or folder alone."""
    if ID.fullmatch(name) or (os.sep in name and Path(name).expanduser().is_dir()):
        raise CheckpointError(
            f"No upstream is called '{name}'. A checkpoint of the Hugging Face hub, or "
            f"in a folder, is named by hf:{name}; 'harness list upstreams' has those "
            "with a name of their own."
        )


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
            snapshot_download(
                checkpoint,
                revision=revision,
                allow_patterns=list(_config.CONFIG),
                local_files_only=not reachable(),
            )
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
        folder: Holds its JSON files.
        checkpoint: Where its weights are: an id on the hub, or a folder.
        revision: The hub's commit.

    Raises:
        CheckpointError: Where its family is unknown, or a file says what is not
            understood.
    """
    if not (folder / "config.json").exists():
        raise _config.refusal(folder, "has no config.json", NO_CONFIG)
    found = _config.read(folder, *LOADS, otherwise=FAMILY)
    family, rate = found.family, found.settings["sampling_rate"]
    size = SIZES.get(family, _convolutional)(family, found.config, rate)
    return Upstream(
        name=name,
        rate=rate,
        checkpoint=checkpoint,
        revision=revision,
        files=_config.FILES,
        version=VERSIONS[family],
        **size,
    )


def _convolutional(family: str, config: Fields, rate: int) -> dict[str, Any]:
    """Size a model that begins with convolutions on the waveform."""
    hop = prod(config["conv_stride"])
    load: Any = LOADS[family]
    if (rate, hop) != (wav2vec2.RATE, wav2vec2.HOP):
        load = partial(load, rate=rate, hop=hop)
    return {
        "load": load,
        "layers": config["num_hidden_layers"],
        "dim": config["hidden_size"],
        "hop": hop / rate,
        "min_seconds": receptive_field(config) / rate,
    }


def _conformer(family: str, config: Fields, rate: int) -> dict[str, Any]:
    """Size a model that pairs log-mel frames of 25 ms every 10 ms."""
    return {
        "load": LOADS[family],
        "layers": config["num_hidden_layers"],
        "dim": config["hidden_size"],
        "hop": 0.020,
        "min_seconds": 0.035,
    }


def _whisper(family: str, config: Fields, rate: int) -> dict[str, Any]:
    """Size a Whisper."""
    hop = whisper.HOP / rate
    return {
        "load": LOADS[family],
        "layers": config["encoder_layers"],
        "dim": config["d_model"],
        "hop": hop,
        "feedings": whisper.FEEDINGS,
        "window": config["max_source_positions"] * hop,
        "computed": whisper.computed,
    }


def _load_data2vec(
    checkpoint: Path | None,
    *,
    device: str,
    feeding: str,
    rate: int = wav2vec2.RATE,
    hop: int = wav2vec2.HOP,
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Read data2vec's convolutions and Transformer (Baevski et al. 2022)."""
    return wav2vec2.load_like("data2vec-audio", checkpoint, device, rate=rate, hop=hop)


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
