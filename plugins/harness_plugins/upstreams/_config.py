"""Read the configuration in a checkpoint's folder, or say why it cannot be used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path


def read_json(file: Path) -> dict[str, object]:
    """Read a configuration file."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise refusal(file.parent, f"has no {file.name}") from None
    except ValueError as error:
        raise refusal(file.parent, f"has a broken {file.name}: {error}") from None
    if not isinstance(content, dict):
        raise refusal(file.parent, f"has a {file.name} that is not a JSON object")
    return content


def read_config(folder: Path, *families: str) -> dict[str, object]:
    """Read ``config.json``, which must be of one of the model types named."""
    config = read_json(folder / "config.json")
    family = config.get("model_type")
    if family not in families:
        known = " or ".join(repr(name) for name in families)
        raise refusal(folder, f"is of the family {family!r}, not {known}")
    return config


def read_settings(folder: Path, **defaults: object) -> dict[str, object]:
    """Read ``preprocessor_config.json``, or return the defaults where there is none."""
    file = folder / "preprocessor_config.json"
    return defaults | (read_json(file) if file.exists() else {})


def require(checkpoint: Path | None) -> Path:
    """Return the checkpoint's folder, which a model with weights must have."""
    if checkpoint is None:
        raise CheckpointError("It needs a checkpoint: --checkpoint NAME=PATH.")
    return checkpoint


def refusal(folder: Path, problem: str) -> CheckpointError:
    """Say what is wrong with a checkpoint, and what to do."""
    return CheckpointError(
        f"The checkpoint {folder} {problem}. Download it again, or name another "
        "folder with --checkpoint NAME=PATH."
    )
