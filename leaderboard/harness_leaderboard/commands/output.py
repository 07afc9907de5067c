"""Where tables and warnings go."""

from __future__ import annotations

import os
import shutil
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from harness.errors import HarnessError
from harness.files import saving
from harness_leaderboard.render.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.types import Render, Table

CALLER = "harness_leaderboard.caller"
"""The key of a context's ``meta`` that holds who called a verb from Python."""

PIPED_WIDTH = 100  # columns of a table that does not go to a terminal


@dataclass(kw_only=True)
class Caller:
    """A call from Python, which gets tables instead of having them printed.

    Attributes:
        run_ids: The results that are looked at; ``None`` for all of the folder.
        tables: What would have been printed.
    """

    run_ids: frozenset[str] | None = None
    tables: list[Table] = field(default_factory=list)


def caller() -> Caller | None:
    """Return who called the verb from Python, ``None`` on the command line."""
    context = click.get_current_context(silent=True)
    found: Caller | None = context.meta.get(CALLER) if context else None
    return found


def show(
    table: Table, render: Render, out: Path | None = None, *, width: int | None = None
) -> None:
    """Print a table, in colour and as wide as the terminal if it goes to one.

    Args:
        table: What to print.
        render: Into which form.
        out: The file to write instead.
        width: Where the form has widths of its own.
    """
    if (called_by := caller()) and not out:
        called_by.tables.append(table)
        return
    if out:
        of_file = PIPED_WIDTH if width is None else width
        save(render(table, width=of_file, colour=False), out)
        return
    of_terminal = shutil.get_terminal_size((PIPED_WIDTH, 24)).columns
    text = render(
        table,
        width=of_terminal if width is None else width,
        colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"),
    )
    click.echo(text, nl=False)


def save(text: str, path: Path) -> None:
    """Write a file, and print its path."""
    if path.is_dir():
        raise HarnessError(f"{path} is a folder; name a file in it with --out.")
    with saving(path) as beside:
        beside.write_text(text, "utf-8")
    click.echo(path)


LEFT_OUT = " is left out: "
"""Between a file and the reason, in a sentence of ``results.reading``."""

NAMED = 3
"""Files with one reason that are named one by one."""


def warn(sentences: Iterable[str]) -> None:
    """Name on stderr what is left out; many files with one reason in one line."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for sentence in sentences:
        by_reason[sentence.partition(LEFT_OUT)[2] or sentence].append(sentence)
    for reason, alike in by_reason.items():
        if len(alike) <= NAMED:
            lines = alike
        else:
            first = alike[0].partition(LEFT_OUT)[0]
            lines = [f"{len(alike)} files are left out, the first is {first}: {reason}"]
        for line in lines:
            click.echo(f"warning: {plain(line)}", err=True)
