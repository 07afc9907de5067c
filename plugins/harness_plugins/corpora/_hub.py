"""The Hugging Face hub: what it has of a dataset, at which commit, and its files."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE = ("*.py", "*.pkl", "*.pickle", "*.pt", "*.pth", "*.so")
"""Files that are code, or run some when they are read; they are not downloaded."""

CONVERTED = "refs/convert/parquet"
"""The hub's branch with its own conversion of a dataset to Parquet."""

ABBREVIATED = re.compile(r"[0-9a-f]{12,39}")
"""The first digits of a commit, which has 40."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A dataset on the hub.

    Attributes:
        id: Its own.
        commit: All digits.
        size: Of its files, in bytes.
        licence: As its card has it: a text, a list, or nothing.
    """

    id: str
    commit: str
    size: int
    licence: object

    def snapshot(self) -> Path:
        """Download its files into the hub's own cache, and return their folder.

        Raises:
            DataError: Where that fails.
        """
        from huggingface_hub import snapshot_download

        with _reported(self.id, self.commit):
            folder = snapshot_download(
                self.id,
                repo_type="dataset",
                revision=self.commit,
                ignore_patterns=list(CODE),
            )
        return Path(folder)


def address(id: str) -> str:
    """Return the web page of a dataset."""
    return f"https://huggingface.co/datasets/{id}"


def ask(id: str, revision: str) -> Found:
    """Ask the hub for a dataset's commit, size and card.

    Args:
        id: Of the dataset.
        revision: A branch, a tag, or a commit, of which 12 digits are enough.

    Raises:
        DataError: Where the hub cannot be reached or does not have it, or where it
            needs code of its own to be read.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    with _reported(id, revision):
        commit = _whole(api, id, revision)
        info = api.dataset_info(id, revision=commit, files_metadata=True)
    sizes = {one.rfilename: one.size or 0 for one in info.siblings or ()}
    script = f"{id.rpartition('/')[2]}.py"
    if script in sizes:
        raise DataError(
            f"{id} is read by code of its own, {script}, which is never run here. The "
            f"hub may have converted it: 'harness corpus download "
            f"hf-dataset:{id}@{CONVERTED}'."
        )
    return Found(
        id=id,
        commit=str(info.sha),
        size=sum(sizes.values()),
        licence=getattr(info.card_data, "license", None),
    )


def _whole(api: Any, id: str, revision: str) -> str:  # noqa: ANN401 - HfApi
    """Complete an abbreviated commit; return any other revision as it is."""
    if not ABBREVIATED.fullmatch(revision):
        return revision
    commits = [one.commit_id for one in api.list_repo_commits(id, repo_type="dataset")]
    return next((one for one in commits if one.startswith(revision)), revision)


@contextmanager
def _reported(id: str, revision: str) -> Iterator[None]:
    """Turn what goes wrong between here and the hub into a ``DataError``."""
    from huggingface_hub.errors import HfHubHTTPError

    http: Any = HfHubHTTPError.__bases__[0]  # of the library that it uses
    try:
        yield
    except (OSError, ValueError, http) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"Cannot download {id} at {revision}: {reason.rstrip('.')}. Check the name "
            "and the revision, and whether the hub can be reached; for a dataset that "
            "asks for consent, agree on its page and run 'hf auth login'."
        ) from error
