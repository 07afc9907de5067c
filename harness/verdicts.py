"""What ``harness check`` found of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def broken_rules(
    cache: Path, name: str, identity: Mapping[str, object]
) -> tuple[str, ...]:
    """Return the rules that an offer broke when it was last checked."""
    return ()
