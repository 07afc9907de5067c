"""The Audio Spectrogram Transformer, from scratch: the baseline that no upstream helps.

Paper: Gong et al. 2021, https://arxiv.org/abs/2104.01778; code: YuanGongND/ast 31088be.
Command: ``harness run --upstream fbank --downstream ast --corpus emodb``, or
``--baseline ast`` beside the upstreams that it is to be compared with.
Cost: the one long training here. On EmoDB ``ast-tiny`` takes 34 minutes of one core and
5.2 GB; ``ast`` wants a GPU. An interrupted cell goes on after its last whole epoch.
Expected of ``ast-tiny`` on EmoDB's speaker-independent split: macro-F1 46 %.

There is no official recipe from scratch. ``RECIPE`` is the nearest: ESC-50's, with the
learning rate of its branch that does not start from AudioSet's weights.
"""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from harness import Batch, Downstream, Reads, Recipe, hookimpl
from harness_plugins.upstreams.fbank import MEAN, SPREAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor
    from torch.nn import Module

PATCH, STRIDE = 16, 10
"""Patches of 16 × 16, ten frames and ten bins apart (``src/models/ast_models.py``)."""

LONGEST = 1024
"""Frames that are heard, AudioSet's ``audio_length``: 10.24 s."""

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
    learning_rate=1e-4,
    weight_decay=5e-7,
    betas=(0.95, 0.999),
    milestones=tuple(range(5, 25)),
    milestone_factor=0.85,
    half_on_gpu=True,
    resumable=True,
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
    """Build a Transformer of so many dims on a spectrogram of ``dim`` mel bins.

    The official initial weights are timm's: positions and the two tokens from a
    truncated normal, the patch projection by torch's default.
    """
    import torch
    from torch import nn
    from torch.nn.functional import pad
    from torchaudio.transforms import FrequencyMasking, TimeMasking
    from transformers import ASTConfig, ASTModel

    rows = patches(dim)

    class AST(nn.Module):
        mean: Tensor
        spread: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.transformer = ASTModel(
                ASTConfig(
                    hidden_size=width,
                    num_hidden_layers=blocks,
                    num_attention_heads=width // 64,
                    intermediate_size=4 * width,
                    layer_norm_eps=1e-6,
                    patch_size=PATCH,
                    frequency_stride=STRIDE,
                    time_stride=STRIDE,
                    max_length=LONGEST,
                    num_mel_bins=dim,
                )
            )
            begin = self.transformer.embeddings
            for parameter in (
                begin.cls_token,
                begin.distillation_token,
                begin.position_embeddings,
            ):
                nn.init.trunc_normal_(parameter, std=0.02)
            begin.patch_embeddings.projection.reset_parameters()
            self.classify = nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, classes)
            )
            self.masks = nn.ModuleList(
                [
                    FrequencyMasking(FREQUENCY_MASK, iid_masks=True),
                    TimeMasking(TIME_MASK, iid_masks=True, p=MASKED),
                ]
            )
            self.register_buffer("mean", torch.zeros(()))
            self.register_buffer("spread", torch.ones(()))

        def prepare(self, train: Iterable[Batch]) -> None:
            """Learn the mean and twice the standard deviation of all energies."""
            count, total, squares = 0, self.mean.double(), self.mean.double()
            for frames in (f.double() for batch in train for f in batch.frames):
                count += frames.numel()
                total = total + frames.sum()
                squares = squares + (frames**2).sum()
            self.mean.copy_(total / count)
            self.spread.copy_(2 * (squares / count - (total / count) ** 2).sqrt())

        def forward(self, batch: Batch) -> Tensor:
            """Classify utterances, those of one bucket at once."""
            lengths = [bucket(len(frames)) for frames in batch.frames]
            order = sorted(range(len(batch)), key=lengths.__getitem__)
            pooled = [
                self.pool([batch.frames[index] for index in group], length)
                for length, group in groupby(order, key=lengths.__getitem__)
            ]
            back = torch.tensor(order).argsort()
            logits: Tensor = self.classify(torch.cat(pooled)[back])
            return logits

        def pool(self, utterances: Sequence[Tensor], length: int) -> Tensor:
            """Give the mean of the two tokens' last states, (B, width)."""
            heard = [frames[:length].float() for frames in utterances]
            padded = [pad(f, (0, 0, 0, length - len(f)), value=ZERO) for f in heard]
            images = torch.stack(padded).transpose(1, 2)
            if self.training:
                for mask in self.masks:
                    images = mask(images, ZERO)
            states = torch.func.functional_call(
                self.transformer,
                {"embeddings.position_embeddings": self.positions(length)},
                ((images.transpose(1, 2) - self.mean) / self.spread,),
            )
            pooled: Tensor = states.pooler_output
            return pooled

        def positions(self, length: int) -> Tensor:
            """Give the position embeddings of a spectrogram of so many frames."""
            every = self.transformer.embeddings.position_embeddings
            grid = every[:, 2:].view(1, rows, -1, width)[:, :, : patches(length)]
            return torch.cat([every[:, :2], grid.flatten(1, 2)], dim=1)

    return AST()


def patches(size: int) -> int:
    """Count the patches along an axis of so many frames or bins."""
    return (size - PATCH) // STRIDE + 1


def bucket(frames: int) -> int:
    """Say to how many frames a clip is padded, or cut."""
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
            weights_a_frame=int(parameters * patches(128) / STRIDE),
            bytes_a_frame=BYTES * width,
        )
