"""The documents as a site: built, complete, and fetching nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; a link or an anchor that leads nowhere fails it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_loads_nothing_from_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]*src=\"([^\"]*)", text)
        loaded += re.findall(r"<link[^>]*rel=\"stylesheet\"[^>]*href=\"([^\"]*)", text)
        assert loaded
        assert not [one for one in loaded if "//" in one], page


def test_every_document_is_a_page_of_the_site(site):
    documents = [
        path.relative_to(ROOT / "docs").with_suffix("")
        for path in (ROOT / "docs").rglob("*.md")
    ]
    start = (site / "index.html").read_text("utf-8")
    for document in documents:
        if document.name != "index":
            assert f'href="{document.as_posix()}/"' in start, document


def test_the_reference_has_every_verb_name_and_hook(site, harness):
    import harness as face
    from harness import hookspecs

    verbs = (site / "reference/cli/index.html").read_text("utf-8")
    names = (site / "reference/api/index.html").read_text("utf-8")
    hooks = (site / "reference/hooks/index.html").read_text("utf-8")
    _, printed, _ = harness("--help")
    for verb in re.findall(r"^  ([a-z-]+)  ", printed.partition("Commands:")[2], re.M):
        assert f'id="harness-{verb}"' in verbs
    for name in {*face.__all__} - {"__version__", "features"}:
        assert f'id="harness.{name}"' in names, name
    assert 'id="harness.api.features"' in names  # harness.features is a package, too
    for name in dir(hookspecs):
        assert (
            not name.startswith("harness_") or f'id="harness.hookspecs.{name}"' in hooks
        )
