"""The notebook of the documents does what it shows."""

from __future__ import annotations

import re
import shlex

import nbformat
import pytest
from notebooks import NOTEBOOK, executed, shown


@pytest.fixture
def no_folders_of_mine(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    for name in ("HARNESS_DATA", "HARNESS_RUNS", "HARNESS_CACHE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.timeout(300)
def test_the_notebook_shows_what_it_computes(no_folders_of_mine):
    stored = nbformat.read(NOTEBOOK, as_version=4)
    assert shown(executed()) == shown(stored)


def test_the_notebook_has_ten_cells_and_no_error():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert len(code) == 10
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert kinds == {"execute_result"}


def test_the_page_on_python_runs_from_top_to_bottom(harness, tmp_path):
    """Its Python in one namespace, its commands between, in a folder of its own."""
    page = (NOTEBOOK.parent / "python.md").read_text("utf-8")
    found = re.findall(r"^```(python|sh)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {"__name__": "page"}
    assert [language for language, _ in found].count("sh") == 3
    for language, block in found:
        if language == "python":
            exec(compile(block, "python.md", "exec"), names)
            continue
        for line in block.splitlines():
            code, _, err = harness(*shlex.split(line)[1:])
            assert code == 0, err
