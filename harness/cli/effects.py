"""Options without effect: refused where they would mislead, else said in a warning.

An option is refused where a result would stand for something that was not done, and
warned of where the results are the same without it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.execution.request import Request
    from harness.registry import Registry
    from harness.types import Executor


def refuse_idle(request: Request, registry: Registry) -> None:
    """Refuse options that change nothing of this command, before any work.

    Raises:
        HarnessError: Where there is one.
    """
    from harness.execution.grids import corpora_of

    if request.all_controls and not request.controls:
        raise click.UsageError(
            "--all-controls and --no-controls contradict each other."
        )
    refuse_idle_seed(request.split, request.split_seed, registry)
    if request.perturb_parts != "test" and not _perturbing(request):
        raise HarnessError(
            f"--perturb-parts {request.perturb_parts} changes nothing without "
            "--perturb. Name a perturbation of 'harness list perturbations'."
        )
    refuse_unread(request, registry)
    heads = dict.fromkeys(head for grid in request.grids for head in grid.downstreams)
    if not any(g.upstreams and g.downstreams and g.corpora for g in request.grids):
        raise HarnessError(
            "Nothing is left to run: no grid of the suite has all that --only names."
        )
    for name in (name for grid in request.grids for name in grid.corpora):
        joined = [registry.corpora[one].name for one in corpora_of(name)]
        if len(set(joined)) < len(joined):
            raise HarnessError(f"'{name}' joins a corpus with itself. Name it once.")
    if request.frame_type != "float32" and not any(
        registry.downstreams[head].reads.frames for head in heads
    ):
        raise HarnessError(
            f"--frame-type {request.frame_type} changes nothing: no head of this "
            f"command ({', '.join(heads)}) reads frames. Leave it out."
        )


def refuse_unread(request: Request, registry: Registry) -> None:
    """Refuse to cut or to perturb clips that an upstream does not read.

    Raises:
        HarnessError: Where its features were made elsewhere.
    """
    names = (name for grid in request.grids for name in grid.upstreams)
    for upstream in (registry.upstreams[name] for name in names):
        if upstream.reads != "utterances":
            continue
        elsewhere = f"'{upstream.name}', whose features were made elsewhere"
        if request.max_seconds:
            raise HarnessError(
                f"--max-seconds cuts no clip of {elsewhere}. Leave it out."
            )
        if _perturbing(request):
            raise HarnessError(
                f"--perturb changes nothing of {elsewhere}. Leave it out."
            )


def _perturbing(request: Request) -> list[str]:
    """Return the perturbations that are asked for."""
    from harness.data.perturbing import CLEAN

    return [name for name in request.perturb if name != CLEAN]


def refuse_idle_seed(split: str, seed: int, registry: Registry) -> None:
    """Refuse a seed of a split that draws nothing.

    Raises:
        HarnessError: Where such a split, or a split file, is given one.
    """
    if not seed:
        return
    if split.endswith(".json") or not registry.splits[split].draws:
        raise HarnessError(
            f"The split '{split}' draws nothing, so --split-seed {seed} would be the "
            "same split. Leave it out, or ask for --split kfold."
        )


def warnings(request: Request, registry: Registry) -> Iterator[str]:
    """Name options that concern only a part of what was asked for, or nothing."""
    from harness.execution.grids import corpora_of

    asked = dict.fromkeys(one for grid in request.grids for one in grid.upstreams)
    upstreams = [registry.upstreams[name] for name in asked]
    unfed = [u for u in upstreams if request.feeding not in (None, *u.feedings)]
    if unfed and len(unfed) < len(upstreams):
        yield (
            f"--feeding {request.feeding} is not known to "
            f"{', '.join(one.name for one in unfed)}, fed as usual."
        )
    if request.limit is not None:
        yield (
            f"--limit {request.limit} takes a part of each corpus that has more "
            "utterances: a try, whose results stand apart."
        )
    yield from _mixing(request, registry)
    trained = [corpora_of(name) for grid in request.grids for name in grid.corpora]
    if request.test_corpora and all(
        set(request.test_corpora) <= set(names) for names in trained
    ):
        yield (
            "--test-corpus names what is trained on: the test part of its own split "
            "is tested, as without the option."
        )


def _mixing(request: Request, registry: Registry) -> Iterator[str]:
    """Say that what is trained on holds voices of speakers that are tested."""
    asked = [registry.perturbations[one] for one in _perturbing(request)]
    mixing = [one.name for one in asked if one.others]
    if mixing and request.perturb_parts == "all":
        yield (
            f"{', '.join(mixing)} mixes in utterances of the whole corpus, so that "
            "speakers of the test part speak in the background of the training part."
        )


def threads_warning() -> Iterator[str]:
    """Say that a number of threads that the user set is not used by the arithmetic."""
    from harness.features.device import THREADS

    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > THREADS:
        yield (
            f"OMP_NUM_THREADS={asked} changes nothing: each task computes with "
            f"{THREADS} thread, so that numbers are the same on every machine; "
            "--workers says how many tasks run at once."
        )


def workers_warning(executor: Executor, workers: int) -> Iterator[str]:
    """Say that an executor runs one task at a time, whatever was asked for."""
    if executor.window == 1 and workers > 1:
        yield (
            f"--workers {workers} changes nothing: the executor '{executor.name}' runs "
            "one task at a time."
        )
