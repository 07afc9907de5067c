"""What a downstream plugin offers: a head, what it reads, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from torch.nn import Module


@dataclass(frozen=True, kw_only=True)
class Reads:
    """Which features a downstream reads; the planner stores no more than that.

    Attributes:
        layers: The last layer alone, all of them, or each: then a head is trained on
            every layer alone, and the one that is best in validation is the result.
        frames: Every frame, or only the mean over time. A head that is linear up to
            its mean over time trains exactly on the means.
    """

    layers: Literal["last", "all", "each"]
    frames: bool


@dataclass(frozen=True)
class Batch:
    """The features of B utterances, in the form that ``Reads`` asked for.

    Attributes:
        pooled: Means over time, (B, D) for the last layer or (B, L, D) for all;
            ``None`` where frames were asked for.
        frames: One tensor an utterance, (T, D) for the last layer or (L, T, D) for
            all, without padding; empty where means were asked for.
    """

    pooled: Tensor | None = None
    frames: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        """Give B."""
        return len(self.frames) if self.pooled is None else len(self.pooled)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a head is trained. The defaults are PEFT-SER's.

    Source: usc-sail/peft-ser 74cd9e2, ``experiment/finetune_emotion.py`` and
    ``dataloader/dataloader.py``; the paper's section 4.2 has the same figures.

    Attributes:
        name: Stored with every result.
        epochs: Passes over the training part.
        batch: Utterances a step; an incomplete last batch is dropped.
        learning_rate: Adam's.
        weight_decay: L2, on every parameter, as ``torch.optim.Adam`` has it.
        betas: Adam's.
        eps: Adam's.
        plateau_patience: Epochs without a lower validation loss before the learning
            rate falls.
        plateau_factor: What it is multiplied by.
        min_learning_rate: Where it stops falling.
        milestones: Epochs after which the learning rate falls, instead of on a plateau.
        milestone_factor: What it is multiplied by.
        class_weights: Weigh the training loss by inverse class frequency, the weights
            summing to one. The validation loss is never weighted.
        half_on_gpu: Train in mixed precision where the device is CUDA.
        resumable: Keep the training's state after each epoch, so that an interrupted
            cell goes on where it was; for heads that train long.
        shuffled_labels: Learn from labels that were dealt out anew, as a control.
        deviations: Where it differs from what it is named after.
    """

    name: str = "peft-ser"
    epochs: int = 30
    batch: int = 32
    learning_rate: float = 5e-4
    weight_decay: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    plateau_patience: int = 5
    plateau_factor: float = 0.5
    min_learning_rate: float = 5e-5
    milestones: tuple[int, ...] = ()
    milestone_factor: float = 0.85
    class_weights: bool = True
    shuffled_labels: bool = False
    half_on_gpu: bool = False
    resumable: bool = False
    deviations: tuple[str, ...] = (
        "features from a backbone in eval mode (no dropout, no LayerDrop)",
        "no waveform augmentation",
        "no padded frame is computed or averaged",
        "selection by validation macro-F1 unless asked for UAR",
        "clips whole, not cut to 6 s, unless asked for",
    )


class Build(Protocol):
    """Build a head, freshly initialised from torch's current random state."""

    def __call__(self, *, layers: int, dim: int, classes: int) -> Module:
        """Return a module whose ``forward(batch: Batch)`` gives logits (B, C).

        Where it has an attribute ``layer_weights``, a (L,) tensor, the weights of the
        selected epoch are stored with the result. Where it has a method
        ``prepare(train: Iterable[Batch])``, it is called once before the first epoch
        with the training part, to keep statistics of it in buffers.
        """


class Fit(Protocol):
    """Train without gradients: for classifiers that bring their own training."""

    def __call__(
        self, train: Batch, labels: Tensor, *, classes: int, seed: int
    ) -> Callable[[Batch], Tensor]:
        """Return a function from a batch to scores (B, C).

        Args:
            train: The whole training part.
            labels: (B,) class indices.
            classes: C.
            seed: For whatever is random in it.
        """


@dataclass(frozen=True, kw_only=True)
class Downstream:
    """A head on top of an upstream: exactly one of ``build`` and ``fit``.

    Attributes:
        name: Kebab-case.
        summary: One line for ``harness list``.
        reads: The features it needs.
        build: Builds a torch module, trained by the recipe.
        fit: Or trains by itself.
        recipe: How ``build``'s module is trained.
        upstream: The one upstream that it is made for, as a whole classifier is;
            ``--baseline NAME`` runs it there. Empty for a head that goes on any.
        weights_a_frame: How many weights a frame meets, for the plan's guess of the
            time; 0 for about as many as the paper's heads have.
        bytes_a_frame: What a frame of a batch takes while the head trains, for the
            plan's guess of the memory; 0 for about as much as the paper's heads.
        version: Raised by the plugin when its code changes a number.
        control: Whether it stands beside the others, as what they must beat: on every
            upstream if it is ``listening``, once if it is ``deaf`` to the features.
    """

    name: str
    summary: str
    reads: Reads
    build: Build | None = None
    fit: Fit | None = None
    recipe: Recipe = field(default_factory=Recipe)
    upstream: str = ""
    weights_a_frame: int = 0
    bytes_a_frame: int = 0
    version: int = 1
    control: Literal["", "listening", "deaf"] = ""
