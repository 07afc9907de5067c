from __future__ import annotations

import dataclasses
import importlib.metadata
import subprocess
import sys
from dataclasses import make_dataclass, replace
from typing import Any

import click
import pytest
from plugged import offering, plugin
from toys import TOY, ToyPlugin

from harness import CheckpointError, PluginError, Upstream, hookimpl
from harness.errors import UnknownNameError
from harness.registry import Plugin, Registry, isolated, plugin_manager

HEAVY = {"torch", "numpy", "transformers", "sklearn", "pyarrow", "rich", "soundfile"}


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


def test_a_name_that_two_plugins_claim_is_an_error_when_it_is_asked_for():
    manager = plugin_manager([])
    manager.register(offering(TOY), name="one")
    manager.register(offering(TOY, replace(TOY, name="other")), name="two")
    registry = Registry.of(manager)
    assert registry.upstreams["other"].name == "other"
    assert [upstream.name for upstream in registry.upstreams] == ["other"]
    assert registry.upstreams.clashes == ("toy",)
    with pytest.raises(PluginError, match=r"'toy': 'one' and 'two'.*HARNESS_BLOCK"):
        registry.upstreams["toy"]


def test_a_misspelt_hook_is_named_with_its_plugin():
    class Misspelt:
        @hookimpl
        def harness_upstreems(self):
            return ()

    with pytest.raises(
        PluginError, match=r"Misspelt failed.*Did you mean 'harness_upstreams'"
    ):
        plugin_manager([Misspelt()])


def test_a_later_field_breaks_no_plugin():
    assert dataclasses.fields(TOY)
    assert all(field.kw_only for field in dataclasses.fields(TOY))


# ---------------------------------------------------------------- isolation


class Package:
    """The metadata of a package that was never installed."""

    name, version = "harness-acme", "1.0"


class Point:
    """An entry point that was never installed."""

    group = "harness"

    def __init__(self, name, loaded, dist=None):
        self.name, self._loaded, self.dist = name, loaded, dist

    def load(self):
        if isinstance(self._loaded, BaseException):
            raise self._loaded
        return self._loaded


@pytest.fixture
def installed(monkeypatch):
    def install(*points):
        monkeypatch.setattr(
            "harness.registry.manager.entry_points", lambda group: points
        )

    return install


def returning(what, hook="harness_upstreams"):
    def offer(self):
        return what

    offer.__name__ = hook
    return plugin(offer)


def harness_upstreams(self):
    raise KeyError("weights")


def harness_result(self, event, runs):
    pass


def harness_upstreems(self):
    pass


def harness_downstreams(self, registry):
    pass


def misdescribed(**fields: Any) -> Upstream:
    """An upstream with values of any type."""
    return replace(TOY, **fields)


CULPRITS = {
    "import error": (ImportError("no acme"), "ImportError: no acme"),
    "end of the program": (SystemExit(3), "SystemExit: 3"),
    "raises": (plugin(harness_upstreams), "KeyError: 'weights'"),
    "one offer": (returning(TOY), "returned an Upstream: yield it, or return a list"),
    "nothing": (returning(None), "returned nothing, not a list of Upstream"),
    "text": (returning("toy"), "returned a str, not a list of Upstream"),
    "other types": (returning([TOY, 3]), "returned an int where an Upstream is due"),
    "no name": (returning([replace(TOY, name="")]), "offers '', which is no name"),
    "a bad name": (returning([replace(TOY, name="a b")]), "'a b', which is no name"),
    "no text for name": (returning([misdescribed(name=3)]), "offers 3, which is no"),
    "the same name twice": (returning([TOY, TOY]), "offers 'toy' twice"),
    "a misspelt hook": (plugin(harness_upstreems), "Did you mean 'harness_upstreams'"),
    "an argument too many": (
        plugin(harness_result),
        "its harness_result takes 'runs', which is no argument of that hook; it has: "
        "event",
    ),
    "an argument of an offer": (plugin(harness_downstreams), "it has: none"),
    "options without default": (
        returning([replace(TOY, options=make_dataclass("Options", ["bits"]))]),
        "Options.bits has no default",
    ),
}


@pytest.fixture(params=CULPRITS)
def culprit(request, installed):
    """Install a plugin that fails while it is listed, and a good one."""
    loaded, sentence = CULPRITS[request.param]
    installed(Point("acme", loaded, Package()), Point("toys", ToyPlugin()))
    return sentence


def test_a_plugin_that_fails_is_left_out_and_named_with_the_reason(culprit):
    registry = Registry.of(plugin_manager())
    assert [upstream.name for upstream in registry.upstreams] == ["toy"]
    (left_out,) = [plugin for plugin in registry.plugins if plugin.problem]
    assert str(left_out) == "acme (harness-acme 1.0)"
    assert culprit in left_out.problem
    assert left_out.warning.startswith("the plugin acme (harness-acme 1.0) is left out")
    assert left_out.warning.endswith("switch it off with HARNESS_BLOCK=acme.")


def test_a_name_that_is_missing_is_explained_by_what_was_left_out(culprit):
    registry = Registry.of(plugin_manager())
    with pytest.raises(
        UnknownNameError,
        match=r"^No upstream .* The plugin acme \(harness-acme 1.0\), which may offer "
        r"it, was left out: .*\.$",
    ) as raised:
        registry.upstreams["acme-large"]
    assert culprit in str(raised.value)


def test_verbs_of_a_plugin_that_fails_are_left_out(installed):
    def harness_commands(self, app):
        raise ValueError("no verb")

    installed(Point("acme", plugin(harness_commands)), Point("toys", ToyPlugin()))
    registry = Registry.of(plugin_manager())
    registry.add_commands(click.Group())
    assert {p.name: p.problem for p in registry.plugins} == {
        "toys": "",
        "acme": "ValueError: no verb",
    }


def test_a_plugin_can_be_switched_off(installed, monkeypatch):
    installed(Point("toy", ToyPlugin()))
    monkeypatch.setenv("HARNESS_BLOCK", "other, toy")
    registry = Registry.of(plugin_manager())
    assert len(registry.upstreams) == 0
    assert registry.plugins[0].blocked
    with pytest.raises(UnknownNameError, match="switched off by HARNESS_BLOCK"):
        registry.upstreams["toy"]


def test_of_two_packages_with_one_plugin_name_the_second_is_left_out(installed):
    installed(Point("toy", ToyPlugin()), Point("toy", ToyPlugin()))
    registry = Registry.of(plugin_manager())
    assert [upstream.name for upstream in registry.upstreams] == ["toy"]
    assert registry.plugins[-1].problem == "toy has that name, too"


def test_the_identity_of_a_plugin_is_its_package_unless_it_is_bundled():
    acme = Plugin(name="acme", distribution="harness-acme", version="1.0")
    assert acme.identity == "harness-acme 1.0"
    assert replace(acme, distribution="speech-harness").identity == ""
    assert replace(acme, distribution="").identity == ""


def test_what_a_plugin_raises_at_work_is_one_sentence():
    with (
        pytest.raises(PluginError) as raised,
        isolated("acme (harness-acme 1.0)", "loading acme"),
    ):
        raise RuntimeError("bad\x1b[31m weights\nand a second line")
    assert str(raised.value) == (
        "The plugin acme (harness-acme 1.0) failed while loading acme: RuntimeError: "
        "bad\\x1b[31m weights. Update it, or switch it off with HARNESS_BLOCK=acme."
    )


def test_a_plugins_own_sentence_passes():
    with (
        pytest.raises(CheckpointError, match=r"^It needs a key\.$"),
        isolated("a", "b"),
    ):
        raise CheckpointError("It needs a key.")


def test_an_interruption_passes():
    with pytest.raises(KeyboardInterrupt), isolated("acme", "loading acme"):
        raise KeyboardInterrupt


def asking(answer):
    def harness_upstream(self, name):
        return answer(name)

    manager = plugin_manager([])
    manager.register(plugin(harness_upstream), name="acme")
    return Registry.of(manager).upstreams


def test_a_question_that_raises_names_the_plugin():
    with pytest.raises(PluginError, match="acme failed while answering harness_upstr"):
        asking({}.__getitem__)["x:1"]


def test_an_answer_of_another_type_names_the_plugin():
    with pytest.raises(PluginError, match="harness_upstream returned a str, not an Up"):
        asking(str)["x:1"]


def test_a_question_that_is_refused_keeps_its_sentence():
    def refuse(name):
        raise CheckpointError(f"{name} is nowhere.")

    with pytest.raises(CheckpointError, match=r"^x:1 is nowhere\.$"):
        asking(refuse)["x:1"]


def test_an_event_that_raises_names_the_plugin():
    def harness_run_finished(self):
        raise ValueError("too late")

    manager = plugin_manager([])
    manager.register(plugin(harness_run_finished), name="acme")
    with pytest.raises(
        PluginError, match="acme failed while answering harness_run_finished: ValueErr"
    ):
        manager.hook.harness_run_finished(event=None)


def test_a_generator_that_raises_names_the_plugin():
    def harness_control_upstreams(self, upstream):
        yield upstream.name
        raise ValueError("no more")

    manager = plugin_manager([])
    manager.register(plugin(harness_control_upstreams), name="acme")
    with pytest.raises(PluginError, match="acme failed"):
        manager.hook.harness_control_upstreams(upstream=TOY)


# ---------------------------------------------------------------- what is bundled


def test_every_bundled_plugin_module_has_an_entry_point():
    points = importlib.metadata.entry_points(group="harness")
    modules = {
        point.value
        for point in points
        if point.dist is not None and point.dist.name == "speech-harness"
    }
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
