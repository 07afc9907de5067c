"""A plugin that takes its time and notes which process does what."""

from __future__ import annotations

import os
import time
from pathlib import Path

from harness_plugins.recipes import PEFT_SER
from toys import load_toy

from harness import Downstream, Reads, Upstream, hookimpl

LOG = "SLOW_LOG"
"""The variable that names the folder where a line is written for each step."""


def note(what):
    """Say that this process does something, if anybody wants to know."""
    if folder := os.environ.get(LOG):
        with Path(folder, f"did-{what}").open("a") as file:
            file.write(f"{os.getpid()}\n")


def noted(folder, what):
    """Return the processes that did something, one a time."""
    path = Path(folder, f"did-{what}")
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def load(checkpoint, *, device, feeding):
    note("load")
    encode = load_toy(checkpoint, device=device, feeding=feeding)

    def slowly(waveforms):
        note("extract")
        time.sleep(0.05 * len(waveforms))
        return encode(waveforms)

    return slowly


def build(*, layers, dim, classes):
    from torch import nn

    class Slow(nn.Module):
        def __init__(self):
            super().__init__()
            self.classify = nn.Linear(dim, classes)

        def forward(self, batch):
            note("fit")
            time.sleep(0.02)
            return self.classify(batch.pooled)

    return Slow()


@hookimpl
def harness_upstreams():
    yield Upstream(name="slow", load=load, layers=3, dim=8, hop=0.02)


@hookimpl
def harness_downstreams():
    reads = Reads(layers="last", frames=False)
    yield Downstream(name="slow", summary="", reads=reads, build=build, recipe=PEFT_SER)
