from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness import KnownFile
from harness.files import sha256_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def listed(tones: Path) -> dict[str, KnownFile]:
    """List the files of the corpus of tones as if they were published."""
    files = {}
    for path in tones.glob("*.wav"):
        speaker, label, _ = path.stem.split("_")
        files[path.name] = KnownFile(
            label=label, speaker=speaker, part="train", sha256=sha256_file(path)
        )
    return files
