"""Plugins know the face of the harness, and two modules with tools beside it."""

from __future__ import annotations

import ast
from pathlib import Path

import harness_plugins
import pytest

ROOT = Path(harness_plugins.__file__).parent
ALLOWED = {"harness", "harness.heads", "harness.files", "harness.hub"}
"""What a plugin may import of the harness; its face has the errors and the types."""

MODULES = sorted(ROOT.rglob("*.py"))


def imported(source: str) -> set[str]:
    """List the modules of the harness that a source imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
    return {name for name in found if name.partition(".")[0] == "harness"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_bundled_plugin_imports_the_face_alone(path):
    assert imported(path.read_text("utf-8")) <= ALLOWED


@pytest.mark.parametrize(
    "source",
    [
        "from harness.training import loop",
        "import harness.registry",
        "def load():\n    from harness.types.upstreams import Upstream",
        "if TYPE_CHECKING:\n    from harness.errors import HarnessError",
    ],
)
def test_an_import_of_anything_else_is_found(source):
    assert not imported(source) <= ALLOWED
