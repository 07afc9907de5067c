"""Extract once: recordings through a frozen upstream into a store.

The package is also the verb of that name: ``harness.features(upstream, corpus)`` is
``harness.api.features``.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Verb(ModuleType):
    """A package that can be called, since importing it takes the verb's name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        """Call ``harness.api.features``, which lies above all that is here."""
        return import_module("harness.api").features(*arguments, **options)


sys.modules[__name__].__class__ = _Verb
