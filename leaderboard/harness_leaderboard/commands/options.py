"""The options that the verbs share, and what is read for them."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.choices import FIELDS, chosen, offered
from harness.errors import ExitCode, HarnessError, UnknownNameError
from harness.training.metrics import macro_f1
from harness_leaderboard.analysis.luck import spreads_of
from harness_leaderboard.analysis.question import DEFAULTS, Question, suited
from harness_leaderboard.commands.output import caller, warn
from harness_leaderboard.results import folders, reading
from harness_leaderboard.results.columns import NONE, absent, chosen_by
from harness_leaderboard.results.rescore import scored_anew

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import pyarrow as pa

    from harness.registry import Names, Registry
    from harness.types import Metric, Renderer
    from harness_leaderboard.results.folders import Folder

Filters = dict[str, set[str]]
"""The values that a column may have, by its name."""


INCOMPLETE = "harness_leaderboard.incomplete"
"""The key of a context's ``meta`` that is set where results vanished during reading."""


WORDS = "harness_leaderboard.words"
"""The key of a context's ``meta`` that holds the words of the command."""

HERE = ("--runs", "--out")
"""Options that say something of this machine alone."""


def made_by() -> str:
    """Spell the command that runs, without what is true of this machine alone."""
    words: list[str] = click.get_current_context().meta[WORDS]
    kept, value_is_local = [], False
    for word in words:
        if word.partition("=")[0] in HERE:
            value_is_local = "=" not in word
        elif value_is_local:
            value_is_local = False
        else:
            kept.append(word)
    return shlex.join(["harness", *kept])


class Reading(click.Command):
    """A verb that reads results, and leaves with 3 where some vanished meanwhile."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words, as what a table was made by."""
        ctx.meta[WORDS] = [ctx.info_name or "", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - of any verb
        """Run the verb."""
        code = super().invoke(ctx)
        return ExitCode.SOME_CELLS_FAILED if INCOMPLETE in ctx.meta else code


def _offered(kind: str, ctx: click.Context | None) -> Names[Any]:
    registry: Registry = (ctx or click.get_current_context()).obj
    names: Names[Any] = getattr(registry, kind)
    return names


class NameOption(click.Option):
    """The name of something that plugins offer; ``--help`` lists what there is."""

    def __init__(self, *args: Any, offers: str = "", **settings: Any) -> None:  # noqa: ANN401
        """Take the field of ``Registry`` that holds the offers."""
        super().__init__(*args, shell_complete=offered(offers), **settings)
        self.offers = offers

    def make_metavar(self, ctx: click.Context | None = None) -> str:
        """List the names."""
        return f"[{'|'.join(one.name for one in _offered(self.offers, ctx))}]"


_runs = partial(
    click.option,
    "--runs",
    default="runs",
    envvar="HARNESS_RUNS",
    show_default=True,
    show_envvar=True,
)
RUNS = _runs(
    type=folders.folder,
    help="Folder of results, read with all folders inside it; or the URI of one "
    "elsewhere, such as s3://bucket/runs.",
)
RUNS_HERE = _runs(
    type=click.Path(path_type=Path), help="Folder of results, on this machine."
)
METRIC = click.option(
    "--metric",
    cls=NameOption,
    offers="metrics",
    help="What is averaged. Macro-F1 and UAR weigh every class the same, weighted F1 "
    "and accuracy every utterance; CCC, Pearson's r and RMSE are of numbers. One that "
    "a result was stored without is computed from its predictions.  [default: "
    "macro_f1; ccc where numbers alone are predicted]",
)
ONLY = click.option(
    "--only",
    multiple=True,
    metavar=FIELDS,
    help="Only results that have one of these values, such as split=loso or "
    "corpus=emodb,emovo (the corpus that is trained on). Takes every field of the "
    "condition, and fold, seed, device, harness_version; 'none' is no such value, and "
    "perturbation=clean recordings as they are. May be given several times.",
)
FORMAT = click.option(
    "--format",
    "form",
    cls=NameOption,
    offers="renderers",
    help="How the table is printed; by default for the terminal, or as the ending of "
    "--out says. CSV and JSON hold fractions of one, the others percent; all hold an "
    "RMSE in the units of the target.",
)


WIDTH = click.option(
    "--width",
    type=click.Choice(["column", "page"]),
    help="How wide it is made for a paper: a column (80 mm) or a page of two columns "
    "(170 mm), with no letter below 8 pt.",
)
POOLED = click.option(
    "--pooled",
    is_flag=True,
    help="Score the predictions of all folds of a seed as one test part. By default a "
    "figure is the mean of its folds' scores, each over the labels that the fold has.",
)


def question_of(
    registry: Registry,
    metric: str | None,
    *,
    against: bool = False,
    pooled: bool = False,
    detect: float | None = None,
) -> Question:
    """Return what is asked of a view.

    Args:
        registry: Of the plugins.
        metric: Its name, ``None`` for what suits the results (see ``suited``).
        against: Whether the paper's figures are set beside ours.
        pooled: Whether the folds of a seed are scored as one test part.
        detect: A difference that matters.

    Raises:
        UnknownNameError: Where no plugin offers the metric.
    """
    return Question(
        metric=registry.metrics[metric] if metric else macro_f1,
        named=metric is not None,
        against=against,
        pooled=pooled,
        detect=detect,
        controls=controls_of(registry),
        classifiers=frozenset(d.name for d in registry.downstreams if d.upstream),
        pretraining={one.name: one.languages for one in registry.upstreams},
        spreads=spreads_of(registry),
    )


def renderer_of(
    registry: Registry, form: str | None, out: Path | None = None
) -> Renderer:
    """Return the form that was asked for, or that a file's ending stands for.

    Raises:
        HarnessError: Where an ending stands for none.
        UnknownNameError: Where no plugin offers the form.
    """
    if form or not out or (out.exists() and not out.is_file()):
        return registry.renderers[form or "rich"]
    endings = {end: one for one in registry.renderers for end in one.endings}
    if (ending := out.suffix.lower()) not in endings:
        raise HarnessError(
            f"The ending of {out} stands for no form. Choose one by --format, or name "
            f"a file that ends in {', '.join(sorted(endings))}."
        )
    return endings[ending]


def width_of(renderer: Renderer, width: str | None) -> int | None:
    """Return what a form is passed for ``--width``; none where it has no widths.

    Raises:
        HarnessError: Where a width was asked for that the form does not have.
    """
    if width is not None and width not in renderer.widths:
        raise HarnessError(
            f"--width {width} is for LaTeX and figures; '{renderer.name}' has no such "
            "width. Add --format latex, or leave --width out."
        )
    return renderer.widths.get(width or "")


def controls_of(registry: Registry) -> frozenset[str]:
    """Name the upstreams and downstreams that others must beat."""
    offers = (*registry.upstreams, *registry.downstreams)
    return frozenset(one.name for one in offers if one.control)


def filters_of(only: Sequence[str]) -> Filters:
    """Read ``field=value,value`` options (see ``choices.chosen``)."""
    return {field: set(of) for field, of in chosen(only, chosen_by()).items()}


def asked(
    runs: Folder,
    columns: Callable[[Question], Collection[str]],
    only: Filters,
    question: Question,
    *metrics: Metric,
) -> tuple[pa.Table, Question]:
    """Read results for a question, and take the metric that suits them.

    Args:
        runs: The folder.
        columns: Those that are needed for a question.
        only: The filters.
        question: What is asked.
        metrics: Others that are needed, too.

    Raises:
        HarnessError: Where there is no result.
    """
    needed = columns(question) if question.named else (*columns(question), *DEFAULTS)
    table = read(runs, needed, only, [question.metric, *metrics])
    return table, question if question.named else suited(question, table)


def read(
    runs: Folder,
    columns: Collection[str],
    only: Filters,
    metrics: Collection[Metric],
) -> pa.Table:
    """Read results that pass the filters, and name on stderr what is left out.

    Args:
        runs: The folder.
        columns: Flat columns, those of metrics among them.
        only: The filters.
        metrics: Which are computed from predictions where they are not stored.

    Raises:
        HarnessError: Where there is none.
    """
    known = chosen_by()
    needed = (*columns, *(known[word] for word in only))
    by = caller()
    ids = by.run_ids if by else None
    table, left_out = reading.read_runs(runs, tuple(dict.fromkeys(needed)), run_ids=ids)
    warn(left_out)
    if any(reading.VANISHED in sentence for sentence in left_out):
        click.get_current_context().meta[INCOMPLETE] = True
    if not len(table):
        what = "holds no results" if folders.exists(runs) else "does not exist"
        raise HarnessError(
            f"The folder {runs} {what}. Make some with 'harness run --upstream … "
            f"--downstream … --corpus … --runs {runs}', or name another with --runs."
        )
    for word, values in only.items():
        column = known[word]
        asked = {absent(column) if one.casefold() == NONE else one for one in values}
        present = reading.values(table, column)
        if missing := sorted(asked - present):
            raise UnknownNameError(word, missing[0], present)
        table = reading.only(table, column, asked)
    for metric in metrics:
        table = scored_anew(table, metric, runs)
    return table
