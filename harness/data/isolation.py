"""Turn a corpus plugin's mistakes into errors that name the corpus and the plugin."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.passport.problems import printable
from harness.errors import HarnessError, PluginError
from harness.types import Download, KnownFile, Utterance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.registry import Plugin
    from harness.types import Corpus

TEXTS = ("id", "path", "label", "speaker")
"""The attributes of an utterance that must be text."""


def guarded(corpus: Corpus, plugin: Plugin) -> Corpus:
    """Return a corpus whose plugin's mistakes are errors that name it.

    What ``read``, ``files``, ``make`` and ``download`` raise, and values of a wrong
    type, become a ``PluginError`` of one sentence; a ``HarnessError`` passes unchanged,
    and so does an ``OSError`` of ``make``, or of fetching.
    """
    return replace(
        corpus,
        read=partial(_read, corpus, plugin),
        files=partial(_files, corpus, plugin) if corpus.files else None,
        make=partial(_make, corpus, plugin) if corpus.make else None,
        download=partial(_download, corpus, plugin) if corpus.download else None,
    )


def _read(corpus: Corpus, plugin: Plugin, root: Path) -> Iterator[Utterance]:
    with _isolated(corpus, plugin, "read", root):
        for utterance in corpus.read(root):
            if problem := _wrong_type(utterance):
                raise _plugin_error(corpus, plugin, "read", problem)
            yield utterance


def _files(corpus: Corpus, plugin: Plugin) -> Mapping[str, KnownFile]:
    with _isolated(corpus, plugin, "files"):
        files = corpus.files() if corpus.files else {}
        if not _is_list_of_files(files):
            problem = "does not return a mapping from ids to KnownFile"
            raise _plugin_error(corpus, plugin, "files", problem)
        return files


def _make(corpus: Corpus, plugin: Plugin, root: Path) -> None:
    with _isolated(corpus, plugin, "make", root, passing=(HarnessError, OSError)):
        if corpus.make:
            corpus.make(root)


def _download(corpus: Corpus, plugin: Plugin) -> Download:
    with _isolated(corpus, plugin, "download"):
        found = corpus.download() if corpus.download else None
        if not isinstance(found, Download):
            problem = "does not return a Download"
            raise _plugin_error(corpus, plugin, "download", problem)
    fetch = partial(_fetch, corpus, plugin, found)
    return replace(found, corpus=guarded(found.corpus, plugin), fetch=fetch)


def _fetch(corpus: Corpus, plugin: Plugin, found: Download, folder: Path) -> None:
    with _isolated(corpus, plugin, "download", folder, passing=(HarnessError, OSError)):
        found.fetch(folder)


def _wrong_type(value: object) -> str:
    """Return what is wrong with the type of something that ``read`` yields."""
    if not isinstance(value, Utterance):
        return f"yields a value of type {type(value).__name__} instead of Utterance"
    for name in TEXTS:
        text = getattr(value, name)
        if not isinstance(text, str):
            return (
                f"yields an utterance whose {name} is of type {type(text).__name__} "
                "instead of str"
            )
    return ""


def _is_list_of_files(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(file, KnownFile) for file in value.values()
    )


@contextmanager
def _isolated(
    corpus: Corpus,
    plugin: Plugin,
    function: str,
    root: Path | None = None,
    passing: tuple[type[Exception], ...] = (HarnessError,),
) -> Iterator[None]:
    """Turn an exception of a plugin's function into a ``PluginError``."""
    try:
        yield
    except passing:
        raise
    except Exception as error:  # isolates the plugin that _plugin_error names
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        file = _file_in_use(error, root) if root is not None else ""
        at = f" (last file: '{file}'; move it away)" if file else ""
        problem = f"raises {reason.rstrip('.: ')}{at}"
        raise _plugin_error(corpus, plugin, function, problem) from error


def _plugin_error(
    corpus: Corpus, plugin: Plugin, function: str, problem: str
) -> PluginError:
    return PluginError(
        printable(
            f"Corpus '{corpus.name}' of the plugin {plugin} cannot be used: its "
            f"'{function}' {problem}; report this to the plugin's authors."
        )
    )


def _file_in_use(error: Exception, root: Path) -> str:
    """Return the file below ``root`` that an exception is about, or nothing.

    It is the exception's own file name (of an ``OSError``), else the latest local
    variable of the frames it came through, innermost first, that is a file's path or
    has one.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    values: list[object] = [getattr(error, "filename", None)]
    for frame in reversed(frames):
        if frame.f_code.co_filename != __file__:
            values += reversed(frame.f_locals.values())
    return next(_files_below(root, values), "")


def _files_below(root: Path, values: Iterable[object]) -> Iterator[str]:
    """Yield the values that are, or have as ``path``, a file below ``root``."""
    for value in values:
        path = getattr(value, "path", value)
        if not isinstance(path, str | Path):
            continue
        full = os.path.join(root, path)  # noqa: PTH118 - 'path' may be any text
        if os.path.isfile(full) and Path(full).is_relative_to(root):  # noqa: PTH113
            yield Path(full).relative_to(root).as_posix()
