"""What is printed while and after something is done, but for results' tables."""

from __future__ import annotations

import io
import os
import sys
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TextIO

import click

from harness.cli.failures import report
from harness.cli.thinness import thin_result
from harness.errors import HarnessError
from harness.hookspecs import hookimpl
from harness.text import clock, counted, json_text, plain
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    from harness.types import CellFailed, CellFinished, RunFinished, RunStarted, Stages

EVERY = 10.0
"""Seconds between two plain lines of a stage."""

EPSILON = 1e-6
"""Of a sum of seconds of audio."""

BRIEF = 1.0
"""A stage that is over in fewer seconds is not worth a line."""


def ready_streams() -> None:
    """Open standard streams that are closed, and let none refuse a character.

    A closed one would leave its number to the next file that is opened, and what a
    library prints would be written into that file.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            lowest = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(lowest, mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def abandon(stream: TextIO) -> None:
    """Lead a stream that cannot be written to nowhere, so that ending is silent."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def say(message: str) -> None:
    """Print a message to stderr, as stdout may be piped elsewhere.

    Where nobody can read it, it is lost, and the work goes on.
    """
    try:
        click.echo(plain(message, lines=True), err=True)
    except OSError:
        abandon(sys.stderr)


def show(text: str = "") -> None:
    """Print what was asked for to stdout: a line, or several."""
    click.echo(plain(text, lines=True))


def print_json(value: object, default: Callable[[Any], object] | None = None) -> None:
    """Print a JSON value to stdout (see ``json_text``)."""
    click.echo(json_text(value, default))


class Reporter:
    """A plugin that reports what happens to each cell."""

    def __init__(self, *, quiet: bool, goes_on: bool, cache: Path) -> None:
        """Report nothing yet.

        Args:
            quiet: Report failures only.
            goes_on: The run goes on after a failure; else that is what it ends with.
            cache: Tracebacks are kept below it.
        """
        self._quiet, self._goes_on, self._cache = quiet, goes_on, cache
        self._thin: dict[str, str] = {}

    @hookimpl
    def harness_run_started(self, event: RunStarted) -> None:
        """Say how much there is to do."""
        if not self._quiet:
            cells, finished = counted(len(event.cells), "cell"), event.finished
            done = f", {finished} of them done before" if finished else ""
            say(f"{cells}{done}. Results go to {event.runs}.")

    @hookimpl
    def harness_result(self, event: CellFinished) -> None:
        """Say how a cell came out."""
        if not self._quiet:
            scores = event.result.scores
            say(
                f"{event.result.cell}: macro-F1 {100 * scores['macro_f1']:.1f} %, "
                f"UAR {100 * scores['uar']:.1f} %"
            )
        corpus = event.result.condition.corpus
        if remark := thin_result(event.result):
            self._thin[f"{corpus.name}, {corpus.strategy}"] = remark

    @hookimpl
    def harness_cell_failed(self, event: CellFailed) -> None:
        """Say which cell failed, and why."""
        error = event.error
        if not self._goes_on:
            say(f"failed: {event.cell}")
        elif isinstance(error, HarnessError):
            say(f"failed: {event.cell}: {type(error).__name__}: {error}")
        else:
            sentence, _ = report(error, self._cache)
            say(f"failed: {event.cell}: {sentence}")

    @hookimpl
    def harness_run_finished(self, event: RunFinished) -> None:
        """Say which figures rest on one speaker."""
        for name, remark in self._thin.items():
            say(f"{name}: {remark}")


def stages(*, quiet: bool) -> Stages:
    """Choose how progress is shown: not at all, by bars, or by lines."""
    if quiet:
        return silence
    return _bars if sys.stderr.isatty() or _in_notebook() else _lines


def _in_notebook() -> bool:
    """Return whether a notebook shows bars: those of rich need its widgets."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    is_kernel = type(shell).__name__ == "ZMQInteractiveShell"
    return is_kernel and find_spec("ipywidgets") is not None


@contextmanager
def _lines(title: str, total: float, unit: str) -> Iterator[Callable[[float], None]]:
    """Print a line every few seconds, and one when all is done."""
    started = printed = time.monotonic()
    done = 0.0

    def advance(amount: float) -> None:
        nonlocal done, printed
        done += amount
        now = time.monotonic()
        ended = done >= total - EPSILON and now - started >= BRIEF
        if now - printed >= EVERY or ended:
            printed = now
            say(_line(title, done, total, unit, now - started))

    yield advance


def _line(title: str, done: float, total: float, unit: str, elapsed: float) -> str:
    amount = _amount(done, total, unit, elapsed)
    left = (
        f", {clock(elapsed / done * (total - done))} left" if 0 < done < total else ""
    )
    return f"{title}: {amount} in {clock(elapsed)}{left}"


def _amount(done: float, total: float, unit: str, elapsed: float) -> str:
    """Say how much is done; of audio also how much faster than real time that is."""
    if unit != "audio":
        return f"{done:.0f}/{total:.0f} {unit}"
    factor = f", {done / elapsed:.1f} × real time" if done and elapsed else ""
    return f"{clock(done)} of {clock(total)} of audio{factor}"


@contextmanager
def _bars(title: str, total: float, unit: str) -> Iterator[Callable[[float], None]]:
    """Show a live bar with the amount, the real-time factor and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        _amount_column(unit),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        bar = progress.add_task(plain(title), total=total)
        yield lambda amount: progress.advance(bar, amount)


def _amount_column(unit: str) -> ProgressColumn:
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Amount(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(
                _amount(task.completed, task.total or 0, unit, task.elapsed or 0)
            )

    return Amount()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a plain table to stdout; where it is piped, no line is ever broken."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(Text(plain(column)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    width = None if sys.stdout.isatty() else 1000
    console = Console(width=width, force_jupyter=False)
    console.print(table)
