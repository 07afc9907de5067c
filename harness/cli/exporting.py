"""``harness features``: features of a corpus, for other programs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.console import show, stages
from harness.cli.effects import refuse_unread
from harness.cli.options import (
    CACHE,
    CHECKPOINT,
    DATA_ROOT,
    FED,
    PERTURB,
    SKIP_BAD,
    together,
)
from harness.cli.running import DEVICE, PLACE
from harness.errors import HarnessError
from harness.files import saving
from harness.leftovers import tidied
from harness.text import counted, size

if TYPE_CHECKING:
    from harness.execution.features import Features
    from harness.registry import Registry

FORMS = ("npz", "parquet", "arrow")
"""The forms of ``features.export``, which brings numpy."""


@click.group()
def features() -> None:
    """Extract features of a corpus for other programs."""


@features.command(
    short_help="Write features, labels and speakers to a file.",
    epilog="\b\nExample:\n"
    "  harness features export --upstream fbank --corpus demo --out fbank-demo.npz\n"
    "  harness run --upstream features:fbank-demo.npz --downstream linear \\\n"
    "    --corpus demo",
)
@click.option(
    "--upstream",
    required=True,
    metavar="U",
    help="A frozen speech model; see 'harness list upstreams'.",
)
@click.option(
    "--corpus",
    required=True,
    metavar="C",
    help="A corpus; see 'harness list corpora'. a+b joins two.",
)
@click.option(
    "--frames",
    type=click.Choice(["last", "all"]),
    help="Every frame of the last layer, or of all layers.  [default: the mean over "
    "time of every layer]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="npz for numpy, parquet for pandas and others, arrow to be mapped into "
    "memory.  [default: as the ending of --out says]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write.  [default: UPSTREAM-CORPUS.npz]",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@together(*FED, PERTURB[0], SKIP_BAD, CHECKPOINT, DATA_ROOT, CACHE, DEVICE, *PLACE[:2])
@click.option("--quiet", is_flag=True, help="No progress.")
@click.pass_obj
def export(
    registry: Registry,
    /,
    form: str | None,
    out: Path | None,
    overwrite: bool,
    **options: Any,  # noqa: ANN401 - click's
) -> None:
    """Write the features of a corpus to a file, with its labels and speakers.

    What is stored already is not extracted again. The file has one row an utterance,
    with its id, label and speaker, and says under which condition the features were
    made; --perturb is of all recordings. Another program's vectors come in by the same
    form: --upstream features:FILE.
    """
    from harness.features.export import FORMS as WRITERS

    form, path = _place(form, out, options)
    if path.exists() and not overwrite:
        raise HarnessError(
            f"{path} exists already. Name another file by --out, or add --overwrite."
        )
    found = extracted(registry, options)
    with saving(path) as beside:
        WRITERS[form](found, beside)
    show(f"{counted(len(found), 'utterance')} in {path}, {size(path.stat().st_size)}")


def _place(
    form: str | None, out: Path | None, options: dict[str, Any]
) -> tuple[str, Path]:
    """Return the form and the file that were asked for, or that stand for nothing.

    Raises:
        HarnessError: Where the file's ending stands for no form.
    """
    ending = out.suffix.lstrip(".").lower() if out else ""
    chosen = form or ending or FORMS[0]
    if chosen not in FORMS:
        raise HarnessError(
            f"The ending of {out} stands for no form. Choose one by --format, or name "
            f"a file that ends in .{', .'.join(FORMS)}."
        )
    if out is None:
        words = (options["upstream"], options["corpus"], *options["perturb"])
        out = Path(f"{re.sub('[/:=]', '-', '-'.join(words))}.{chosen}")
    return chosen, out


def extracted(registry: Registry, options: dict[str, Any]) -> Features:
    """Extract what is missing, and open the features that the options name."""
    from harness.execution.features import extract_features
    from harness.execution.request import Grid, Request
    from harness.execution.run import RunOptions

    asked = (
        *("feeding", "max_seconds", "limit", "frame_type", "precision"),
        *("perturb", "skip_bad", "checkpoints", "data_root"),
    )
    request = Request(
        grids=(Grid((options["upstream"],), (), (options["corpus"],)),),
        cache=options["cache_folder"],
        runs=Path(),
        perturb_parts="all",
        **{name: options[name] for name in asked},
    )
    place = RunOptions(
        **{name: options[name] for name in ("device", "executor", "workers")}
    )
    if len(request.perturb) > 1:
        raise HarnessError(
            f"--perturb names {counted(len(request.perturb), 'perturbation')}, and one "
            "file has the features of one. Call this once for each."
        )
    refuse_unread(request, registry)
    frames = options["frames"]
    if request.frame_type != "float32" and not frames:
        raise HarnessError(
            f"--frame-type {request.frame_type} changes nothing: means are float32. "
            "Leave it out, or add --frames last."
        )
    with tidied(request.cache):
        return extract_features(
            request,
            registry,
            place,
            frames or "pooled",
            stages(quiet=options["quiet"]),
        )
