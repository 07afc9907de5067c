"""A verb that is called with values, as from Python, instead of words.

The values are written as the words that would stand on the command line, and read by
the verb itself: names, defaults, checks and the environment's variables are the same.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from harness.errors import HarnessError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.registry import Registry


@contextmanager
def called(
    verb: click.Command,
    options: Mapping[str, object],
    registry: Registry,
    arguments: Iterable[str] = (),
) -> Iterator[click.Context]:
    """Yield the context of a verb whose options have these values.

    Args:
        verb: Of the command line.
        options: By their long names, with underscores: ``split_seed=1``. ``None`` is
            as if it was not given.
        registry: Everything that the plugins offer.
        arguments: What stands behind the verb without an option.

    Raises:
        HarnessError: Where there is no such option, or it cannot have the value.
    """
    words = [w for name, value in options.items() for w in _words(verb, name, value)]
    try:
        with verb.make_context(
            verb.name, [*words, "--", *arguments], obj=registry
        ) as context:
            yield context
    except click.ClickException as error:
        raise HarnessError(error.format_message()) from error


def keywords(verb: click.Command) -> dict[str, click.Option]:
    """Return the options of a verb by the names that they have in Python."""
    return {
        _keyword(option): option
        for option in verb.params
        if isinstance(option, click.Option)
    }


def default_of(option: click.Option) -> object:
    """Return an option's default as Python shows it; ``None`` for one that is made."""
    value = option.default
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (bool, int, float, str)):
        return value
    return False if option.is_flag and not option.secondary_opts else None


def described(option: click.Option) -> str:
    """Return an option's help as a sentence of a docstring."""
    return inspect.cleandoc(option.help or "").replace("\n", " ")


def _keyword(option: click.Option) -> str:
    return option.opts[0].lstrip("-").replace("-", "_")


def _words(verb: click.Command, name: str, value: object) -> Iterator[str]:
    """Write an option as it stands on the command line."""
    known = keywords(verb)
    if name not in known:
        raise UnknownNameError(f"option of '{verb.name}'", name, known)
    option, flag = known[name], known[name].opts[0]
    if value is None:
        return
    if option.is_flag:
        yield from [flag] if value else option.secondary_opts[:1]
    elif option.nargs > 1 and isinstance(value, Iterable):
        yield from (flag, *map(_text, value))
    else:
        texts = _each(value) if option.multiple else [_text(value)]
        yield from (f"{flag}={text}" for text in texts)


def _each(value: object) -> Iterator[str]:
    """Write the values of an option that may be given several times."""
    if isinstance(value, Mapping):
        yield from (f"{key}={_text(one)}" for key, one in value.items())
    elif isinstance(value, Iterable) and not isinstance(value, str):
        yield from map(_text, value)
    else:
        yield _text(value)


def _text(value: Any) -> str:  # noqa: ANN401 - whatever an option takes
    """Write a value; of several, such as names or seeds, a list with commas."""
    if isinstance(value, Iterable) and not isinstance(value, (str, os.PathLike)):
        return ",".join(map(_text, value))
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
