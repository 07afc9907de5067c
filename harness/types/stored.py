"""Stored results as Python has them: two Arrow tables, and the leaderboard's views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from harness.types.results import RunFinished
    from harness.types.tables import Table


class Results(Protocol):
    """Results that are stored in a folder, all of them or those of one command."""

    @property
    def results(self) -> pa.Table:
        """One row a result: condition, fold, seed, every metric, where it comes from.

        Metrics are fractions of one, in columns called as they are.
        """

    @property
    def predictions(self) -> pa.Table:
        """One row a prediction of a test utterance; read when first asked for.

        Its columns are ``run_id``, those of the condition that hold one value,
        ``fold``, ``seed``, ``utterance``, ``speaker``, ``gender``, ``label``,
        ``predicted``, ``value`` and ``predicted_value`` of numbers, ``language``,
        ``sentence``, ``intensity``, and ``score_LABEL`` for the probability of each
        label, null where the corpus has no such label.
        """

    @property
    def valid_predictions(self) -> pa.Table:
        """The same of the validation parts, as far as results hold them."""

    @property
    def run(self) -> RunFinished | None:
        """How the command went: what failed, and what was left out.

        ``None`` for results that were read from a folder.
        """

    def to_pandas(self) -> pd.DataFrame:
        """Return ``results`` as a data frame."""

    def board(self, **options: object) -> Shown:
        """Return a view, as ``harness leaderboard`` prints it.

        Args:
            options: Those of that verb, such as ``view="intervals"``, ``metric="uar"``.

        Raises:
            HarnessError: Where the view cannot be made.
        """

    def compare(self, a: str, b: str, **options: object) -> Shown:
        """Test whether two systems differ, as ``harness compare A B`` does.

        Args:
            a: ``UPSTREAM/DOWNSTREAM``.
            b: The other one.
            options: Those of that verb, such as ``detect=5``.

        Raises:
            HarnessError: Where they cannot be compared.
        """


class Shown(Protocol):
    """A table that a notebook shows and ``print`` prints."""

    @property
    def table(self) -> Table:
        """Its entries, with the value behind each text."""

    def _repr_markdown_(self) -> str:
        """Return it as a notebook shows it."""

    def render(self, form: str, *, width: int = 100) -> str:
        """Return it in a form of ``--format``, such as ``latex``.

        Raises:
            UnknownNameError: Where no plugin offers the form.
        """
