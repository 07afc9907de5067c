"""A suite is a TOML file: named grids, and the options that hold for all of them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError, UnknownNameError
from harness.execution.request import Grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.registry import Registry

AXES = {"upstream": "upstreams", "downstream": "downstreams", "corpus": "corpora"}
"""The fields of a ``Grid`` by their words on the command line, in order."""

OPTIONS = (
    *("target", "split", "folds", "split_seed", "seeds", "selection"),
    *("feeding", "max_seconds", "frame_type"),
    *("perturb", "perturb_parts"),
)
"""What a suite may set for all of its grids: options of ``harness run``."""


def suite_file(name: str, registry: Registry) -> Path:
    """Find a suite by the path of its file or by its name."""
    if name.endswith(".toml"):
        return Path(name)
    return registry.suites[name].file


def read_suite(path: Path) -> tuple[tuple[Grid, ...], dict[str, object]]:
    """Read a suite's grids, and its options as they are called on the command line.

    Raises:
        HarnessError: Where the file is missing, or has an unknown option or no grid.
    """
    suite = _toml(path)
    grids = suite.pop("grid", None)
    if not isinstance(grids, list) or not grids:
        raise HarnessError(f"The suite {path} has no [[grid]].")
    for option in suite:
        if option not in OPTIONS:
            raise UnknownNameError(f"option of a suite ({path})", option, OPTIONS)
    return tuple(_grid(path, grid) for grid in grids), suite


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise HarnessError(f"Cannot read the suite {path}: {reason}.") from error


def _grid(path: Path, grid: object) -> Grid:
    """Read one grid: three lists of names."""
    if not isinstance(grid, dict) or set(grid) != set(AXES.values()):
        axes = ", ".join(AXES.values())
        has = ", ".join(map(str, grid)) if isinstance(grid, dict) else "no list"
        raise HarnessError(
            f"A [[grid]] of {path} needs exactly these lists: {axes}. One has {has}."
        )
    for axis, names in grid.items():
        if not (isinstance(names, list) and names and all(map(_is_name, names))):
            raise HarnessError(
                f"'{axis}' in {path} is not a list of names, such as ['one', 'other']."
            )
    return Grid(**{axis: tuple(names) for axis, names in grid.items()})


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def narrow(
    grids: Sequence[Grid], only: Mapping[str, Sequence[str]]
) -> tuple[Grid, ...]:
    """Keep of each grid the names that are listed.

    Args:
        grids: Of a suite.
        only: Names by axis: ``upstream``, ``downstream`` or ``corpus``; an axis that
            is missing is kept whole.

    Raises:
        UnknownNameError: For a name that no grid has.
    """
    for axis, names in only.items():
        _refuse_unknown(axis, names, grids)

    def kept(grid: Grid, axis: str) -> tuple[str, ...]:
        names: tuple[str, ...] = getattr(grid, AXES[axis])
        return tuple(n for n in names if axis not in only or n in only[axis])

    return tuple(Grid(*(kept(grid, axis) for axis in AXES)) for grid in grids)


def _refuse_unknown(axis: str, names: Iterable[str], grids: Iterable[Grid]) -> None:
    known = {name for grid in grids for name in getattr(grid, AXES[axis])}
    for name in names:
        if name not in known:
            raise UnknownNameError(f"{axis} of the suite", name, known)
