"""Systems other than POSIX: what they lack is reached by a door of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty"}
POSIX_SIGNALS = ("SIGALRM", "SIGHUP", "SIGKILL", "setitimer", "alarm", "pthread_kill")

SOURCES = [
    path
    for folder in ("harness", "leaderboard", "plugins")
    for path in (ROOT / folder).rglob("*.py")
]

AS_IF_ELSEWHERE = f"""
import signal, sys
for name in {POSIX_SIGNALS}:
    delattr(signal, name)
for name in ("grp", "pty", "termios", "tty"):  # torch asks Linux for the others
    sys.modules[name] = None
from harness.cli.main import main
if __name__ == "__main__":
    main()
"""
"""Runs the program without what only POSIX has."""


def imported_at_once(tree):
    """The modules that are imported when a module is, not when a function runs."""
    todo = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
        elif not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            todo.extend(ast.iter_child_nodes(node))


def test_no_module_imports_what_only_posix_has():
    for path in SOURCES:
        tree = ast.parse(path.read_text("utf-8"))
        assert not POSIX_MODULES.intersection(imported_at_once(tree)), path


@pytest.mark.parametrize("executor", ["serial", "local"])
def test_a_run_needs_no_signal_and_no_module_of_posix(tmp_path, tones, executor):
    program = tmp_path / "program.py"
    program.write_text(AS_IF_ELSEWHERE, "utf-8")
    (tmp_path / "table.csv").write_text(
        "path,label,speaker\n"
        + "".join(
            f"data/tones/{path.name},{path.stem.split('_')[1]},{path.stem[:2]}\n"
            for path in sorted(tones.glob("*.wav"))
        ),
        "utf-8",
    )
    words = (
        "run --upstream fbank --downstream linear --no-controls --corpus csv:table.csv "
        f"--seeds 0 --cache cache --runs runs --executor {executor}"
    ).split()
    done = subprocess.run(
        [sys.executable, str(program), *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "runs").rglob("*.parquet"))
