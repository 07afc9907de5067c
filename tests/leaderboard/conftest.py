from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import results

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def make_result() -> results.MakeResult:
    return results.make_result


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"
