"""The command line: one verb a question, and the exit code of each answer.

Results go to stdout, messages and progress to stderr. Nothing heavy is imported before
a verb needs it, since ``harness --help`` is typed more often than anything else.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from harness import __version__
from harness.cli.caching import cache
from harness.cli.console import say
from harness.cli.corpus import corpus
from harness.cli.listing import list_offers
from harness.cli.plugins import check, new_plugin
from harness.cli.running import plan, run
from harness.cli.splitting import split
from harness.errors import ExitCode, HarnessError
from harness.registry import PluginManager, Registry, plugin_manager

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = (run, plan, list_offers, corpus, split, cache, check, new_plugin)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave with its exit code."""
    sys.exit(execute(arguments))


def execute(
    arguments: Sequence[str] | None = None, manager: PluginManager | None = None
) -> ExitCode:
    """Run the program.

    Args:
        arguments: Of the command line; by default the process' own.
        manager: The plugins; by default all that are installed.
    """
    try:
        registry = Registry.of(manager or plugin_manager())
        application = _application(registry)
        for plugin in registry.plugins:
            if plugin.problem and not plugin.blocked:
                say(f"warning: the plugin {plugin} is left out: {plugin.problem}")
        code = application.main(
            arguments, prog_name="harness", standalone_mode=False, obj=registry
        )
        return ExitCode(code or 0)
    except click.ClickException as error:
        error.show()
        return ExitCode.USER
    except HarnessError as error:
        say(f"error: {error}")
        return ExitCode.USER
    except (KeyboardInterrupt, click.Abort):
        say("Interrupted. What was finished is kept; the same command goes on with it.")
        return ExitCode.INTERRUPTED


def _application(registry: Registry) -> click.Group:
    """Gather the core's verbs and the plugins'."""

    @click.group(
        context_settings={
            "help_option_names": ["-h", "--help"],
            "max_content_width": 100,
        },
        epilog="\b\nExample:\n"
        "  harness run --upstream fbank --downstream linear --corpus demo\n"
        "  harness leaderboard",
    )
    @click.version_option(__version__, prog_name="speech-harness")
    def app() -> None:
        """Measure how much emotion can be read out of a frozen speech model."""

    for verb in VERBS:
        app.add_command(verb)
    registry.add_commands(app)
    return app
