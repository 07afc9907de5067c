"""Options of an offer: what stands after the colon of ``NAME:field=value,…``.

An offer declares them as a frozen dataclass whose fields all have defaults; the names
and types of the fields are those of the options. A method ``describe(offer)`` of it, if
there is one, returns the description of the offer under these options, for those that
change a dim or a name.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from enum import Enum
from functools import partial
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from harness.errors import HarnessError, PluginError

Described = TypeVar("Described")

FUNCTIONS = ("load", "build", "fit", "read", "make", "start", "apply")
"""The functions of an offer that are passed ``options=``."""

WORDS = {"true": True, "yes": True, "false": False, "no": False}


def configured(offer: Described, text: str) -> Described:
    """Set options of an offer.

    Args:
        offer: An upstream, downstream, corpus or executor that declares options.
        text: ``field=value``, joined by commas; for ``field=`` before a word that
            is one of its choices, the word is enough.

    Returns:
        The description with these options bound to its function, called
        ``NAME:field=value,…`` by those that differ from their defaults.

    Raises:
        HarnessError: Where an option is unknown, comes twice or has a bad value.
    """
    declared: type[Any] = offer.options  # type: ignore[attr-defined]
    name: str = offer.name  # type: ignore[attr-defined]
    given: dict[str, object] = {}
    for piece in text.split(","):
        key, equals, value = (part.strip() for part in piece.partition("="))
        if not equals:
            key, value = _choosing(declared, key), key
        if not key:
            raise HarnessError(
                f"'{piece}' of '{name}:{text}' is not like field=value. "
                f"{_all(declared)}"
            )
        if key in given:
            raise HarnessError(f"'{name}:{text}' sets {key} twice.")
        given[key] = _value(name, declared, key, value)
    try:
        options = declared(**given)
    except ValueError as error:
        raise HarnessError(f"'{name}:{text}' cannot be: {error}.") from error
    return _bound(offer, options)


def with_defaults(offer: Described) -> Described:
    """Bind the default options to an offer that declares some and has none bound."""
    declared = getattr(offer, "options", None)
    if declared is None or _is_bound(offer):
        return offer
    return _bound(offer, declared())


def check(declared: object) -> None:
    """See that options are declared as they must be.

    Raises:
        PluginError: Where they are no dataclass, or one without defaults, or have a
            type that no text can be turned into.
    """
    if declared is None:
        return
    if not (isinstance(declared, type) and is_dataclass(declared)):
        raise PluginError(f"options is {declared!r}, not a dataclass")
    for field in fields(declared):
        if field.default is MISSING:
            raise PluginError(f"{declared.__name__}.{field.name} has no default")
        kind = get_type_hints(declared)[field.name]
        if _choices(kind) is None and kind not in (int, float, str):
            raise PluginError(
                f"{declared.__name__}.{field.name} is neither int, float, bool, str, "
                "Literal nor Enum"
            )


def _bound(offer: Described, options: Any) -> Described:  # noqa: ANN401 - a dataclass
    """Bind options, and name the offer by those that differ from their defaults."""
    name: str = offer.name  # type: ignore[attr-defined]
    set_ = {
        field.name: getattr(options, field.name)
        for field in sorted(fields(options), key=lambda field: field.name)
        if getattr(options, field.name) != field.default
    }
    changes: dict[str, object] = {
        function: partial(getattr(offer, function), options=options)
        for function in FUNCTIONS
        if getattr(offer, function, None) is not None
    }
    if set_:
        listed = ",".join(f"{key}={_text(value)}" for key, value in set_.items())
        changes["name"] = f"{name}:{listed}"
        if getattr(offer, "checkpoint", None) is not None:
            changes["checkpoint_of"] = offer.checkpoint_of or name  # type: ignore[attr-defined]
    bound = replace(offer, **changes)  # type: ignore[type-var]
    describe = getattr(options, "describe", None)
    return bound if describe is None else describe(bound)


def _is_bound(offer: object) -> bool:
    functions = (getattr(offer, name, None) for name in FUNCTIONS)
    return any("options" in getattr(one, "keywords", ()) for one in functions)


def _value(name: str, declared: type[Any], key: str, text: str) -> object:
    """Turn an option's text into its value."""
    by_name = {field.name: field for field in fields(declared)}
    if key not in by_name:
        near = difflib.get_close_matches(key, by_name, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise HarnessError(f"{name} has no option '{key}'.{hint} {_all(declared)}")
    kind = get_type_hints(declared)[key]
    choices = _choices(kind)
    try:
        value: object = kind(text) if choices is None else choices[text]
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(text)
    except (ValueError, KeyError):
        raise HarnessError(
            f"{name}:{key} cannot be '{text}'. {_one(by_name[key], kind)}."
        ) from None
    return value


def _choosing(declared: type[Any], word: str) -> str:
    """Return the option that has a word among its choices: ``dask:slurm``."""
    hints = get_type_hints(declared)
    kinds = {key: kind for key, kind in hints.items() if kind is not bool}
    return next((key for key in kinds if word in (_choices(kinds[key]) or ())), "")


def _choices(kind: Any) -> dict[str, object] | None:  # noqa: ANN401 - any annotation
    """Return the values that an option can have, by their texts; ``None`` for any."""
    if kind is bool:
        return dict(WORDS)
    if get_origin(kind) is Literal:
        return {str(value): value for value in get_args(kind)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {_text(value): value for value in kind}
    return None


def _text(value: object) -> str:
    """Write a value as the user would."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value.value if isinstance(value, Enum) else value)


def _all(declared: type[Any]) -> str:
    hints = get_type_hints(declared)
    known = "; ".join(_one(field, hints[field.name]) for field in fields(declared))
    return f"Known: {known}."


def _one(field: Field[Any], kind: Any) -> str:  # noqa: ANN401 - any annotation
    """Say what an option can be."""
    choices = _choices(kind)
    what = kind.__name__ if choices is None else " or ".join(choices)
    if kind is bool:
        what = "true or false"
    return f"{field.name} ({what}, default {_text(field.default)})"
