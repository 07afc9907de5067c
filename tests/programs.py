"""Programs that some tests need, and that pip does not install."""

from __future__ import annotations

import os
import shutil

import pytest


def program(*names: str, package: str) -> str:
    """Find a program, by the first of its names that is on the PATH.

    Without it a test is skipped, or fails where HARNESS_TEST_PROGRAMS is ``required``,
    as it is in continuous integration.

    Args:
        names: Those that it has on different systems.
        package: Debian's, that brings it.
    """
    found = next(filter(None, map(shutil.which, names)), None)
    if found:
        return found
    needs = f"needs {' or '.join(names)}; on Debian: apt-get install {package}"
    if os.environ.get("HARNESS_TEST_PROGRAMS") == "required":
        pytest.fail(needs)
    pytest.skip(needs)
