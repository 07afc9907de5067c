"""How a condition is put into words: what a label shows where conditions differ.

What may be averaged is decided by ``analysis.places`` alone. Here a leaf of the
condition gets a noun and a text; one that is not mentioned is shown by its own name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from harness.types import Condition, CorpusCondition, TargetCondition, leaf
from harness_leaderboard.analysis.places import BESIDES
from harness_leaderboard.results.columns import (
    ABSENT,
    KEYS,
    NONE,
    kind_of,
    paths,
    short_names,
)
from harness_leaderboard.results.schema import hints, optional

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from harness.types import DownstreamCondition, UpstreamCondition
    from harness_leaderboard.analysis.places import CorpusTask, System
    from harness_leaderboard.results.columns import FieldPath

    AxisCondition = UpstreamCondition | DownstreamCondition | CorpusCondition
    Of = TypeVar("Of", UpstreamCondition, DownstreamCondition, CorpusTask)

SHOWN = 8  # hexadecimal digits of a hash, as in tables and in git
_HASH = re.compile(r"[0-9a-f]{16,}")


@dataclass(frozen=True, kw_only=True)
class Facet:
    """How a leaf of the condition is shown.

    Attributes:
        noun: What a label or a note calls it.
        text: From a value to words; by default the noun and the value.
        bare: Whether the words say too little for a note without the noun.
        everywhere: Whether a label shows it as soon as it differs anywhere on the
            board, or only where two labels would else be the same.
        last: Whether it is shown only where nothing else differs, as a hash is.
        usual: The value that a note does not say, where all results share it.
    """

    noun: str
    text: Callable[[Any], str] | None = None
    bare: bool = False
    everywhere: bool = False
    last: bool = False
    usual: str = ""

    def label(self, value: object) -> str:
        """Return what a label shows behind a name."""
        return self.text(value) if self.text else f"{self.noun} {words(value)}"

    def note(self, value: object) -> str:
        """Return what a note says of a value that all results share."""
        return f"{self.noun} {self.label(value)}" if self.bare else self.label(value)


def words(value: object) -> str:
    """Put a value of any leaf into words; of a hash, its first digits."""
    if isinstance(value, tuple):
        return ", ".join(map(words, value)) or NONE
    text = NONE if value is None else str(value)
    return text[:SHOWN] if _HASH.fullmatch(text) else text


def _clips(seconds: float | None) -> str:
    return "whole" if seconds is None else f"≤ {seconds:g} s"


USUAL = TargetCondition().name
PERTURBED = {"test": "perturbed in the test part", "all": "perturbed in all parts"}

FACETS = {
    "upstream_version": Facet(noun="version"),
    "upstream_checkpoint": Facet(noun="weights"),
    "upstream_feeding": Facet(noun="feeding", text=str, bare=True, everywhere=True),
    "upstream_max_seconds": Facet(
        noun="clips", text=_clips, bare=True, everywhere=True
    ),
    "downstream_version": Facet(noun="version"),
    "downstream_recipe": Facet(noun="recipe", text=str, bare=True, everywhere=True),
    "downstream_recipe_deviations": Facet(
        noun="deviations", text=lambda value: f"{len(value)} deviations"
    ),
    "downstream_selection": Facet(
        noun="selection", text=lambda value: f"selected by {value}", everywhere=True
    ),
    "corpus_versions": Facet(noun="version"),
    "corpus_languages": Facet(noun="language", text=words),
    "corpus_manifest": Facet(noun="data", last=True),
    "corpus_strategy": Facet(noun="split", text=str, bare=True, everywhere=True),
    "corpus_division": Facet(noun="split", last=True),
    "corpus_folds": Facet(noun="folds", text=lambda value: f"{value} folds"),
    "target": Facet(noun="target", text=str, bare=True, everywhere=True, usual=USUAL),
    "target_version": Facet(noun="target version"),
    "target_plugin": Facet(noun="target plugin"),
    "perturbation": Facet(noun="perturbation", text=str, everywhere=True),
    "perturbation_parts": Facet(
        noun="perturbed", text=PERTURBED.__getitem__, everywhere=True
    ),
    "perturbation_version": Facet(noun="version of the perturbation"),
    "perturbation_plugin": Facet(noun="plugin of the perturbation"),
    "perturbation_applied": Facet(noun="way of perturbing"),
}
"""Leaves that are shown in another way than by their own names, by flat column."""


@cache
def facets(axis: str) -> tuple[tuple[FieldPath, Facet], ...]:
    """Return the facets of a part of the condition, by paths within that part.

    Args:
        axis: ``upstream``, ``downstream`` or ``corpus``.

    Returns:
        Those that are shown everywhere first, the last ones last, others in the order
        of the fields.
    """
    found = [
        (path, FACETS.get(name) or Facet(noun=_noun(name, axis)))
        for name in KEYS
        for path in _within(axis, paths()[name])
    ]
    return tuple(sorted(found, key=lambda one: (not one[1].everywhere, one[1].last)))


def _within(axis: str, path: FieldPath) -> Iterator[FieldPath]:
    """Yield the path of a leaf within a part of the condition that has it."""
    if path[1] == axis:
        yield path[2:]
    elif axis == "corpus" and path[1] in BESIDES:
        yield path[1:]


def _noun(column: str, axis: str) -> str:
    return short_names().get(column) or column.removeprefix(f"{axis}_")


def say(
    part: AxisCondition, path: FieldPath, form: Callable[[object], str], noun: str
) -> str:
    """Put the value at a path into words, or say that there is none, or none known.

    Args:
        part: Of a condition.
        path: Within it.
        form: ``Facet.label`` or ``Facet.note``.
        noun: Of the facet.
    """
    value = leaf(part, path)
    if value is not None:
        return form(value)
    if path[1:] and leaf(part, path[:-1]) is None:
        return ABSENT.get(path[-2], f"no {path[-2]}")
    above = () if path[0] in BESIDES else (axis_of(part),)
    known = optional(kind_of(("condition", *above, *path)))
    return form(value) if known else f"unknown {noun}"


def axis_of(part: AxisCondition) -> str:
    """Return the name of the part's field in ``Condition``."""
    if isinstance(part, CorpusCondition):
        return "corpus"
    kinds = {kind: name for name, kind in hints(Condition).items()}
    return kinds[type(part)]


def title(part: AxisCondition) -> str:
    """Name a part of a condition, as far as its names are known."""
    if isinstance(part, CorpusCondition):
        part = replace(part, trained=part.trained or (), tested=part.tested or ())
    return part.name or f"unknown {axis_of(part)}"


def common(parts: Sequence[AxisCondition], controls: Collection[str]) -> Iterator[str]:
    """Say what parts of conditions have in common, of what is shown everywhere.

    Those that have nothing of that kind, as a head without a recipe, are named, unless
    they are controls.
    """
    of_axis = facets(axis_of(parts[0])) if parts else ()
    for path, facet in of_axis:
        holders = [one for one in parts if not path[1:] or leaf(one, path[:-1])]
        values = {leaf(one, path) for one in holders}
        if facet.everywhere and len(values) == 1 and values != {facet.usual}:
            said = say(holders[0], path, facet.note, facet.noun)
            others = {title(one) for one in parts} - set(map(title, holders))
            named = sorted(others.difference(controls))
            yield said + f" (not {', '.join(named)})" * bool(named)


def differing(corpora: Mapping[CorpusTask, str]) -> str:
    """Say why columns have no common mean; nothing where they have one.

    Args:
        corpora: With their labels.
    """
    names = [title(corpus) for corpus in corpora]
    for corpus, label in corpora.items():
        if names.count(title(corpus)) > 1:
            several = f"was measured in several ways ({label}, …)"
            return f"corpus '{title(corpus)}' {several}"
    for path, facet in facets("corpus"):
        if facet.everywhere and len({leaf(one, path) for one in corpora}) > 1:
            said = {say(one, path, facet.label, facet.noun) for one in corpora}
            return f"the corpora differ in {facet.noun}: {', '.join(sorted(said))}"
    return ""


def labels(parts: Iterable[Of]) -> dict[Of, str]:
    """Name parts of conditions, each with the few facets that set it apart."""
    found = {part: title(part) for part in sorted(set(parts), key=repr)}
    if not found:
        return {}
    of_axis = facets(axis_of(next(iter(found))))
    for path, facet in of_axis:
        if facet.everywhere:
            _qualify(found, path, facet, [part for part in found if _has(part, path)])
    for path, facet in of_axis:
        for alike in _alike(found):
            _qualify(found, path, facet, alike)
    return _distinct(found)


def _qualify(
    found: dict[Of, str], path: FieldPath, facet: Facet, among: Sequence[Of]
) -> None:
    """Add a facet to labels where it differs among some parts."""
    if len({leaf(part, path) for part in among}) > 1:
        for part in among:
            found[part] += f" · {say(part, path, facet.label, facet.noun)}"


def _has(part: AxisCondition, path: FieldPath) -> bool:
    """Say whether what holds the leaf is there, such as a recipe."""
    return not path[1:] or leaf(part, path[:-1]) is not None


def _alike(found: Mapping[Of, str]) -> Iterator[list[Of]]:
    """Yield the parts whose labels are the same."""
    groups: dict[str, list[Of]] = defaultdict(list)
    for part, label in found.items():
        groups[label].append(part)
    return iter(group for group in groups.values() if len(group) > 1)


def system_names(systems: Iterable[System]) -> dict[System, tuple[str, str]]:
    """Name the upstream and the downstream of each system."""
    known = list(systems)
    upstreams = labels(system.upstream for system in known)
    downstreams = labels(system.downstream for system in known)
    return {
        one: (upstreams[one.upstream], downstreams[one.downstream]) for one in known
    }


def _distinct(found: dict[Of, str]) -> dict[Of, str]:
    """Number labels that are the same, since names may look like anything."""
    seen: dict[str, int] = defaultdict(int)
    for part, label in found.items():
        seen[label] += 1
        if seen[label] > 1:
            found[part] = f"{label} #{seen[label]}"
    return found
