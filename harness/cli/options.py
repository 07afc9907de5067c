"""The options that several verbs share, and the request that they make up."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import platformdirs

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.registry import Registry
    from harness.execution.request import Grid, Request


def names(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Split ``a,b,c``, each name once."""
    if value is None:
        return ()
    found = tuple(dict.fromkeys(filter(None, map(str.strip, value.split(",")))))
    if not found:
        raise click.BadParameter("it names nothing.")
    return found


def _seeds(_: click.Context, __: click.Parameter, value: str) -> tuple[int, ...]:
    """Read ``0-4`` or ``0,2,5``."""
    seeds: list[int] = []
    try:
        for piece in value.split(","):
            first, _dash, last = piece.partition("-")
            seeds += range(int(first), int(last or first) + 1)
    except ValueError:
        raise click.BadParameter(f"'{value}' is not like 0-4 or 0,2,5.") from None
    if not seeds:
        raise click.BadParameter(f"'{value}' holds no seed.")
    return tuple(dict.fromkeys(seeds))


def _checkpoints(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> dict[str, Path]:
    """Read ``NAME=FOLDER``."""
    pairs = [value.partition("=") for value in values]
    for name, equals, folder in pairs:
        if not (name and equals and folder):
            raise click.BadParameter(f"'{name}' is not like whisper-base=FOLDER.")
    return {name: Path(folder).expanduser() for name, _, folder in pairs}


def _only(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Read ``corpus=emodb,emovo``."""
    from harness.execution.suites import AXES

    chosen = {}
    for value in values:
        axis, equals, listed = value.partition("=")
        if axis not in AXES or not (equals and listed):
            raise click.BadParameter(f"'{value}' is not like corpus=emodb,emovo.")
        chosen[axis] = tuple(name.strip() for name in listed.split(","))
    return chosen


CHECKPOINT = click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    callback=_checkpoints,
    metavar="U=FOLDER",
    help="A local checkpoint of an upstream; $HARNESS_CHECKPOINTS/U also counts.",
)
DATA_ROOT = click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    envvar="HARNESS_DATA",
    default=Path("data"),
    show_default="data, or $HARNESS_DATA",
    help="The folder with one folder a corpus.",
)
CACHE = click.option(
    "--cache",
    "cache_folder",
    type=click.Path(path_type=Path),
    envvar="HARNESS_CACHE",
    default=lambda: Path(platformdirs.user_cache_dir("speech-harness")),
    show_default="the user's cache folder, or $HARNESS_CACHE",
    help="Where features are kept.",
)
RUNS = click.option(
    "--runs",
    type=click.Path(path_type=Path),
    envvar="HARNESS_RUNS",
    default=Path("runs"),
    show_default="runs, or $HARNESS_RUNS",
    help="Where results are kept.",
)
SKIP_BAD = click.option(
    "--skip-bad",
    is_flag=True,
    help="Go on without audio files that cannot be used; results name them.",
)
SPLIT = (
    click.option(
        "--split",
        "strategy",
        default="speaker-independent",
        show_default=True,
        help="speaker-independent (80/10/10), loso, kfold, stratified (speakers in "
        "several parts), published (that of the corpus' published files), column (of "
        "a table), or a file written by 'harness split'.",
    ),
    click.option(
        "--folds",
        type=click.IntRange(3),
        default=5,
        show_default=True,
        help="Of kfold.",
    ),
    click.option(
        "--split-seed", type=int, default=0, show_default=True, help="Of the split."
    ),
)
GRID = (
    click.option(
        "--upstream",
        "upstreams",
        callback=names,
        metavar="U[,U…]",
        help="Speech models; see 'harness list upstreams'.",
    ),
    click.option(
        "--downstream",
        "downstreams",
        callback=names,
        metavar="D[,D…]",
        help="Heads; see 'harness list downstreams'.",
    ),
    click.option(
        "--corpus",
        "corpora",
        callback=names,
        metavar="C[,C…]",
        help="Corpora; see 'harness list corpora'.",
    ),
    click.option(
        "--baseline",
        "baselines",
        callback=names,
        metavar="B[,B…]",
        help="Add a classifier on the upstream that it is made for, such as 'ast'.",
    ),
    click.option(
        "--test-corpus",
        "test_corpora",
        callback=names,
        metavar="C[,C…]",
        help="Test on these corpora instead, over the labels that they share with "
        "--corpus, which may join several: a+b.",
    ),
    click.option(
        "--suite",
        metavar="NAME",
        help="A named study instead of the three: 'paper', or a TOML file. What is "
        "not on this machine is left out, and listed at the end.",
    ),
    click.option(
        "--only",
        multiple=True,
        callback=_only,
        metavar="AXIS=N[,N…]",
        help="Of a suite only this, such as corpus=emodb,emovo.",
    ),
    click.option(
        "--controls/--no-controls",
        default=True,
        show_default=True,
        help="Add cheap rows that a score must beat: majority, chance, log-mels, "
        "shuffled labels.",
    ),
    click.option(
        "--all-controls",
        is_flag=True,
        help="Add dear ones, too: each upstream with random weights, which takes as "
        "long as the upstream itself.",
    ),
    click.option(
        "--seeds",
        default="0",
        show_default=True,
        callback=_seeds,
        metavar="0-4",
        help="Of the heads: initial weights, batches, dropout.",
    ),
    *SPLIT,
    click.option(
        "--select",
        "selection",
        type=click.Choice(["macro_f1", "uar"]),
        default="macro_f1",
        show_default=True,
        help="The validation metric whose best epoch is tested.",
    ),
    click.option(
        "--feeding",
        metavar="NAME",
        help="How models are fed that can be fed in several ways, such as 'trimmed' "
        "for Whisper. Results of different feedings are never averaged.",
    ),
    click.option(
        "--max-seconds",
        type=click.FloatRange(0.1),
        metavar="S",
        help="Cut every clip to its first S seconds.",
    ),
    click.option(
        "--frame-type",
        type=click.Choice(["float32", "float16"]),
        default="float32",
        show_default=True,
        help="Of stored frames; float16 halves the disk and costs 3 digits.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["float32", "bfloat16", "float16"]),
        default="float32",
        show_default=True,
        help="Of the models' arithmetic on a GPU; results of different ones are never "
        "averaged.",
    ),
    SKIP_BAD,
    CHECKPOINT,
    DATA_ROOT,
    RUNS,
    CACHE,
)


def together(
    *options: Callable[[Callable[..., Any]], Callable[..., Any]],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Join options into one decorator; ``--help`` shows them in this order."""

    def decorate(verb: Callable[..., Any]) -> Callable[..., Any]:
        return functools.reduce(
            lambda verb, option: option(verb), reversed(options), verb
        )

    return decorate


def request_of(options: dict[str, Any], registry: Registry) -> Request:
    """Make a request out of the values of ``GRID``.

    What a suite's file says holds, unless the command line says otherwise.

    Raises:
        HarnessError: Where neither a suite nor all three lists of names were given.
    """
    from harness.execution.suites import narrow, read_suite, suite_file
    from harness.execution.request import Grid, Request

    options["cache"] = options.pop("cache_folder").expanduser()
    suite, only = options.pop("suite"), options.pop("only")
    baselines = options.pop("baselines")
    lists = {
        axis: options.pop(axis) for axis in ("upstreams", "downstreams", "corpora")
    }
    if suite is not None:
        if any(lists.values()):
            raise click.UsageError(
                "A suite has its own lists of upstreams, downstreams and corpora; pick "
                "of them by --only, such as --only corpus=emodb,emovo."
            )
        file = suite_file(suite, registry)
        grids, said = read_suite(file)
        options |= _unless_given(said, file) | {"skip_missing": True, "suite": file}
        grids = narrow(grids, only)
    else:
        if only:
            raise click.UsageError("'--only' picks of a suite; name one by '--suite'.")
        for axis, listed in lists.items():
            if not listed and (axis == "corpora" or not baselines):
                option = "corpus" if axis == "corpora" else axis[:-1]
                raise click.UsageError(
                    f"Missing option '--{option}' (see 'harness list {axis}'); "
                    "or name a study by '--suite'."
                )
        grids = (Grid(**lists),)
    for name in baselines:
        grids += (_baseline(name, grids, registry),)
    return Request(grids=grids, split=options.pop("strategy"), **options)


def _baseline(name: str, grids: tuple[Grid, ...], registry: Registry) -> Grid:
    """Put a classifier that is made for one upstream on every corpus of the grids."""
    from harness.execution.request import Grid

    upstream = registry.downstreams[name].upstream
    if not upstream:
        raise HarnessError(
            f"'{name}' goes on any upstream, so it is no baseline. "
            f"Add it by --downstream {name}."
        )
    corpora = dict.fromkeys(corpus for grid in grids for corpus in grid.corpora)
    return Grid((upstream,), (name,), tuple(corpora))


def _unless_given(said: dict[str, object], file: Path) -> dict[str, Any]:
    """Keep what a suite says of options that the command line does not give.

    It is read as if it stood on the command line.
    """
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    parameters = {parameter.name: parameter for parameter in context.command.params}
    kept = {}
    for option, value in said.items():
        name = "strategy" if option == "split" else option
        if context.get_parameter_source(name) is not default:
            continue
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        try:
            kept[name] = parameters[name].process_value(context, text)
        except click.BadParameter as error:
            raise HarnessError(
                f"'{option}' in the suite {file} cannot be used: {error.message}"
            ) from error
    return kept
