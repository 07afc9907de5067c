"""What ``harness check`` found, kept so that results can say it.

A verdict holds for an offer under its version, the package that brought it, and the
rules as they were: where one of them changed, there is no verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.files import read_json, write_json
from harness.types.canonical import sha256_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RULES_VERSION = 1
"""Raised when a rule is added, or asks for something else."""

FOLDER = "verdicts"
"""Below the cache."""


def record(
    cache: Path, name: str, version: int | str, identity: str, broken: Sequence[str]
) -> None:
    """Keep which rules an offer broke.

    Args:
        cache: A folder that may be written to.
        name: Of the offer, with its options.
        version: Of its code, or of a corpus.
        identity: The package that brought it, and its version.
        broken: The names of the rules, none for an offer that keeps all.

    Raises:
        StoreError: Where the folder cannot be written.
    """
    found = {"name": name, "broken": list(broken)}
    write_json(_file(cache, name, version, identity), found)


def broken_rules(
    cache: Path, name: str, version: int | str, identity: str
) -> tuple[str, ...]:
    """Return the rules that an offer broke when it was checked.

    There are none if it never was, or if what was found then cannot be read.

    Args:
        cache: A folder that may be written to.
        name: Of the offer, with its options.
        version: Of its code, or of a corpus.
        identity: The package that brought it, and its version.
    """
    try:
        found = read_json(_file(cache, name, version, identity))
        return tuple(map(str, found["broken"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _file(cache: Path, name: str, version: int | str, identity: str) -> Path:
    key = sha256_json([name, version, identity, RULES_VERSION])
    return cache / FOLDER / f"{key[:16]}.json"
