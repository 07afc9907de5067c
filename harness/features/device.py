"""Where arithmetic runs: the device of a task, its threads, memory and random state.

The one place that spells what is CUDA's.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    from torch import Tensor

THREADS = 1
"""Of torch in a task, whatever the machine has: sums that are grouped in another way
differ in their last bits. Cores are used by tasks side by side."""


def prepare(name: str) -> str:
    """Fix the number of threads, and return the device that a name means here.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:1`` …, or ``auto`` for a GPU where there is one.

    Raises:
        HarnessError: Where there is no such device.
    """
    import torch

    torch.set_num_threads(THREADS)
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise HarnessError(
            f"There is no device '{name}' here. Use --device auto or --device cpu."
        ) from error
    return name


def is_gpu(device: str) -> bool:
    """Return whether a device is a GPU."""
    return device.startswith("cuda")


def count_gpus() -> int:
    """Count this machine's GPUs without opening one."""
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    import torch

    return torch.cuda.device_count()


def peak_memory(device: str) -> int:
    """Return the most memory that this process held, or took on its GPU, in bytes."""
    if is_gpu(device):
        import torch

        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def random_state(device: str) -> Tensor | None:
    """Return the random state of a GPU; ``None`` for a CPU, whose state is torch's."""
    import torch

    return torch.cuda.get_rng_state(device) if is_gpu(device) else None


def restore_random_state(device: str, state: Tensor | None) -> None:
    """Set the random state of a GPU to what ``random_state`` returned."""
    import torch

    if state is not None and is_gpu(device):
        torch.cuda.set_rng_state(state, device)


def describe(device: str) -> str:
    """Name a device for a record."""
    import platform

    if is_gpu(device):
        import torch

        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({platform.machine()}, {THREADS} thread)"


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that compute, by name."""
    import platform
    from importlib.metadata import version

    packages = ("torch", "torchaudio", "transformers", "numpy", "scikit-learn")
    return {name: version(name) for name in packages} | {
        "python": platform.python_version()
    }
