"""Tests of what a GPU computes; ``make gpu`` runs them where there is one.

``HARNESS_GPU=cpu:0 pytest -m gpu tests/gpu`` runs their bodies on the CPU, treated as a
GPU: the rehearsal, where there is none.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest
import torch

from harness.features import device as devices
from harness.features.extraction import encoder


@pytest.fixture
def device():
    """The device, prepared as in a worker."""
    threads = torch.get_num_threads()
    yield devices.prepare(os.environ.get("HARNESS_GPU", "cuda:0"))
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    encoder.cache_clear()


@pytest.fixture
def without_waiting(device):
    """A context in which whatever waits for the GPU raises."""

    @contextmanager
    def context():
        if not devices.is_gpu(device):
            yield
            return
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    return context
