"""Which upstream meets which head on which corpus: what was asked for, and controls."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.execution.request import Grid
from harness.types import Reads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.execution.request import Request
    from harness.registry import Registry
    from harness.types import Target

JOIN = "+"
"""Stands between corpora that are trained on together, on the command line."""

CORPUS = re.compile(r"[\w@-]+|[\w-]+:.+")
"""A corpus' name, or a word, a colon and a path; not the end of a file's name."""

MEANS = Reads(layers="last", frames=False)
"""What a control upstream is read by: it has one layer."""


def corpora_of(name: str) -> tuple[str, ...]:
    """Name the corpora that are trained on together, such as ``csv:a.csv+demo@a``.

    A path may have the sign between them, too: where there is such a file or folder,
    or what stands behind the sign is a part of a path.
    """
    if Path(name.partition(":")[2]).expanduser().exists() and ":" in name:
        return (name,)
    found: list[str] = []
    for piece in name.split(JOIN):
        if found and ":" in found[-1] and not CORPUS.fullmatch(piece):
            found[-1] += JOIN + piece
        else:
            found.append(piece)
    return tuple(found)


def grids_of(request: Request, registry: Registry) -> tuple[Grid, ...]:
    """Return the grids of a request, and those of the controls that stand beside.

    Raises:
        HarnessError: Where a classifier is asked for on another upstream than its own,
            or a head cannot predict what is asked for.
    """
    target = registry.targets[request.target]
    grids = (*request.grids, *_controls(request, registry))
    for grid in grids:
        _check_homes(grid, registry)
        _check_heads(grid, registry, target)
    return grids


def heads_on(grids: Iterable[Grid], upstream: str, corpus: str) -> tuple[str, ...]:
    """Name the heads that an upstream gets on a corpus, each once, in order."""
    heads = {
        head: None
        for grid in grids
        if upstream in grid.upstreams and corpus in grid.corpora
        for head in grid.downstreams
    }
    return tuple(heads)


def _controls(request: Request, registry: Registry) -> Iterator[Grid]:
    """Yield the grids of controls that stand beside the grids of a request.

    A head on permuted labels stands on each upstream; one on each layer only beside an
    asked head that is, too. A label-only baseline needs no more than a control
    upstream. That one gets the asked heads that read means of the last layer, the only
    one it has.
    """
    if not request.controls:
        return
    plain = tuple(one.name for one in registry.upstreams if one.control)
    numbers = registry.targets[request.target].numbers
    heads = [one for one in registry.downstreams if one.can_predict(numbers=numbers)]
    permuted = [one for one in heads if one.control == "permuted-labels"]
    label_only = tuple(one.name for one in heads if one.control == "label-only")
    for grid in request.grids:
        asked = [registry.downstreams[name] for name in grid.downstreams]
        cheap = tuple(head.name for head in asked if head.reads == MEANS)
        read = {MEANS, *(head.reads for head in asked)}
        beside = tuple(one.name for one in permuted if one.reads in read)
        yield Grid(grid.upstreams, beside, grid.corpora)
        yield Grid(plain, (*cheap, *label_only), grid.corpora)
        if request.all_controls:
            yield Grid(_rivals(grid, registry), cheap, grid.corpora)


def _rivals(grid: Grid, registry: Registry) -> tuple[str, ...]:
    """Name what plugins say that the upstreams of a grid must beat, each once."""
    ask = registry.hook.harness_control_upstreams
    named = (
        name
        for upstream in grid.upstreams
        for names in ask(upstream=registry.upstreams[upstream])
        for name in names
    )
    return tuple(dict.fromkeys(named))


def _check_heads(grid: Grid, registry: Registry, target: Target) -> None:
    """Refuse a head that is for classes alone where a number is predicted, or so."""
    for name in grid.downstreams:
        if not registry.downstreams[name].can_predict(numbers=target.numbers):
            raise HarnessError(
                f"'{name}' predicts no {'numbers' if target.numbers else 'classes'}, "
                f"which the target '{target.name}' wants. Choose another head, such as "
                "'linear'."
            )


def _check_homes(grid: Grid, registry: Registry) -> None:
    """Refuse a classifier on another upstream than the one that it is made for."""
    for head in (registry.downstreams[name] for name in grid.downstreams):
        for upstream in grid.upstreams:
            if head.upstream not in ("", upstream):
                raise HarnessError(
                    f"'{head.name}' is made for '{head.upstream}', not for "
                    f"'{upstream}'. Add it by --baseline {head.name}."
                )
