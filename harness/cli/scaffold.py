"""Write a plugin package that works untouched, for ``harness new-plugin``.

The files in ``template`` are such a package for an upstream called ``acme``.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import HarnessError
from harness.files import saving

TEMPLATE = Path(__file__).with_name("template")
FILES = ("README.md", "pyproject.toml", "harness_acme.py", "tests/test_rules.py")


def write_plugin(name: str, folder: Path) -> None:
    """Write a package with one upstream.

    Args:
        name: The upstream's, kebab-case.
        folder: Where to; it must not exist, or be empty.

    Raises:
        HarnessError: Where the name or the folder will not do.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise HarnessError(
            f"'{name}' will not do as a name: use lower-case letters, digits and "
            "hyphens, such as 'acme-large'."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HarnessError(
            f"{folder} exists already. Choose another place with --folder DIR."
        )
    for file in FILES:
        path = folder / _renamed(file, name)
        with saving(path) as beside:
            beside.write_text(_renamed((TEMPLATE / file).read_text("utf-8"), name))


def _renamed(text: str, name: str) -> str:
    """Put a name in the place of ``acme``, in a module's name with underscores."""
    names = {"acme": name, "harness_acme": f"harness_{name.replace('-', '_')}"}
    return re.sub("harness_acme|acme", lambda found: names[found[0]], text)
