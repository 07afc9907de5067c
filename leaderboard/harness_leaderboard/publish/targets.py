"""What published results predict, in words for titles and cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def listed(targets: Iterable[str]) -> str:
    """Spell targets, such as ``arousal, emotion and gender``."""
    *several, last = sorted(set(targets))
    return f"{', '.join(several)} and {last}" if several else last


def title(targets: Iterable[str]) -> str:
    """Name what was measured of frozen models."""
    said = listed(targets)
    return f"{said[0].upper()}{said[1:]} in frozen speech models"
