"""Stored results for Python: what the verbs print, returned instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import click

from harness.cli.calling import called
from harness.errors import HarnessError
from harness_leaderboard.commands.board import leaderboard
from harness_leaderboard.commands.compare import compare
from harness_leaderboard.commands.kept import list_runs
from harness_leaderboard.commands.options import filters_of, read
from harness_leaderboard.commands.output import CALLER, Caller
from harness_leaderboard.render import terminal, text
from harness_leaderboard.results import tables
from harness_leaderboard.results.columns import scored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    import pyarrow as pa

    from harness.registry import Registry
    from harness.types import RunFinished, Table
    from harness_leaderboard.results.folders import Folder

WIDTH = 100  # columns of a table in a notebook or in a script's output


def stored_results(
    options: Mapping[str, object], run: RunFinished | None
) -> StoredResults:
    """Read stored results.

    Args:
        options: ``runs`` and ``only``, as on the command line.
        run: A run whose results are wanted alone, ``None`` for all.

    Raises:
        HarnessError: Where there is none.
    """
    registry: Registry = click.get_current_context().obj
    with called(list_runs, options, registry) as context:
        found = StoredResults(
            runs=context.params["runs"],
            only=context.params["only"],
            registry=registry,
            run=run,
        )
        if run is None:
            found.results  # noqa: B018 - a folder without results is said at once
    return found


@dataclass(frozen=True, kw_only=True)
class StoredResults:
    """Results of a folder, or those of one run (see ``harness.types.Results``)."""

    runs: Folder
    only: tuple[str, ...]
    registry: Registry = field(repr=False)
    run: RunFinished | None = field(default=None, repr=False)

    @cached_property
    def results(self) -> pa.Table:
        """One row a result; metrics are fractions of one."""
        metrics = tuple(self.registry.metrics)
        columns = (*tables.columns_of_results(), *map(scored, metrics))
        if self.run and not self.run.computed and self._none_stored():
            return tables.as_results(tables.empty(columns))
        with self._context():
            found = read(self.runs, columns, filters_of(self.only), metrics)
        return tables.as_results(found)

    @cached_property
    def predictions(self) -> pa.Table:
        """One row a prediction of a test utterance."""
        return tables.predictions_of(self.runs, self.results)

    @cached_property
    def valid_predictions(self) -> pa.Table:
        """One row a prediction of an utterance of a validation part."""
        return tables.predictions_of(self.runs, self.results, tables.VALID)

    def to_pandas(self) -> pd.DataFrame:
        """Return ``results`` as a data frame."""
        return self.results.to_pandas()

    def board(self, **options: object) -> Shown:
        """Return a view, as ``harness leaderboard`` prints it."""
        return self._shown(leaderboard, options)

    def compare(self, a: str, b: str, **options: object) -> Shown:
        """Test whether two systems differ, as ``harness compare A B`` does."""
        return self._shown(compare, options, (a, b))

    def __len__(self) -> int:
        """Count the results."""
        return len(self.results)

    def __repr__(self) -> str:
        """Say how many there are, and what came to nothing."""
        failed = len(self.run.failed) if self.run else 0
        more = f", {failed} failed" if failed else ""
        return f"<{len(self)} results in {self.runs}{more}>"

    # ------------------------------------------------------------ verbs

    def _shown(
        self,
        verb: click.Command,
        options: Mapping[str, object],
        arguments: Iterable[str] = (),
    ) -> Shown:
        """Invoke a verb, and take the table that it would print."""
        options = {"runs": self.runs, "only": self.only or None, **options}
        with called(verb, options, self.registry, arguments) as context:
            by = context.meta[CALLER] = Caller(run_ids=self._ids)
            verb.invoke(context)
        if not by.tables:
            raise HarnessError(
                f"'{verb.name}' wrote a file and returned no table. Use the command "
                "line for that."
            )
        return Shown(table=by.tables[-1], registry=self.registry)

    @property
    def _ids(self) -> frozenset[str] | None:
        if self.run is None:
            return None
        return frozenset(cell.run_id for cell in self.run.cells)

    def _none_stored(self) -> bool:
        """Return whether no cell of the run has a result, from this run or before."""
        known = self.registry.hook.harness_finished_runs(runs=self.runs) or ()
        return not (self._ids or frozenset()) & frozenset(known)

    def _context(self) -> click.Context:
        context = click.Context(click.Command("results"), obj=self.registry)
        context.meta[CALLER] = Caller(run_ids=self._ids)
        return context


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A table that a notebook shows and ``print`` prints."""

    table: Table
    registry: Registry = field(repr=False)

    def render(self, form: str, *, width: int = WIDTH) -> str:
        """Return it in a form of ``--format``, such as ``latex``."""
        renderer = self.registry.renderers[form]
        return renderer.render(self.table, width=width, colour=False)

    def __repr__(self) -> str:
        """Return it as a terminal shows it."""
        return terminal.rich(self.table, width=WIDTH, colour=False).rstrip("\n")

    def _repr_markdown_(self) -> str:
        """Return it as a notebook shows it."""
        return text.markdown(self.table, width=WIDTH, colour=False)
