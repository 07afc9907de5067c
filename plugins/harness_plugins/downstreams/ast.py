"""The Audio Spectrogram Transformer from scratch: the baseline without pre-training.

Paper: Gong et al. 2021, https://arxiv.org/abs/2104.01778; code: YuanGongND/ast 31088be.
Command: ``harness run --upstream fbank --downstream ast --corpus emodb``, or
``--baseline ast`` beside the upstreams that it is to be compared with.
Cost: the one long training here. On EmoDB ``ast-tiny`` takes 34 minutes of one core and
5.2 GB; ``ast`` wants a GPU.
Expected of ``ast-tiny`` on EmoDB's speaker-independent split: macro-F1 46 %.

There is no official recipe from scratch. ``RECIPE`` is the nearest: ESC-50's, with the
learning rate of its branch that does not start from AudioSet's weights.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from harness import (
    Cost,
    Downstream,
    Optimiser,
    Reads,
    Recipe,
    Schedule,
    hookimpl,
)
from harness_plugins.upstreams.fbank import MEAN, SPREAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.nn import Module

VERSION = 1
"""Raised when a change of this file or of ``_ast.py`` moves a number."""

PATCH, STRIDE = 16, 10
"""Patches of 16 × 16, ten frames and ten bins apart (``src/models/ast_models.py``)."""

LONGEST = 1024
"""Frames that are read, AudioSet's ``audio_length``: 10.24 s."""

BUCKET = 64
"""Frames. A clip is padded to a multiple of it, whatever it shares a batch with."""

ZERO = -MEAN / SPREAD
"""AST pads and masks log-mels with 0 before it normalises: that 0 on fbank's scale."""

FREQUENCY_MASK, TIME_MASK = 24, 96
"""SpecAugment's widest masks, in bins and in frames (``egs/esc50/run_esc.sh``)."""

MASKED = TIME_MASK / 512
"""The most of a clip that is masked in time; 512 frames is ESC-50's length."""

BYTES = 1900
"""Memory of a frame in training, for each of the model's dims; as measured."""

RECIPE = Recipe(
    name="ast-esc50-scratch",
    epochs=25,
    batch=48,
    optimiser=Optimiser(learning_rate=1e-4, weight_decay=5e-7, betas=(0.95, 0.999)),
    schedule=Schedule(kind="milestones", factor=0.85, milestones=tuple(range(5, 25))),
    loss="class-weighted cross-entropy",
    mixed_precision=True,
    deviations=(
        "ESC-50's recipe without AudioSet's weights, and without ImageNet's",
        "seeds are set (the official code sets none)",
        "class-weighted cross-entropy",
        "selection by validation macro-F1 unless asked for UAR, not on the test folds",
        "mean and standard deviation of the training part's own frames, unpadded",
        "zero-padding to the next 64 frames and cutting at 1024, not 512 for all",
        "a time mask takes at most 96/512 of a clip",
        "an incomplete last batch is dropped",
        "mixed precision on GPUs only",
    ),
)


def build(
    *, layers: int, dim: int, classes: int, width: int, blocks: int = 12
) -> Module:
    """Build a Transformer of so many dims on a spectrogram of ``dim`` mel bins."""
    from harness_plugins.downstreams._ast import AST

    return AST(dim=dim, classes=classes, width=width, blocks=blocks)


def patches(size: int) -> int:
    """Count the patches along an axis of so many frames or bins."""
    return (size - PATCH) // STRIDE + 1


def bucket(frames: int) -> int:
    """Return to how many frames a clip is padded, or cut."""
    return min(-(-frames // BUCKET) * BUCKET, LONGEST)


@hookimpl
def harness_downstreams() -> Iterator[Downstream]:
    """Offer the sizes that the official code has, named as there."""
    for name, width, parameters in (
        ("ast", 768, 86e6),
        ("ast-small", 384, 22e6),
        ("ast-tiny", 192, 5.6e6),
    ):
        yield Downstream(
            name=name,
            summary=f"spectrogram Transformer from scratch, {parameters / 1e6:g} M",
            reads=Reads(layers="last", frames=True),
            build=partial(build, width=width),
            recipe=RECIPE,
            upstream="fbank",
            cost=Cost(
                weights=int(parameters * patches(128) / STRIDE), memory=BYTES * width
            ),
            version=VERSION,
        )
