"""Utterances that are made up, to train and score a head on within seconds."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.conformance.rules import Broken
from harness.data.manifest import Recording
from harness.features.checkpoints import Checkpoint
from harness.features.extraction import Source, kinds_for
from harness.features.store import NORMS
from harness.types import Batch, Upstream, Utterance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from harness.types import Downstream, Result

CLASSES, LAYERS, DIM = 3, 3, 80
SIZES = (96, 24, 60)
"""Utterances of the training, the validation and the test part."""
EPOCHS = 2
"""Of a training that is long enough to be resumable."""


class Toy:
    """Utterances whose frames scatter around the mean of their class."""

    def __init__(self, *, seed: int, shuffled: bool = False) -> None:
        """Draw them; labels that are shuffled say nothing about the frames."""
        import torch

        random = torch.Generator().manual_seed(seed)
        means = 3 * torch.randn(
            CLASSES, DIM, generator=torch.Generator().manual_seed(9)
        )
        self.labels = torch.arange(sum(SIZES)) % CLASSES
        means_of = self.labels
        if shuffled:
            means_of = self.labels[torch.randperm(len(self.labels), generator=random)]
        lengths = torch.randint(4, 12, (len(self.labels),), generator=random).tolist()
        self.states = [
            means[label] + torch.randn(LAYERS, length, DIM, generator=random)
            for label, length in zip(means_of, lengths, strict=True)
        ]

    def batch(self, downstream: Downstream, rows: Sequence[int]) -> Batch:
        """Give some of the utterances in the form that a head reads."""
        import torch

        reads = downstream.reads
        layers = slice(None) if reads.layers == "all" else -1
        states = [self.states[row][layers] for row in rows]
        if reads.frames:
            return Batch(frames=tuple(states))
        return Batch(pooled=torch.stack([state.mean(-2) for state in states]))


def scorer(downstream: Downstream) -> Callable[[Batch], Tensor]:
    """Give a function from a batch to scores (B, C): fitted, or freshly built."""
    import torch

    if downstream.fit is not None:
        rows, features = range(SIZES[0]), Toy(seed=0)
        batch, labels = features.batch(downstream, rows), features.labels[: SIZES[0]]
        return downstream.fit(batch, labels, classes=CLASSES, seed=0)
    if downstream.build is None:
        raise Broken("Give it exactly one of 'build' and 'fit'.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = LAYERS if downstream.reads.layers == "all" else 1
        head = downstream.build(layers=layers, dim=DIM, classes=CLASSES).eval()
    return torch.inference_mode()(head)


def train_on_toy(downstream: Downstream, *, shuffled: bool = False) -> Result:
    """Train and score a head as a run does it, on a toy that lies in a store.

    The test part is in the order of its labels, as the files of many corpora are. A
    training that is long enough to be resumable is cut to ``EPOCHS``.
    """
    import torch

    from harness.training.task import Training, train

    if downstream.recipe.resumable:
        brief = replace(downstream.recipe, epochs=EPOCHS)
        downstream = replace(downstream, recipe=brief)
    threads = torch.get_num_threads()
    toy = Toy(seed=1, shuffled=shuffled)
    order = list(range(len(toy.states)))
    first, second = SIZES[0], SIZES[0] + SIZES[1]
    order[second:] = sorted(order[second:], key=lambda row: int(toy.labels[row]))
    recordings = [_recording(row, f"class-{int(toy.labels[row])}") for row in order]
    with tempfile.TemporaryDirectory() as cache:
        source = Source(
            upstream=Upstream(name="toy", load=_no_load, layers=LAYERS, dim=DIM, hop=1),
            checkpoint=Checkpoint(folder=None, revision="", sha256=""),
            feeding="full",
        )
        store = source.store(Path(cache))
        for kind in kinds_for([downstream.reads]):
            tensors: dict[str, Tensor] = {}
            for row, states in enumerate(toy.states):
                stored = {"last": states[-1], "all": states, "pooled": states.mean(1)}
                tensors[str(row)] = stored[kind].contiguous()
                if kind == "pooled":
                    tensors[f"{row}{NORMS}"] = states.norm(dim=2).mean(1)
            store.write(kind, tensors, {})
        result = train(
            Training(
                source=source,
                cache=Path(cache),
                downstream=downstream,
                train=tuple(recordings[:first]),
                valid=tuple(recordings[first:second]),
                test=tuple(recordings[second:]),
                labels=tuple(f"class-{number}" for number in range(CLASSES)),
                selection="macro_f1",
                seed=0,
                device="cpu",
                threads=1,  # more only wait for each other on so little
                facts=dict.fromkeys(FACTS, ""),
            )
        )
    torch.set_num_threads(threads)
    return result


FACTS = (
    *("run_id", "upstream", "upstream_revision", "upstream_feeding", "downstream"),
    *("checkpoint_sha256", "recipe", "recipe_deviations", "selection", "corpus"),
    *("corpus_version", "manifest_sha256", "language", "max_seconds", "split", "fold"),
    *("split_sha256", "folds", "seed", "skipped", "harness_version", "plugin"),
)
"""The columns of a result that a run knows before training."""


def _recording(row: int, label: str) -> Recording:
    return Recording(
        utterance=Utterance(id=str(row), path="", label=label, speaker=str(row % 7)),
        path=Path(),
        sha256=str(row),
        content=str(row),
        rate=16_000,
        channels=1,
        seconds=1.0,
        peak=1.0,
    )


def _no_load(
    checkpoint: Path | None, *, device: str, feeding: str
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    raise Broken("A toy's features are in its store.")
