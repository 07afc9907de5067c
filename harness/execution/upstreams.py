"""The upstreams of a command: their checkpoints here, and their conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.data import audio
from harness.errors import CheckpointError, HarnessError, UnknownNameError
from harness.features import extraction
from harness.features.checkpoints import Checkpoints, find_checkpoint
from harness.types import UpstreamCondition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.execution.request import Request
    from harness.memory import Memory
    from harness.registry import Registry
    from harness.types import Upstream

NOT_HERE = Checkpoints(folder=None, revision="", sha256="not on this machine")
"""For an upstream whose checkpoint is to be fetched."""


class Upstreams:
    """What a request asks of upstreams, and what was found of them so far.

    Attributes:
        missing: Why upstreams are left out, a sentence each.
        absent: Those whose checkpoints are to be fetched.
    """

    def __init__(
        self,
        request: Request,
        registry: Registry,
        memory: Memory,
        unavailable: Mapping[str, str],
    ) -> None:
        """Look for nothing yet."""
        self.request, self.known = request, registry.upstreams
        self.memory, self.unavailable = memory, unavailable
        self.missing: list[str] = []
        self.absent: list[Upstream] = []

    def check(self, names: Sequence[str]) -> None:
        """Refuse a feeding that none has, and a checkpoint of another upstream.

        Raises:
            HarnessError: Where the user asked for such a one.
        """
        self._check_feeding(names)
        self._check_checkpoints(names)

    def _check_feeding(self, names: Sequence[str]) -> None:
        feeding = self.request.feeding
        upstreams = [self.known[name] for name in names]
        known = sorted({one for upstream in upstreams for one in upstream.feedings})
        if feeding is not None and feeding not in known:
            raise HarnessError(
                f"None of {', '.join(names)} can be fed '{feeding}'. "
                f"Known for them: {', '.join(known)}."
            )

    def _check_checkpoints(self, names: Sequence[str]) -> None:
        """Refuse a checkpoint that is given for an upstream that is not asked for."""
        upstreams = [self.known[name] for name in names]
        known = {one for u in upstreams for one in (u.name, u.checkpoint_of) if one}
        more = {f"{u.name}/{key}" for u in upstreams for key in u.more_checkpoints}
        for name in self.request.checkpoints:
            if name not in known | more:
                raise UnknownNameError("upstream of this command", name, known | more)

    def checkpoint(self, upstream: Upstream) -> Checkpoints | None:
        """Find a checkpoint; ``None`` for an upstream that is left out.

        Raises:
            CheckpointError: Where it cannot be used, and nothing may be left out.
        """
        if reason := self.unavailable.get(upstream.name):
            self.missing.append(reason)
            return None
        try:
            found = find_checkpoint(
                upstream, self.request.checkpoints, self.memory, download=False
            )
        except CheckpointError as error:
            if not self.request.skip_missing:
                raise
            self.missing.append(str(error))
            return None
        if found is None:
            self.absent.append(upstream)
        return found or NOT_HERE

    def condition(
        self, upstream: Upstream, checkpoint: Checkpoints
    ) -> UpstreamCondition:
        """Return all that its features depend on, but the audio."""
        request = self.request
        known = request.feeding in upstream.feedings
        return UpstreamCondition(
            name=upstream.name,
            version=upstream.version,
            plugin=self.known.plugin(upstream.name).identity,
            checkpoint=checkpoint.sha256,
            layers=upstream.layers,
            dim=upstream.dim,
            hop=upstream.hop,
            rate=upstream.rate,
            feeding=str(request.feeding) if known else upstream.feedings[0],
            precision=request.precision,
            frame_type=request.frame_type,
            max_seconds=request.max_seconds,
            decoding=audio.VERSION,
            extraction=extraction.VERSION,
        )
