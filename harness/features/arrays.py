"""Features for other programs: arrays by utterance, with the utterances beside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.data.manifest import Manifest
    from harness.features.shards import Kind, Reader
    from harness.types import PerturbationCondition, UpstreamCondition

COLUMNS = (
    *("id", "corpus", "path", "label", "speaker", "gender"),
    *("sentence", "language", "seconds"),
)
"""Of the table of utterances; ``sentence`` and ``gender`` may be unknown."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """The features of a corpus, in the order of its utterances.

    An item is an utterance's array: of means (L, D), of frames (T, D) of the last layer
    or (L, T, D) of all. Frames are read when they are asked for.

    Attributes:
        condition: All that they depend on, but the audio.
        kind: ``pooled`` for means, ``last`` or ``all`` for frames.
        manifest: The corpus as it was found.
        reader: Where they lie.
        perturbation: What the recordings were perturbed by before.
    """

    condition: UpstreamCondition
    kind: Kind
    manifest: Manifest
    reader: Reader
    perturbation: PerturbationCondition | None = None

    def __len__(self) -> int:
        """Count the utterances."""
        return len(self.manifest.recordings)

    def __getitem__(self, place: int) -> NDArray[np.floating]:
        """Return an utterance's array; do not write to it."""
        array: NDArray[np.floating] = self.reader[
            self.manifest.recordings[place].key
        ].numpy()
        return array

    def __iter__(self) -> Iterator[NDArray[np.floating]]:
        """Yield the array of each utterance."""
        return (self[place] for place in range(len(self)))

    def __repr__(self) -> str:
        """Say what of which corpus it is."""
        what = {"pooled": "means", "last": "frames of the last layer", "all": "frames"}
        by = f", perturbed by {self.perturbation.name}" if self.perturbation else ""
        return (
            f"<{what[self.kind]} of {self.condition.name} on "
            f"{self.manifest.corpus.name}{by}: {len(self)} utterances, "
            f"{self.condition.layers} layers, {self.condition.dim} dims>"
        )

    @cached_property
    def array(self) -> NDArray[np.float32]:
        """The means of all utterances, (N, L, D).

        Raises:
            HarnessError: Of frames, which are as many as a clip is long.
        """
        import numpy as np

        if self.kind != "pooled":
            raise HarnessError(
                "Frames of clips of different lengths are no one array. Take those of "
                "one clip, features[0], or leave out frames= for means."
            )
        return np.stack(list(self))

    @cached_property
    def utterances(self) -> pa.Table:
        """One row an utterance: id, corpus, path, label, speaker and what is known."""
        import pyarrow as pa

        return pa.table(
            dict(zip(COLUMNS, zip(*self._rows(), strict=True), strict=True))
        )

    def _rows(self) -> Iterator[tuple[object, ...]]:
        first = self.manifest.corpus.languages[0]
        for recording in self.manifest.recordings:
            one = recording.utterance
            corpus, id, speaker = self._within(one.id, one.speaker)
            yield (
                *(id, corpus, one.path, one.label, speaker, one.gender),
                *(one.sentence, one.language or first, recording.seconds),
            )

    def _within(self, id: str, speaker: str) -> tuple[str, str, str]:
        """Return the corpus of an utterance, and what it calls it and its speaker.

        Where corpora are joined, both begin with the name of theirs.
        """
        if not self.manifest.joined:
            return self.manifest.corpus.name, id, speaker
        corpus, _, rest = id.partition("/")
        return corpus, rest, speaker.removeprefix(f"{corpus}/")
