"""The leaderboard's page as a static Space, which any web server shows as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_leaderboard.publish.parcel import Parcel
from harness_leaderboard.publish.targets import listed
from harness_leaderboard.publish.targets import title as titled

if TYPE_CHECKING:
    from collections.abc import Collection


def parcel(page: str, targets: Collection[str], title: str = "") -> Parcel:
    """Make the files of a Space.

    Args:
        page: The page, which needs no other file.
        targets: What its results predict.
        title: Of the Space; by default it says the targets.
    """
    from huggingface_hub import SpaceCardData

    title = title or titled(targets)
    top = SpaceCardData(title=title, sdk="static", tags=["leaderboard", "speech"])
    readme = f"""\
---
{top.to_yaml().strip()}
---

# {title}

How well small heads predict {listed(targets)} from the states of frozen speech models,
measured by [speech-harness](https://github.com/speech-harness/speech-harness).
`index.html` is the whole of it: every figure, what stands behind it, and no audio.
"""
    return Parcel(
        kind="space",
        files={"README.md": readme.encode(), "index.html": page.encode()},
    )
