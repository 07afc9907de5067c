from __future__ import annotations

import dataclasses
import importlib.metadata
import subprocess
import sys

import pytest
from toys import TOY, ToyPlugin

from harness import PluginError, hookimpl
from harness.errors import UnknownNameError
from harness.registry import Registry, plugin_manager

HEAVY = {"torch", "numpy", "transformers", "sklearn", "pyarrow", "rich", "soundfile"}


def offering(*upstreams):
    class Offer:
        @hookimpl
        def harness_upstreams(self):
            return upstreams

    return Offer()


def test_offers_are_found_by_name_with_the_plugin_that_made_them():
    manager = plugin_manager([])
    manager.register(ToyPlugin(), name="mine")
    registry = Registry.of(manager)
    assert registry.upstreams["toy"] is TOY
    assert registry.upstreams.plugin("toy").name == "mine"
    assert [corpus.name for corpus in registry.corpora] == ["tones"]
    assert len(registry.downstreams) == 0


def test_an_unknown_name_suggests_a_near_one():
    registry = Registry.of(plugin_manager([ToyPlugin()]))
    with pytest.raises(UnknownNameError, match=r"'toyy'\. Did you mean 'toy'\? Known"):
        registry.upstreams["toyy"]


def test_two_plugins_may_not_share_a_name():
    manager = plugin_manager([])
    manager.register(offering(TOY), name="one")
    manager.register(offering(TOY), name="two")
    with pytest.raises(PluginError, match=r"'toy': 'one' and 'two'.*HARNESS_BLOCK"):
        Registry.of(manager)


def test_a_misspelt_hook_is_named_with_its_plugin():
    class Misspelt:
        @hookimpl
        def harness_upstreems(self):
            return ()

    with pytest.raises(PluginError, match="Did you mean 'harness_upstreams'"):
        plugin_manager([Misspelt()])


def test_a_later_field_breaks_no_plugin():
    assert dataclasses.fields(TOY)
    assert all(field.kw_only for field in dataclasses.fields(TOY))


class Point:
    """An entry point that was never installed."""

    group = "harness"
    dist = None

    def __init__(self, name, loaded):
        self.name, self._loaded = name, loaded

    def load(self):
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


@pytest.fixture
def installed(monkeypatch):
    def install(*points):
        monkeypatch.setattr("harness.registry.entry_points", lambda group: points)

    return install


def test_a_plugin_that_does_not_import_is_left_out_and_named(installed):
    installed(Point("broken", ImportError("no acme")), Point("toy", ToyPlugin()))
    registry = Registry.of(plugin_manager())
    assert [u.name for u in registry.upstreams] == ["toy"]
    problems = {plugin.name: plugin.problem for plugin in registry.plugins}
    assert problems == {"toy": "", "broken": "ImportError: no acme"}


def test_a_plugin_can_be_switched_off(installed, monkeypatch):
    installed(Point("toy", ToyPlugin()))
    monkeypatch.setenv("HARNESS_BLOCK", "other, toy")
    registry = Registry.of(plugin_manager())
    assert len(registry.upstreams) == 0
    assert "HARNESS_BLOCK" in registry.plugins[0].problem


def test_two_packages_with_one_plugin_name_are_an_error(installed):
    installed(Point("toy", ToyPlugin()), Point("toy", ToyPlugin()))
    with pytest.raises(PluginError, match="uninstall one"):
        plugin_manager()


def test_every_bundled_plugin_module_has_an_entry_point():
    points = importlib.metadata.entry_points(group="harness")
    modules = {point.value for point in points if point.dist.name == "speech-harness"}
    from pathlib import Path

    import harness_plugins

    root = Path(harness_plugins.__file__).parent
    offering_modules = {
        ".".join(("harness_plugins", *path.relative_to(root).with_suffix("").parts))
        for path in root.rglob("*.py")
        if "@hookimpl" in path.read_text()
    }
    assert offering_modules == {m for m in modules if m.startswith("harness_plugins")}


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["run", "--help"]])
def test_looking_around_imports_nothing_heavy(arguments):
    code = (
        "import sys; from harness.cli.main import execute\n"
        f"execute({arguments!r})\n"
        f"heavy = {HEAVY!r} - {{'rich'}} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
