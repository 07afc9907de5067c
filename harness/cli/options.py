"""The options that several verbs share, and the request that they make up."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import platformdirs

from harness.registry import split_names

if TYPE_CHECKING:
    from collections.abc import Callable


def names(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Split ``a,b:option=1,c``, each name once."""
    if value is None:
        return ()
    found = tuple(dict.fromkeys(split_names(value)))
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
        help="How a corpus is divided: speaker-independent (80/10/10), loso, kfold …, "
        "see 'harness list splits'; or a file written by 'harness split'.",
    ),
    click.option(
        "--folds",
        type=click.IntRange(3),
        default=None,
        show_default="5",
        help="How many, for a split that takes that, such as kfold.",
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
        help="Frozen speech models; see 'harness list upstreams'. Options of a plugin "
        "follow its name: fbank:bins=40.",
    ),
    click.option(
        "--downstream",
        "downstreams",
        callback=names,
        metavar="D[,D…]",
        help="Classifiers that are trained on their features; see 'harness list "
        "downstreams'.",
    ),
    click.option(
        "--corpus",
        "corpora",
        callback=names,
        metavar="C[,C…]",
        help="Emotional-speech corpora; see 'harness list corpora'.",
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
        "permuted labels.",
    ),
    click.option(
        "--all-controls",
        is_flag=True,
        help="Add costly ones, too: each upstream with random weights, which takes as "
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
        default="macro_f1",
        show_default=True,
        help="The validation metric whose best epoch is tested; see 'harness list "
        "metrics'.",
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
