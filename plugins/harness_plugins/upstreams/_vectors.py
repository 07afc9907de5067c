"""Files of vectors, opened without trust: no pickle, sizes checked, mapped if large.

``Vectors`` is what a file holds, whatever its form: ids, and an array whose last axes
are (L, D) or (D,), with a row an utterance, or a row a frame and the number of frames
of each utterance.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from harness import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from zipfile import ZipInfo

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

MOST = 4 * 2**30
"""Bytes that a file may take once it is unpacked, where it cannot be mapped: 4 GB."""

TEXTS = 2**28
"""Bytes of ids or of another small array of an npz: a million ids of 64 letters."""

WIDEST = 8
"""Bytes of a number, at most."""

LOCAL_HEADER = 30
"""Bytes before a member's name in a zip, at the place where its data begin."""


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """What a file holds.

    Attributes:
        path: The file.
        ids: Of the N utterances.
        values: (N, D) or (N, L, D); of frames (ΣT, D) or (ΣT, L, D).
        lengths: Frames of each utterance, (N,); ``None`` for one vector each.
        corpora: The corpus of each, where the file says so.
        condition: What the features depend on, where the file says so.
    """

    path: Path
    ids: Sequence[str]
    values: NDArray[np.floating]
    lengths: NDArray[np.int64] | None = None
    corpora: Sequence[str] = ()
    condition: dict[str, Any] = field(default_factory=dict)

    @property
    def layers(self) -> int:
        """L."""
        return int(self.values.shape[1]) if self.values.ndim == 3 else 1

    @property
    def dim(self) -> int:
        """D."""
        return int(self.values.shape[-1])

    def __str__(self) -> str:
        """Say what an utterance has."""
        what = "one vector" if self.lengths is None else "frames"
        return f"{what} of {self.layers} layers and {self.dim} dims"

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """The row after the last one of each utterance."""
        import numpy as np

        if self.lengths is None:
            return np.arange(1, len(self.ids) + 1)
        return np.cumsum(self.lengths)

    def states(self, place: int) -> NDArray[np.float32]:
        """Return an utterance's states, (L, T, D) in float32."""
        import numpy as np

        end = int(self.ends[place])
        count = 1 if self.lengths is None else int(self.lengths[place])
        rows = self.values[end - count : end].reshape(count, self.layers, self.dim)
        return np.ascontiguousarray(rows.swapaxes(0, 1), np.float32)


def opened(path: Path) -> Vectors:
    """Open a file by its ending.

    Raises:
        DataError: Where it is damaged, lacks something, or its sizes contradict.
    """
    import pyarrow as pa

    try:
        found = READERS[path.suffix.lower()](path)
        _check(found)
    except (OSError, ValueError, KeyError, BadZipFile, pa.ArrowException) as error:
        raise DataError(
            f"The features {path} cannot be read: {str(error).splitlines()[0]}. Write "
            "them again by 'harness features export', or as docs/python.md has it."
        ) from error
    return found


def _check(found: Vectors) -> None:
    """Refuse sizes that contradict one another, and numbers that are none.

    Raises:
        ValueError: With the reason.
    """
    values, count = found.values, len(found.ids)
    if values.dtype.kind != "f" or values.ndim not in (2, 3) or 0 in values.shape:
        raise ValueError(
            f"features are {values.shape} {values.dtype}, not floats of shape (N, D) "
            "or (N, L, D)"
        )
    if found.lengths is not None:
        if len(found.lengths) != count or (found.lengths < 1).any():
            raise ValueError(f"there are {len(found.lengths)} lengths for {count} ids")
        count = int(found.lengths.sum())
    if len(values) != count:
        raise ValueError(f"there are {len(values)} rows of features for {count} of ids")


# ---------------------------------------------------------------- npz


def _npz(path: Path) -> Vectors:
    with ZipFile(path) as archive:
        members = {one.filename.removesuffix(".npy"): one for one in archive.infolist()}
        small = {
            name: _small(archive, member)
            for name, member in members.items()
            if name in ("ids", "id", "corpus", "lengths", "condition")
        }
        name = "frames" if "frames" in members else "features"
        values = _large(archive, path, members[name])
    ids = small.get("ids", small.get("id"))
    if ids is None:
        raise KeyError("it has no array 'ids'")
    return Vectors(
        path=path,
        ids=_texts(ids),
        values=values,
        lengths=small["lengths"] if name == "frames" else None,
        corpora=_texts(small["corpus"]) if "corpus" in small else (),
        condition=_condition(str(small.get("condition", ""))),
    )


def _texts(array: NDArray[Any]) -> list[str]:
    if array.ndim != 1 or array.dtype.kind not in "US":
        raise ValueError(f"ids are {array.shape} {array.dtype}, not (N,) texts")
    return [str(one) for one in array.astype(str)]


def _small(archive: ZipFile, member: ZipInfo) -> NDArray[Any]:
    """Read an array of texts or numbers, whose size the archive's list states."""
    import numpy as np

    if member.file_size > TEXTS:
        raise ValueError(f"{member.filename} has {member.file_size} bytes")
    with archive.open(member) as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _large(archive: ZipFile, path: Path, member: ZipInfo) -> NDArray[np.floating]:
    """Open the features: mapped where they are stored as they are."""
    import numpy as np

    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, is_fortran, kind = read(file)
        begun = file.tell()
        size = math.prod(shape) * kind.itemsize
        if kind.hasobject or begun + size != member.file_size:
            raise ValueError(f"{member.filename} is not as long as its shape says")
        if member.compress_type != ZIP_STORED or is_fortran:
            return _unpacked(archive, member)
    start = _data_of(path, member) + begun
    if start + size > path.stat().st_size:
        raise ValueError(f"{member.filename} ends behind the file's end")
    return np.memmap(path, kind, "r", start, shape)


def _unpacked(archive: ZipFile, member: ZipInfo) -> NDArray[np.floating]:
    import numpy as np

    if member.file_size > MOST:
        raise ValueError(
            f"{member.filename} takes {member.file_size} bytes of memory; save it "
            "uncompressed, by numpy.savez"
        )
    with archive.open(member) as file:
        array: NDArray[np.floating] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _data_of(path: Path, member: ZipInfo) -> int:
    """Return the place of a stored member's bytes (APPNOTE.TXT, 4.3.7)."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(LOCAL_HEADER)
    named, more = header[26:28], header[28:30]
    behind = int.from_bytes(named, "little") + int.from_bytes(more, "little")
    return member.header_offset + LOCAL_HEADER + behind


# ---------------------------------------------------------------- Parquet, Arrow


def _parquet(path: Path) -> Vectors:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        if (size := _unpacked_size(file.metadata)) > MOST:
            raise ValueError(
                f"it takes {size} bytes of memory; export it as npz or arrow, which "
                "are read from disk"
            )
        names = [one for one in COLUMNS if one in file.schema_arrow.names]
        return _of_table(path, file.read(names))


def _unpacked_size(metadata: Any) -> int:  # noqa: ANN401 - pyarrow has no types
    """Bound the bytes of all columns; a page may hold one value a million times."""
    groups = (metadata.row_group(n) for n in range(metadata.num_row_groups))
    columns = (group.column(n) for group in groups for n in range(group.num_columns))
    return sum(
        max(one.num_values * WIDEST, one.total_uncompressed_size) for one in columns
    )


def _arrow(path: Path) -> Vectors:
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        return _of_table(path, pa.ipc.open_file(file).read_all())


COLUMNS = ("id", "ids", "corpus", "features", "frames")
"""Those that are read, if they are there."""


def _of_table(path: Path, table: pa.Table) -> Vectors:
    import numpy as np

    names = table.column_names
    name = "frames" if "frames" in names else "features"
    id = next((one for one in ("id", "ids") if one in names), None)
    if id is None or name not in names:
        raise KeyError("it has no column 'id', or none called 'features'")
    ids = table[id].to_pylist()
    if not all(isinstance(one, str) for one in ids):
        raise ValueError(f"the column '{id}' holds something that is no text")
    column = table[name].combine_chunks()
    if name == "frames":
        lengths = np.asarray(column.value_lengths(), np.int64)
        values = _array(column.flatten(), int(lengths.sum()))
    else:
        lengths, values = None, _array(column, len(table))
    text = (table.schema.metadata or {}).get(b"condition", b"").decode()
    return Vectors(
        path=path,
        ids=ids,
        values=values,
        lengths=lengths,
        corpora=table["corpus"].to_pylist() if "corpus" in names else (),
        condition=_condition(text),
    )


def _array(column: pa.Array, rows: int) -> NDArray[np.floating]:
    """Turn lists of lists, all of one size, into an array.

    Raises:
        ValueError: Where a list is missing or shorter than others.
    """
    import pyarrow as pa

    sizes: list[int] = []
    while pa.types.is_nested(column.type):
        count = len(column)
        if column.null_count:
            raise ValueError("a row has no features")
        column = column.flatten()
        sizes.append(len(column) // max(count, 1))
        if count * sizes[-1] != len(column):
            raise ValueError("rows have features of different sizes")
    if column.null_count:
        raise ValueError("features hold empty values")
    values: NDArray[np.floating] = column.to_numpy(zero_copy_only=False)
    return values.reshape(rows, *sizes)


def _condition(text: str) -> dict[str, Any]:
    """Read what the features depend on; a text of another program says nothing."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


READERS: dict[str, Callable[[Path], Vectors]] = {
    ".npz": _npz,
    ".parquet": _parquet,
    ".arrow": _arrow,
}
"""How files are read, by their endings."""
