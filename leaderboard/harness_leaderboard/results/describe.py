"""Write docs/columns.md: every Parquet column, from the types of ``Result``.

python -m harness_leaderboard.results.describe > docs/columns.md
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from harness.types import Result
from harness_leaderboard.results.columns import flat
from harness_leaderboard.results.schema import SCHEMA, hints, optional
from harness_leaderboard.results.tables import PREDICTIONS, RENAMED, VALID

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = f"""# The columns of a result

A result is one row of a Parquet file in `runs/`: nested structs, schema {SCHEMA}, that
`pyarrow`, pandas, polars and DuckDB read. A name with a dot is a field of a struct, one
with `[]` a field of each member of a list. «In Python» is the column of
`harness.results(…).results` and of `harness runs export`, where the same is flat.
Metrics are fractions of one, times are in seconds, rates in hertz. A new column leaves
the schema's number as it is; it is raised when one changes its meaning.

This page is made of the types: `python -m harness_leaderboard.results.describe`.
"""

NAMES = {bool: "bool", int: "int64", float: "double", str: "string"}


def page() -> str:
    """Return the page."""
    rows = list(_rows(Result, (), listed=False))
    lines = [
        f"| `{'.'.join(path)}` | {kind} | {_flat(path)} | {_markdown(text)} |"
        for path, kind, text in rows
    ]
    table = ["| column | type | in Python | what it is |", "|---|---|---|---|", *lines]
    return HEAD + "\n" + "\n".join(table) + "\n"


def _markdown(text: str) -> str:
    """Write a docstring's text as a cell of a table."""
    return text.replace("``", "`").replace("|", "\\|").replace("<", "&lt;")


def _rows(
    of: Any,  # noqa: ANN401 - a dataclass
    path: tuple[str, ...],
    *,
    listed: bool,
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield the path, the type and the description of every leaf."""
    described = attributes(of)
    for name, kind in hints(of).items():
        inner = _within(kind)
        is_list = get_origin(kind) is tuple
        place = (*path, f"{name}[]" if is_list and is_dataclass(inner) else name)
        if is_dataclass(inner):
            yield from _rows(inner, place, listed=listed or is_list)
        else:
            yield place, _named(kind), described.get(name, "")


def _within(kind: Any) -> Any:  # noqa: ANN401 - any type of a field
    """Return the dataclass of a field, a list's or an optional one's included."""
    return next((one for one in (kind, *get_args(kind)) if is_dataclass(one)), kind)


def _named(kind: Any) -> str:  # noqa: ANN401 - any type of a field
    """Name the type as Arrow does."""
    inner = get_args(kind)
    if kind in NAMES:
        return NAMES[kind]
    if optional(kind):
        return f"{_named(inner[0])} or null"
    if get_origin(kind) is Literal:
        return "string: " + ", ".join(f"`{one}`" for one in inner)
    if get_origin(kind) is Mapping:
        return f"map of {_named(inner[0])} to {_named(inner[1])}"
    return f"list of {_named(inner[0])}"


def _flat(path: tuple[str, ...]) -> str:
    """Name the flat column; what is in lists of structs has none."""
    if path == ("scores",):
        return "one a metric, such as `macro_f1`"
    if any("[]" in name for name in path):
        of = path[0].removesuffix("[]")
        return f"`{of}`, a table" if of in (PREDICTIONS, VALID) else "–"
    column = flat(path)
    return f"`{RENAMED.get(column, column)}`"


def attributes(of: Any) -> dict[str, str]:  # noqa: ANN401 - a dataclass
    """Read what a docstring says of each attribute (Google style)."""
    text = inspect.getdoc(of) or ""
    section = text.partition("Attributes:\n")[2]
    found = re.findall(
        r"^ {4}(\w+): (.*?)(?=^ {4}\w|^\S|\Z)", section, re.DOTALL | re.MULTILINE
    )
    return {name: " ".join(said.split()) for name, said in found}


if __name__ == "__main__":
    sys.stdout.write(page())
