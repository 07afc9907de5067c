"""The notebook of the documents does what it shows."""

from __future__ import annotations

import re
import shlex

import nbformat
import pytest
from nbclient import NotebookClient
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


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_progress_in_a_notebook_is_one_output_of_plain_text(no_folders_of_mine):
    """It needs no widgets, and what is stored has no control characters."""
    cell = nbformat.v4.new_code_cell(
        "import time\n"
        "from harness.cli.console import say, stages\n"
        "show = stages(quiet=False)\n"
        "one, two = show('extracting', 3.0, 'audio'), show('fitting', 2.0, 'cells')\n"
        "with one as a, two as b:\n"
        "    for _ in range(2):\n"
        "        time.sleep(0.6)\n"
        "        a(1.5), b(1.0)\n"
        "    say('a message')\n"
        "with show('brief', 1.0, 'files') as brief:\n"
        "    brief(1.0)\n"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    message, progress = sorted(cell.outputs, key=lambda one: one.get("name", "z"))
    assert message.text == "a message\n"
    assert list(progress.data) == ["text/plain"]
    extracting, fitting = progress.data["text/plain"].splitlines()
    assert extracting.startswith("extracting: 0:03 of 0:03 of audio, ")
    assert fitting == "fitting: 2/2 cells in 0:01"
    assert progress.data["text/plain"].replace("\n", "").isprintable()
