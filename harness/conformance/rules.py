"""What a rule raises, and the rules that hold for every offer."""

from __future__ import annotations

import functools
import inspect
import os
import pickle
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

from harness.errors import HarnessError
from harness.types import Downstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.types import Corpus, Upstream

NAME = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*(@[a-z0-9.-]+)?(:.+)?")
HEAVY = {
    *("torch", "torchaudio", "transformers", "tensorflow", "jax", "numpy", "scipy"),
    *("sklearn", "pandas", "pyarrow", "matplotlib", "soundfile", "librosa"),
}
"""What takes long to import, and is imported where the work starts."""


class Broken(HarnessError):
    """A rule that an offer breaks: what was seen, and what to change."""


class NotRun(HarnessError):
    """A rule that cannot be put to an offer before another one holds."""


class Subject(Protocol):
    """An offer, with what is needed to put it to the rules."""

    @property
    def offer(self) -> Upstream | Downstream | Corpus:
        """What a plugin offers."""


def name_is_kebab_case(subject: Subject) -> None:
    """The name is kebab-case, as it becomes a file name and a word to type."""
    name = subject.offer.name
    if not NAME.fullmatch(name):
        wanted = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "a-name"
        raise Broken(f"It is called '{name}': call it '{wanted}'.")


def description_is_picklable(subject: Subject) -> None:
    """The description travels to other processes."""
    offer = subject.offer
    try:
        pickle.loads(pickle.dumps(offer))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise Broken(
            f"It cannot be pickled ({error}): define its functions at the top level of "
            "a module, not inside another function and not as a lambda."
        ) from None


def import_is_light(subject: Subject) -> None:
    """A fresh interpreter lists it without importing torch or anything as heavy."""
    work = subject.offer
    function = getattr(work, "load", None) or getattr(work, "read", None)
    if isinstance(work, Downstream):
        function = work.build or work.fit
    while isinstance(function, functools.partial):
        function = function.func
    module = getattr(function, "__module__", None) or type(function).__module__
    if heavy := _heavy_imports(module):
        raise Broken(
            f"Listing it imports {', '.join(heavy)}: move such imports from the top of "
            f"{module} into the function that needs them."
        )


def takes(
    function: Callable[..., object], usage: str, *values: object, **named: object
) -> None:
    """See that a plugin's function can be called as the harness calls it.

    Args:
        function: Of the plugin.
        usage: How it should be declared.
        values: Positional arguments of the call.
        named: Its keyword arguments.

    Raises:
        Broken: Where an argument is missing in its signature, or one too many.
    """
    try:
        inspect.signature(function).bind(*values, **named)
    except TypeError as error:
        raise Broken(f"It cannot be called ({error}): declare 'def {usage}'.") from None


def place(device: str) -> str:
    """Return the device that a name means here, ``auto`` a GPU where there is one."""
    from harness.features.device import prepare

    return device if device == "cpu" else prepare(device)


@functools.cache
def _heavy_imports(module: str) -> tuple[str, ...]:
    """Import a plugin's module and list its offers in a fresh interpreter."""
    code = (
        "import importlib, sys\n"
        f"module = importlib.import_module({module!r})\n"
        "for kind in ('upstreams', 'downstreams', 'corpora'):\n"
        "    list(getattr(module, f'harness_{kind}', tuple)())\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)))"
    )
    fresh = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    if fresh.returncode:
        last = fresh.stderr.strip().rpartition("\n")[2]
        raise Broken(
            f"A fresh interpreter cannot import {module} ({last}): put its functions "
            "into a module that is installed."
        )
    return tuple(fresh.stdout.split())
