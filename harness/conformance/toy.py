"""Made-up utterances that a head is trained and scored on within seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from harness.conformance.rules import Broken
from harness.training.dataset import Dataset
from harness.training.logits import scored
from harness.training.loop import Fitting, fit
from harness.training.metrics import accuracy, ccc, macro_f1

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from harness.training.loop import Fitted
    from harness.types import Batch, Downstream, Reads

CLASSES, LAYERS, DIM = 3, 3, 80
SIZES = (96, 24, 60)
"""Utterances of the training, the validation and the test part."""
BRIEF = 2
"""Epochs of a training that is costly, or where the score does not matter."""


@dataclass(frozen=True, kw_only=True)
class Toy:
    """Three parts of utterances whose frames scatter around the mean of their class.

    Attributes:
        states: Of each utterance, (L, T, D).
        labels: Their classes, (N,); or numbers, of mean 0 and deviation 1.
        classes: C.
    """

    states: tuple[Tensor, ...]
    labels: Tensor
    classes: int

    @classmethod
    def of(
        cls,
        seed: int,
        *,
        classes: int = CLASSES,
        permuted: bool = False,
        numbers: bool = False,
    ) -> Toy:
        """Draw utterances; permuted labels say nothing about the frames.

        Numbers are those of the classes, on a standard scale.
        """
        random = torch.Generator().manual_seed(seed)
        means = torch.randn(classes, DIM, generator=torch.Generator().manual_seed(9))
        labels = torch.arange(sum(SIZES)) % classes
        of_frames = labels
        if permuted:
            of_frames = labels[torch.randperm(len(labels), generator=random)]
        lengths = torch.randint(4, 12, (len(labels),), generator=random).tolist()
        states = tuple(
            3 * means[label] + torch.randn(LAYERS, length, DIM, generator=random)
            for label, length in zip(of_frames.tolist(), lengths, strict=True)
        )
        if numbers:
            places = labels.float()
            labels = (places - places.mean()) / places.std(correction=0)
        return cls(states=states, labels=labels, classes=1 if numbers else classes)

    def parts(self, reads: Reads) -> tuple[Dataset, Dataset, Dataset]:
        """Return train, valid and test in the form that a head reads.

        The test part is in the order of its labels, as the files of many corpora are.
        """
        first, second = SIZES[0], SIZES[0] + SIZES[1]
        test = list(range(second, len(self.labels)))
        test.sort(key=lambda row: int(self.labels[row]))
        rows = (range(first), range(first, second), test)
        train, valid, last = (self._part(reads, part) for part in rows)
        return train, valid, last

    def _part(self, reads: Reads, rows: Sequence[int]) -> Dataset:
        layers = -1 if reads.layers == "last" else slice(None)
        states = [self.states[row][layers] for row in rows]
        labels = self.labels[list(rows)]
        if reads.frames:
            return Dataset(frames=tuple(states), labels=labels)
        pooled = torch.stack([state.mean(-2) for state in states])
        return Dataset(pooled=pooled, labels=labels)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A head that was fitted to a toy.

    Attributes:
        fitted: The head.
        scores: Of the test part, (N, C).
        macro_f1: Of the test part; of numbers the CCC.
        accuracy: Of the test part; of numbers the CCC.
    """

    fitted: Fitted
    scores: Tensor
    macro_f1: float
    accuracy: float


def fit_toy(
    downstream: Downstream, toy: Toy, *, device: str = "cpu", epochs: int | None = None
) -> Trial:
    """Fit and score a head as a run does it.

    Args:
        downstream: The head, its options bound.
        toy: What it is trained on.
        device: A torch device.
        epochs: Cuts the training short.
    """
    if epochs is not None and downstream.recipe is not None:
        recipe = replace(downstream.recipe, epochs=epochs)
        downstream = replace(downstream, recipe=recipe)
    train, valid, test = toy.parts(downstream.reads)
    by, also = (ccc, ccc) if train.numbers else (macro_f1, accuracy)
    fitting = Fitting(
        downstream=downstream,
        classes=toy.classes,
        selection=by,
        seed=0,
        device=device,
    )
    fitted = fit(fitting, train, valid)
    scores = fitted.predict(test).cpu()
    found = scored(test.labels, scores)
    return Trial(
        fitted=fitted,
        scores=scores,
        macro_f1=float(by.score(found)),
        accuracy=float(also.score(found)),
    )


def scorer(downstream: Downstream, device: str = "cpu") -> Callable[[Batch], Tensor]:
    """Return a function from a batch to scores (B, C): fitted, or freshly built."""
    if downstream.fit is not None:
        toy = Toy.of(0, numbers=not downstream.can_predict(numbers=False))
        train, _, _ = toy.parts(downstream.reads)
        batch = train.batch(slice(None), "cpu")
        return downstream.fit(batch, train.labels, classes=toy.classes, seed=0)
    if downstream.build is None:
        raise Broken("Write exactly one of 'build' and 'fit'.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = LAYERS if downstream.reads.layers == "all" else 1
        head = downstream.build(layers=layers, dim=DIM, classes=CLASSES)
    return torch.inference_mode()(head.to(device).eval())
