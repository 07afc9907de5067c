"""A dataset in one of the hub's layouts, unpacked into files and a table of rows.

``datasets`` finds out which files are which part, and what their columns are; audio is
taken as it is stored, and decoded by the harness. What a dataset names outside of its
own folder is refused: it may be anything on this machine, or on the network.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from harness import DataError
from harness.files import read_json, sha256_bytes, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LAYOUTS = ("audiofolder", "parquet", "arrow", "csv", "json")
"""Of ``datasets``' builders, those that read files and decode nothing but text; others
unpickle, or open what a row tells them to."""

ROWS, CARD = "rows.parquet", "card.json"
"""Beside the audio: a row an utterance, and the top of the dataset's card."""

AUDIO, SPLIT = "harness:audio", "harness:split"
"""Columns of ``ROWS`` that are added to the dataset's own."""

BATCH = 32
"""Rows in memory at once, with their audio."""

EDGE = 1 << 16
"""Bytes of each end of a file that a fingerprint reads."""

SAVED = ("dataset_dict.json", "state.json")
"""What ``save_to_disk`` writes, of several parts or of one."""


def card(folder: Path) -> dict[str, Any]:
    """Read the top of a dataset's card, where it has one.

    Raises:
        DataError: Where it is no YAML, or names data outside the dataset.
    """
    import yaml

    path = folder / "README.md"
    text = path.read_text("utf-8", "replace") if path.is_file() else ""
    match = re.match(r"---\n(.*?)\n---", text.replace("\r\n", "\n"), re.DOTALL)
    try:
        found = yaml.safe_load(match[1]) if match else {}
    except yaml.YAMLError as error:
        raise DataError(f"The top of {path} is no YAML: {error}.") from error
    return found if isinstance(found, dict) else {}


def licence(card: Mapping[str, Any]) -> str:
    """Return the licence that a card names, or nothing."""
    found = card.get("license") or ""
    return ", ".join(map(str, found)) if isinstance(found, list) else str(found)


def fingerprint(folder: Path) -> str:
    """Hash the names and sizes of a folder's files, and both ends of each."""
    digests = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(EDGE)
            file.seek(max(size - EDGE, 0))
            ends = (head, file.read(EDGE))
        name = path.relative_to(folder).as_posix()
        digests.append([name, size, sha256_bytes(*ends)])
    return sha256_bytes(json.dumps(digests).encode())


# ---------------------------------------------------------------- unpack


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A dataset's folder, and what of it is wanted.

    Attributes:
        folder: It lies there, links resolved but for its own.
        audio: The column of audio.
        split: The part to read, or empty for all.
        config: The configuration, or empty.
    """

    folder: Path
    audio: str
    split: str
    config: str

    def unpack(self, target: Path) -> None:
        """Write the audio and the rows of a dataset into an empty folder.

        Raises:
            DataError: Where ``datasets`` is missing, or the dataset cannot be used.
        """
        import pyarrow as pa
        from pyarrow import parquet

        said = card(self.folder)
        self._refuse_elsewhere(said)
        rows: list[dict[str, Any]] = []
        with tempfile.TemporaryDirectory(dir=target) as scratch:
            for part, batches in self._parts(scratch).items():
                rows += self._written(part, batches, target)
        if not rows:
            raise DataError(f"{self.folder} has no rows.")
        parquet.write_table(pa.Table.from_pylist(rows), target / ROWS)
        kept = {name: said.get(name) for name in ("license", "language")}
        write_json(target / CARD, kept)

    @property
    def within(self) -> tuple[Path, ...]:
        """Where its files may be; the hub's cache has them beside its snapshots."""
        folder = self.folder.resolve()
        is_cached = folder.parent.name == "snapshots"
        return (folder, folder.parent.parent / "blobs") if is_cached else (folder,)

    def _refuse_elsewhere(self, said: Mapping[str, Any]) -> None:
        """Refuse code, and a card whose data lie elsewhere, before any is followed."""
        script = self.folder / f"{self.folder.name}.py"
        if script.exists():
            raise DataError(
                f"{self.folder} is read by code of its own, {script.name}, which is "
                "never run here. Save what it reads as Parquet, and name that."
            )
        hidden = self.folder / ".huggingface.yaml"
        if hidden.exists():
            raise DataError(
                f"{hidden} may say what {self.folder.name} consists of, and is not "
                "read. Move what it says to the top of README.md."
            )
        for text in _texts(said.get("configs")):
            path = PurePosixPath(text.replace("\\", "/"))
            if "://" in text or path.is_absolute() or ".." in path.parts:
                raise self._leaving(text)

    def _leaving(self, what: str) -> DataError:
        return DataError(
            f"{self.folder} names data outside of itself, '{what}', which are not "
            "read. Use a copy that has its data in its own folder."
        )

    # ------------------------------------------------------------ parts

    def _parts(self, scratch: str) -> dict[str, Iterable[Any]]:
        """Open the parts that are wanted: batches of rows, with the names of labels."""
        try:
            import datasets
        except ImportError as error:
            raise DataError(
                f"To read {self.folder}, install Hugging Face's library: "
                "pip install 'speech-harness[datasets]'."
            ) from error
        faults = (OSError, ValueError, TypeError, LookupError, RuntimeError)
        try:
            found = self._opened(datasets, scratch)
        except (*faults, datasets.exceptions.DatasetsError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()
            which = " Choose by config=NAME." * ("onfig" in reason[0])
            raise DataError(
                f"Cannot read the dataset {self.folder}: {' '.join(reason[:2])}.{which}"
            ) from error
        if self.split and self.split not in found:
            raise DataError(
                f"{self.folder} has no part '{self.split}'. It has: "
                f"{', '.join(map(str, found))}."
            )
        return {str(n): one for n, one in found.items() if self.split in ("", str(n))}

    def _opened(self, datasets: Any, scratch: str) -> dict[str, Any]:  # noqa: ANN401
        """Open a dataset that was saved to a disk, or the files of one."""
        if any((self.folder / name).is_file() for name in SAVED):
            saved = datasets.load_from_disk(str(self.folder))
            return dict(saved) if isinstance(saved, dict) else {"": saved}
        builder = datasets.load_dataset_builder(
            str(self.folder), name=self.config or None, cache_dir=scratch
        )
        if builder.info.builder_name not in LAYOUTS:
            raise ValueError(
                f"its files are of the kind '{builder.info.builder_name}'; known are "
                f"{', '.join(LAYOUTS)}."
            )
        for files in (builder.config.data_files or {}).values():
            for file in files:
                self._inside(str(file))
        return {k: v.decode(False) for k, v in builder.as_streaming_dataset().items()}

    def _inside(self, text: str) -> Path:
        """Return a path that does not leave the dataset, links followed."""
        path = Path(self.folder, text).resolve()
        if "://" in text or not any(path.is_relative_to(one) for one in self.within):
            raise self._leaving(text)
        return path

    # ------------------------------------------------------------ rows

    def _written(
        self,
        part: str,
        dataset: Any,  # noqa: ANN401 - of two kinds
        target: Path,
    ) -> Iterator[dict[str, Any]]:
        """Write the audio of a part, and yield its rows."""
        names = {
            column: feature.names
            for column, feature in (dataset.features or {}).items()
            if type(feature).__name__ == "ClassLabel"
        }
        taken: set[str] = set()
        for batch in dataset.with_format("arrow").iter(BATCH):
            if self.audio not in batch.column_names:
                raise DataError(
                    f"{self.folder} has no column '{self.audio}'. It has: "
                    f"{', '.join(batch.column_names)}. Name the one of the audio by "
                    "audio=COLUMN."
                )
            for row in batch.to_pylist():
                data, name = self._sound(row.pop(self.audio))
                path = _free(f"{_safe(part)}/{_safe(name)}", taken)
                (target / path).parent.mkdir(exist_ok=True)
                (target / path).write_bytes(data)
                cells = {
                    key: _cell(value, names.get(key)) for key, value in row.items()
                }
                plain = {k: v for k, v in cells.items() if _is_plain(v)}
                yield plain | {AUDIO: path, SPLIT: part}

    def _sound(self, cell: object) -> tuple[bytes, str]:
        """Return the bytes of an audio file, and its name.

        Raises:
            DataError: Where there are none, or they lie outside the dataset.
        """
        pair = cell if isinstance(cell, dict) else {"bytes": cell, "path": cell}
        data, path = pair.get("bytes"), pair.get("path")
        name = PurePosixPath(str(path or "")).name if isinstance(path, str) else ""
        if isinstance(data, bytes):
            return data, name
        if not isinstance(path, str) or not path:
            raise DataError(
                f"{self.folder}: the column '{self.audio}' holds neither bytes nor "
                "paths of audio. Name another by audio=COLUMN."
            )
        if path.startswith("zip://"):
            return self._zipped(path), PurePosixPath(path.partition("::")[0]).name
        try:
            return self._inside(path).read_bytes(), name
        except OSError as error:
            raise DataError(f"Cannot read {path}: {error.strerror}.") from error

    def _zipped(self, path: str) -> bytes:
        """Read a file in an archive, written ``zip://NAME::ARCHIVE``."""
        import zipfile

        name, _, archive = path.removeprefix("zip://").partition("::")
        with zipfile.ZipFile(self._inside(archive)) as opened:
            return opened.read(name)


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a value of a card."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _safe(name: str) -> str:
    """Keep what may stand in a file's name; nothing leads out of a folder."""
    return re.sub(r"[^\w.@-]+", "-", name).strip(".-")[-100:] or "audio"


def _free(path: str, taken: set[str]) -> str:
    """Return a path that no other has, on a disk that knows no capitals either."""
    number = len(taken)
    folder, _, name = path.rpartition("/")
    if path.casefold() in taken:
        path = f"{folder}/{number:06d}-{name}"
    taken.add(path.casefold())
    return path


def _cell(value: object, names: list[str] | None) -> object:
    """Return a cell, and of a class label its name."""
    if names is None or not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None  # -1 is no label


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


# ---------------------------------------------------------------- unpacked


def rows_of(root: Path) -> list[dict[str, Any]]:
    """Read the rows of an unpacked dataset.

    Raises:
        DataError: Where the folder holds none.
    """
    from pyarrow import parquet

    try:
        rows: list[dict[str, Any]] = parquet.read_table(root / ROWS).to_pylist()
    except (OSError, ValueError) as error:
        raise DataError(
            f"{root} holds no unpacked dataset: {error}. Remove the folder, and run "
            "the same command again."
        ) from error
    return rows


def language_of(root: Path) -> str:
    """Return the one language of an unpacked dataset's card, or nothing."""
    found = read_json(root / CARD).get("language")
    languages = found if isinstance(found, list) else [found]
    return str(languages[0]) if len(languages) == 1 and languages[0] else ""
