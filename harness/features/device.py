"""Where arithmetic runs: the device of a task, its threads, memory and random state.

The one place that spells what is CUDA's. Nothing here opens a GPU but ``prepare``, in
the process that computes: a process that only plans must hold none, or a GPU in
exclusive-process mode is lost to the workers.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

THREADS = 1
"""Of arithmetic in a task, whatever the machine has: sums that are grouped otherwise
differ in their last bits. Cores are used by tasks side by side."""

SHARING = 64
"""Processes of one user that may share a GPU: more than fit into any one's memory."""

EITHER = "Use --device auto or --device cpu."


def named(name: str) -> tuple[str, ...]:
    """List the devices of this machine that a name means, without opening one.

    Args:
        name: ``cpu``, ``auto`` for all GPUs or else the CPU, ``cuda`` for all GPUs,
            ``cuda:1``, or ``cuda:0,2`` for some of them.

    Raises:
        HarnessError: Where there is no such device.
    """
    if not (name == "auto" or is_gpu(name)):
        return (_known(name),)
    count = count_gpus()
    if name == "auto" and not count:
        return ("cpu",)
    if name in ("auto", "cuda"):
        places = list(range(count))
    else:
        match = re.fullmatch(r"cuda:(\d{1,4}(?:,\d{1,4})*)", name)
        places = [int(one) for one in match[1].split(",")] if match else [count]
    if not places or max(places) >= count:
        raise HarnessError(f"There is no device '{name}' here{_there(count)}. {EITHER}")
    return tuple(f"cuda:{place}" for place in dict.fromkeys(places))


def _known(name: str) -> str:
    """Return the name of a device that is no GPU; refuse what torch does not have."""
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        # no such word, no such build, and a backend such as 'vulkan' that is not there
        raise HarnessError(f"There is no device '{name}' here. {EITHER}") from error
    return name


def _there(count: int) -> str:
    """Say which GPUs there are."""
    if not count:
        return ": this machine has no NVIDIA driver, or no GPU that it shows"
    return f": there is cuda:0{f' to cuda:{count - 1}' if count > 1 else ''}"


@contextmanager
def limited_threads() -> Iterator[None]:
    """Keep the libraries below numpy, scipy and sklearn to ``THREADS``, as torch is.

    They start a thread a core otherwise: tasks side by side would wait for each other.
    """
    import scipy.linalg  # noqa: F401 - what is loaded is limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=THREADS):
        yield


def prepare(name: str) -> str:
    """Fix the number of threads, and return the device that this process computes on.

    Of several GPUs a process takes the one that the fewest others have, and keeps it.

    Args:
        name: As ``named`` has it.

    Raises:
        HarnessError: Where there is no such device, or it cannot be used.
    """
    import torch

    torch.set_num_threads(THREADS)
    devices = named(name)
    if not is_gpu(devices[0]):
        return devices[0]
    device = devices[0] if len(devices) == 1 else _taken(devices)[0]
    _open(device)
    return device


@functools.cache
def _taken(devices: tuple[str, ...]) -> tuple[str, FileLock]:
    """Take one of several GPUs; the lock goes with the process, however that ends."""
    user = getattr(os, "getuid", os.getpid)()
    folder = Path(tempfile.gettempdir()) / f"speech-harness-{user}"
    folder.mkdir(exist_ok=True)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    for share in range(SHARING):
        for device in devices:
            place = int(device.partition(":")[2])
            name = visible[place] if place < len(visible) and visible[0] else place
            lock = FileLock(folder / f"gpu-{name}-{share}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            return device, lock
    raise HarnessError(
        f"{SHARING} processes share each of {', '.join(devices)}. Take fewer --workers."
    )


@functools.cache
def _open(device: str) -> None:
    """Open a GPU in this process, once, and let it compute exactly.

    Raises:
        HarnessError: Where it cannot be opened, in words that say what to do.
    """
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # sums in one order
    try:
        torch.cuda.set_device(device)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise HarnessError(refusal(device, str(error))) from error
    be_exact()


def refusal(device: str, problem: str) -> str:
    """Say in a sentence why a GPU cannot be opened, by what CUDA said."""
    import torch

    said = problem.partition("\n")[0]
    if "too old" in problem:
        return (
            f"The driver of {device} is too old for this torch (CUDA "
            f"{torch.version.cuda}). Update the driver, install a torch for an older "
            "CUDA, or use --device cpu."
        )
    if "compiled with CUDA" in problem:
        return f"This torch is built without CUDA. Install another, or: {EITHER}"
    if "unavailable" in problem or "busy" in problem or "exclusive" in problem:
        return (
            f"{device} is in use, and set to serve one process at a time (nvidia-smi "
            "shows its compute mode). Take one worker a GPU, or wait for the other."
        )
    if "no kernel image" in problem:
        return f"This torch has no code for {device} ({said}). {EITHER}"
    return f"{device} cannot be opened ({said}). {EITHER}"


def be_exact() -> None:
    """Let float32 be float32 on a GPU, without TF32, and let sums be repeatable.

    torch's convolutions would else round their operands to ten bits, and half precision
    add in half precision. An operation that cannot be repeated warns.
    """
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.use_deterministic_algorithms(True, warn_only=True)
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010 - mypy does not see it


def is_gpu(device: str) -> bool:
    """Return whether a device is a GPU."""
    return device.startswith("cuda")


def kind_of(name: str) -> str:
    """Return ``cuda`` or ``cpu``: what a name means, on a machine without one, too."""
    if is_gpu(name) or (name == "auto" and count_gpus()):
        return "cuda"
    return "cpu" if name == "auto" else name.partition(":")[0]


def takes_batches(device: str) -> bool:
    """Return whether clips are encoded in padded batches on a device.

    Not on ``cpu``, where clip by clip is exact to the last bit and fastest. ``cpu:0``
    takes them: so all that is done for a GPU can be tried without one.
    """
    return device != "cpu"


def count_gpus() -> int:
    """Count this machine's GPUs without opening one."""
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    import torch

    return torch.cuda.device_count()


def reset_peak_memory(device: str) -> None:
    """Begin to count the most memory anew, where that can be done: on a GPU."""
    if is_gpu(device):
        import torch

        torch.cuda.reset_peak_memory_stats(device)


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


def versions(device: str = "cpu") -> dict[str, str]:
    """Return the versions of Python and of what computes, by name.

    Of a GPU also those of CUDA, cuDNN and the driver, and how float32 is computed.
    """
    import platform
    from importlib.metadata import version

    packages = ("torch", "torchaudio", "transformers", "numpy", "scikit-learn")
    found = {name: version(name) for name in packages}
    return found | {"python": platform.python_version()} | _versions_of(device)


def _versions_of(device: str) -> dict[str, str]:
    """Return what a GPU's numbers depend on besides."""
    if not is_gpu(device):
        return {}
    import torch

    tf32 = torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32
    return {
        "cuda": str(torch.version.cuda),
        "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        "driver": _driver(),
        "float32": "tf32" if tf32 else "ieee",
    }


def _driver() -> str:
    """Read the version of the NVIDIA driver, as Linux shows it."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text("utf-8")
    except OSError:
        return "unknown"
    found = re.search(r"\d+\.\d+(\.\d+)?", text)
    return found[0] if found else "unknown"
