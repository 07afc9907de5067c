"""What a downstream plugin offers: a head, what it reads, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.types.canonical import LATER

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from torch.nn import Module

Control = Literal["permuted-labels", "label-only"]
"""What a downstream controls for: a head on permuted labels stands on every upstream; a
label-only baseline, which reads no feature, stands on the board once."""


@dataclass(frozen=True, kw_only=True)
class Reads:
    """Which features a downstream reads; the planner stores no more than that.

    Attributes:
        layers: The last layer alone, all of them, or each: then a head is trained on
            every layer alone, and the one that is best in validation is the result.
        frames: Every frame, or only the mean over time. A head that is linear up to
            its mean over time trains exactly on the means.
        standardise: Subtract each dim's mean and divide by its deviation, layer by
            layer, both of the training part alone; a dim that is constant there is 0.
    """

    layers: Literal["last", "all", "each"]
    frames: bool
    standardise: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True)
class Batch:
    """The features of B utterances, in the form that ``Reads`` asked for, in float32.

    Attributes:
        pooled: Means over time, (B, D) for the last layer or (B, L, D) for all;
            ``None`` where frames were asked for.
        frames: One tensor an utterance, (T, D) for the last layer or (L, T, D) for
            all, without padding; empty where means were asked for.
    """

    pooled: Tensor | None = None
    frames: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        """Return B."""
        return len(self.frames) if self.pooled is None else len(self.pooled)


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """An optimiser of ``torch.optim`` and its settings; the defaults are torch's.

    Attributes:
        name: ``adam`` has L2 in the gradient, ``adamw`` decouples it.
        learning_rate: At the start.
        weight_decay: On every parameter.
        betas: Of the running means of the gradient and of its square.
        eps: Added to the denominator.
    """

    name: Literal["adam", "adamw"] = "adam"
    learning_rate: float
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the learning rate falls.

    Attributes:
        kind: Not at all, on a plateau of the validation loss, or after given epochs.
        factor: What it is multiplied by.
        patience: Epochs without a lower validation loss that make a plateau.
        minimum: Where it stops falling on plateaus.
        milestones: Epochs after which it falls.
    """

    kind: Literal["constant", "plateau", "milestones"] = "constant"
    factor: float = 1.0
    patience: int = 0
    minimum: float = 0.0
    milestones: tuple[int, ...] = ()


Loss = Literal["cross-entropy", "class-weighted cross-entropy"]
"""Of training; weights are inverse class frequencies of the training part that sum to
one. The validation loss is never weighted."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a head is trained.

    Attributes:
        name: Shown where recipes differ.
        epochs: Passes over the training part.
        batch: Utterances a step; an incomplete last batch is dropped.
        optimiser: Its kind and settings.
        schedule: How the learning rate falls.
        loss: Of training.
        mixed_precision: Train in float16 with loss scaling where the device is CUDA.
        permuted_labels: Train on labels that are permuted among the utterances.
        deviations: Where it differs from what it is named after.
    """

    name: str
    epochs: int
    batch: int
    optimiser: Optimiser
    schedule: Schedule = Schedule()
    loss: Loss = "cross-entropy"
    mixed_precision: bool = False
    permuted_labels: bool = False
    deviations: tuple[str, ...] = ()


class Build(Protocol):
    """Build a head, freshly initialised from torch's current random state."""

    def __call__(self, *, layers: int, dim: int, classes: int) -> Module:
        """Return a module whose ``forward(batch: Batch)`` returns logits (B, C).

        Where a number is predicted, ``classes`` is 1 and (B, 1) is returned, on the
        scale of the training part's: mean 0, standard deviation 1.

        Where it has an attribute ``layer_weights``, a (L,) tensor, the weights of the
        selected epoch are stored with the result. Where it has a method
        ``prepare(train: Iterable[Batch])``, it is called once before the first epoch
        with the training part, to keep statistics of it in buffers. A downstream with
        ``options`` is also passed ``options=``.
        """


@dataclass(frozen=True)
class Validation:
    """The validation part, for a downstream that trains by itself.

    Attributes:
        batch: The whole part.
        labels: (B,), as those of the training part.
        score: From scores (B, C) of the part to the metric that the user selects by,
            larger is better: what there is to choose is chosen by it.
    """

    batch: Batch
    labels: Tensor
    score: Callable[[Tensor], float]


class Fit(Protocol):
    """Train without gradients: for classifiers that bring their own training."""

    def __call__(
        self,
        train: Batch,
        labels: Tensor,
        *,
        valid: Validation,
        classes: int,
        seed: int,
    ) -> Callable[[Batch], Tensor]:
        """Return a function from a batch to scores (B, C).

        With ``layers="each"`` it is called once a layer, with that layer alone, and
        the layer of the best validation score is the result.

        Args:
            train: The whole training part.
            labels: (B,) class indices; or, for a head that ``predicts`` numbers, these
                in floating point, of mean 0 and standard deviation 1.
            valid: The validation part.
            classes: C; 1 where a number is predicted.
            seed: For whatever is random in it; another one for each cell.
        """


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a head costs, for the forecast of ``harness plan``.

    Attributes:
        weights: How many weights a frame meets in the forward pass; of a head with a
            ``fit`` of its own, how many operations each value (utterance × dim) of the
            training part takes in all.
        memory: Bytes that a frame of a batch takes while the head trains.
    """

    weights: int
    memory: int


@dataclass(frozen=True, kw_only=True)
class Downstream:
    """A head on top of an upstream: ``build`` with a ``recipe``, or ``fit``.

    Attributes:
        name: Kebab-case.
        summary: One line for ``harness list``.
        reads: The features that it needs.
        build: Builds a torch module, trained by the recipe.
        recipe: How ``build``'s module is trained.
        fit: Or trains by itself.
        upstream: The one upstream that it is made for, as a whole classifier is;
            ``--baseline NAME`` runs it there. Empty for a head that goes on any.
        cost: What it costs, if that is far from the usual few layers of 256.
        options: A frozen dataclass whose fields, all with defaults, are what a user may
            set by ``NAME:field=value``; ``build`` or ``fit`` is passed an instance.
        version: Raised by the plugin when its code changes a number.
        control: What it controls for, if others must beat it.
        predicts: Whether it is for classes, for numbers or for both; by default for
            both with a recipe, and for classes with a ``fit`` of its own.
        seeds: How many seeds, from 0, are run where the user names none: three for a
            head whose figure moves with the seed. No part of a condition.
        spread: The standard deviation of its macro-F1 over seeds, as a fraction of one,
            where that was measured: said beside figures of one seed. 0 where there is
            none, or where it is not known.
    """

    name: str
    summary: str
    reads: Reads
    build: Build | None = None
    recipe: Recipe | None = None
    fit: Fit | None = None
    upstream: str = ""
    cost: Cost | None = None
    options: type[Any] | None = None
    version: int = 1
    control: Control | None = None
    predicts: tuple[Literal["classes", "numbers"], ...] = ()
    seeds: int = 1

    def can_predict(self, *, numbers: bool) -> bool:
        """Return whether it is for numbers, or for classes."""
        usual = ("classes", "numbers") if self.fit is None else ("classes",)
        return ("numbers" if numbers else "classes") in (self.predicts or usual)

    spread: float = 0.0
