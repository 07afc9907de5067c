"""The notebook of the documents, executed; ``python tests/notebooks.py`` stores it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbclient import NotebookClient

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOK = Path(__file__).parent.parent / "docs/notebook.ipynb"


def executed() -> NotebookNode:
    """Return the notebook as a fresh kernel executes it."""
    notebook: NotebookNode = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    for cell in notebook.cells:
        cell.metadata = {}
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def shown(notebook: NotebookNode) -> list[str]:
    """List what each cell shows: words as they are, numbers without their digits.

    The last digits of a figure differ from one processor to another.
    """
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            text = output.get("text") or output.data.get("text/plain", "")
            texts.append(re.sub(r"[-+]?\d+(\.\d+)?", "#", " ".join(text.split())))
    return texts


if __name__ == "__main__":
    nbformat.write(executed(), NOTEBOOK)
