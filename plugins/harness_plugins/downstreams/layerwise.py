"""Layer probes: the linear head on every layer alone, to see where the emotion sits.

The row on the board is the layer that was best in validation; the test scores of all
layers are stored beside it, and ``harness leaderboard --view layers`` shows them.
Command: ``harness run --upstream whisper-base --downstream layerwise --corpus emodb``
Expected on EmoDB, leave one speaker out: macro-F1 82 %, by layer 58, 68, 81,
82, 80, 84 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Downstream, Reads, hookimpl
from harness_plugins.downstreams import linear
from harness_plugins.recipes import PEFT_SER

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def harness_downstreams() -> Iterator[Downstream]:
    """Offer the linear head, once a layer."""
    yield Downstream(
        name="layerwise",
        summary="the linear head on each layer alone, the best in validation",
        reads=Reads(layers="each", frames=False),
        build=linear.build,
        recipe=PEFT_SER,
        version=linear.VERSION,
    )
