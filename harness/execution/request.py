"""What the user asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.data.places import Places

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.types.perturbations import PerturbedParts
    from harness.types.work import FrameType, Precision


@dataclass(frozen=True)
class Grid:
    """Names of which every combination is a cell, for each seed and fold."""

    upstreams: tuple[str, ...]
    downstreams: tuple[str, ...]
    corpora: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for.

    Attributes:
        grids: What to run; a cell that stands in two of them is one cell. A corpus may
            be several that are joined: ``a+b``.
        target: What is predicted.
        test_corpora: Test on these corpora, and train on those of the grids.
        seeds: One cell each; ``None`` for as many, from 0, as each head asks for.
        split: A strategy, or the path of a split file.
        folds: How many, for a strategy that takes that; ``None`` for five.
        split_seed: Of strategies that draw.
        feeding: Taken by every upstream that knows it; ``None`` is each one's first.
        max_seconds: Cut every clip to this length.
        limit: Take so many utterances of each corpus; ``None`` for all.
        frame_type: Of stored frames.
        precision: Of the upstreams' arithmetic.
        selection: The validation metric that selects the epoch, or with ``:epochs=K``
            the K epochs whose probabilities are averaged.
        skip_bad: Go on without the audio files that cannot be used.
        skip_missing: Go on without corpora and checkpoints that cannot be had.
        controls: Add the rows that a score must beat to mean anything.
        all_controls: And those that take as long as what they are compared with.
        again: The runs whose results are computed again, by the beginnings of their
            names, or ``all``.
        perturb: How recordings are perturbed, one cell each; empty for as they are.
        perturb_parts: Whose recordings: ``test`` or ``all``.
        checkpoints: Local folders by upstream name.
        suite: The file that the grids come from, if they do.
        data_root: One folder a corpus.
        runs: Where results are.
        cache: Where features are.
    """

    grids: tuple[Grid, ...]
    target: str = "emotion"
    test_corpora: tuple[str, ...] = ()
    seeds: tuple[int, ...] | None = None
    split: str = "speaker-independent"
    folds: int | None = None
    split_seed: int = 0
    feeding: str | None = None
    max_seconds: float | None = None
    limit: int | None = None
    frame_type: FrameType = "float32"
    precision: Precision = "float32"
    selection: str = "macro_f1"
    skip_bad: bool = False
    skip_missing: bool = False
    controls: bool = False
    all_controls: bool = False
    again: tuple[str, ...] = ()
    perturb: tuple[str, ...] = ()
    perturb_parts: PerturbedParts = "test"
    checkpoints: Mapping[str, Path] = field(default_factory=dict)
    suite: Path | None = None
    data_root: Path
    runs: Path
    cache: Path

    @property
    def places(self) -> Places:
        """The folders that tasks need."""
        return Places(
            data=self.data_root.absolute(),
            cache=self.cache.absolute(),
            checkpoints=self.checkpoints,
        )
