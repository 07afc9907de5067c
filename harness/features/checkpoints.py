"""Where a checkpoint lies: a local folder first, else the Hugging Face hub."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import CheckpointError
from harness.files import sha256_file, sha256_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.files import Memory
    from harness.types import Upstream

SUPERSEDED = "pytorch_model*"
"""The same weights in the older format, never read where there are safetensors."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The files of a model on this machine.

    Attributes:
        folder: In Hugging Face's layout; ``None`` for a model without weights.
        revision: The hub's commit, or ``local`` for a folder that the user gave.
        sha256: Hash of the files that are read, empty for a model without weights.
    """

    folder: Path | None
    revision: str
    sha256: str


def find_checkpoint(
    upstream: Upstream,
    given: Mapping[str, Path],
    memory: Memory,
    *,
    download: bool,
) -> Checkpoint | None:
    """Find an upstream's checkpoint.

    A folder that was given comes first, then one in ``$HARNESS_CHECKPOINTS``, then what
    the description names: a folder of this machine, or an id on the hub.

    Args:
        upstream: Whose checkpoint.
        given: Folders by upstream name, from ``--checkpoint``.
        memory: Remembers hashes.
        download: Whether to fetch what is not here (with a progress bar); otherwise
            ``None`` is returned for it.

    Raises:
        CheckpointError: Where a given folder is not a checkpoint, or the hub does not
            give one.
    """
    if upstream.checkpoint is None:
        return Checkpoint(folder=None, revision=upstream.revision, sha256="")
    folder, revision = _local(upstream, given), "local"
    if folder is None:
        folder, revision = _from_hub(upstream, download=download), upstream.revision
        if folder is None:
            return None
        revision = folder.name
    return Checkpoint(
        folder=folder, revision=revision, sha256=_digest(upstream, folder, memory)
    )


def _local(upstream: Upstream, given: Mapping[str, Path]) -> Path | None:
    names = [name for name in (upstream.name, upstream.checkpoint_of) if name]
    for name in names:
        if name in given:
            if not given[name].is_dir():
                raise CheckpointError(
                    f"The checkpoint folder {given[name]}, given for {name}, does not "
                    f"exist. Mend --checkpoint {name}=FOLDER."
                )
            return given[name]
    if root := os.environ.get("HARNESS_CHECKPOINTS"):
        for name in names:
            if (folder := Path(root) / name).is_dir():
                return folder
    described = Path(upstream.checkpoint or "")
    if not described.is_absolute():
        return None
    if not described.is_dir():
        raise CheckpointError(
            f"The checkpoint folder {described} of {upstream.name} does not exist. "
            f"Give another one by --checkpoint {upstream.name}=FOLDER."
        )
    return described


def _from_hub(upstream: Upstream, *, download: bool) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    fetch = functools.partial(
        snapshot_download,
        upstream.checkpoint or upstream.name,
        revision=upstream.revision,
        allow_patterns=list(upstream.files),
        local_files_only=not download,
    )
    try:
        folder = Path(fetch(ignore_patterns=SUPERSEDED))
        if not any(folder.glob("*.safetensors")):
            folder = Path(fetch())
    except LocalEntryNotFoundError as error:
        if not download:
            return None
        raise CheckpointError(
            _ways_out(upstream, "the hub cannot be reached")
        ) from error
    except (HfHubHTTPError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(_ways_out(upstream, f"the hub said: {reason}")) from error
    described_only = all(path.suffix == ".json" for path in folder.iterdir())
    return None if described_only and not download else folder


def _ways_out(upstream: Upstream, reason: str) -> str:
    name = upstream.checkpoint_of or upstream.name
    return (
        f"{upstream.name} is not on this machine and {reason}. Give a local copy by "
        f"--checkpoint {name}=FOLDER or as $HARNESS_CHECKPOINTS/"
        f"{name}, or run once where {upstream.checkpoint} can be downloaded."
    )


def _digest(upstream: Upstream, folder: Path, memory: Memory) -> str:
    """Hash the files that the upstream reads, by name."""
    names = sorted(
        path.name
        for path in folder.iterdir()
        if any(fnmatch(path.name, pattern) for pattern in upstream.files)
    )
    if any(fnmatch(name, "*.safetensors") for name in names):
        names = [name for name in names if not fnmatch(name, SUPERSEDED)]
    files = {
        name: memory.recall(folder / name, sha256_file, "sha256") for name in names
    }
    if not files:
        raise CheckpointError(
            f"{folder} holds no checkpoint of {upstream.name}: none of "
            f"{', '.join(upstream.files)} is there."
        )
    return sha256_json(files)


Checkpoints = Checkpoint
