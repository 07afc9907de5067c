"""The hash of a JSON value: the one way in which identities become names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def sha256_json(value: object) -> str:
    """Hash a JSON value in its canonical form."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


LATER: Mapping[str, bool] = {"later": True}
"""Metadata of a field of a condition that was added when results were stored already:
its default is left out of the hash, so that these results keep their names."""
