"""One test a hook: it is called, when and with what its specification says."""

from __future__ import annotations

import dataclasses

import click
import pytest
from toys import GRID, TONES, TOY

from harness import Executor, HarnessError, Renderer, Suite, Table, hookimpl
from harness.execution.executors import serial
from harness.registry import Registry, plugin_manager

LINEAR = (*GRID, "--downstream", "linear")


class Listener:
    """Hears every event of a run."""

    def __init__(self):
        self.heard = []

    @hookimpl
    def harness_run_started(self, cells, finished, runs):
        self.heard.append(("started", len(cells), finished, runs.name))

    @hookimpl
    def harness_result(self, result, runs):
        self.heard.append(("result", result.seed, runs.name))

    @hookimpl
    def harness_cell_failed(self, cell, error):
        self.heard.append(("failed", cell.seed, str(error)))

    @hookimpl
    def harness_run_finished(self, report):
        self.heard.append(("finished", report.computed, len(report.failed)))


@pytest.fixture
def listener(manager):
    listener = Listener()
    manager.register(listener)
    return listener


def offers(hook, *offered):
    """A plugin with one hook that gives something."""
    plugin = type("Plugin", (), {hook: hookimpl(lambda self: offered)})()
    return Registry.of(plugin_manager([plugin]))


def test_hook_harness_upstreams():
    assert list(offers("harness_upstreams", TOY).upstreams) == [TOY]


def test_hook_harness_downstreams(registry):
    head = registry.downstreams["linear"]
    assert list(offers("harness_downstreams", head).downstreams) == [head]


def test_hook_harness_corpora():
    assert list(offers("harness_corpora", TONES).corpora) == [TONES]


def test_hook_harness_suites(tmp_path):
    suite = Suite(name="mine", summary="", file=tmp_path / "mine.toml")
    assert list(offers("harness_suites", suite).suites) == [suite]


def test_hook_harness_executors(harness, manager):
    used = []

    def start(workers):
        used.append(workers)
        return serial(workers)

    class Plugin:
        @hookimpl
        def harness_executors(self):
            yield Executor(name="mine", summary="", start=start)

    manager.register(Plugin())
    mine = [word if word != "serial" else "mine" for word in LINEAR]
    assert harness("run", *mine, "--workers", "3")[0] == 0
    assert used == [3]


def test_hook_harness_renderers(harness, manager):
    def render(table: Table, *, width, colour):
        return f"{len(table.rows)} rows\n"

    class Plugin:
        @hookimpl
        def harness_renderers(self):
            yield Renderer(name="count", summary="", render=render)

    manager.register(Plugin())
    harness("run", *LINEAR)
    assert harness("leaderboard", "--format", "count")[1] == "1 rows\n"


def test_hook_harness_control_upstreams(harness, manager):
    class Plugin:
        @hookimpl
        def harness_upstreams(self):
            yield dataclasses.replace(TOY, name="rival")

        @hookimpl
        def harness_control_upstreams(self, upstream):
            return ["rival"] if upstream.name == "toy" else []

    manager.register(Plugin())
    asked = ("plan", "--upstream", "toy", "--corpus", "tones")
    asked += ("--downstream", "linear,nonlinear")
    assert "rival" not in harness(*asked)[1]
    assert "rival" not in harness(*asked, "--no-controls", "--all-controls")[1]
    (row,) = (
        line
        for line in harness(*asked, "--all-controls")[1].splitlines()
        if line.startswith("rival")
    )
    assert row.split()[4] == "1"  # the head that reads means


def test_hook_harness_upstream(harness, manager):
    class Plugin:
        @hookimpl
        def harness_upstream(self, name):
            return TOY if name == "any:thing" else None

    manager.register(Plugin())
    grid = [word if word != "toy" else "any:thing" for word in LINEAR]
    assert harness("run", *grid)[0] == 0
    assert harness("run", *[word if word != "toy" else "no" for word in LINEAR])[0] == 2


def test_hook_harness_corpus(harness, manager, tones):
    class Plugin:
        @hookimpl
        def harness_corpus(self, name):
            return TONES if name == "any:where" else None

    manager.register(Plugin())
    grid = [word if word != "tones" else "any:where" for word in LINEAR]
    assert harness("run", *grid)[0] == 0


def test_hook_harness_corpus_root(harness, manager, tones):
    asked = []

    class Plugin:
        @hookimpl
        def harness_corpus_root(self, corpus, cache):
            asked.append((corpus.name, cache.name))
            return tones

    manager.register(Plugin())
    assert harness("run", *LINEAR, "--data-root", "nowhere")[0] == 0
    assert asked == [("tones", "cache")]


def test_hook_harness_finished_runs(harness, manager, listener):
    class Plugin:
        @hookimpl
        def harness_finished_runs(self, runs):
            return frozenset()

    harness("run", *LINEAR)
    manager.register(Plugin())
    harness("run", *LINEAR)
    started = [event[1:3] for event in listener.heard if event[0] == "started"]
    assert started == [(1, 0), (1, 0)]


def test_hook_harness_run_started_may_stop_a_run(harness, manager, tmp_path):
    class Plugin:
        @hookimpl
        def harness_run_started(self, cells):
            raise HarnessError("Not today. Try tomorrow.")

    manager.register(Plugin())
    code, _, err = harness("run", *LINEAR)
    assert code == 2
    assert err.endswith("error: Not today. Try tomorrow.\n")
    assert not (tmp_path / "cache" / "features").exists()


def test_hook_harness_result(harness, listener):
    harness("run", *LINEAR, "--seeds", "0-1")
    assert [e for e in listener.heard if e[0] == "result"] == [
        ("result", 0, "runs"),
        ("result", 1, "runs"),
    ]


def test_hook_harness_cell_failed(harness, listener, manager):
    class Plugin:
        @hookimpl
        def harness_downstreams(self):
            from harness import Downstream, Reads

            def fit(train, labels, *, classes, seed):
                raise HarnessError("No.")

            reads = Reads(layers="last", frames=False)
            yield Downstream(name="never", summary="", reads=reads, fit=fit)

    manager.register(Plugin())
    assert harness("run", *GRID, "--downstream", "never", "--keep-going")[0] == 3
    assert listener.heard[1:] == [("failed", 0, "No."), ("finished", 0, 1)]


def test_hook_harness_run_finished(harness, listener):
    harness("run", *LINEAR)
    assert listener.heard[0] == ("started", 1, 0, "runs")
    assert listener.heard[-1] == ("finished", 1, 0)


def test_hook_harness_commands(harness, manager):
    class Plugin:
        @hookimpl
        def harness_commands(self, app):
            @app.command("hello")
            @click.pass_obj
            def hello(registry):
                click.echo(len(registry.corpora) > 0)

    manager.register(Plugin())
    assert harness("hello") == (0, "True\n", "")
