"""From the values of the shared options to a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.console import say
from harness.cli.effects import refuse_idle, warnings
from harness.errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.execution.request import Grid, Request
    from harness.registry import Registry

AXES = ("upstreams", "downstreams", "corpora")


def request_of(options: dict[str, Any], registry: Registry) -> Request:
    """Make a request out of the values of ``options.GRID``.

    What a suite's file says holds, unless the command line says otherwise. Options that
    concern only a part of what was asked for are warned of.

    Raises:
        HarnessError: Where neither a suite nor all three lists of names were given, or
            an option has no effect.
    """
    from harness.execution.request import Request

    options["cache"] = options.pop("cache_folder")
    lists = {axis: options.pop(axis) for axis in AXES}
    suite, only = options.pop("suite"), options.pop("only")
    baselines = options.pop("baselines")
    if suite is None:
        grids = _asked(lists, only, baselines)
    else:
        grids, more = _of_suite(suite, lists, only, registry)
        options |= more
    grids += tuple(_baseline(name, grids, registry) for name in baselines)
    target = registry.targets[options["target"]]
    split = options.pop("strategy") or target.split
    options["selection"] = options["selection"] or target.selected_by
    request = Request(grids=grids, split=split, **options)
    refuse_idle(request, registry)
    for sentence in warnings(request, registry):
        say(f"warning: {sentence}")
    return request


def _asked(
    lists: dict[str, tuple[str, ...]],
    only: dict[str, tuple[str, ...]],
    baselines: tuple[str, ...],
) -> tuple[Grid, ...]:
    """Return the grid of the three lists, which must be there."""
    from harness.execution.request import Grid

    if only:
        raise click.UsageError("'--only' picks of a suite; name one by '--suite'.")
    for axis, listed in lists.items():
        if not listed and (axis == "corpora" or not baselines):
            option = "corpus" if axis == "corpora" else axis[:-1]
            raise click.UsageError(
                f"Missing option '--{option}' (see 'harness list {axis}'); "
                "or name a study by '--suite'."
            )
    return (Grid(**lists),)


def _of_suite(
    name: str,
    lists: dict[str, tuple[str, ...]],
    only: dict[str, tuple[str, ...]],
    registry: Registry,
) -> tuple[tuple[Grid, ...], dict[str, Any]]:
    """Read a suite: its grids, and the options that the command line leaves to it."""
    from harness.execution.suites import narrow, read_suite, suite_file

    if any(lists.values()):
        raise click.UsageError(
            "A suite has its own lists of upstreams, downstreams and corpora; pick "
            "of them by --only, such as --only corpus=emodb,emovo."
        )
    file = suite_file(name, registry)
    grids, stated = read_suite(file)
    more = _unless_given(stated, file) | {"skip_missing": True, "suite": file}
    return narrow(grids, only), more


def _baseline(name: str, grids: tuple[Grid, ...], registry: Registry) -> Grid:
    """Put a classifier that is made for one upstream on every corpus of the grids."""
    from harness.execution.request import Grid

    upstream = registry.downstreams[name].upstream
    if not upstream:
        raise HarnessError(
            f"'{name}' goes on any upstream, so it is no baseline. "
            f"Add it by --downstream {name}."
        )
    corpora = dict.fromkeys(corpus for grid in grids for corpus in grid.corpora)
    return Grid((upstream,), (name,), tuple(corpora))


def _unless_given(stated: dict[str, object], file: Path) -> dict[str, Any]:
    """Keep what a suite says of options that the command line does not give.

    It is read as if it stood on the command line.
    """
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    parameters = {parameter.name: parameter for parameter in context.command.params}
    kept = {}
    for option, value in stated.items():
        name = "strategy" if option == "split" else option
        if context.get_parameter_source(name) is not default:
            continue
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        try:
            kept[name] = parameters[name].process_value(context, text)
        except click.BadParameter as error:
            raise HarnessError(
                f"'{option}' in the suite {file} cannot be used: {error.message}"
            ) from error
    return kept
