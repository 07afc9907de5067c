"""Bring weights and waveforms to a device. Reached only by work."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

M = TypeVar("M", bound=nn.Module)


def place(module: M, device: str) -> M:
    """Move a module to a device, and store what is read in half precision so, once.

    Under autocast matrices and convolutions are; else they would be cast at each use.
    Norms stay in float32, as they are computed in it.
    """
    module.to(device)
    kind = device.partition(":")[0]
    if torch.is_autocast_enabled(kind):
        for part in module.modules():
            if isinstance(part, nn.Linear | nn.Conv1d):
                part.to(torch.get_autocast_dtype(kind))
    return module


def send(tensor: Tensor, device: str) -> Tensor:
    """Bring a tensor of the CPU to a device without waiting for what it computes."""
    if device.startswith("cuda"):
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def stack(waveforms: Sequence[Tensor], samples: int, device: str) -> Tensor:
    """Pad waveforms, each (S,), with zeros to (B, samples) on a device, in one copy."""
    padded = torch.zeros(len(waveforms), samples)
    for row, waveform in enumerate(waveforms):
        padded[row, : len(waveform)] = waveform
    return send(padded, device)
