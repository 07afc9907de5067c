"""Read the weights that are used of a checkpoint, or say why it cannot be used.

Reached only by work, from an upstream's ``load``.
"""

from __future__ import annotations

import struct
import zipfile
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from harness_plugins.upstreams._config import read_json, refusal
from harness_plugins.upstreams._rules import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor
    from torch.nn import Module

    from harness import CheckpointError

RENAMED = {  # torch's weight norm, before 2.0 and since
    ".weight_g": ".parametrizations.weight.original0",
    ".weight_v": ".parametrizations.weight.original1",
}
PRECISIONS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""In which a number is itself; in any other it needs a scale that stands elsewhere."""
STEMS = ("model.safetensors", "pytorch_model.bin")
SHARDS = dict(zip(STEMS, ("model-*.safetensors", "pytorch_model-*.bin"), strict=True))
READING = (SafetensorError, UnpicklingError, RuntimeError, EOFError, OSError)
"""What reading a damaged file raises."""
UNPICKLING = (
    *READING,
    *(ArithmeticError, AssertionError, AttributeError, LookupError, TypeError),
    *(ValueError, struct.error),
)
"""What torch's unpickler raises on bytes that are not what it wrote."""
CONVERT = "Save its weights as model.safetensors, or name another with --checkpoint."
ORIGINAL = "Download the original weights, or name another folder with --checkpoint."


def fill(module: Module, folder: Path, prefixes: Sequence[str]) -> None:
    """Fill a module that was built on the meta device with weights, in float32.

    Args:
        module: What is used of the checkpoint; nothing else is read into memory.
        folder: Holds ``model.safetensors`` or ``pytorch_model.bin``, or their shards.
        prefixes: What may stand in the file before the names of the module's weights.

    Raises:
        CheckpointError: Where a weight is missing, stands there twice, has another
            shape, is quantised or is not finite, where the file has weights of the
            module's parts that the module does not have, or where it is damaged.
    """
    wanted = module.state_dict()
    parts = {name.partition(".")[0] for name in wanted}
    weights: dict[str, Tensor] = {}
    for file in _files(folder):
        with _opened(file) as (names, read):
            for stored in names:
                name = _own_name(stored, prefixes)
                if name in weights:
                    raise refusal(folder, f"has {name} twice")
                if name in wanted:
                    like = wanted[name]
                    weights[name] = _checked(name, read(stored), like, folder)
                elif name.partition(".")[0] in parts and not _is_computed(name):
                    problem = f"has {name}, which its config.json does not describe"
                    raise refusal(folder, problem, ORIGINAL)
    if missing := sorted(wanted.keys() - weights.keys()):
        raise refusal(folder, f"lacks {_listed(missing)}")
    module.load_state_dict(weights, assign=True)
    module.requires_grad_(False).eval()


def _files(folder: Path) -> list[Path]:
    """Find the files with weights, safetensors first."""
    for stem in STEMS:
        index = folder / f"{stem}.index.json"
        if (folder / stem).exists():
            return [folder / stem]
        if index.exists():
            return [_shard(index, shard) for shard in _shards(index)]
        if (orphan := next(folder.glob(SHARDS[stem]), None)) is not None:
            raise refusal(folder, f"has {orphan.name} and no {index.name}")
    raise refusal(folder, f"has no {' and no '.join(STEMS)}")


def _shards(index: Path) -> list[str]:
    """Read the names of the files that an index names."""
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise refusal(index.parent, f"has a {index.name} without a weight_map")
    return sorted({str(name) for name in shards.values()})


def _shard(index: Path, name: str) -> Path:
    """Find a shard, which is one of the files that are hashed."""
    stem = index.name.removesuffix(".index.json")
    file = index.parent / name
    if file.name != name or not file.match(SHARDS[stem]):
        raise refusal(index.parent, f"has a {index.name} that names {shown(name)}")
    if not file.exists():
        raise refusal(index.parent, f"lacks {name}, which its index names")
    return file


@contextmanager
def _opened(file: Path) -> Iterator[tuple[list[str], Callable[[str], object]]]:
    """Open a file lazily: the names in it, and how to read one of them."""
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="pt") as tensors:
                yield list(tensors.keys()), tensors.get_tensor
        else:
            loaded = _unpickled(file)
            yield list(loaded), loaded.__getitem__
    except READING as error:
        raise _damaged(file, error) from error


def _unpickled(file: Path) -> dict[str, object]:
    """Open a pickled file, of which no code is run."""
    mapped = zipfile.is_zipfile(file)  # not so before torch 1.6
    try:
        loaded = torch.load(file, "cpu", weights_only=True, mmap=mapped)
    except UNPICKLING as error:
        if not isinstance(error, UnpicklingError) or "Unsupported" not in str(error):
            raise _damaged(file, error) from error
        problem = f"has a {file.name} that holds Python objects, not only weights"
        raise refusal(file.parent, problem, CONVERT) from error
    if not isinstance(loaded, dict) or not all(isinstance(n, str) for n in loaded):
        kind = type(loaded).__name__
        problem = f"has a {file.name} that holds a {kind} and not weights by name"
        raise refusal(file.parent, problem)
    return loaded


def _damaged(file: Path, error: Exception) -> CheckpointError:
    """Say that a file cannot be read."""
    reason = str(error).partition("\n")[0] or "it ends too early"
    return refusal(file.parent, f"has a damaged {file.name} ({reason[:200]})")


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


def _checked(name: str, stored: object, like: Tensor, folder: Path) -> Tensor:
    """Return a weight in memory, in float32; refuse one that is not as it should be."""
    if not isinstance(stored, torch.Tensor):
        raise refusal(folder, f"has {name} as {type(stored).__name__}, not as weights")
    if stored.shape != like.shape:
        shapes = f"{tuple(stored.shape)}, not {tuple(like.shape)}"
        raise refusal(folder, f"has a {name} of shape {shapes} as its config.json says")
    counts = not like.is_floating_point() and stored.dtype == like.dtype
    if not (counts or stored.dtype in PRECISIONS) or stored.layout != torch.strided:
        kind = str(stored.dtype).removeprefix("torch.")
        problem = f"has {name} in {kind}: quantised or packed weights are not read"
        raise refusal(folder, problem, ORIGINAL)
    weight = stored.to("cpu", torch.float32, copy=True)
    if not weight.isfinite().all():
        raise refusal(folder, f"has NaN or infinite values in {name}")
    return weight


def _is_computed(name: str) -> bool:
    """Return whether older files store under this name what the model computes."""
    return name.endswith((".position_ids", ".inv_freq", "masked_spec_embed"))


def _listed(names: Sequence[str]) -> str:
    """Name a few weights, and count the rest."""
    rest = f" and {len(names) - 3} more weights" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest
