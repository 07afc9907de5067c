"""Read the weights that are used of a checkpoint, or say why it cannot be used.

Reached only by work, from an upstream's ``load``.
"""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from harness_plugins.upstreams._config import read_json, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor
    from torch.nn import Module

RENAMED = {  # torch's weight norm, before 2.0 and since
    ".weight_g": ".parametrizations.weight.original0",
    ".weight_v": ".parametrizations.weight.original1",
}


def fill(module: Module, folder: Path, prefixes: Sequence[str]) -> None:
    """Fill a module that was built on the meta device with weights, in float32.

    Args:
        module: What is used of the checkpoint; nothing else is read into memory.
        folder: Holds ``model.safetensors`` or ``pytorch_model.bin``, or their shards.
        prefixes: What may stand in the file before the names of the module's weights.

    Raises:
        CheckpointError: Where a weight is missing, has another shape or is not finite,
            or a file is damaged.
    """
    wanted = module.state_dict()
    weights: dict[str, Tensor] = {}
    for file in _files(folder):
        with _opened(file) as (names, read):
            for stored in names:
                name = _own_name(stored, prefixes)
                if name in wanted and name not in weights:
                    weights[name] = read(stored).to(torch.float32, copy=True)
    _check(weights, wanted, folder)
    module.load_state_dict(weights, assign=True)
    module.requires_grad_(False).eval()


def _files(folder: Path) -> list[Path]:
    """Find the files with weights, safetensors first."""
    for stem in "model.safetensors", "pytorch_model.bin":
        index = folder / f"{stem}.index.json"
        if (folder / stem).exists():
            return [folder / stem]
        if index.exists():
            shards = read_json(index).get("weight_map")
            if not isinstance(shards, dict):
                raise refusal(folder, f"has a {index.name} without a weight_map")
            files = [folder / shard for shard in sorted(set(shards.values()))]
            for file in files:
                if not file.exists():
                    raise refusal(folder, f"lacks {file.name}, which its index names")
            return files
    raise refusal(folder, "has no model.safetensors and no pytorch_model.bin")


@contextmanager
def _opened(file: Path) -> Iterator[tuple[list[str], Callable[[str], Tensor]]]:
    """Open a file lazily: the names in it, and how to read one of them."""
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="pt") as tensors:
                yield list(tensors.keys()), tensors.get_tensor
        else:
            mapped = zipfile.is_zipfile(file)  # not so before torch 1.6
            loaded = torch.load(file, "cpu", weights_only=True, mmap=mapped)
            yield list(loaded), loaded.__getitem__
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).partition("\n")[0] or "it ends too early"
        raise refusal(file.parent, f"has a damaged {file.name} ({reason})") from error


def _own_name(stored: str, prefixes: Sequence[str]) -> str:
    """Name a stored weight as the module does."""
    for prefix in prefixes:
        if stored.startswith(prefix):
            stored = stored.removeprefix(prefix)
            break
    for old, new in RENAMED.items():
        if stored.endswith(old):
            return stored.removesuffix(old) + new
    return stored


def _check(weights: dict[str, Tensor], wanted: dict[str, Tensor], folder: Path) -> None:
    """Refuse weights that are incomplete, misshapen or not finite."""
    if missing := sorted(wanted.keys() - weights.keys()):
        raise refusal(folder, f"lacks {_listed(missing)}")
    misshapen = [name for name in wanted if weights[name].shape != wanted[name].shape]
    if misshapen:
        name = misshapen[0]
        shapes = f"{tuple(weights[name].shape)}, not {tuple(wanted[name].shape)}"
        raise refusal(folder, f"has a {name} of shape {shapes} as its config.json says")
    broken = [name for name in wanted if not weights[name].isfinite().all()]
    if broken:
        raise refusal(folder, f"has NaN or infinite values in {_listed(broken)}")


def _listed(names: Sequence[str]) -> str:
    """Name a few weights, and count the rest."""
    rest = f" and {len(names) - 3} more weights" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest
