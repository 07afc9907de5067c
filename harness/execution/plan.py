"""What a command would do: its cells, by (upstream × corpus)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.data.manifest import Manifest, Recording
    from harness.data.perturbing import Perturbed
    from harness.execution.request import Request
    from harness.features.shards import Kind
    from harness.splits.transfer import Division
    from harness.types import Cell, Corpus, Downstream, Upstream, UpstreamCondition


@dataclass(frozen=True, kw_only=True)
class Job:
    """A cell, and the head that it trains."""

    cell: Cell
    downstream: Downstream


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An (upstream × corpus): features once, then every cell that reads them.

    Attributes:
        upstream: The model.
        revision: Of its checkpoint.
        condition: What its features depend on.
        division: The corpus as it was found, and how it is divided.
        jobs: Every cell of the pair.
        todo: Those without a stored result.
        kinds: The features that these read.
        missing: Recordings of which some of these are not stored yet.
        perturbed: What is tested, or used for every part, in place of the recordings
            as they are.
    """

    upstream: Upstream
    revision: str
    condition: UpstreamCondition
    division: Division
    jobs: tuple[Job, ...]
    todo: tuple[Job, ...]
    kinds: tuple[Kind, ...]
    missing: tuple[Recording, ...]
    perturbed: Perturbed | None = None

    @property
    def manifest(self) -> Manifest:
        """The corpus as it was found."""
        return self.division.manifest

    @property
    def lists(self) -> tuple[tuple[Recording, ...], ...]:
        """What is trained on and, where that is another list, what is tested."""
        if self.perturbed is None:
            return (self.manifest.recordings,)
        if self.perturbed.parts == "all":
            return (self.perturbed.recordings,)
        return (self.manifest.recordings, self.perturbed.recordings)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a command would do.

    Attributes:
        request: What was asked.
        pairs: In the order in which they are done.
        absent: Upstreams whose checkpoint a run would fetch.
        unmade: Corpora that a run would synthesise.
        missing: Why a corpus or an upstream is left out, a sentence each.
        doubts: How corpora differ from what was published, a sentence each.
        again: The runs that have a result and are computed all the same.
        outdated: Which stored features are not used, as other code made them, a
            sentence each.
    """

    request: Request
    pairs: tuple[Pair, ...]
    absent: tuple[Upstream, ...] = ()
    unmade: tuple[Corpus, ...] = ()
    missing: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    again: frozenset[str] = frozenset()
    outdated: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell of the command, each once."""
        cells = (job.cell for pair in self.pairs for job in pair.jobs)
        return tuple({cell.run_id: cell for cell in cells}.values())

    @property
    def seeds(self) -> dict[tuple[int, ...], list[str]]:
        """Which heads are trained with which seeds."""
        of_head: dict[str, dict[int, None]] = {}
        for cell in self.cells:
            head = cell.condition.downstream.name
            of_head.setdefault(head, {})[cell.seed] = None
        heads: dict[tuple[int, ...], list[str]] = {}
        for head, seeds in of_head.items():
            heads.setdefault(tuple(seeds), []).append(head)
        return heads

    @property
    def perturbed(self) -> frozenset[str]:
        """The keys of the recordings that are perturbed."""
        lists = (pair.perturbed.recordings for pair in self.pairs if pair.perturbed)
        return frozenset(recording.key for of in lists for recording in of)

    @property
    def todo(self) -> tuple[Job, ...]:
        """The cells that are to be computed."""
        return tuple(job for pair in self.pairs for job in pair.todo)
