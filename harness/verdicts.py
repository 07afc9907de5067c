"""What ``harness check`` found, kept so that results can say it.

A verdict holds for an offer under its version, the package that brought it, and the
rules as they were: where one of them changed, there is no verdict.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.files import replacing
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
    with replacing(_file(cache, name, version, identity)) as beside:
        beside.write_text(json.dumps({"name": name, "broken": list(broken)}), "utf-8")


def broken_rules(
    cache: Path, name: str, version: int | str, identity: str
) -> tuple[str, ...]:
    """Return the rules that an offer broke when it was checked; none if it never was.

    Args:
        cache: A folder that may be written to.
        name: Of the offer, with its options.
        version: Of its code, or of a corpus.
        identity: The package that brought it, and its version.
    """
    try:
        text = _file(cache, name, version, identity).read_text("utf-8")
        return tuple(map(str, json.loads(text)["broken"]))
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _file(cache: Path, name: str, version: int | str, identity: str) -> Path:
    key = sha256_json([name, version, identity, RULES_VERSION])
    return cache / FOLDER / f"{key[:16]}.json"
