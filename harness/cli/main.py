"""The command line: one verb a question, and the exit code of each answer.

Results go to stdout, messages and progress to stderr. Nothing heavy is imported before
a verb needs it, since ``harness --help`` is typed more often than anything else.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import shell_complete

from harness import __version__
from harness.cli import logs
from harness.cli.caching import cache
from harness.cli.console import abandon, ready_streams, say
from harness.cli.corpus import corpus
from harness.cli.exporting import features
from harness.cli.failures import report, traced
from harness.cli.interrupts import Terminated, end_unheard, orderly_end
from harness.cli.listing import list_offers
from harness.cli.options import CACHE_FOLDER, default_cache
from harness.cli.plugins import check, new_plugin
from harness.cli.running import plan, run
from harness.cli.splitting import split
from harness.errors import ExitCode, HarnessError
from harness.registry import PluginManager, Registry, plugin_manager

if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = (run, plan, list_offers, corpus, split, features, cache, check, new_plugin)

DEBUG = "harness.debug"
"""Among a context's ``meta``: whether tracebacks are printed."""

COMPLETION = "_HARNESS_COMPLETE"
"""The variable by which a shell asks click for completions."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave with its exit code."""
    code = execute(arguments)
    if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.HUNG_UP):
        end_unheard(code - 128)
    sys.exit(code)


def execute(
    arguments: Sequence[str] | None = None, manager: PluginManager | None = None
) -> ExitCode:
    """Run the program, and say in a sentence what ended it.

    Args:
        arguments: Of the command line; by default the process' own.
        manager: The plugins; by default all that are installed.
    """
    ready_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    meta: dict[str, Any] = {DEBUG: bool(os.environ.get("HARNESS_DEBUG"))}
    with orderly_end():
        try:
            code = _invoke(words, manager, meta)
            sys.stdout.flush()
            return code
        except SystemExit as error:
            if isinstance(error.__context__, BrokenPipeError):  # rich ends so
                return ExitCode.BROKEN_PIPE
            raise
        except (Exception, KeyboardInterrupt) as error:
            if meta[DEBUG]:
                say(traced(error))
            _flush()
            return _end(error, meta)


def _invoke(
    words: list[str], manager: PluginManager | None, meta: dict[str, Any]
) -> ExitCode:
    """Run the verb, and keep in ``meta`` what is needed to report how it ended."""
    registry = Registry.of(manager or plugin_manager())
    app = application(registry)
    if instruction := os.environ.get(COMPLETION):
        return ExitCode(
            shell_complete(app, {"obj": registry}, "harness", COMPLETION, instruction)
        )
    for plugin in registry.plugins:
        if plugin.problem and not plugin.blocked:
            say(f"warning: the plugin {plugin} is left out: {plugin.problem}")
    try:
        with app.make_context("harness", words, obj=registry) as context:
            meta[DEBUG] = context.params["debug"]
            try:
                code = app.invoke(context)
            finally:
                meta |= context.meta
    except click.exceptions.Exit as error:
        code = error.exit_code
    return ExitCode(code or 0)


def _end(error: BaseException, meta: dict[str, Any]) -> ExitCode:
    """Say what ended the program, and choose its exit code."""
    if isinstance(error, BrokenPipeError):  # as of 'harness list | head -1'
        return ExitCode.BROKEN_PIPE
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        say("Interrupted. What was finished is kept; the same command goes on with it.")
        return error.code if isinstance(error, Terminated) else ExitCode.INTERRUPTED
    if isinstance(error, click.ClickException):
        shown = io.StringIO()
        error.show(shown)
        say(shown.getvalue().rstrip())
        return ExitCode.USER
    if isinstance(error, HarnessError):
        say(f"error: {error}")
        return ExitCode.USER
    sentence, is_bug = report(error, meta.get(CACHE_FOLDER) or default_cache())
    say(f"error: {sentence}")
    return ExitCode.BUG if is_bug else ExitCode.USER


def _flush() -> None:
    """Write what is left to print; where that fails again, drop it."""
    try:
        sys.stdout.flush()
    except OSError:
        abandon(sys.stdout)


HELP = """Measure how much emotion can be read out of a frozen speech model.

A speech model, such as Whisper, is run over recordings of emotional speech (a corpus),
and is not trained. Small classifiers are: they name the emotion from the model's hidden
states, and are scored on speakers that they have not been trained on. Tables say which
model is better, and whether that is more than chance.

\b
In options and tables:
  upstream    a frozen speech model
  downstream  a classifier on top of it, or head
  corpus      recordings with their emotions and speakers
  control     what a score must beat: guessing, log-mels, permuted labels
"""

EXAMPLES = """\b
Examples:
  harness list upstreams
  harness run --upstream fbank --downstream linear --corpus demo
  harness leaderboard

\b
The tab key completes verbs, options and names, in bash (zsh, fish) after:
  eval "$(_HARNESS_COMPLETE=bash_source harness)"
"""


class Verbs(click.Group):
    """The verbs, in the order in which a user meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the core's in the order of ``VERBS``, then those of plugins."""
        return list(self.commands)


def application(registry: Registry) -> click.Group:
    """Gather the core's verbs and the plugins'."""

    @click.group(
        cls=Verbs,
        context_settings={
            "help_option_names": ["-h", "--help"],
            "max_content_width": 100,
        },
        help=HELP,
        epilog=EXAMPLES,
    )
    @click.version_option(__version__, prog_name="speech-harness")
    @click.option(
        "--debug",
        is_flag=True,
        envvar="HARNESS_DEBUG",
        help="Print the traceback of what ends the program, too.",
    )
    @click.option(
        "--log-level",
        type=click.Choice(logs.LEVELS),
        default=logs.DEFAULT,
        envvar="HARNESS_LOG_LEVEL",
        show_default=True,
        help="How much libraries, and at 'debug' the scheduler, report on stderr.",
    )
    def app(debug: bool, log_level: str) -> None:
        """Begin to report; ``HELP`` is what a user reads of it."""
        logs.begin(log_level)

    for verb in VERBS:
        app.add_command(verb)
    registry.add_commands(app)
    return app
