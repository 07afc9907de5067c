"""One test a hook: it is called, when and with what its specification says."""

from __future__ import annotations

import dataclasses

import click
import pytest
from toys import GRID, TONES, TOY

from harness import (
    Executor,
    Fold,
    HarnessError,
    Perturbation,
    Renderer,
    SplitStrategy,
    Suite,
    Table,
    Target,
    hookimpl,
    metric,
    results,
)
from harness.execution.executors import serial
from harness.registry import Registry, plugin_manager


@metric("Half")
def always_half(predictions):
    """One half."""
    return 0.5


LINEAR = (*GRID, "--downstream", "linear")


class Listener:
    """Notes every event of a run."""

    def __init__(self):
        self.noted = []

    @hookimpl
    def harness_run_starting(self, event):
        self.noted.append(("starting", event.runs.name))

    @hookimpl
    def harness_run_started(self, event):
        cells, finished = len(event.cells), event.finished
        self.noted.append(("started", cells, finished, event.runs.name))

    @hookimpl
    def harness_result(self, event):
        self.noted.append(("result", event.result.seed, event.runs.name))

    @hookimpl
    def harness_cell_failed(self, event):
        self.noted.append(("failed", event.cell.seed, str(event.error)))

    @hookimpl
    def harness_run_finished(self, event):
        ended = "stopped" if event.stopped else "finished"
        self.noted.append((ended, event.computed, len(event.failed)))


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


def test_hook_harness_perturbations():
    hiss = Perturbation(name="hiss", summary="", apply=lambda speech: speech.waveform)
    assert list(offers("harness_perturbations", hiss).perturbations) == [hiss]


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


def test_hook_harness_targets(harness, manager):
    class Plugin:
        @hookimpl
        def harness_targets(self):
            yield Target(name="take", summary="", value=lambda one: one.id[-5])

    manager.register(Plugin())
    assert harness("run", *LINEAR, "--target", "take")[0] == 0
    (row,) = results("runs").results.to_pylist()
    assert (row["target"], row["labels"]) == ("take", ["0", "1", "2", "3"])


def test_hook_harness_control_upstreams(harness, manager):
    class Plugin:
        @hookimpl
        def harness_upstreams(self):
            yield dataclasses.replace(TOY, name="rival")

        @hookimpl
        def harness_control_upstreams(self, upstream):
            return ["rival"] if upstream.name == "toy" else []

    manager.register(Plugin())
    asked = (
        *("plan", "--upstream", "toy", "--corpus", "tones"),
        *("--downstream", "linear,nonlinear"),
    )
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
    started = [event[1:3] for event in listener.noted if event[0] == "started"]
    assert started == [(1, 0), (1, 0)]


def test_hook_harness_stored_results():
    asked = []

    class Plugin:
        @hookimpl
        def harness_stored_results(self, options, run):
            registry = click.get_current_context().obj
            asked.append((dict(options), run, type(registry)))
            return "all of them"

    found: object = results("here", only={"seed": 0}, plugins=[Plugin()])
    assert found == "all of them"
    assert asked == [({"runs": "here", "only": {"seed": 0}}, None, Registry)]


def test_hook_harness_run_starting_may_stop_a_run(harness, manager, tmp_path):
    class Plugin:
        @hookimpl
        def harness_run_starting(self, event):
            raise HarnessError("Not today. Try tomorrow.")

    manager.register(Plugin())
    code, _, err = harness("run", *LINEAR)
    assert code == 2
    assert err.endswith("error: Not today. Try tomorrow.\n")
    assert not (tmp_path / "cache" / "features").exists()


def test_hook_harness_run_finished_is_called_where_a_run_is_refused(
    harness, listener, manager
):
    class Plugin:
        @hookimpl
        def harness_run_starting(self, event):
            raise HarnessError("Not today. Try tomorrow.")

    harness("run", *LINEAR)
    manager.register(Plugin())
    code, out, _ = harness("run", *LINEAR, "--seeds", "0-1")
    assert (code, out) == (2, "")
    assert listener.noted[-1] == ("stopped", 0, 0)


def test_hook_harness_result(harness, listener):
    harness("run", *LINEAR, "--seeds", "0-1")
    assert [e for e in listener.noted if e[0] == "result"] == [
        ("result", 0, "runs"),
        ("result", 1, "runs"),
    ]


def test_hook_harness_cell_failed(harness, listener, manager):
    class Plugin:
        @hookimpl
        def harness_downstreams(self):
            from harness import Downstream, Reads

            def fit(train, labels, *, valid, classes, seed):
                raise HarnessError("No.")

            reads = Reads(layers="last", frames=False)
            yield Downstream(name="never", summary="", reads=reads, fit=fit)

    manager.register(Plugin())
    assert harness("run", *GRID, "--downstream", "never", "--keep-going")[0] == 3
    assert listener.noted[2:] == [("failed", 0, "No."), ("finished", 0, 1)]


def test_hook_harness_run_finished(harness, listener):
    harness("run", *LINEAR)
    assert listener.noted == [
        ("starting", "runs"),
        ("started", 1, 0, "runs"),
        ("result", 0, "runs"),
        ("finished", 1, 0),
    ]


def test_hook_harness_run_finished_is_called_however_a_run_ends(
    harness, listener, manager, monkeypatch
):
    class Plugin:
        @hookimpl
        def harness_result(self, event):
            raise KeyboardInterrupt

    manager.register(Plugin())
    assert harness("run", *LINEAR)[0] == 130
    assert listener.noted[-1] == ("stopped", 0, 0)


def test_hook_harness_run_started(harness, listener):
    harness("run", *LINEAR, "--seeds", "0-2")
    assert listener.noted[1] == ("started", 3, 0, "runs")


def test_hook_harness_splits(harness, manager):
    class Plugin:
        @hookimpl
        def harness_splits(self):
            yield SplitStrategy(name="first-speaker", summary="", divide=divide)

    def divide(utterances, options):
        of = lambda *names: tuple(u.id for u in utterances if u.speaker in names)  # noqa: E731
        yield Fold(name="0", train=of("s2", "s3", "s4"), valid=of("s1"), test=of("s0"))

    manager.register(Plugin())
    assert harness("run", *LINEAR, "--split", "first-speaker")[0] == 0


def test_hook_harness_metrics(harness, manager):
    class Plugin:
        @hookimpl
        def harness_metrics(self):
            yield always_half

    manager.register(Plugin())
    assert harness("run", *LINEAR)[0] == 0
    code, out, _ = harness("leaderboard", "--metric", "always_half")
    assert code == 0
    assert "Half in percent" in out
    assert "50.0" in out


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
