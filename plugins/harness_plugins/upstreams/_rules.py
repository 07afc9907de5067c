"""Rules for the fields of a checkpoint's JSON files, and how files are held to them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Fields = Mapping[str, Any]


REQUIRED = object()
"""The default of a field that may not be absent."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a field may be.

    Attributes:
        says: That in words.
        holds: Whether a JSON value keeps it.
        default: What an absent field means; ``REQUIRED`` where it may not be absent.
        number: What kind of number a value is made, where it is one.
    """

    says: str
    holds: Callable[[object], bool]
    default: object = REQUIRED
    number: type[float] | None = None

    def by_default(self, value: object) -> Rule:
        """Return the rule for a field that may be absent."""
        return dataclasses.replace(self, default=value)


def whole(low: int, high: int) -> Rule:
    """Return the rule of a whole number."""

    def holds(value: object) -> bool:
        return type(value) is int and low <= value <= high

    return Rule(says=f"a whole number from {low} to {high}", holds=holds)


def real(low: float, high: float) -> Rule:
    """Return the rule of a finite number."""

    def holds(value: object) -> bool:
        return type(value) in (int, float) and low <= value <= high  # type: ignore[operator]  # they are numbers

    says = f"a number from {low:g} to {high:g}"
    return Rule(says=says, holds=holds, number=float)


def one_of(*values: object) -> Rule:
    """Return the rule of a choice; 0 is not ``false`` and 1.0 is not 1."""

    def holds(value: object) -> bool:
        return any(type(value) is type(one) and value == one for one in values)

    return Rule(says=" or ".join(map(repr, values)), holds=holds)


def each(rule: Rule) -> Rule:
    """Return the rule of a list of one to 16 values that each keep a rule."""

    def holds(value: object) -> bool:
        listed = isinstance(value, list) and 1 <= len(value) <= 16
        return listed and all(map(rule.holds, value))  # type: ignore[call-overload]  # it is a list

    return Rule(says=f"a list of up to 16, each {rule.says}", holds=holds)


def or_none(rule: Rule) -> Rule:
    """Return the rule of a field that may be null or absent."""
    return Rule(
        says=f"null or {rule.says}",
        holds=lambda value: value is None or rule.holds(value),
        default=None,
    )


def understood(
    said: Fields, rules: Mapping[str, Rule], passed_over: tuple[str, ...]
) -> dict[str, Any]:
    """Return the fields that have a rule, absent ones by their defaults.

    Raises:
        ValueError: Naming a field that breaks its rule, lacks, or is not understood.
    """
    for name in sorted(said.keys() - rules.keys()):
        if said[name] is not None and not any(
            fnmatchcase(name, known) for known in passed_over
        ):
            raise ValueError(f"says {shown(name)}, which is not understood")
    found = {}
    for name, rule in rules.items():
        found[name] = said.get(name, rule.default)
        if found[name] is REQUIRED:
            raise ValueError(f"has no {name!r}")
        if name in said and not rule.holds(said[name]):
            raise ValueError(
                f"says {shown(said[name])} for {name!r}, where {rule.says} is due"
            )
        if rule.number is not None:
            found[name] = rule.number(found[name])
    return found


def shown(value: object) -> str:
    """Write a JSON value in at most about 60 characters."""
    text = ascii(value) if isinstance(value, str | int | float | None) else "a list"
    text = "an object" if isinstance(value, dict) else text
    return text if len(text) <= 60 else f"{text[:57]}…"
