"""Hidden states, checked, and reduced to what is stored of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import CheckpointError, DataError, HarnessError, PluginError
from harness.features.shards import NORMS
from harness.text import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from torch import Tensor

    from harness.features.extraction import Source
    from harness.features.shards import Kind
    from harness.types import Upstream

POOLED, FINITE, FITS = "pooled", "finite", "fits"
"""What is stacked over a batch: means (B, L, D), and what was found out about clips."""


def reduced(
    source: Source, hidden: Sequence[Tensor], kinds: Sequence[Collection[Kind]]
) -> dict[str, Tensor]:
    """Reduce a batch to what leaves the device: means, norms, frames that are wanted.

    Args:
        source: The upstream.
        hidden: States of each clip, (L, T, D).
        kinds: What is stored of each.

    Returns:
        ``pooled`` (B, L, D), ``.norms`` (B, L), frames by kind and row, and flags (B,)
        that ``require_finite`` reads.

    Raises:
        PluginError: Where states are not of the shape and type that are due.
    """
    import torch

    found: dict[str, Tensor] = {}
    fits = []
    for row, (state, wanted) in enumerate(zip(hidden, kinds, strict=True)):
        _check(source.upstream, state)
        frames = {
            f"{kind} {row}": _frames(kind, state, source)
            for kind in sorted(wanted)
            if kind != "pooled"
        }
        found |= frames
        flags = [torch.isfinite(one).all() for one in frames.values()]
        fits.append(torch.stack([torch.isfinite(state).all(), *flags]))
    norms = [torch.linalg.vector_norm(state, dim=2).mean(1) for state in hidden]
    return found | {
        POOLED: torch.stack([state.mean(1) for state in hidden]),
        NORMS: torch.stack(norms),
        FINITE: torch.stack([one[0] for one in fits]),
        FITS: torch.stack([one.all() for one in fits]),
    }


def _check(upstream: Upstream, state: Tensor) -> None:
    """Refuse hidden states that are not (L, T, D) in float32 as described."""
    import torch

    name, shape = upstream.name, tuple(state.shape)
    if state.ndim != 3 or 0 in shape or state.dtype != torch.float32:
        raise PluginError(
            f"Upstream '{name}' returned {shape} {state.dtype} where hidden states of "
            "shape (L, T, D) in float32 are due."
        )
    if (shape[0], shape[2]) != (upstream.layers, upstream.dim):
        raise _another_size(upstream, shape[0], shape[2])
    if upstream.hop is None and shape[1] != 1:
        raise PluginError(
            f"Upstream '{name}' returned {shape[1]} frames where one vector a clip, "
            "(L, 1, D), is due: its description has no hop."
        )


def _another_size(upstream: Upstream, layers: int, dim: int) -> HarnessError:
    """Say that states are not of the size that the condition has."""
    problem = (
        f"Upstream '{upstream.name}' returned {counted(layers, 'layer')} of {dim} dims "
        f"where its description says {upstream.layers} of {upstream.dim}"
    )
    if upstream.checkpoint is None:
        return PluginError(f"{problem}. Correct its layers and dim.")
    return CheckpointError(
        f"{problem}, so its checkpoint is of another model. Name that model's folder "
        "by --upstream hf:FOLDER."
    )


def _frames(kind: Kind, hidden: Tensor, source: Source) -> Tensor:
    """Return a clip's frames as they are stored."""
    import torch

    frames = hidden[-1] if kind == "last" else hidden
    return frames.to(getattr(torch, source.condition.frame_type)).contiguous()


def require_finite(source: Source, found: Mapping[str, Tensor], row: int) -> None:
    """Refuse a clip whose states, or whose frames as stored, are not finite.

    Args:
        source: The upstream.
        found: What ``reduced`` returned, on the CPU.
        row: Of the clip in its batch.

    Raises:
        PluginError: Where the model returned NaN or infinite states.
        DataError: Where half precision is too small for them.
    """
    name, precision = source.upstream.name, source.condition.precision
    if not found[FINITE][row]:
        if precision == "float16":
            raise DataError(
                f"States of {name} are too large for float16. Run with --precision "
                "bfloat16 or float32."
            )
        raise PluginError(f"Upstream '{name}' returned NaN or infinite states.")
    if not found[FITS][row]:
        raise DataError(
            f"The frames of {name} are too large for float16. "
            "Run with --frame-type float32."
        )


def stored(
    kind: Kind, key: str, found: Mapping[str, Tensor], row: int
) -> dict[str, Tensor]:
    """Return the tensors that are stored of a clip, each with memory of its own.

    Args:
        kind: What is stored.
        key: Of the utterance.
        found: What ``reduced`` returned, on the CPU.
        row: Of the clip in its batch.
    """
    if kind == "pooled":
        return {
            key: found[POOLED][row].clone(),
            key + NORMS: found[NORMS][row].clone(),
        }
    frames = found[f"{kind} {row}"]
    whole = frames.untyped_storage().nbytes() == frames.nbytes
    return {key: frames if whole else frames.clone()}
