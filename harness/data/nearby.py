"""A corpus that is not where it is looked for may lie near: then say where."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def nearby(name: str, root: Path) -> str:
    """Say where a corpus seems to be, and what to do; nothing where it is not near.

    Args:
        name: The name of its folder.
        root: Where it is looked for: that folder below the data root.
    """
    data_root = root.parent.absolute()
    for folder in (data_root, *data_root.parents):
        if _plain(folder.name) == _plain(name) and folder.is_dir():
            return _moved(folder, name)
    try:
        folders = sorted(one for one in data_root.iterdir() if one.is_dir())
        found = [one for one in folders if _plain(one.name) == _plain(name)]
        found += [one / name for one in folders if (one / name).is_dir()]
    except OSError:
        return ""
    return _moved(found[0], name) if found else ""


def _moved(folder: Path, name: str) -> str:
    if folder.name == name:
        return (
            f"It seems to be at {folder}: set HARNESS_DATA (or --data-root) to "
            f"{folder.parent}, the folder above it."
        )
    return (
        f"It seems to be at {folder}: rename that folder to '{name}', and set "
        f"HARNESS_DATA (or --data-root) to {folder.parent}."
    )


def _plain(name: str) -> str:
    """Write a name without what people spell differently: capitals and signs."""
    return re.sub(r"[\W_]", "", name.casefold())
