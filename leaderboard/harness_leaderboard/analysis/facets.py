"""What makes figures comparable, written down once.

Facets of the system make a row and facets of the task a column. Results that differ in
any facet are never averaged: they become rows or columns of their own, and a label is
qualified by those facets that differ.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


Key = tuple[object, ...]
"""The values of a name and its facets, in the order in which they are declared."""


System = tuple[Key, Key]
"""The keys of an upstream and of a downstream."""


@dataclass(frozen=True, kw_only=True)
class Facet:
    """Something besides the name that makes figures incomparable where it differs.

    Attributes:
        column: Of the results.
        noun: What a note calls it.
        text: From a value to a few words.
        everywhere: Whether a label shows it as soon as it differs anywhere on the
            board, or only where two labels would else be the same.
    """

    column: str
    noun: str
    text: Callable[[object], str] = str
    everywhere: bool = False

    def say(self, value: object) -> str:
        """Put a value into a few words; only clips have a reason to have none."""
        if value is None and self.column != "max_seconds":
            return f"unknown {self.noun or self.column}"
        return self.text(value)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A name and its facets: together, the identity of a row or of a column."""

    name: str
    facets: tuple[Facet, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Give the columns of the results that make a ``Key``."""
        return (self.name, *(facet.column for facet in self.facets))


def _digest(noun: str) -> Callable[[object], str]:
    return lambda value: f"{noun} {str(value)[:8]}"


def _count(noun: str) -> Callable[[object], str]:
    return lambda lines: f"{len(str(lines).splitlines())} {noun}"


UPSTREAM = Axis(
    name="upstream",
    facets=(
        Facet(column="upstream_feeding", noun="feeding", everywhere=True),
        Facet(column="checkpoint_sha256", noun="weights", text=_digest("weights")),
    ),
)


DOWNSTREAM = Axis(
    name="downstream",
    facets=(
        Facet(column="recipe", noun="recipe", everywhere=True),
        Facet(
            column="selection",
            noun="",
            text=lambda value: f"selected by {value}",
            everywhere=True,
        ),
        Facet(column="recipe_deviations", noun="", text=_count("deviations")),
    ),
)


CORPUS = Axis(
    name="corpus",
    facets=(
        Facet(column="split", noun="split", everywhere=True),
        Facet(column="folds", noun="", text=lambda value: f"{value} folds"),
        Facet(
            column="max_seconds",
            noun="clips",
            text=lambda value: "whole" if value is None else f"≤ {value:g} s",
            everywhere=True,
        ),
        Facet(column="language", noun="language"),
        Facet(column="corpus_version", noun="version", text=_digest("version")),
        Facet(column="skipped", noun="", text=_count("files skipped")),
        Facet(column="manifest_sha256", noun="data", text=_digest("data")),
        Facet(column="split_sha256", noun="split file", text=_digest("split")),
    ),
)


AXES = (UPSTREAM, DOWNSTREAM, CORPUS)


KEYS = tuple(column for axis in AXES for column in axis.columns)


def place_of(row: Mapping[str, object]) -> tuple[System, Key]:
    """Give the system and the task that a row of keys belongs to."""
    upstream, downstream, corpus = (
        tuple(row[column] for column in axis.columns) for axis in AXES
    )
    return (upstream, downstream), corpus


def labels(axis: Axis, keys: Iterable[Key]) -> dict[Key, str]:
    """Name keys, each with as few facets as tell it from the others."""
    found = {key: str(key[0]) for key in sorted(set(keys), key=repr)}
    for place, facet in enumerate(axis.facets, start=1):
        alike: dict[str, set[object]] = defaultdict(set)
        for key, label in found.items():
            alike["" if facet.everywhere else label].add(key[place])
        for key, label in found.items():
            if len(alike["" if facet.everywhere else label]) > 1:
                found[key] = f"{label} · {facet.say(key[place])}"
    return _distinct(found)


def system_names(systems: Iterable[System]) -> dict[System, tuple[str, str]]:
    """Name the upstream and the downstream of each system."""
    known = list(systems)
    upstreams = labels(UPSTREAM, (upstream for upstream, _ in known))
    downstreams = labels(DOWNSTREAM, (downstream for _, downstream in known))
    return {system: (upstreams[system[0]], downstreams[system[1]]) for system in known}


def _distinct(found: dict[Key, str]) -> dict[Key, str]:
    """Number labels that are the same, since names may look like anything."""
    seen: dict[str, int] = defaultdict(int)
    for key, label in found.items():
        seen[label] += 1
        if seen[label] > 1:
            found[key] = f"{label} #{seen[label]}"
    return found
