"""Where arithmetic runs: the device of a task, and how many threads it has there."""

from __future__ import annotations

from harness.errors import HarnessError

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


def describe(device: str) -> str:
    """Name a device for a record."""
    import platform

    if device.startswith("cuda"):
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
