"""``harness split``: a corpus divided, described, and written down for other labs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.choices import offered
from harness.cli.console import say, show, stages
from harness.cli.effects import refuse_idle_seed
from harness.cli.options import CACHE, DATA_ROOT, SKIP_BAD, SPLIT, TARGET, together
from harness.cli.thinness import remarks
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.data.manifest import Manifest
    from harness.registry import Registry


@click.command()
@click.argument("name", shell_complete=offered("corpora"))
@together(TARGET, *SPLIT, SKIP_BAD)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the split to this file, for 'harness run --split FILE'.",
)
@DATA_ROOT
@CACHE
@click.pass_obj
def split(
    registry: Registry,
    name: str,
    target: str,
    strategy: str | None,
    folds: int | None,
    split_seed: int,
    skip_bad: bool,
    out: Path | None,
    data_root: Path,
    cache_folder: Path,
) -> None:
    """Divide a corpus, describe the split, and write it to a file."""
    from harness.data.manifest import refuse_bad
    from harness.splits.balance import closeness, describe
    from harness.splits.files import write_split
    from harness.splits.transfer import SplitChoice, divisions

    if out is not None and out.suffix != ".json":
        raise DataError(f"A split file's name ends in .json; {out} does not.")
    predicted = registry.targets[target]
    strategy = strategy or predicted.split
    refuse_idle_seed(strategy, split_seed, registry)
    choice = SplitChoice.of(
        strategy,
        registry.splits,
        folds=folds,
        seed=split_seed,
        target=predicted,
        targets=registry.targets,
    )
    manifest = _manifest(registry, name, data_root, cache_folder)
    if not skip_bad:
        refuse_bad([manifest])
    (division,) = divisions([manifest], [], choice)
    manifest = division.manifest
    for line in describe(closeness(division.split, manifest.utterances)):
        show(line)
    for remark in remarks(division):
        show(remark)
    if out is not None:
        write_split(division.split, out, manifest)
        of = f" --target {target}" * (target != "emotion")
        say(
            f"Written to {out}. Use it by: harness run --corpus {name}{of} "
            f"--split {out}"
        )


def _manifest(
    registry: Registry, name: str, data_root: Path, cache_folder: Path
) -> Manifest:
    from harness.data.corpora import LocalCorpora

    corpora = LocalCorpora(
        registry=registry,
        data_root=data_root,
        cache=cache_folder,
        stages=stages(quiet=False),
    )
    return corpora.manifest(corpora[name])
