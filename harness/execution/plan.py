"""From names to cells: what a command would do, decided before anything is done.

``make_plan`` only reads. What it gives is what ``harness plan`` prints and what
``harness run`` does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING

from harness.data.manifest import difference, read_manifest, refuse_bad
from harness.data.roots import corpus_root
from harness.errors import (
    CheckpointError,
    HarnessError,
    MissingCorpusError,
)
from harness.features.checkpoints import Checkpoint, find_checkpoint
from harness.features.extraction import Source, kinds_for
from harness.files import Memory, sha256_json
from harness.splits.transfer import divisions, parts_of
from harness.types import Cell, Reads, silence
from harness.types.request import Grid, Request

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from harness.data.manifest import Manifest, Recording
    from harness.features.store import Kind
    from harness.registry import Registry
    from harness.splits.strategies import Fold, Split
    from harness.types import Corpus, Downstream, Stages, Upstream

RECIPE_VERSION = 1
"""Raised when training or scoring changes a number."""

NOT_HERE = Checkpoint(folder=None, revision="", sha256="not on this machine")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A cell that is to be computed."""

    cell: Cell
    downstream: Downstream
    fold: Fold


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An (upstream × corpus): features once, then every cell that reads them.

    Attributes:
        source: The upstream as it is used.
        manifest: The corpus as it was found.
        split: How it is divided.
        cells: Every cell of the pair.
        jobs: Those without a stored result.
        kinds: The features that the jobs read.
        missing: Recordings of which some of these are not stored yet.
    """

    source: Source
    manifest: Manifest
    split: Split
    cells: tuple[Cell, ...]
    jobs: tuple[Job, ...]
    kinds: tuple[Kind, ...]
    missing: tuple[Recording, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a command would do.

    Attributes:
        request: What was asked.
        pairs: In the order in which they are done.
        absent: Upstreams whose checkpoint is not on this machine.
        missing: Why a corpus or an upstream was left out, a sentence each.
        doubts: How corpora differ from what was published, a sentence each.
    """

    request: Request
    pairs: tuple[Pair, ...]
    absent: tuple[Upstream, ...]
    missing: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell of the command."""
        return tuple(cell for pair in self.pairs for cell in pair.cells)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The cells that are to be computed."""
        return tuple(job for pair in self.pairs for job in pair.jobs)


def make_plan(
    request: Request,
    registry: Registry,
    *,
    download: bool = False,
    stages: Stages = silence,
) -> Plan:
    """Decide what to do.

    Args:
        request: What the user asked for.
        registry: What the plugins offer.
        download: Whether to fetch checkpoints that are not on this machine.
        stages: Told of the progress of reading corpora.

    Raises:
        HarnessError: For every mistake that can be found before the work.
    """
    grids = [*request.grids, *_controls(request, registry)]
    upstreams = {n: registry.upstreams[n] for grid in grids for n in grid.upstreams}
    heads = {n: registry.downstreams[n] for grid in grids for n in grid.downstreams}
    asked = {name: None for grid in grids for name in grid.corpora}
    single = [one for name in (*asked, *request.test_corpora) for one in parts_of(name)]
    corpora = {name: registry.corpora[name] for name in single}
    _check_homes(grids, heads)
    _check_feeding(request, upstreams.values())
    memory = Memory(request.cache / "memory.json")
    missing: list[str] = []
    read = list(
        _manifests(request, registry, corpora, upstreams, memory, stages, missing)
    )
    if not request.skip_bad:
        refuse_bad(read)
    manifests = {manifest.corpus.name: manifest for manifest in read}
    divided = [
        (name, *division)
        for name in asked
        if set(parts_of(name)) <= manifests.keys()
        for division in divisions(name, manifests, request)
    ]
    finished = registry.hook.harness_finished_runs(runs=request.runs) or frozenset()
    pairs, absent = [], []
    for name, upstream in upstreams.items():
        work = [
            (manifest, split, [heads[head] for head in used])
            for asked_as, manifest, split in divided
            if (used := _heads(grids, name, asked_as))
        ]
        if download and not work:  # nothing is fetched for nothing
            continue
        try:
            checkpoint = find_checkpoint(
                upstream, request.checkpoints, memory, download=download
            )
        except CheckpointError as error:
            if not request.skip_missing:
                raise
            missing.append(str(error))
            continue
        if checkpoint is None:
            absent.append(upstream)
        source = _source(request, upstream, checkpoint or NOT_HERE)
        pairs += [_pair(request, source, *task, finished) for task in work]
    memory.save()
    return Plan(
        request=request,
        pairs=tuple(pairs),
        absent=tuple(absent),
        missing=tuple(missing),
        doubts=tuple(filter(None, map(difference, read))),
    )


def _source(request: Request, upstream: Upstream, checkpoint: Checkpoint) -> Source:
    return Source(
        upstream=upstream,
        checkpoint=checkpoint,
        feeding=_feeding(request, upstream),
        max_seconds=request.max_seconds,
        frame_type=request.frame_type,
        precision=request.precision,
    )


def _controls(request: Request, registry: Registry) -> Iterator[Grid]:
    """Give the grids of control rows that stand beside the grids of a request.

    A control head that listens stands on each upstream; one that does not needs no
    more than a control upstream. That one is heard by the asked heads that read means
    of the last layer, the only one it has.
    """
    if not request.controls:
        return
    plain = tuple(u.name for u in registry.upstreams if u.control)
    deaf = tuple(d.name for d in registry.downstreams if d.control == "deaf")
    listening = tuple(d.name for d in registry.downstreams if d.control == "listening")
    for grid in request.grids:
        heads = (registry.downstreams[name] for name in grid.downstreams)
        means = Reads(layers="last", frames=False)
        cheap = tuple(head.name for head in heads if head.reads == means)
        yield Grid(grid.upstreams, listening, grid.corpora)
        yield Grid(plain, (*cheap, *deaf), grid.corpora)
        if request.all_controls:
            yield Grid(_rivals(grid, registry), cheap, grid.corpora)


def _rivals(grid: Grid, registry: Registry) -> tuple[str, ...]:
    """Name what plugins say that the upstreams of a grid must beat, each once."""
    ask = registry.hook.harness_control_upstreams
    named = (
        name
        for upstream in grid.upstreams
        for names in ask(upstream=registry.upstreams[upstream])
        for name in names
    )
    return tuple(dict.fromkeys(named))


def _heads(grids: Iterable[Grid], upstream: str, corpus: str) -> dict[str, None]:
    """Name the heads that an upstream gets on a corpus, each once, in order."""
    return {
        head: None
        for grid in grids
        if upstream in grid.upstreams and corpus in grid.corpora
        for head in grid.downstreams
    }


def _manifests(
    request: Request,
    registry: Registry,
    corpora: Mapping[str, Corpus],
    upstreams: Mapping[str, Upstream],
    memory: Memory,
    stages: Stages,
    missing: list[str],
) -> Iterator[Manifest]:
    """Read the corpora; note those that are not on this machine, if that is allowed."""
    shortest = max((upstream.min_seconds for upstream in upstreams.values()), default=0)
    for corpus in corpora.values():
        root = corpus_root(
            corpus, registry, data_root=request.data_root, cache=request.cache
        )
        try:
            yield read_manifest(
                corpus,
                root,
                memory,
                min_seconds=shortest,
                max_seconds=request.max_seconds,
                stages=stages,
            )
        except MissingCorpusError as error:
            if not request.skip_missing:
                raise
            missing.append(str(error))


def _check_homes(grids: Iterable[Grid], heads: Mapping[str, Downstream]) -> None:
    """Refuse a classifier on another upstream than the one that it is made for."""
    for grid in grids:
        for head in (heads[name] for name in grid.downstreams):
            for upstream in grid.upstreams:
                if head.upstream not in ("", upstream):
                    raise HarnessError(
                        f"'{head.name}' is made for '{head.upstream}', not for "
                        f"'{upstream}'. Add it by --baseline {head.name}."
                    )


def _check_feeding(request: Request, upstreams: Collection[Upstream]) -> None:
    known = sorted({feeding for upstream in upstreams for feeding in upstream.feedings})
    if request.feeding is not None and request.feeding not in known:
        names = ", ".join(upstream.name for upstream in upstreams)
        raise HarnessError(
            f"None of {names} can be fed '{request.feeding}'. "
            f"Known for them: {', '.join(known)}."
        )


def _feeding(request: Request, upstream: Upstream) -> str:
    if request.feeding in upstream.feedings:
        return request.feeding
    return upstream.feedings[0]


def _pair(
    request: Request,
    source: Source,
    manifest: Manifest,
    split: Split,
    downstreams: list[Downstream],
    finished: Collection[str],
) -> Pair:
    jobs = [
        _job(request, source, manifest, split, downstream, fold, seed)
        for downstream, seed, fold in product(downstreams, request.seeds, split.folds)
    ]
    todo = tuple(job for job in jobs if job.cell.run_id not in finished)
    kinds = kinds_for(job.downstream.reads for job in todo)
    missing: tuple[Recording, ...] = ()
    if todo:
        store = source.store(request.cache)
        have = [store.keys(kind) for kind in kinds]
        missing = tuple(
            recording
            for recording in manifest.recordings
            if any(recording.key not in keys for keys in have)
        )
    return Pair(
        source=source,
        manifest=manifest,
        split=split,
        cells=tuple(job.cell for job in jobs),
        jobs=todo,
        kinds=kinds,
        missing=missing,
    )


def _job(
    request: Request,
    source: Source,
    manifest: Manifest,
    split: Split,
    downstream: Downstream,
    fold: Fold,
    seed: int,
) -> Job:
    """Name a cell by everything that its result is computed from."""
    run_id = sha256_json(
        {
            "source": source.identity,
            "downstream": [downstream.name, downstream.version],
            "recipe": asdict(downstream.recipe),
            "selection": request.selection,
            "corpus": manifest.corpus.name,
            "manifest": manifest.sha256,
            "split": split.sha256,
            "fold": fold.name,
            "seed": seed,
            "version": RECIPE_VERSION,
        }
    )[:16]
    cell = Cell(
        run_id=run_id,
        upstream=source.upstream.name,
        feeding=source.fed,
        downstream=downstream.name,
        corpus=manifest.corpus.name,
        split=split.strategy,
        fold=fold.name,
        seed=seed,
    )
    return Job(cell=cell, downstream=downstream, fold=fold)
