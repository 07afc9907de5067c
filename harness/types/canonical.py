"""The hash of a JSON value: the one way in which identities become names."""

from __future__ import annotations

import hashlib
import json


def sha256_json(value: object) -> str:
    """Hash a JSON value in its canonical form."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
