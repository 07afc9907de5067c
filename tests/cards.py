"""A device that counts, fails and measures: a GPU for the pipeline, without one."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import torch

PATIENCE = 20.0
"""Seconds until something that must happen beside something else is given up."""


@dataclass
class Card:
    """Has room for so many padded seconds; what does not fit raises as CUDA does.

    Attributes:
        room: Padded seconds that fit.
        each: Bytes that a padded second takes.
        copied: Set before what was computed comes home.
    """

    room: float = float("inf")
    each: int = 1000
    batched: bool = True
    decoders: int = 3
    copied: threading.Event = field(default_factory=threading.Event)
    batches: list[tuple[int, float]] = field(default_factory=list)
    released: int = 0
    used: int = 0

    def __post_init__(self):
        self.copied.set()

    def compute(self, seconds):
        """Take a batch of clips of these lengths."""
        padded = len(seconds) * max(seconds)
        self.batches.append((len(seconds), padded))
        if padded > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 TiB")
        self.used = int(self.each * padded)

    def home(self, tensors):
        def wait():
            assert self.copied.wait(PATIENCE)
            return [tensor.clone() for tensor in tensors]

        return wait

    def measure(self):
        self.used = 0

    def taken(self):
        return self.used

    def free(self):
        return 2 * self.each * 400  # so that batches of 400 s are half of it

    def release(self):
        self.released += 1

    def is_full(self, error):
        return isinstance(error, torch.OutOfMemoryError)
