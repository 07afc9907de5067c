"""Where checkpoints lie: in local folders first, else on the Hugging Face hub."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import hub
from harness.errors import CheckpointError
from harness.files import sha256_file, sha256_json
from harness.types import HubCheckpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.memory import Memory
    from harness.types import Upstream
    from harness.types.upstreams import Encode

SUPERSEDED = "pytorch_model*"
"""The same weights in the older format, never read where there are safetensors."""

LOCAL = "local"
"""The revision of a folder that the user gave."""


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """The files of a model on this machine.

    Attributes:
        folder: In Hugging Face's layout; ``None`` for a model without weights.
        more: The folders of its further checkpoints, by the names that its description
            has for them.
        revision: The hub's commit, or ``local`` for a folder that the user gave; of
            several, each with its name.
        sha256: Hash of all files that are read, empty for a model without weights.
    """

    folder: Path | None = None
    more: Mapping[str, Path] = field(default_factory=dict)
    revision: str = ""
    sha256: str = ""


def find_checkpoint(
    upstream: Upstream,
    given: Mapping[str, Path],
    memory: Memory,
    *,
    download: bool,
) -> Checkpoints | None:
    """Find an upstream's checkpoint, or all of them where it has several.

    For each a folder that was given comes first, then one in ``$HARNESS_CHECKPOINTS``,
    then what the description names: a folder of this machine, or an id on the hub.

    Args:
        upstream: Whose checkpoint.
        given: Folders by upstream name, from ``--checkpoint NAME=FOLDER``; those of
            further checkpoints by ``NAME/KEY``.
        memory: Remembers hashes.
        download: Whether to fetch what is not here (with a progress bar); otherwise
            ``None`` is returned for it, and nothing is asked of the network.

    Raises:
        CheckpointError: Where a given folder is not a checkpoint, or the hub does not
            have one.
    """
    found = {}
    for wanted in _wanted(upstream):
        one = _find(wanted, given, download=download)
        if one is None:
            return None
        if not wanted.key:
            _refuse_other(upstream, one[0])
        found[wanted.key] = (*one, _digest(wanted, one[0], memory))
    return _together(upstream, found)


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """One checkpoint of an upstream.

    Attributes:
        names: What the user may call it, its own name first.
        key: The description's name for a further one, empty for the first.
        source: Where it is published.
    """

    names: tuple[str, ...]
    key: str = ""
    source: HubCheckpoint


def _wanted(upstream: Upstream) -> list[_Wanted]:
    """List the checkpoints of an upstream, the first one first."""
    names = tuple(filter(None, (upstream.name, upstream.checkpoint_of)))
    first = []
    if upstream.checkpoint is not None:
        hub = HubCheckpoint(
            id=upstream.checkpoint, revision=upstream.revision, files=upstream.files
        )
        first = [_Wanted(names=names, source=hub)]
    return first + [
        _Wanted(names=tuple(f"{n}/{key}" for n in names), key=key, source=hub)
        for key, hub in upstream.more_checkpoints.items()
    ]


def _together(
    upstream: Upstream, found: Mapping[str, tuple[Path, str, str]]
) -> Checkpoints:
    """Join folders, revisions and hashes; of one alone they stay as they are."""
    if not upstream.more_checkpoints:
        folder, revision, sha256 = found.get("", (None, upstream.revision, ""))
        return Checkpoints(folder=folder, revision=revision, sha256=sha256)
    return Checkpoints(
        folder=found[""][0] if "" in found else None,
        more={key: folder for key, (folder, _, _) in found.items() if key},
        revision=", ".join(
            f"{key}: {revision}" if key else revision
            for key, (_, revision, _) in found.items()
        ),
        sha256=sha256_json({key: sha256 for key, (_, _, sha256) in found.items()}),
    )


def _find(
    wanted: _Wanted, given: Mapping[str, Path], *, download: bool
) -> tuple[Path, str] | None:
    """Return a folder and its revision."""
    folder = _local(wanted, given)
    if folder is not None:
        return folder, LOCAL
    folder = _from_hub(wanted, download=download)
    return None if folder is None else (folder, folder.name)


def _local(wanted: _Wanted, given: Mapping[str, Path]) -> Path | None:
    for name in wanted.names:
        if name in given:
            if not given[name].is_dir():
                raise CheckpointError(
                    f"The checkpoint folder {given[name]}, given for {name}, does not "
                    f"exist. Correct --checkpoint {name}=FOLDER."
                )
            return given[name]
    if root := os.environ.get("HARNESS_CHECKPOINTS"):
        for name in wanted.names:
            if (folder := Path(root) / name).is_dir():
                return folder
    described = Path(wanted.source.id)
    if not described.is_absolute():
        return None
    if not described.is_dir():
        raise CheckpointError(
            f"The checkpoint folder {described} of {wanted.names[0]} does not exist. "
            f"Name another one by --checkpoint {wanted.names[0]}=FOLDER."
        )
    return described


def _refuse_other(upstream: Upstream, folder: Path) -> None:
    """Refuse a checkpoint that its configuration shows to be another model's.

    Whether it can be read is for the upstream to say.
    """
    if not upstream.unlike:
        return
    try:
        said = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return
    for name, value in upstream.unlike.items():
        if isinstance(said, dict) and said.get(name) == value:
            raise CheckpointError(
                f"The checkpoint {folder} is not of {upstream.name}: its config.json "
                f"has {name} {value}, as another model of the family does. Name "
                f"another folder, or let its files describe it: --upstream hf:{folder}."
            )


def _from_hub(wanted: _Wanted, *, download: bool) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    fetch = functools.partial(
        snapshot_download,
        wanted.source.id,
        revision=wanted.source.revision,
        allow_patterns=list(wanted.source.files),
        local_files_only=not (download and hub.reachable()),
    )
    has_weights = any(not name.endswith(".json") for name in wanted.source.files)
    try:
        folder = Path(fetch(ignore_patterns=SUPERSEDED))
        if has_weights and not any(map(_is_safetensors, _names(wanted, folder))):
            folder = Path(fetch())
    except LocalEntryNotFoundError as error:
        if not download:
            return None
        raise CheckpointError(_ways_out(wanted, "the hub cannot be reached")) from error
    except (HfHubHTTPError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(_ways_out(wanted, f"the hub said: {reason}")) from error
    described_only = all(path.suffix == ".json" for path in folder.iterdir())
    if described_only and has_weights and not download:
        return None
    return folder


def _ways_out(wanted: _Wanted, reason: str) -> str:
    name = wanted.names[-1]
    return (
        f"{wanted.names[0]} is not on this machine and {reason}. Name a local copy by "
        f"--checkpoint {name}=FOLDER or as $HARNESS_CHECKPOINTS/{name}, or run once "
        f"where {wanted.source.id} can be downloaded."
    )


def _digest(wanted: _Wanted, folder: Path, memory: Memory) -> str:
    """Hash the files that the upstream reads, by name."""
    try:
        files = {
            name: memory.recall(folder / name, sha256_file, "sha256")
            for name in _names(wanted, folder)
        }
    except OSError as error:
        raise CheckpointError(
            f"The checkpoint {folder} of {wanted.names[0]} cannot be read: {error}. "
            "Fix its permissions, or download it again."
        ) from error
    if not files:
        raise CheckpointError(
            f"{folder} holds no checkpoint of {wanted.names[0]}: none of "
            f"{', '.join(wanted.source.files)} is there."
        )
    return sha256_json(files)


def _names(wanted: _Wanted, folder: Path) -> list[str]:
    """List the files that the upstream reads, sorted."""
    names = sorted(
        path.name
        for path in folder.iterdir()
        if any(fnmatch(path.name, pattern) for pattern in wanted.source.files)
    )
    if any(map(_is_safetensors, names)):
        names = [name for name in names if not fnmatch(name, SUPERSEDED)]
    return names


def _is_safetensors(name: str) -> bool:
    return name.endswith(".safetensors")


# ---------------------------------------------------------------- as it was planned


@dataclass(frozen=True, kw_only=True)
class Planned:
    """An upstream with the bytes that a plan saw.

    Attributes:
        upstream: The model.
        sha256: Hash of all files that are read.
        given: Folders by upstream name.
        memory: Remembers hashes.
    """

    upstream: Upstream
    sha256: str
    given: Mapping[str, Path]
    memory: Memory

    def find(self) -> Checkpoints:
        """Find its checkpoint on this machine.

        Raises:
            CheckpointError: Where it is not here, or has other bytes by now.
        """
        found = find_checkpoint(self.upstream, self.given, self.memory, download=False)
        if found is None:
            raise self._refusal("is not on this machine")
        if found.sha256 != self.sha256:
            raise self._refusal("changed since it was planned, or is another one here")
        return found

    def load(
        self,
        found: Checkpoints,
        folder: Path | None,
        **named: Any,  # noqa: ANN401 - what the upstream's own takes
    ) -> Encode:
        """Load it from files that nobody writes to between their hash and the end.

        Raises:
            CheckpointError: Where somebody did, whatever is in them by now.
        """
        before = _states(self.upstream, found)
        self.find()
        encode = self.upstream.load(folder, **named)
        self.find()
        if _states(self.upstream, found) != before:
            raise self._refusal("changed since it was planned, while it was loaded")
        return encode

    def _refusal(self, state: str) -> CheckpointError:
        return CheckpointError(
            f"The checkpoint of {self.upstream.name} {state}. Run the same command "
            "again; on a cluster, let every node see the same checkpoints."
        )


def _states(upstream: Upstream, found: Checkpoints) -> list[tuple[object, ...]]:
    """Return what shows whether the files that are read were written to.

    A user cannot set the time of a change (``st_ctime_ns``), so a file that was changed
    and put back has another state, too.
    """
    known: list[tuple[object, ...]] = []
    for wanted in _wanted(upstream):
        folder = found.more[wanted.key] if wanted.key else found.folder
        if folder is None:
            continue
        for name in _names(wanted, folder):
            status = (folder / name).stat()
            numbers = (status.st_dev, status.st_ino, status.st_size)
            known.append((name, *numbers, status.st_mtime_ns, status.st_ctime_ns))
    return known
