"""The Parquet schema of results, derived from the types of ``Result``.

A field that is added to ``Condition``, ``Recipe``, ``Provenance`` or ``Result`` is
written and read back without a word here.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from harness.types import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

SCHEMA = "2"
"""Stands in every file's metadata under ``harness.schema``. It is raised only when a
column changes its meaning; a new column leaves it as it is."""


def schema() -> pa.Schema:
    """Return the columns: the fields of ``Result``, in their order and by their names.

    A dataclass is a struct, a tuple a list, a mapping a map, a ``Literal`` a string;
    ``X | None`` is ``X``, since every column may hold nulls.
    """
    import pyarrow as pa

    return pa.schema(_columns(Result), metadata={"harness.schema": SCHEMA})


def _columns(of: Any) -> list[tuple[str, pa.DataType]]:  # noqa: ANN401
    return [(name, arrow_type(kind)) for name, kind in hints(of).items()]


@cache
def hints(of: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    """Return the types of a dataclass's fields, by name."""
    return get_type_hints(of)


@cache
def arrow_type(kind: Any) -> pa.DataType:  # noqa: ANN401 - any type of a field
    """Return what a field of a type is stored as.

    Raises:
        TypeError: Where there is no rule for the type.
    """
    import pyarrow as pa

    plain = {
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        str: pa.string(),
    }
    origin, inner = get_origin(kind), get_args(kind)
    if kind in plain:
        return plain[kind]
    if is_dataclass(kind):
        return pa.struct(_columns(kind))
    if origin is tuple:
        return pa.list_(arrow_type(inner[0]))
    if origin is Mapping:
        return pa.map_(*map(arrow_type, inner))
    if origin is Literal:
        return pa.string()
    if optional(kind):
        return arrow_type(inner[0])
    raise TypeError(f"No column can hold values of type {kind}.")


def optional(kind: Any) -> bool:  # noqa: ANN401 - any type of a field
    """Say whether a field of this type may be ``None``."""
    is_union = get_origin(kind) in (types.UnionType, Union)
    return is_union and type(None) in get_args(kind)


# ---------------------------------------------------------------- rows


def row_of(value: Any) -> Any:  # noqa: ANN401 - any field of a result
    """Return a result, or a value of one of its fields, as pyarrow reads it."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping):
        return sorted(value.items())
    if is_dataclass(value):
        kind: Any = type(value)
        return {name: row_of(getattr(value, name)) for name in _names(kind)}
    return list(map(row_of, value))


@cache
def _names(of: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(of))


def result_of(row: Mapping[str, Any]) -> Result:
    """Rebuild a result from a row as pyarrow returns it.

    A field that is null gets its default if it has one.
    """
    result: Result = _value(Result, row)
    return result


def _value(kind: Any, value: Any) -> Any:  # noqa: ANN401
    if value is None:
        return None
    inner = get_args(kind)
    if is_dataclass(kind):
        return _rebuilt(kind, value)
    if get_origin(kind) is tuple:
        one = inner[0]
        nested = is_dataclass(one) or bool(get_args(one))
        return tuple(_value(one, part) for part in value) if nested else tuple(value)
    if get_origin(kind) is Mapping:
        return dict(value)
    return _value(inner[0], value) if optional(kind) else value


def _rebuilt(kind: Any, row: Mapping[str, Any]) -> Any:  # noqa: ANN401
    later = _defaulted(kind)
    known = ((name, _value(of, row.get(name))) for name, of in hints(kind).items())
    return kind(
        **{n: value for n, value in known if not (value is None and n in later)}
    )


@cache
def _defaulted(kind: Any) -> frozenset[str]:  # noqa: ANN401
    return frozenset(
        field.name
        for field in fields(kind)
        if field.default is not MISSING or field.default_factory is not MISSING
    )


def lacking(
    row: Mapping[str, Any],
    of: Any = Result,  # noqa: ANN401 - a dataclass
) -> Iterator[str]:
    """List what a row must have to be a result and does not, by dotted names."""
    for name, kind in hints(of).items():
        value = row.get(name)
        if value is not None and is_dataclass(kind):
            yield from (f"{name}.{part}" for part in lacking(value, kind))
        elif value is None and name not in _defaulted(of) and not optional(kind):
            yield name
