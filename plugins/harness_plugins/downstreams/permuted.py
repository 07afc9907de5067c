"""The linear head on permuted labels: what a head finds where there is nothing to find.

Command: ``harness run --upstream whisper-base --downstream permuted --corpus emodb``
Expected: chance. A score well above it says that something leaks.
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
    """Offer the head whose training labels say nothing."""
    yield Downstream(
        name="permuted",
        summary="the linear head, its training labels permuted (a control)",
        reads=Reads(layers="last", frames=False),
        build=linear.build,
        recipe=replace(PEFT_SER, permuted_labels=True),
        version=linear.VERSION,
        control="permuted-labels",
    )
