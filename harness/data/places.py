"""The folders of a run, by role, so that a task finds them on another machine, too."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLES = {"data": "HARNESS_WORKER_DATA", "cache": "HARNESS_WORKER_CACHE"}
"""Set on a machine whose workers have these folders elsewhere than the one that
submits; they must be the same folders, on a shared file system."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where things lie.

    Attributes:
        data: One folder a corpus.
        cache: Features, hashes and what is in work.
        checkpoints: Folders that the user gave, by upstream name.
    """

    data: Path
    cache: Path
    checkpoints: Mapping[str, Path] = field(default_factory=dict, hash=False)

    def here(self) -> Places:
        """Return the same places as this machine names them."""
        moved = {
            role: Path(os.environ[variable])
            for role, variable in VARIABLES.items()
            if variable in os.environ
        }
        return replace(self, **moved) if moved else self  # type: ignore[arg-type]

    def shorten(self, path: Path) -> str:
        """Write a path by the role of the innermost folder that it lies in, if any."""
        for role in sorted(VARIABLES, key=lambda role: -len(getattr(self, role).parts)):
            folder = getattr(self, role)
            if path.is_relative_to(folder):
                return f"{role}:{path.relative_to(folder).as_posix()}"
        return f":{path.absolute()}"

    def find(self, short: str) -> Path:
        """Return the path that was shortened."""
        role, _, rest = short.partition(":")
        return Path(getattr(self, role), rest) if role else Path(rest)
