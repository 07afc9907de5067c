"""What is printed while and after something is done, but for results' tables."""

from __future__ import annotations

import io
import os
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

import click

from harness.cli.failures import report
from harness.cli.remaining import Remaining
from harness.cli.thinness import thin_result
from harness.errors import HarnessError
from harness.hookspecs import hookimpl
from harness.text import clock, counted, json_text, plain, wrapped
from harness.types import silence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from rich.progress import Progress, Task
    from rich.text import Text

    from harness.types import (
        Advance,
        CellFailed,
        CellFinished,
        RunFinished,
        RunStarted,
        Stages,
    )

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

    It is written to the stream itself, which live bars replace by one that makes room
    above them; ``click.echo`` may write past it. Where nobody can read it, it is lost,
    and the work goes on.
    """
    try:
        sys.stderr.write(f"{_fitted(message, sys.stderr)}\n")
        sys.stderr.flush()
    except OSError:
        abandon(sys.stderr)


def show(text: str = "") -> None:
    """Print what was asked for to stdout: a line, or several."""
    click.echo(_fitted(text, sys.stdout))


def _fitted(text: str, stream: TextIO) -> str:
    """Make text fit to be printed: in a terminal no word is broken, nor a command."""
    text = plain(text, lines=True)
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):  # no terminal, or no stream
        return text
    return wrapped(text, width) if width else text


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
            say(f"{event.result.cell.brief}: {_scored(event.result.scores)}")
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


def _scored(scores: Mapping[str, float]) -> str:
    """Say how well classes were recognised, or numbers predicted."""
    if "ccc" in scores:
        return f"CCC {scores['ccc']:z.2f}, Pearson's r {scores['pearson']:z.2f}"
    return f"macro-F1 {100 * scores['macro_f1']:.1f} %, UAR {100 * scores['uar']:.1f} %"


def stages(*, quiet: bool) -> Stages:
    """Choose how progress is shown: not at all, by bars, or by lines of text."""
    from harness.cli import notebook

    if quiet:
        return silence
    if notebook.is_here():
        return notebook.Shown()
    return _Bars() if sys.stderr.isatty() else _lines


@contextmanager
def _lines(
    title: str, total: float, unit: str, forecast: float = 0.0
) -> Iterator[Advance]:
    """Print a line every few seconds, and one when all is done."""
    started = printed = time.monotonic()
    rest, over = Remaining(total, forecast), not total

    def advance(amount: float, forecast: float = 0.0, /) -> None:
        nonlocal over, printed
        if over:
            return
        rest.advance(amount, forecast)
        over = rest.done >= total - EPSILON
        now = time.monotonic()
        if now - printed >= EVERY or (over and now - started >= BRIEF):
            printed = now
            say(f"{title}: {progress(rest, unit, now - started)}")

    yield advance


def progress(rest: Remaining, unit: str, elapsed: float) -> str:
    """Say how much is done, how long that took, and how long the rest will take."""
    text = f"{_amount(rest.done, rest.total, unit, elapsed)} in {clock(elapsed)}"
    seconds = rest.seconds(elapsed)
    if seconds is None or rest.done >= rest.total - EPSILON:
        return text
    return f"{text}, {clock(seconds)} left"


def _amount(done: float, total: float, unit: str, elapsed: float) -> str:
    """Say how much is done; of audio also how much faster than real time that is."""
    if unit != "audio":
        return f"{done:.0f}/{total:.0f} {unit}"
    factor = f", {done / elapsed:.1f} × real time" if done and elapsed else ""
    return f"{clock(done)} of {clock(total)} of audio{factor}"


class _Bars:
    """Live bars, one a stage, all in one display, so that none draws over another."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._progress: Progress | None = None
        self._open = 0

    @contextmanager
    def __call__(
        self, title: str, total: float, unit: str, forecast: float = 0.0
    ) -> Iterator[Advance]:
        """Show a bar with the amount, the real-time factor and the time left.

        Where a stage has a forecast, the bar grows by that, and not by what is counted.
        """
        if self._progress is None:
            self._progress = _display()
            self._progress.start()
        progress, rest = self._progress, Remaining(total, forecast)
        whole = forecast or total
        bar = progress.add_task(
            plain(title), total=whole, visible=total > 0, unit=unit, rest=rest
        )

        def advance(amount: float, forecast: float = 0.0, /) -> None:
            rest.advance(amount, forecast)
            part = rest.met if rest.forecast else rest.done
            over = rest.done >= total - EPSILON
            progress.update(bar, completed=whole if over else part)

        self._open += 1
        try:
            yield advance
        finally:
            self._open -= 1
            progress.stop_task(bar)
            if not self._open:
                progress.stop()
                self._progress = None


def _display() -> Progress:
    """Make a display whose bars take the room that the words leave: no line wraps."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
    from rich.table import Column
    from rich.text import Text

    class Amount(ProgressColumn):
        def render(self, task: Task) -> Text:
            elapsed = task.finished_time or task.elapsed or 0.0
            return Text(progress(task.fields["rest"], task.fields["unit"], elapsed))

    whole = partial(Column, no_wrap=True)
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=whole()),
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        Amount(table_column=whole()),
        console=Console(stderr=True),
        expand=True,
    )
