"""What the person sees while and after something is done, but for results' tables."""

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
    from pathlib import Path

    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    from harness.types import Cell, Result, Stages

EVERY = 10.0
"""Seconds between two plain lines of a stage."""

BRIEF = 1.0
"""A stage that is over in fewer seconds is not worth a line."""


def say(message: str) -> None:
    """Print a message to the person, who may have piped stdout elsewhere."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - the one place


class Reporter:
    """A plugin that tells the person what happens to each cell."""

    def __init__(self, *, quiet: bool) -> None:
        """Tell of failures only, if ``quiet``."""
        self._quiet = quiet

    @hookimpl
    def harness_run_started(
        self, cells: tuple[Cell, ...], finished: int, runs: Path
    ) -> None:
        """Say how much there is to do."""
        if not self._quiet:
            done = f", {finished} of them done before" if finished else ""
            say(f"{counted(len(cells), 'cell')}{done}. Results go to {runs}.")

    @hookimpl
    def harness_result(self, result: Result) -> None:
        """Say how a cell came out."""
        if not self._quiet:
            say(
                f"{result.upstream} · {result.downstream} · {result.corpus} · "
                f"{result.split} {result.fold} · seed {result.seed}: "
                f"macro-F1 {100 * result.macro_f1:.1f} %, UAR {100 * result.uar:.1f} %"
            )

    @hookimpl
    def harness_cell_failed(self, cell: Cell, error: Exception) -> None:
        """Say which cell failed, and why."""
        say(f"failed: {cell}: {type(error).__name__}: {error}")


def stages(*, quiet: bool) -> Stages:
    """Choose how progress is told: not at all, by bars, or by lines."""
    if quiet:
        return silence
    return _bars if sys.stderr.isatty() else _lines


@contextmanager
def _lines(title: str, total: float, unit: str) -> Iterator[Callable[[float], None]]:
    """Print a line at the end, and every few seconds until then."""
    started = said = time.monotonic()
    done = 0.0

    def advance(amount: float) -> None:
        nonlocal done, said
        done += amount
        if time.monotonic() - said >= EVERY:
            said = time.monotonic()
            say(_line(title, done, total, unit, said - started))

    yield advance
    if (elapsed := time.monotonic() - started) >= BRIEF:
        say(_line(title, done, total, unit, elapsed))


def _line(title: str, done: float, total: float, unit: str, elapsed: float) -> str:
    amount = _amount(done, total, unit, elapsed)
    left = (
        f", {clock(elapsed / done * (total - done))} left" if 0 < done < total else ""
    )
    return f"{title}: {amount} in {clock(elapsed)}{left}"


def _amount(done: float, total: float, unit: str, elapsed: float) -> str:
    """Say how much is done; of audio also how much faster than listening that is."""
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
