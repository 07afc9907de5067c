"""What somebody sees who has just installed the program."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import click
import pytest
from click.shell_completion import BashComplete
from toys import GRID

from harness.cli.main import application
from harness.registry import Registry, plugin_manager


def verbs():
    """Every verb of the program, those of groups too, as words."""
    app = application(REGISTRY)
    found: dict[tuple[str, ...], click.Command] = {(): app}
    for name, verb in app.commands.items():
        found[name,] = verb
        inner = getattr(verb, "commands", {})
        found |= {(name, word): one for word, one in inner.items()}
    return found


REGISTRY = Registry.of(plugin_manager())
VERBS = verbs()


def context_of(verb):
    """The context of a verb of the program, whose plugins its help asks."""
    return click.Context(verb, info_name="harness", obj=REGISTRY, max_content_width=100)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_help_fits_its_width_and_has_no_marker_of_click(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    for words, verb in VERBS.items():
        shown = verb.get_help(context_of(verb))
        assert "\b" not in shown, words
        assert "\\b" not in shown, words
        assert max(map(len, shown.splitlines())) <= width, words


def test_help_says_defaults_and_ranges_in_words(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    for words, verb in VERBS.items():
        shown = verb.get_help(context_of(verb))
        for odd in ("<=", ">=", "<x", "default: ("):
            assert odd not in shown, words
        shown = " ".join(shown.split())
        if words == ("run",):
            assert "such as kfold. [default: 5; 3 to 1000]" in shown
            assert "Of the split. [default: 0] " in shown
        if words == ("compare",):
            assert "[above 0]" in shown


def test_no_verbs_summary_is_cut(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = VERBS[()].get_help(context_of(VERBS[()]))
    listed = shown.partition("Commands:")[2].partition("Examples:")[0]
    assert "..." not in listed
    alone = [words for words in VERBS if len(words) == 1]
    assert len(listed.strip().splitlines()) == len(alone)


def test_every_example_stands_on_a_line_of_its_own():
    for verb in VERBS.values():
        lines = verb.get_help(context_of(verb)).splitlines()
        examples = [line for line in lines if line.startswith("    harness ")]
        assert all(line.count("harness ") == 1 for line in examples)


def test_every_option_says_what_it_is_for():
    for words, verb in VERBS.items():
        for option in verb.params:
            said = isinstance(option, click.Argument) or option.help
            assert said or option.name == "form", (words, option.name)


def test_the_program_is_a_module_too():
    done = subprocess.run(
        [sys.executable, "-m", "harness", "--version"], capture_output=True, text=True
    )
    assert done.stdout.startswith("speech-harness")


# ---------------------------------------------------------------- completion


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (("run", "--upstream", "whisper-t"), "whisper-tiny"),
        (("run", "--upstream", "fbank,wavlm"), "fbank,wavlm-base-plus"),
        (("plan", "--downstream", "lin"), "linear"),
        (("run", "--corpus", "emod"), "emodb"),
        (("run", "--split", "lo"), "loso"),
        (("leaderboard", "--view", "tr"), "transfer"),
        (("leaderboard", "--format", "m"), "markdown"),
        (("compare", "--metric", "u"), "uar"),
        (("figure", "c"), "confusion"),
        (("list", "ren"), "renderers"),
        (("corpus", "info", "eyas"), "eyase"),
    ],
)
def test_a_shell_completes_names(words, first):
    shell = BashComplete(VERBS[()], {"obj": REGISTRY}, "harness", "_HARNESS_COMPLETE")
    *before, begun = words
    assert shell.get_completions(before, begun)[0].value == first


def test_completing_loads_no_torch():
    code = (
        "import sys; from harness.cli.main import execute; code = execute([]);"
        "print('torch' in sys.modules); sys.exit(code)"
    )
    variables = {
        "_HARNESS_COMPLETE": "bash_complete",
        "COMP_WORDS": "harness run --upstream fba",
        "COMP_CWORD": "3",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | variables,
    )
    assert done.stdout.split() == ["plain,fbank", "False"]


# ---------------------------------------------------------------- for programs


def test_a_plan_is_printed_as_json(harness):
    code, out, _ = harness("plan", *GRID, "--downstream", "linear", "--format", "json")
    assert code == 0
    said = json.loads(out)
    assert said["cells"] == len(said["runs"])
    assert said["done"] == 0
    assert sum(pair["cells"] for pair in said["pairs"]) == said["cells"]
    assert {pair["upstream"] for pair in said["pairs"]} >= {"toy"}
    assert said["takes"]["tasks"] > 0
    assert said["splits"][0]["folds"][0]["sizes"]


def test_what_the_json_of_a_plan_names_is_what_a_run_stores(harness):
    words = (*GRID, "--downstream", "linear")
    before = json.loads(harness("plan", *words, "--format", "json")[1])
    harness("run", *words)
    after = json.loads(harness("plan", *words, "--format", "json")[1])
    assert after["done"] == before["cells"]
    assert [one["run_id"] for one in after["runs"]] == [
        one["run_id"] for one in before["runs"]
    ]


def test_at_debug_the_scheduler_reports_each_task(harness, caplog):
    caplog.set_level(logging.DEBUG, "harness")
    harness("run", *GRID, "--downstream", "linear", "--executor", "serial")
    texts = [record.getMessage() for record in caplog.records]
    assert any(text.startswith("start certify") for text in texts)
    assert any(text.startswith("end fit") for text in texts)
