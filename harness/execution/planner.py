"""From names to cells: what a command would do, decided before anything is done.

A plan fetches nothing and makes nothing. What it returns is what ``harness plan``
prints and what ``harness run`` does. A cell never depends on what else is asked for.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import chain, product
from typing import TYPE_CHECKING

from harness.data.corpora import LocalCorpora
from harness.data.manifest import difference, read_manifest, refuse_bad
from harness.data.synthesis import synthesise
from harness.errors import (
    HarnessError,
    MissingCorpusError,
)
from harness.execution.grids import corpora_of, grids_of, heads_on
from harness.execution.perturbations import Perturbations, least_seconds
from harness.execution.plan import Job, Pair, Plan
from harness.execution.upstreams import NOT_HERE, Upstreams
from harness.features.extraction import kinds_for, store_of
from harness.features.store import outdated
from harness.garbage import uncollected
from harness.memory import FOLDER, Memory
from harness.splits.transfer import SplitChoice, divisions, undivided
from harness.training import loop
from harness.training.selection import selection_for
from harness.types import (
    Cell,
    Condition,
    CorpusCondition,
    DownstreamCondition,
    TargetCondition,
    UpstreamCondition,
    silence,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from harness.data.manifest import Manifest, Recording
    from harness.data.perturbing import Perturbed
    from harness.execution.request import Request
    from harness.features.checkpoints import Checkpoints
    from harness.features.shards import Kind
    from harness.registry import Registry
    from harness.splits.transfer import Division
    from harness.types import Corpus, Perturbation, Stages, Target, Upstream

ALL = "all"
"""Of ``--again``: every cell of the command."""


@uncollected()
def make_plan(
    request: Request,
    registry: Registry,
    *,
    stages: Stages = silence,
    scratch: Path | None = None,
    unavailable: Mapping[str, str] | None = None,
) -> Plan:
    """Decide what to do.

    Args:
        request: What the user asked for.
        registry: What the plugins offer.
        stages: Where the progress of reading corpora is reported.
        scratch: A folder that the caller removes, for corpora that are not synthesised
            yet to be looked at; ``None`` leaves them to the run.
        unavailable: Why upstreams cannot be used, by their names.

    Raises:
        HarnessError: For every mistake that can be found before the work.
    """
    planner = _Planner(request, registry, stages, scratch, unavailable or {})
    plan = planner.plan()
    planner.memory.save()
    return plan


def plan_features(
    request: Request, registry: Registry, kinds: tuple[Kind, ...], stages: Stages
) -> Plan:
    """Decide what to extract for an upstream on a corpus, both of which are here.

    Raises:
        HarnessError: For every mistake that can be found before the work.
    """
    planner = _Planner(request, registry, stages, None, {})
    plan = planner.features(kinds)
    planner.memory.save()
    return plan


class _Planner:
    """A request and what was found for it so far."""

    def __init__(
        self,
        request: Request,
        registry: Registry,
        stages: Stages,
        scratch: Path | None,
        unavailable: Mapping[str, str],
    ) -> None:
        self.request, self.registry = request, registry
        self.stages, self.scratch = stages, scratch
        self.memory = Memory(request.cache / FOLDER)
        self.upstreams = Upstreams(request, registry, self.memory, unavailable)
        self.corpora = LocalCorpora(
            registry=registry, data_root=request.data_root, cache=request.cache
        )
        self.grids = grids_of(request, registry)
        self.missing: list[str] = []
        self.unmade: list[Corpus] = []
        self.divided: dict[tuple[str, float], tuple[Division, ...]] = {}
        self.perturbations = Perturbations(request, registry)

    def plan(self) -> Plan:
        """Pair every upstream with every corpus that it is asked for on."""
        _ = self.choice, self.selection, self.perturbations.asked  # refused unread
        upstreams = {name for grid in self.grids for name in grid.upstreams}
        self.upstreams.check(sorted(upstreams))
        names = dict.fromkeys(name for grid in self.grids for name in grid.corpora)
        self._read(names)
        ordered = dict.fromkeys(n for grid in self.grids for n in grid.upstreams)
        pairs = [pair for name in ordered for pair in self._pairs(name, names)]
        return Plan(
            request=self.request,
            pairs=tuple(pairs),
            absent=tuple(self.upstreams.absent),
            unmade=tuple(self.unmade),
            missing=(*self.missing, *self.upstreams.missing),
            doubts=tuple(filter(None, map(difference, self.manifests.values()))),
            again=self._again(pairs),
            outdated=tuple(dict.fromkeys(filter(None, map(self._outdated, pairs)))),
        )

    def _outdated(self, pair: Pair) -> str:
        """Say which features of a pair are extracted again, as the code has changed."""
        store = store_of(pair.condition, self.request.cache)
        if not pair.missing or not (older := outdated(store)):
            return ""
        names = ", ".join(one.folder.name for one in older)
        return (
            f"features of {pair.upstream.name} that another version of the code made "
            f"are not used ({names}); what is asked for is extracted again. 'harness "
            "cache prune --all --only NAME' removes them."
        )

    def features(self, kinds: tuple[Kind, ...]) -> Plan:
        """Pair an upstream with a corpus, for features without heads."""
        (grid,) = self.request.grids
        (name,), (corpus,) = grid.upstreams, grid.corpora
        upstream = self.registry.upstreams[name]
        self.upstreams.check([name])
        self._read({corpus: None})
        checkpoint = self.upstreams.checkpoint(upstream) or NOT_HERE
        condition = self.upstreams.condition(upstream, checkpoint)
        (changed,) = self.perturbations.asked
        manifests = self._lasting(corpora_of(corpus), least_seconds(upstream, changed))
        division = undivided(manifests)
        pair = Pair(
            upstream=upstream,
            revision=checkpoint.revision,
            condition=condition,
            division=division,
            jobs=(),
            todo=(),
            kinds=kinds,
            missing=(),
            perturbed=self._perturbed(changed, corpus, division),
        )
        missing = self._missing(condition, pair.lists, kinds)
        return Plan(request=self.request, pairs=(replace(pair, missing=missing),))

    # ------------------------------------------------------------ corpora

    def _read(self, names: Mapping[str, None]) -> None:
        """Read the corpora; note those that are not here, if that is allowed."""
        asked = (*names, *self.request.test_corpora)
        single = dict.fromkeys(one for name in asked for one in corpora_of(name))
        corpora = {name: self.corpora[name] for name in single}
        self.manifests: dict[str, Manifest] = {}
        for name, corpus in corpora.items():
            try:
                self._read_one(name, corpus)
            except MissingCorpusError as error:
                if not self.request.skip_missing:
                    raise
                self.missing.append(str(error))

    def _read_one(self, name: str, corpus: Corpus) -> None:
        root = self.corpora.folder(corpus)
        memory = self.memory
        if corpus.make is not None and not root.exists():
            self.unmade.append(corpus)
            if self.scratch is None:
                return
            root = self.scratch / root.name
            memory = Memory(self.scratch / FOLDER)
            synthesise(corpus, root)
        self.manifests[name] = read_manifest(
            corpus,
            root,
            memory,
            max_seconds=self.request.max_seconds,
            limit=self.request.limit,
            stages=self.stages,
        )

    def _divisions(self, name: str, min_seconds: float) -> tuple[Division, ...]:
        """Divide what an upstream can read of a corpus, once for each least length."""
        key = name, min_seconds
        if key not in self.divided:
            trained = self._lasting(corpora_of(name), min_seconds)
            tested = self._lasting(self.request.test_corpora, min_seconds)
            self.divided[key] = tuple(divisions(trained, tested, self.choice))
        return self.divided[key]

    def _perturbed(
        self, by: Perturbation | None, corpus: str, division: Division
    ) -> Perturbed | None:
        """Perturb a division's recordings, if that is asked for."""
        names = (*corpora_of(corpus), *self.request.test_corpora)
        whole = [self.manifests[one] for one in names if one in self.manifests]
        return self.perturbations.of(by, division, whole) if by else None

    def _lasting(self, names: tuple[str, ...], seconds: float) -> list[Manifest]:
        found = [self.manifests[one] for one in names if one in self.manifests]
        lasting = [manifest.lasting(seconds) for manifest in found]
        if not self.request.skip_bad:
            refuse_bad(lasting)
        return lasting

    @cached_property
    def choice(self) -> SplitChoice:
        """How corpora are divided."""
        request = self.request
        return SplitChoice.of(
            request.split,
            self.registry.splits,
            folds=request.folds,
            seed=request.split_seed,
            target=self.target,
            targets=self.registry.targets,
        )

    @cached_property
    def target(self) -> Target:
        """What is predicted."""
        return self.registry.targets[self.request.target]

    # ------------------------------------------------------------ pairs

    def _pairs(self, name: str, corpora: Mapping[str, None]) -> Iterator[Pair]:
        """Pair an upstream with the corpora that it is asked for on."""
        heads = {one: heads_on(self.grids, name, one) for one in corpora}
        here = {
            one: heads
            for one, heads in heads.items()
            if heads and set(corpora_of(one)) <= self.manifests.keys()
        }
        upstream = self.registry.upstreams[name]
        checkpoint = self.upstreams.checkpoint(upstream) if here else None
        if checkpoint is None:
            return
        condition = self.upstreams.condition(upstream, checkpoint)
        for (corpus, used), changed in product(here.items(), self.perturbations.asked):
            for division in self._divisions(corpus, least_seconds(upstream, changed)):
                perturbed = self._perturbed(changed, corpus, division)
                yield self._pair(
                    upstream, checkpoint, condition, division, used, perturbed
                )

    # ------------------------------------------------------------ cells

    def _pair(
        self,
        upstream: Upstream,
        checkpoint: Checkpoints,
        condition: UpstreamCondition,
        division: Division,
        heads: tuple[str, ...],
        perturbed: Perturbed | None,
    ) -> Pair:
        data = division.condition
        jobs = [
            job
            for name in heads
            for job in self._jobs(name, condition, data, division, perturbed)
        ]
        todo = tuple(job for job in jobs if self._is_due(job.cell.run_id))
        pair = Pair(
            upstream=upstream,
            revision=checkpoint.revision,
            condition=condition,
            division=division,
            jobs=tuple(jobs),
            todo=todo,
            kinds=kinds_for(job.downstream.reads for job in todo),
            missing=(),
            perturbed=perturbed,
        )
        if not todo:
            return pair
        missing = self._missing(condition, pair.lists, pair.kinds)
        return replace(pair, missing=missing)

    def _jobs(
        self,
        name: str,
        upstream: UpstreamCondition,
        corpus: CorpusCondition,
        division: Division,
        perturbed: Perturbed | None,
    ) -> Iterator[Job]:
        downstream = self.registry.downstreams[name]
        if upstream.hop is None and downstream.reads.frames:
            raise HarnessError(
                f"'{name}' reads frames, and '{upstream.name}' returns one vector a "
                "clip. Choose heads that read means, such as 'linear'."
            )
        condition = Condition(
            upstream=upstream,
            downstream=DownstreamCondition(
                name=downstream.name,
                version=downstream.version,
                plugin=self.registry.downstreams.plugin(name).identity,
                reads=downstream.reads,
                recipe=downstream.recipe,
                selection=self.selection,
                training=loop.VERSION,
            ),
            corpus=corpus,
            perturbation=self.perturbations.condition(perturbed),
            target=TargetCondition(
                name=self.target.name,
                version=self.target.version,
                plugin=self.registry.targets.plugin(self.target.name).identity,
            ),
        )
        asked = self.request.seeds
        seeds = range(downstream.seeds) if asked is None else asked
        for seed, fold in product(seeds, division.split.folds):
            cell = Cell(condition=condition, fold=fold.name, seed=seed)
            yield Job(cell=cell, downstream=downstream)

    @cached_property
    def selection(self) -> str:
        """How epochs are selected, as a condition has it."""
        return selection_for(self.target, self.request.selection, self.registry.metrics)

    @cached_property
    def finished(self) -> frozenset[str]:
        """The run_ids that have a stored result."""
        found: frozenset[str] | None = self.registry.hook.harness_finished_runs(
            runs=self.request.runs
        )
        return found or frozenset()

    def _is_due(self, run_id: str) -> bool:
        """Return whether a cell is to be computed: for the first time, or again."""
        return run_id not in self.finished or _names(self.request.again, run_id)

    def _again(self, pairs: Iterable[Pair]) -> frozenset[str]:
        """Return the stored results that are to be replaced.

        Raises:
            HarnessError: Where a run was named that is no cell of the command.
        """
        cells = {job.cell.run_id for pair in pairs for job in pair.jobs}
        for name in self.request.again:
            if name != ALL and not any(one.startswith(name) for one in cells):
                raise HarnessError(
                    f"--again names the run '{name}', which is no cell of this "
                    "command. Name the upstream, downstream, corpus, split and seed "
                    f"that 'harness runs show {name}' has."
                )
        return frozenset(
            one for one in cells & self.finished if _names(self.request.again, one)
        )

    def _missing(
        self,
        condition: UpstreamCondition,
        lists: Iterable[Iterable[Recording]],
        kinds: tuple[Kind, ...],
    ) -> tuple[Recording, ...]:
        store = store_of(condition, self.request.cache)
        recordings = list(chain.from_iterable(lists))
        keys = [recording.key for recording in recordings]
        lacking = set().union(*(store.lacks(kind, keys) for kind in kinds))
        return tuple(
            recording
            for recording, key in zip(recordings, keys, strict=True)
            if key in lacking
        )


def _names(again: tuple[str, ...], run_id: str) -> bool:
    """Return whether a run is among those that are named by their beginnings."""
    return ALL in again or any(run_id.startswith(name) for name in again)
