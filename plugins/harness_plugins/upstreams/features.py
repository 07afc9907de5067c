"""``features:FILE`` or ``features:FOLDER``: vectors that another program made.

    harness features export --upstream whisper-base --corpus emodb --out whisper.npz
    harness run --upstream features:whisper.npz --downstream linear --corpus emodb

So they meet the same heads, splits and statistics as the others. A file is an ``.npz``,
``.parquet`` or ``.arrow`` as ``harness features export`` writes it, or a simple one of
another program:

* npz: ``ids``, (N,) texts, and ``features``, (N, D) or (N, L, D);
* Parquet or Arrow: a column ``id`` and a column ``features`` of lists.

Rows are found by the ids of the corpus, as ``harness features export`` writes them;
each must be there once. A folder may have several files, such as one a corpus. Frames,
with time first, are read as they are exported, too. Numbers become float32. The hash of
the files is part of every result's condition, as that of a checkpoint is.
"""

from __future__ import annotations

import glob
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import CheckpointError, DataError, Upstream, Utterance, hookimpl
from harness_plugins.upstreams import _vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

    from harness_plugins.upstreams._vectors import Vectors

PREFIX = "features:"

VERSION = 1
"""Raised when a change of this file moves a number."""


@hookimpl
def harness_upstream(name: str) -> Upstream | None:
    """Describe the vectors of a file, or of the files of a folder."""
    if not name.startswith(PREFIX):
        return None
    place = Path(name.removeprefix(PREFIX)).expanduser().absolute()
    files = _files(place)
    vectors = [_vectors.opened(file) for file in files]
    _index(vectors)
    layers, dim = _size(vectors)
    condition = vectors[0].condition
    hop = condition.get("hop") if vectors[0].lengths is not None else None
    return Upstream(
        name=PREFIX + place.stem,
        load=partial(load, tuple(file.name for file in files)),  # type: ignore[arg-type] # as ``reads`` says
        reads="utterances",
        layers=layers,
        dim=dim,
        hop=hop,
        min_seconds=0.0,
        checkpoint=str(place if place.is_dir() else place.parent),
        revision="local",
        files=tuple(glob.escape(file.name) for file in files),
        pretraining=_made_by(condition),
        version=VERSION,
    )


def load(
    names: tuple[str, ...], checkpoint: Path | None, *, device: str, feeding: str
) -> Callable[[Sequence[Utterance]], list[Tensor]]:
    """Open the files; the encoder finds the vectors of each utterance by its id."""
    import torch

    if checkpoint is None:
        raise CheckpointError("The folder of the features is not here.")
    vectors = [_vectors.opened(checkpoint / name) for name in names]
    index = _index(vectors)

    def encode(utterances: Sequence[Utterance]) -> list[Tensor]:
        """Return the states of each utterance, (L, T, D), on the CPU."""
        return [states(utterance) for utterance in utterances]

    def states(utterance: Utterance) -> Tensor:
        found = index.get(utterance.id)
        if found is None:
            raise _missing(utterance.id, index, checkpoint)
        file, row = found
        values = torch.tensor(vectors[file].states(row))
        if not torch.isfinite(values).all():
            raise DataError(
                f"The features of '{utterance.id}' in {vectors[file].path} hold NaN or "
                "infinite values. Make them again, or leave the utterance out of the "
                "corpus."
            )
        return values

    return encode


# ---------------------------------------------------------------- files


def _files(place: Path) -> list[Path]:
    """List the files of features at a place.

    Raises:
        CheckpointError: Where there is none.
    """
    if place.is_file() and place.suffix.lower() in _vectors.READERS:
        return [place]
    found = sorted(place.iterdir()) if place.is_dir() else []
    files = [one for one in found if one.suffix.lower() in _vectors.READERS]
    if not files:
        endings = ", ".join(sorted(_vectors.READERS))
        what = "holds no file" if place.exists() else "does not exist, or is no file"
        raise CheckpointError(
            f"{place} {what} that ends in {endings}. Write one by 'harness features "
            "export --out FILE', or see docs/python.md for what another program must "
            "write."
        )
    return files


def _size(vectors: Sequence[Vectors]) -> tuple[int, int]:
    """Return L and D, which all files share.

    Raises:
        DataError: Where they do not, or are of different kinds.
    """
    first = vectors[0]
    for other in vectors[1:]:
        kinds = (other.lengths is None, first.lengths is None)
        if (other.layers, other.dim) != (first.layers, first.dim) or len(
            set(kinds)
        ) > 1:
            raise DataError(
                f"{other.path} has {other}, and {first.path} has {first}. Put them "
                "into folders of their own."
            )
    return first.layers, first.dim


def _index(vectors: Sequence[Vectors]) -> dict[str, tuple[int, int]]:
    """Find the file and the row of each utterance.

    An id of a corpus that was joined begins with the corpus' name, so that it is found
    by both, where the file says of which corpus it is.

    Raises:
        DataError: Where an id is there twice.
    """
    index: dict[str, tuple[int, int]] = {}
    for number, one in enumerate(vectors):
        for row, id in enumerate(one.ids):
            if id in index:
                other = vectors[index[id][0]].path
                raise DataError(
                    f"The utterance '{id}' is there twice: in {other} and in "
                    f"{one.path}. Remove one of the rows, or name one file alone by "
                    "--upstream features:FILE."
                )
            index[id] = number, row
    joined = {
        f"{corpus}/{id}": index[id]
        for one in vectors
        for id, corpus in zip(one.ids, one.corpora, strict=False)
    }
    return joined | index


def _missing(id: str, known: Iterable[str], folder: Path) -> DataError:
    """Say which utterance has no row, and how the ids that are there look."""
    some = sorted(known)
    return DataError(
        f"No row of the features in {folder} has the id '{id}'; there are {len(some)}, "
        f"such as '{some[0] if some else ''}'. Ids must be those of the corpus, which "
        "'harness features export --upstream fbank --corpus NAME' writes."
    )


def _made_by(condition: dict[str, Any]) -> str:
    """Say what made the features, where the file does."""
    if not condition:
        return "unknown (vectors of another program)"
    by = condition.get("perturbation")
    perturbed = f", perturbed by {by.get('name')}" if isinstance(by, dict) else ""
    return f"vectors of {condition.get('name')}, {condition.get('feeding')}{perturbed}"
