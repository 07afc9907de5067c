"""Features written for other programs: as npz, Parquet or an Arrow file.

All forms have the columns of the table of utterances, and the features: of means
``features``, (N, L, D); of frames time comes first, (T, D) or (T, L, D) a clip, which
an npz has one clip after the other as ``frames``, (ΣT, …), with their number in
``lengths``, (N,). ``condition`` is JSON: all that they depend on, but the audio. Files
are written in pieces, so that frames of a whole corpus are never in memory.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.features.arrays import Features

CONDITION = "condition"
"""The name of the JSON text; of Parquet and Arrow it is a key of the metadata."""

PIECE = 2**26
"""Bytes of features that are in memory at once, 64 MB, unless one clip has more."""


def write_npz(features: Features, path: Path) -> None:
    """Write arrays that ``numpy.load`` reads, without any pickled object."""
    import numpy as np

    with ZipFile(path, "w", ZIP_STORED) as archive:
        for name, column in _columns(features).items():
            with _member(archive, name) as file:
                np.lib.format.write_array(file, column, allow_pickle=False)
        with _member(archive, _name(features)) as file:
            described = {
                "descr": features[0].dtype.str,
                "fortran_order": False,
                "shape": _shape(features),
            }
            np.lib.format.write_array_header_1_0(file, described)
            for array in features:
                file.write(np.ascontiguousarray(_time_first(features, array)))


@contextmanager
def _member(archive: ZipFile, name: str) -> Iterator[Any]:
    """Open a file of an archive whose bytes do not depend on the date."""
    with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
        yield file


def _columns(features: Features) -> dict[str, NDArray[Any]]:
    """Return the utterances as arrays; unknown texts are empty."""
    import numpy as np

    table = features.utterances
    columns = {
        name: np.array(["" if one is None else one for one in table[name].to_pylist()])
        for name in table.column_names
    }
    columns[CONDITION] = np.array(condition_text(features))
    if features.kind != "pooled":
        columns["lengths"] = np.array(list(_lengths(features)), np.int64)
    return columns


def condition_text(features: Features) -> str:
    """Write what features depend on as JSON, with the kind that they are."""
    said = {**asdict(features.condition), "kind": features.kind}
    if features.perturbation is not None:
        said["perturbation"] = asdict(features.perturbation)
    return json.dumps(said)


def _name(features: Features) -> str:
    return "features" if features.kind == "pooled" else "frames"


def _lengths(features: Features) -> Iterator[int]:
    """Yield how many frames each clip has; the frames themselves are not read."""
    return (array.shape[-2] for array in features)


def _shape(features: Features) -> tuple[int, ...]:
    first = _time_first(features, features[0])
    if features.kind == "pooled":
        return (len(features), *first.shape)
    return (sum(_lengths(features)), *first.shape[1:])


def _time_first(
    features: Features, array: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Turn (L, T, D) into (T, L, D), so that clips can stand one after another."""
    return array.swapaxes(0, 1) if features.kind == "all" else array


# ---------------------------------------------------------------- Parquet, Arrow


def write_parquet(features: Features, path: Path) -> None:
    """Write one row an utterance; features are lists of lists of fixed sizes."""
    import pyarrow.parquet as pq

    batches = _batches(features)
    first = next(batches)
    with pq.ParquetWriter(path, first.schema, use_dictionary=False) as file:
        file.write_batch(first)
        for batch in batches:
            file.write_batch(batch)


def write_arrow(features: Features, path: Path) -> None:
    """Write the same as an Arrow file (IPC), which programs map into memory."""
    import pyarrow as pa

    batches = _batches(features)
    first = next(batches)
    with pa.ipc.new_file(str(path), first.schema) as file:
        file.write_batch(first)
        for batch in batches:
            file.write_batch(batch)


def _batches(features: Features) -> Iterator[pa.RecordBatch]:
    """Yield rows in pieces of at most ``PIECE`` bytes."""
    held: list[NDArray[np.floating]] = []
    done = 0
    for array in features:
        if held and sum(one.nbytes for one in held) + array.nbytes > PIECE:
            yield _batch(features, done, held)
            done, held = done + len(held), []
        held.append(_time_first(features, array))
    yield _batch(features, done, held)


def _batch(
    features: Features, start: int, arrays: list[NDArray[np.floating]]
) -> pa.RecordBatch:
    import pyarrow as pa

    rows = features.utterances.slice(start, len(arrays)).combine_chunks()
    columns = [one.combine_chunks() for one in rows.columns]
    schema = rows.schema.append(pa.field(_name(features), _list_type(features)))
    return pa.RecordBatch.from_arrays(
        [*columns, _lists(features, arrays)],
        schema=schema.with_metadata({CONDITION: condition_text(features)}),
    )


def _list_type(features: Features) -> pa.DataType:
    import pyarrow as pa

    kind = pa.from_numpy_dtype(features[0].dtype)
    for size in reversed(
        _time_first(features, features[0]).shape[_varying(features) :]
    ):
        kind = pa.list_(kind, size)
    return kind if features.kind == "pooled" else pa.list_(kind)


def _varying(features: Features) -> int:
    """Return how many axes of a clip's array differ in size from clip to clip."""
    return int(features.kind != "pooled")


def _lists(features: Features, arrays: list[NDArray[np.floating]]) -> pa.Array:
    """Return one list an utterance, of lists of fixed sizes."""
    import numpy as np
    import pyarrow as pa

    values = pa.array(np.concatenate([array.ravel() for array in arrays]))
    for size in reversed(arrays[0].shape[_varying(features) :]):
        values = pa.FixedSizeListArray.from_arrays(values, size)
    if features.kind == "pooled":
        return values
    ends = np.cumsum([0, *(len(array) for array in arrays)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), values)


FORMS: dict[str, Callable[[Features, Path], None]] = {
    "npz": write_npz,
    "parquet": write_parquet,
    "arrow": write_arrow,
}
"""How features are written, by the word after ``--format``, a file's ending."""
