"""A part of a split as a head reads it: features in memory, or mapped, and labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from harness.types import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from harness.features.store import FeatureStore
    from harness.types import Reads


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The examples of one part.

    Attributes:
        pooled: Means over time, (N, D) or (N, L, D); ``None`` where frames are read.
        frames: One tensor an example, (T, D) or (L, T, D), as they are stored.
        labels: Class indices, (N,); or numbers to be predicted, in floating point.
    """

    pooled: Tensor | None = None
    frames: tuple[Tensor, ...] = ()
    labels: Tensor

    @classmethod
    def of(
        cls, store: FeatureStore, keys: Sequence[str], labels: Tensor, reads: Reads
    ) -> Dataset:
        """Read what a head asks for: frames stay on disk, mapped into memory."""
        last = reads.layers == "last"
        if reads.frames:
            states = store.read("last" if last else "all", keys)
            return cls(frames=tuple(states[key] for key in keys), labels=labels)
        states = store.read("pooled", keys)
        pooled = states.stacked(keys, -1 if last else slice(None))
        return cls(pooled=pooled, labels=labels)

    @property
    def layers(self) -> int:
        """L, or 1 where there is one layer alone."""
        return self._example.shape[0] if self._has_layers else 1

    @property
    def dim(self) -> int:
        """D."""
        return self._example.shape[-1]

    @property
    def numbers(self) -> bool:
        """Whether numbers are to be predicted, not classes."""
        return self.labels.is_floating_point()

    @property
    def _example(self) -> Tensor:
        return self.frames[0] if self.pooled is None else self.pooled[0]

    @property
    def _has_layers(self) -> bool:
        return self._example.ndim == (3 if self.pooled is None else 2)

    def layer(self, number: int) -> Dataset:
        """Return the examples with one of their layers 1…L alone."""
        if self.pooled is not None:
            return replace(self, pooled=self.pooled[:, number - 1].contiguous())
        return replace(self, frames=tuple(states[number - 1] for states in self.frames))

    def permuted(self, seed: int) -> Dataset:
        """Permute the labels among the examples, as a control."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return replace(self, labels=self.labels[order])

    def __len__(self) -> int:
        """Return N."""
        return len(self.labels)

    def batch(self, indices: Sequence[int] | slice, device: str) -> Batch:
        """Bring some of the examples to a device, in float32 whatever is stored."""
        if self.pooled is not None:
            return Batch(pooled=self.pooled[indices].to(device, torch.float32))
        if isinstance(indices, slice):
            indices = range(len(self))[indices]
        frames = (self.frames[index] for index in indices)
        return Batch(frames=tuple(one.to(device, torch.float32) for one in frames))

    def batches(self, size: int, device: str) -> Iterator[Batch]:
        """Yield all examples in their order."""
        for start in range(0, len(self), size):
            yield self.batch(slice(start, start + size), device)
