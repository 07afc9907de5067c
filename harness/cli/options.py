"""The options that several verbs share, and the request that they make up."""

from __future__ import annotations

import functools
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import platformdirs

from harness.choices import FIELDS, Worded, chosen, offered
from harness.cli.console import say
from harness.registry import split_names

if TYPE_CHECKING:
    from collections.abc import Callable


CACHE_FOLDER = "harness.cache"
"""Among a context's ``meta``: the folder of ``--cache``, for logs."""

MOST = 2**63 - 1
"""The largest seed: Parquet stores it in 64 bits, one of which is the sign."""

MOST_SEEDS = 10_000
"""Of one command: a slip of the finger, such as 0-1000000000, fills no memory."""

MOST_WORKERS = 10_000
"""More than any cluster's queue takes of one user."""

MOST_FOLDS = 1000
"""More than any corpus of emotional speech has speakers."""

LONGEST = 86_400.0
"""Seconds, a day: no clip is as long."""


class Seconds(click.FloatRange):
    """A duration; what is no number is no duration."""

    def __init__(self) -> None:
        """Allow a tenth of a second up to ``LONGEST``."""
        super().__init__(0.1, LONGEST)

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Read a finite number of seconds within the bounds."""
        seconds: float = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"'{value}' is no number of seconds.", param, ctx)
        return seconds


def names(
    _: click.Context, option: click.Parameter, value: str | None
) -> tuple[str, ...]:
    """Split ``a,b:option=1,c``, each name once."""
    if value is None:
        return ()
    found = split_names(value)
    if not found:
        raise click.BadParameter("it names nothing.")
    pieces = [piece.strip() for piece in value.split(",") if piece.strip()]
    if len(pieces) > sum(name.count(",") + 1 for name in found):
        again = next(n for n in found if pieces.count(n.partition(",")[0]) > 1)
        say(f"warning: {option.opts[0]} names '{again}' twice; it is taken once.")
    return found


def _seeds(
    _: click.Context, option: click.Parameter, value: str | None
) -> tuple[int, ...] | None:
    """Read ``0-4`` or ``0,2,5``; ``None`` where each head runs its own."""
    if value is None:
        return None
    seeds: list[int] = []
    for piece in value.split(","):
        match = re.fullmatch(r"\s*(\d{1,19})(?:-(\d{1,19}))?\s*", piece, re.ASCII)
        if match is None:
            raise click.BadParameter(
                f"'{value}' is not like 0-4 or 0,2,5; a seed is at most {MOST}."
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if last > MOST:
            raise click.BadParameter(f"{last} is too large; a seed is at most {MOST}.")
        if len(seeds) + last - first >= MOST_SEEDS:
            raise click.BadParameter(f"'{value}' is more than {MOST_SEEDS} seeds.")
        seeds += range(first, last + 1)
    if not seeds:
        raise click.BadParameter(f"'{value}' holds no seed.")
    if len(set(seeds)) < len(seeds):
        say(f"warning: {option.opts[0]} names a seed twice; it is taken once.")
    return tuple(dict.fromkeys(seeds))


def _checkpoints(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> dict[str, Path]:
    """Read ``NAME=FOLDER``, each name once."""
    found: dict[str, Path] = {}
    for value in values:
        name, equals, folder = value.partition("=")
        if not (name and equals and folder):
            raise click.BadParameter(f"'{name}' is not like whisper-base=FOLDER.")
        if name in found:
            raise click.BadParameter(f"'{name}' is given twice. Leave one of them out.")
        found[name] = Path(folder).expanduser()
    return found


def _only(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Read ``corpus=emodb,emovo``, each axis once."""
    from harness.execution.suites import AXES

    return chosen(values, AXES)


def default_cache() -> Path:
    """Return the cache's folder where no option names one."""
    named = os.environ.get("HARNESS_CACHE")
    return Path(named or platformdirs.user_cache_dir("speech-harness")).expanduser()


def _note_cache(context: click.Context, _: click.Parameter, value: Path) -> Path:
    """Keep the cache's folder for logs, and return it."""
    context.meta[CACHE_FOLDER] = folder = value.expanduser()
    return folder


_option = functools.partial(click.option, cls=Worded)

CHECKPOINT = _option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    callback=_checkpoints,
    metavar="U=FOLDER",
    help="A local checkpoint of an upstream; $HARNESS_CHECKPOINTS/U also counts.",
)
DATA_ROOT = _option(
    "--data-root",
    type=click.Path(path_type=Path),
    envvar="HARNESS_DATA",
    default=Path("data"),
    show_default="data, or $HARNESS_DATA",
    help="The folder with one folder a corpus.",
)
CACHE = _option(
    "--cache",
    "cache_folder",
    type=click.Path(path_type=Path),
    default=default_cache,
    callback=_note_cache,
    show_default="the user's cache folder, or $HARNESS_CACHE",
    help="Where features are kept.",
)
RUNS = _option(
    "--runs",
    type=click.Path(path_type=Path),
    envvar="HARNESS_RUNS",
    default=Path("runs"),
    show_default="runs, or $HARNESS_RUNS",
    help="Where results are kept.",
)
SKIP_BAD = _option(
    "--skip-bad",
    is_flag=True,
    help="Go on without audio files that cannot be used; results name them.",
)
TARGET = _option(
    "--target",
    metavar="NAME",
    shell_complete=offered("targets"),
    default="emotion",
    show_default=True,
    help="What is predicted: emotion, gender, speaker, arousal …, see 'harness list "
    "targets'. Results of different targets are never averaged.",
)
SPLIT = (
    _option(
        "--split",
        "strategy",
        metavar="NAME|FILE",
        shell_complete=offered("splits"),
        show_default="speaker-independent, but for some targets",
        help="How a corpus is divided: speaker-independent (80/10/10), loso, kfold …, "
        "see 'harness list splits'; or a file written by 'harness split'.",
    ),
    _option(
        "--folds",
        metavar="K",
        type=click.IntRange(3, MOST_FOLDS),
        default=None,
        show_default="5",
        help="How many, for a split that takes that, such as kfold.",
    ),
    _option(
        "--split-seed",
        metavar="N",
        type=click.IntRange(0, MOST),
        default=0,
        show_default="0",
        help="Of the split.",
    ),
)
FED = (
    _option(
        "--feeding",
        metavar="NAME",
        help="How models are fed that can be fed in several ways, such as 'trimmed' "
        "for Whisper. Results of different feedings are never averaged.",
    ),
    _option(
        "--max-seconds",
        type=Seconds(),
        metavar="S",
        help="Cut every clip to its first S seconds.",
    ),
    _option(
        "--limit",
        type=click.IntRange(1),
        metavar="N",
        help="Take N utterances of each corpus, spread over labels and speakers: for a "
        "first try. Results stand apart from those of the whole corpus.",
    ),
    _option(
        "--frame-type",
        type=click.Choice(["float32", "float16"]),
        default="float32",
        show_default=True,
        help="Of stored frames; float16 halves the disk and costs 3 digits.",
    ),
    _option(
        "--precision",
        type=click.Choice(["float32", "bfloat16", "float16"]),
        default="float32",
        show_default=True,
        help="Of the models' arithmetic on a GPU; results of different ones are never "
        "averaged.",
    ),
)
PERTURB = (
    _option(
        "--perturb",
        callback=names,
        shell_complete=offered("perturbations"),
        metavar="P[,P…]",
        help="Make recordings harder: noise:snr=10, babble, telephone …, see 'harness "
        "list perturbations'; 'clean' among several is the recordings as they are. "
        "Each is extracted once, and has results of its own.",
    ),
    _option(
        "--perturb-parts",
        type=click.Choice(["test", "all"]),
        default="test",
        show_default=True,
        help="Whose recordings: those of the test part, trained on clean ones, or all.",
    ),
)
GRID = (
    _option(
        "--upstream",
        "upstreams",
        callback=names,
        shell_complete=offered("upstreams"),
        metavar="U[,U…]",
        help="Frozen speech models; see 'harness list upstreams'. Options of a plugin "
        "follow its name: fbank:bins=40.",
    ),
    _option(
        "--downstream",
        "downstreams",
        callback=names,
        shell_complete=offered("downstreams"),
        metavar="D[,D…]",
        help="Classifiers that are trained on their features; see 'harness list "
        "downstreams'.",
    ),
    _option(
        "--corpus",
        "corpora",
        callback=names,
        shell_complete=offered("corpora"),
        metavar="C[,C…]",
        help="Emotional-speech corpora; see 'harness list corpora'.",
    ),
    _option(
        "--baseline",
        "baselines",
        callback=names,
        shell_complete=offered("downstreams"),
        metavar="B[,B…]",
        help="Add a classifier on the upstream that it is made for, such as 'ast'.",
    ),
    _option(
        "--test-corpus",
        "test_corpora",
        callback=names,
        shell_complete=offered("corpora"),
        metavar="C[,C…]",
        help="Test on these corpora instead, over the labels that they share with "
        "--corpus, which may join several: a+b.",
    ),
    _option(
        "--suite",
        metavar="NAME",
        shell_complete=offered("suites"),
        help="A named study instead of the three: 'paper', or a TOML file. What is "
        "not on this machine is left out, and listed at the end.",
    ),
    _option(
        "--only",
        multiple=True,
        callback=_only,
        metavar=FIELDS,
        help="Of a suite only what has one of these values, such as "
        "corpus=emodb,emovo. Takes upstream, downstream and corpus.",
    ),
    _option(
        "--controls/--no-controls",
        default=True,
        show_default=True,
        help="Add cheap rows that a score must beat: majority, chance, log-mels, "
        "permuted labels.",
    ),
    _option(
        "--all-controls",
        is_flag=True,
        help="Add costly ones, too: each upstream with random weights, which takes as "
        "long as the upstream itself.",
    ),
    _option(
        "--seeds",
        callback=_seeds,
        metavar="0-4",
        show_default="0, and 0-2 for heads whose figure moves with the seed",
        help="Of the heads: initial weights, batches, dropout. 'harness list "
        "downstreams' has the number of each.",
    ),
    TARGET,
    *SPLIT,
    _option(
        "--select",
        "selection",
        metavar="METRIC",
        shell_complete=offered("metrics"),
        show_default="macro_f1, and ccc for numbers",
        help="The validation metric whose best epoch is tested, see 'harness list "
        "metrics'; macro_f1:epochs=5 averages the probabilities of the 5 best.",
    ),
    *FED,
    *PERTURB,
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
