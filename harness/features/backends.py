"""What the pipeline asks of the hardware: how results come home, and how much fits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from harness.features.device import count_gpus, is_gpu, takes_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

MOST_DECODERS = 16
"""Threads that decode for a GPU: more wait for the interpreter, see docs/gpu.md."""


class Backend(Protocol):
    """A device, as far as extraction must know it.

    Attributes:
        batched: Whether clips are encoded in padded batches.
        decoders: How many threads decode for it.
    """

    batched: bool
    decoders: int

    def home(self, tensors: Sequence[Tensor]) -> Callable[[], list[Tensor]]:
        """Begin to copy tensors to the CPU; what it returns waits for them."""

    def measure(self) -> None:
        """Begin to measure the memory that is taken."""

    def taken(self) -> int:
        """Return the most memory that was taken since, in bytes; 0 if unknown."""

    def free(self) -> int:
        """Return the memory that can still be taken, in bytes."""

    def release(self) -> None:
        """Return memory that is kept for later to the device."""

    def is_full(self, error: BaseException) -> bool:
        """Return whether an error says that the memory does not suffice."""


def backend_of(device: str) -> Backend:
    """Return the backend of a device."""
    if is_gpu(device):
        return CudaBackend(device)
    return CpuBackend(batched=takes_batches(device))


class CpuBackend:
    """The CPU: nothing is copied, and memory is the planner's business."""

    def __init__(self, *, batched: bool = False) -> None:
        """Say whether clips are padded and stacked, as on a GPU."""
        self.batched = batched
        self.decoders = 1

    def home(self, tensors: Sequence[Tensor]) -> Callable[[], list[Tensor]]:
        """Return what is there already, on the CPU wherever it was."""
        found = [tensor.cpu() for tensor in tensors]
        return lambda: found

    def measure(self) -> None:
        """Measure nothing."""

    def taken(self) -> int:
        """Return that it is unknown."""
        return 0

    def free(self) -> int:
        """Return what the machine has available."""
        import psutil

        return int(psutil.virtual_memory().available)

    def release(self) -> None:
        """Release nothing: memory is the system's."""

    def is_full(self, error: BaseException) -> bool:
        """Return whether torch's allocator or Python's failed."""
        import torch

        return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
            isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
        )


class CudaBackend:
    """A GPU: results leave through pinned memory on a stream of their own."""

    batched = True

    def __init__(self, device: str) -> None:
        """Make the stream; the GPU is open by now."""
        import torch

        self.device = torch.device(device)
        self.copies = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        cores = (os.cpu_count() or 1) // max(1, count_gpus())
        self.decoders = max(1, min(MOST_DECODERS, cores - 1))
        self.before = 0

    def home(self, tensors: Sequence[Tensor]) -> Callable[[], list[Tensor]]:
        """Copy once what was computed so far is done, beside what is computed next."""
        import torch

        self.copies.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.copies):
            copied = [tensor.to("cpu", non_blocking=True) for tensor in tensors]
        for tensor in tensors:
            if tensor.is_cuda:
                tensor.record_stream(self.copies)
        done = self.copies.record_event()

        def wait() -> list[Tensor]:
            done.synchronize()
            return copied

        return wait

    def measure(self) -> None:
        """Note what is taken by now, and count from there."""
        import torch

        self.before = torch.cuda.memory_allocated(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)

    def taken(self) -> int:
        """Return how far memory rose above what was taken then."""
        import torch

        return torch.cuda.max_memory_allocated(self.device) - self.before

    def free(self) -> int:
        """Return what the driver has, and what torch keeps unused."""
        import torch

        kept = torch.cuda.memory_reserved(self.device)
        free: int = torch.cuda.mem_get_info(self.device)[0]
        return free + kept - torch.cuda.memory_allocated(self.device)

    def release(self) -> None:
        """Wait for what is computed, and return what torch keeps unused."""
        import torch

        torch.cuda.synchronize(self.device)
        torch.cuda.empty_cache()

    def is_full(self, error: BaseException) -> bool:
        """Return whether torch's allocator failed, or a library's own."""
        import torch

        return isinstance(error, torch.OutOfMemoryError) or (
            isinstance(error, RuntimeError)
            and ("ALLOC_FAILED" in str(error) or "out of memory" in str(error))
        )
