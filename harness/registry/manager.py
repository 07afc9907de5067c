"""pluggy's manager, with the origin of each plugin and those that were left out."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from harness import hookspecs
from harness.errors import PluginError, UnknownNameError
from harness.registry.isolation import Plugin, isolated, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import EntryPoint

GROUP = "harness"
"""Of entry points, and pluggy's name of the project."""

ARGUMENTS = {
    name: tuple(inspect.signature(spec).parameters)
    for name, spec in vars(hookspecs).items()
    if name.startswith("harness_")
}
"""What each hook is called with; offers take nothing."""


class PluginManager(pluggy.PluginManager):
    """pluggy's manager, which also knows where each plugin came from.

    Attributes:
        origins: The entry point of each plugin that was found by one.
        left_out: Plugins that were switched off, or failed while they were listed.
    """

    def __init__(self) -> None:
        """Declare the harness' hooks."""
        super().__init__(GROUP)
        self.origins: dict[str, EntryPoint] = {}
        self.left_out: list[Plugin] = []
        self.add_hookspecs(hookspecs)

    def register(self, plugin: object, name: str | None = None) -> str | None:
        """Take in a plugin; what it does later is ``isolated``.

        Raises:
            PluginError: Where it implements a hook that does not exist, or asks for
                an argument that a hook does not have.
        """
        name = name or self._named(plugin)
        described = self.described(name)
        with isolated(described, "being registered"):
            _refuse_unusable_hooks(plugin, self)
            try:
                super().register(plugin, name)
            except pluggy.PluginValidationError:
                self.unregister(name=name)
                raise
        for caller in self.get_hookcallers(plugin) or ():
            for call in caller.get_hookimpls():
                if call.plugin is plugin and ARGUMENTS[caller.name]:
                    _isolate(call, described, caller.name)
        return name

    def _named(self, plugin: object) -> str:
        name: str = getattr(plugin, "__name__", type(plugin).__name__)
        return self.get_canonical_name(plugin) if self.has_plugin(name) else name

    def described(self, name: str) -> Plugin:
        """Describe a plugin that is in use."""
        return _describe(name, self.origins.get(name))

    def plugins(self) -> Iterator[Plugin]:
        """Describe every plugin, those that were left out last."""
        for name, _ in self.list_name_plugin():
            yield self.described(name)
        yield from self.left_out

    @contextmanager
    def leaving_out(self, name: str) -> Iterator[None]:
        """Drop a plugin whose code raises, and note the reason."""
        try:
            yield
        except (Exception, SystemExit) as error:  # isolates the plugin that is named
            cause = error.__cause__ if isinstance(error, PluginError) else None
            problem = reason(cause or error)
            self.left_out.append(replace(self.described(name), problem=problem))
            if self.has_plugin(name):
                self.unregister(name=name)


def plugin_manager(plugins: Iterable[object] | None = None) -> PluginManager:
    """Build a plugin manager.

    Args:
        plugins: Modules or objects with hook implementations; by default all that are
            installed under the entry-point group ``harness``, less those whose names
            stand in the environment variable ``HARNESS_BLOCK`` (comma separated).

    Raises:
        PluginError: Where one of ``plugins`` implements a hook that does not exist.
    """
    manager = PluginManager()
    if plugins is None:
        _register_installed(manager)
    else:
        for plugin in plugins:
            manager.register(plugin)
    return manager


def _register_installed(manager: PluginManager) -> None:
    """Load entry points one by one; one that fails to load is left out."""
    blocked = {name.strip() for name in os.environ.get("HARNESS_BLOCK", "").split(",")}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.name in blocked:
            plugin = _describe(point.name, point, "switched off by HARNESS_BLOCK")
            manager.left_out.append(replace(plugin, blocked=True))
        elif first := manager.origins.get(point.name):
            problem = f"{_describe(first.name, first)} has that name, too"
            manager.left_out.append(_describe(point.name, point, problem))
        else:
            manager.origins[point.name] = point
            with manager.leaving_out(point.name):
                manager.register(point.load(), name=point.name)


def _describe(name: str, point: EntryPoint | None, problem: str = "") -> Plugin:
    distribution = point.dist if point is not None else None
    return Plugin(
        name=name,
        distribution=distribution.name if distribution else "",
        version=distribution.version if distribution else "",
        problem=problem,
    )


def _isolate(call: pluggy.HookImpl, plugin: Plugin, hook: str) -> None:
    """Have a plugin's answers to a hook come by ``isolated``; a generator is read.

    A bundled plugin's exceptions are bugs of the harness, and keep their traceback.
    """
    function = call.function
    own = plugin.bundled or function.__module__.startswith("harness.")
    if own or call.wrapper or call.hookwrapper:
        return

    @functools.wraps(function)
    def careful(*arguments: Any) -> object:  # noqa: ANN401 - of any hook
        with isolated(plugin, f"answering {hook}"):
            answer = function(*arguments)
            return list(answer) if isinstance(answer, Iterator) else answer

    call.function = careful  # type: ignore[misc]  # what pluggy calls


def _refuse_unusable_hooks(plugin: object, manager: PluginManager) -> None:
    """Name a misspelt hook and the near match, or an argument that a hook has not."""
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            continue
        hook = options.get("specname") or attribute
        if hook not in ARGUMENTS:
            raise TypeError(str(UnknownNameError("hook", hook, ARGUMENTS)))
        for name in _required(getattr(plugin, attribute)):
            if name not in ARGUMENTS[hook]:
                has = ", ".join(ARGUMENTS[hook]) or "none"
                raise TypeError(
                    f"its {hook} takes '{name}', which is no argument of that hook; "
                    f"it has: {has}"
                )


def _required(function: Callable[..., object]) -> list[str]:
    """List the arguments that a function cannot be called without."""
    parameters = inspect.signature(function).parameters.values()
    many = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in many]
