"""A plugin that collects the results of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness import CellFinished, Result


class Collector:
    """Keeps every result, in the order in which they came."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    @hookimpl
    def harness_result(self, event: CellFinished) -> None:
        self.results.append(event.result)
