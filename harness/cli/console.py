"""What is printed while and after something is done, but for results' tables."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.hookspecs import hookimpl
from harness.text import clock, counted
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    from harness.types import CellFailed, CellFinished, RunStarted, Stages

EVERY = 10.0
"""Seconds between two plain lines of a stage."""

EPSILON = 1e-6
"""Of a sum of seconds of audio."""

BRIEF = 1.0
"""A stage that is over in fewer seconds is not worth a line."""


def say(message: str) -> None:
    """Print a message to stderr, as stdout may be piped elsewhere."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - the one place


class Reporter:
    """A plugin that reports what happens to each cell."""

    def __init__(self, *, quiet: bool) -> None:
        """Report failures only, if ``quiet``."""
        self._quiet = quiet

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

    @hookimpl
    def harness_cell_failed(self, event: CellFailed) -> None:
        """Say which cell failed, and why."""
        error = event.error
        say(f"failed: {event.cell}: {type(error).__name__}: {error}")


def stages(*, quiet: bool) -> Stages:
    """Choose how progress is shown: not at all, by bars, or by lines."""
    if quiet:
        return silence
    return _bars if sys.stderr.isatty() else _lines


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
        TextColumn("{task.description}"),
        BarColumn(),
        _amount_column(unit),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        bar = progress.add_task(title, total=total)
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
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console() if sys.stdout.isatty() else Console(width=1000)
    console.print(table)
