"""What data and machines do, in a sentence, and the log that keeps the traceback.

Errors that somebody thought of are a ``HarnessError`` where they happen. This is the
one place for all others: a full disk, a damaged file, no memory; and for bugs.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
import tempfile
import traceback
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from harness import __version__
from harness.leftovers import LOGS
from harness.text import plain
from harness.types.canonical import sha256_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ELSEWHERE = "choose another folder with --cache, --runs, --data-root or --out"

NEXT_STEPS = {
    errno.ENOSPC: "Make room (see 'harness cache'), also for more files where the disk "
    "has no inode left; what was finished is kept",
    errno.EDQUOT: "Make room within your quota (see 'harness cache'); what was "
    "finished is kept",
    errno.EROFS: f"The disk cannot be written to: {ELSEWHERE}",
    errno.EACCES: f"Fix its permissions, or {ELSEWHERE}",
    errno.EPERM: f"Fix its permissions, or {ELSEWHERE}",
    errno.ENOENT: "Check the path, and whether another program removed it meanwhile",
    errno.ENOTDIR: f"A part of the path is a file: {ELSEWHERE}",
    errno.EISDIR: "Name a file in it, or move the folder away",
    errno.ENOTEMPTY: "Move away what is in it",
    errno.ENAMETOOLONG: f"Shorten the name, or {ELSEWHERE}",
    errno.ELOOP: "Its links lead in a circle: remove one of them",
    errno.EMFILE: "Raise the limit with 'ulimit -n', or use fewer --workers",
    errno.ENFILE: "End other programs, or use fewer --workers",
    errno.ENOMEM: "Use fewer --workers, or a machine with more memory",
    errno.EIO: "Check the disk or the network share, then run the same command again",
    errno.ESTALE: "The network share was changed: run the same command again",
}
"""What a user can do about an error of the operating system."""

DAMAGED = frozenset(
    {
        *("json.JSONDecodeError", "tomllib.TOMLDecodeError", "_csv.Error"),
        *("pyarrow.ArrowException", "soundfile.SoundFileError", "struct.error"),
        *("safetensors.SafetensorError", "safetensors_rust.SafetensorError"),
        *("zipfile.BadZipFile", "zlib.error", "_lzma.LZMAError"),
        *("_pickle.UnpicklingError", "builtins.EOFError"),
    }
)
"""What libraries raise for bytes that are not what they should be; by package, so that
nothing is imported that is not in use."""

PARSERS = ("json", "tomllib")
"""Modules that call themselves for each level of what they read."""

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""How torch says so, where it raises a ``RuntimeError``."""


SHOWN = 300
"""Characters of a message that may hold a whole file."""

NEAR = 60
"""Characters shown before and after one that is wrong: a path's length."""


def explain(error: BaseException) -> str | None:
    """Say what data or the machine did: what, where and the next step.

    Returns:
        A sentence or two; ``None`` for what is most likely a bug.
    """
    names = {
        f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
        for kind in type(error).__mro__
    }
    text = str(error).strip()
    if _is_out_of_memory(error):
        return (
            f"The memory is full{_at(error)}. Use fewer --workers, cut long clips with "
            "--max-seconds, or use a machine with more memory. What was finished is "
            "kept."
        )
    if isinstance(error, OSError) and error.errno is not None:
        return _explain_system(error)
    if isinstance(error, UnicodeEncodeError):
        return (
            f"A name or text is not UTF-8: {_around(error)!a}{_at(error)}. Rename the "
            "file or fix the text, such as with 'convmv' or 'iconv'."
        )
    if isinstance(error, UnicodeDecodeError):
        return (
            f"Text is not UTF-8{_at(error)}: {error.reason} at byte {error.start}. "
            "Convert the file to UTF-8, or restore it if it is damaged."
        )
    if isinstance(error, ValueError) and text.startswith("embedded null"):
        return f"A path has a NUL character in it{_at(error)}. Rename it."
    if isinstance(error, RecursionError) and _module_of(error, PARSERS):
        return (
            f"A file is nested too deeply{_at(error)}. Remove or restore it, then run "
            "the same command again."
        )
    if names & DAMAGED or (isinstance(error, OSError) and error.errno is None):
        return (
            f"A file is damaged{_at(error)}: {_said(error)}. Remove or restore it, "
            "then run the same command again."
        )
    return None


def _explain_system(error: OSError) -> str:
    where = error.filename or _path_in(error)
    what = f"{error.strerror or type(error).__name__}"
    named = f"Cannot use {os.fsdecode(where)}: {what}" if where else what
    return f"{named}. {NEXT_STEPS.get(error.errno or 0, 'Check it, and try again')}."


def _said(error: BaseException) -> str:
    """Return what was raised on one line, cut to ``SHOWN``."""
    line = str(error).strip().partition("\n")[0].rstrip(".")
    shown = line if len(line) <= SHOWN else f"{line[:SHOWN]}…"
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


def _around(error: UnicodeEncodeError) -> str:
    """Return the text that cannot be encoded, cut to what is near the first fault."""
    return error.object[max(0, error.start - NEAR) : error.end + NEAR]


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(one in said for one in OUT_OF_MEMORY)


def _at(error: BaseException) -> str:
    """Say which file it was about, as far as the traceback shows."""
    path = _path_in(error)
    return f" ({path})" if path else ""


def _path_in(error: BaseException) -> Path | None:
    """Return the path that the innermost function with one held when it failed."""
    for frame in reversed(list(_frames(error))):
        for value in frame.f_locals.values():
            if isinstance(value, Path):
                return value
    return None


def _frames(error: BaseException) -> Iterator[FrameType]:
    return (frame for frame, _ in traceback.walk_tb(error.__traceback__))


def _module_of(error: BaseException, names: tuple[str, ...]) -> bool:
    modules = (str(frame.f_globals.get("__name__")) for frame in _frames(error))
    return any(module.partition(".")[0] in names for module in modules)


# ---------------------------------------------------------------- logs


def report(error: BaseException, cache: Path) -> tuple[str, bool]:
    """Say what happened and where its traceback is kept.

    Args:
        error: No ``HarnessError``.
        cache: Where logs are kept.

    Returns:
        The sentences, and whether it is a bug.
    """
    log = write_log(error, cache)
    kept = f"The traceback is in {log}." if log else "--debug prints the traceback."
    if (sentence := explain(error)) is not None:
        return f"{sentence} {kept}", False
    return f"This is a bug: {_said(error)}. {kept} Please report it{_issues()}.", True


def write_log(error: BaseException, cache: Path) -> Path | None:
    """Write a traceback into the cache, or into the temporary folder.

    The same traceback has the same name, so that repeating it fills no disk.

    Returns:
        The file, or ``None`` where neither folder can be written.
    """
    trace = traced(error)
    name = f"{type(error).__name__}-{sha256_json(plain(trace))[:8]}.txt"
    about = (
        f"speech-harness {__version__}, Python {platform.python_version()}, "
        f"{platform.platform()}\n{sys.argv!a}\n\n"
    )
    text = about + plain(trace, lines=True)
    with suppress(OSError, ValueError):
        (cache / LOGS).mkdir(parents=True, exist_ok=True)
        (cache / LOGS / name).write_text(text, "utf-8")
        return (cache / LOGS / name).absolute()
    with suppress(OSError):
        with tempfile.NamedTemporaryFile(
            "w",
            encoding="utf-8",
            prefix="speech-harness-",
            suffix=f"-{name}",
            delete=False,
        ) as file:
            file.write(text)
        return Path(file.name)
    return None


def traced(error: BaseException) -> str:
    """Return a traceback with what caused the error."""
    return "".join(traceback.format_exception(error))


def _issues() -> str:
    """Say where bugs are reported, as the package states it."""
    with suppress(metadata.PackageNotFoundError):
        for url in metadata.metadata("speech-harness").get_all("Project-URL") or ():
            name, _, address = url.partition(", ")
            if name == "Issues":
                return f" at {address}, with that file"
    return ""
