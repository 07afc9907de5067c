"""How the recordings of a command are perturbed, and what a condition says of it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from harness.data import perturbing
from harness.data.perturbing import CLEAN, Perturbed, Perturber, marked, of_ids
from harness.types import PerturbationCondition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.data.manifest import Manifest
    from harness.execution.request import Request
    from harness.registry import Registry
    from harness.splits.transfer import Division
    from harness.types import Perturbation, Upstream


class Perturbations:
    """What a request asks for, and the recordings that were perturbed so far."""

    def __init__(self, request: Request, registry: Registry) -> None:
        """Perturb nothing yet."""
        self.names, self.parts = request.perturb, request.perturb_parts
        self.known = registry.perturbations
        self._found: dict[tuple[str, int], Perturbed] = {}

    @cached_property
    def asked(self) -> tuple[Perturbation | None, ...]:
        """How recordings are perturbed, each once; ``None`` is as they are."""
        names = self.names or (CLEAN,)
        found = (None if name == CLEAN else self.known[name] for name in names)
        return tuple({one.name if one else CLEAN: one for one in found}.values())

    def of(
        self, perturbation: Perturbation, division: Division, whole: Sequence[Manifest]
    ) -> Perturbed:
        """Perturb what a division tests, or all of it; once for all upstreams.

        Args:
            perturbation: By what.
            division: The corpus, divided.
            whole: The corpora that it is of, to choose others from.

        Raises:
            DataError: Where a corpus has too few speakers to mix with.
        """
        key = perturbation.name, id(division)
        if key not in self._found:
            plugin = self.known.plugin(perturbation.name)
            recordings = division.manifest.recordings
            if self.parts == "test":
                tested = {id for fold in division.split.folds for id in fold.test}
                recordings = of_ids(recordings, tested)
            by = Perturber(perturbation=perturbation, plugin=str(plugin))
            self._found[key] = Perturbed(
                by=by,
                parts=self.parts,
                recordings=tuple(marked(recordings, by, plugin.identity, whole)),
            )
        return self._found[key]

    def condition(self, perturbed: Perturbed | None) -> PerturbationCondition | None:
        """Return what of it is part of a result's condition."""
        if perturbed is None:
            return None
        perturbation = perturbed.by.perturbation
        return PerturbationCondition(
            name=perturbation.name,
            version=perturbation.version,
            plugin=self.known.plugin(perturbation.name).identity,
            parts=perturbed.parts,
            applied=perturbing.VERSION,
        )


def least_seconds(upstream: Upstream, by: Perturbation | None) -> float:
    """Return how long a clip must be, in seconds, for a model that it is changed for.

    Args:
        upstream: The model.
        by: What changes the clip, such as another speed; ``None`` for nothing.
    """
    return upstream.min_seconds * max(1.0, by.tempo if by else 1.0)
