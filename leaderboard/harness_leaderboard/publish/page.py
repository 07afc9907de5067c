"""The leaderboard's page as a static Space, which any web server shows as well."""

from __future__ import annotations

from harness_leaderboard.publish.parcel import Parcel


def parcel(page: str, title: str) -> Parcel:
    """Make the files of a Space.

    Args:
        page: The page, which needs no other file.
        title: Of the Space.
    """
    from huggingface_hub import SpaceCardData

    top = SpaceCardData(title=title, sdk="static", tags=["leaderboard", "speech"])
    readme = f"""\
---
{top.to_yaml().strip()}
---

# {title}

How much emotion small heads read out of frozen speech models, measured by
[speech-harness](https://github.com/speech-harness/speech-harness). `index.html` is the
whole of it: every figure, what stands behind it, and no audio.
"""
    return Parcel(
        kind="space",
        files={"README.md": readme.encode(), "index.html": page.encode()},
    )
