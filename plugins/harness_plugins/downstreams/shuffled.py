"""The linear head on shuffled labels: what a head finds where there is nothing to find.

Command: ``harness run --upstream whisper-base --downstream shuffled --corpus emodb``
Expected: chance. A score well above it says that something leaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import Downstream, Reads, Recipe, hookimpl
from harness_plugins.downstreams import linear

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def harness_downstreams() -> Iterator[Downstream]:
    """Offer the head that learns nonsense."""
    yield Downstream(
        name="shuffled",
        summary="the linear head, its training labels dealt out anew (a control)",
        reads=Reads(layers="last", frames=False),
        build=linear.build,
        recipe=Recipe(shuffled_labels=True),
        control="listening",
    )
