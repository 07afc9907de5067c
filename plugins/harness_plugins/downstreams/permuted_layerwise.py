"""Layer probes on permuted labels: what ``layerwise`` finds where nothing is to find.

Command: ``harness run --upstream whisper-base --downstream permuted-layerwise --corpus
emodb``. Expected: chance on every layer. ``harness leaderboard --view map`` takes its
scores off those of ``layerwise``: the selectivity of a probe (Hewitt and Liang 2019).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness import Downstream, Reads, hookimpl
from harness_plugins.downstreams import linear
from harness_plugins.recipes import PEFT_SER

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def harness_downstreams() -> Iterator[Downstream]:
    """Offer the linear head, once a layer, whose training labels say nothing."""
    yield Downstream(
        name="permuted-layerwise",
        summary="the linear head on each layer, training labels permuted (a control)",
        reads=Reads(layers="each", frames=False),
        build=linear.build,
        recipe=replace(PEFT_SER, permuted_labels=True),
        version=linear.VERSION,
        control="permuted-labels",
    )
