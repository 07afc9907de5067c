"""The network of ``ast``; reached only by work, from ``ast.build``.

Weights and positions are those of the official code, YuanGongND/ast 31088be; the blocks
are transformers'.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torchaudio.transforms import FrequencyMasking, TimeMasking
from transformers import ASTConfig, ASTModel

from harness_plugins.downstreams.ast import (
    FREQUENCY_MASK,
    LONGEST,
    MASKED,
    PATCH,
    STRIDE,
    TIME_MASK,
    ZERO,
    bucket,
    patches,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness import Batch


class AST(nn.Module):
    """A Transformer on the patches of a spectrogram, and a linear layer above it.

    Args:
        dim: Mel bins.
        classes: C.
        width: Of the Transformer.
        blocks: Of the Transformer.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, *, dim: int, classes: int, width: int, blocks: int) -> None:
        """Draw the initial weights."""
        super().__init__()
        self.transformer = transformer(dim, width, blocks)
        self.classify = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes))
        self.masks = nn.Sequential(
            FrequencyMasking(FREQUENCY_MASK, iid_masks=True),
            TimeMasking(TIME_MASK, iid_masks=True, p=MASKED),
        )
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))

    def prepare(self, train: Iterable[Batch]) -> None:
        """Keep the mean and twice the standard deviation of all energies."""
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
        """Return the mean of the two tokens' last states, (B, width)."""
        images = spectrograms(utterances, length)
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
        """Return the position embeddings of a spectrogram of so many frames."""
        every = self.transformer.embeddings.position_embeddings
        rows = patches(self.transformer.config.num_mel_bins)
        grid = every[:, 2:].view(1, rows, -1, every.shape[2])[:, :, : patches(length)]
        return torch.cat([every[:, :2], grid.flatten(1, 2)], dim=1)


def transformer(bins: int, width: int, blocks: int) -> ASTModel:
    """Build the Transformer with the official initial weights, which are timm's.

    Positions and the two tokens are drawn from a truncated normal, the projection of
    the patches by torch's default.
    """
    model = ASTModel(
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
            num_mel_bins=bins,
        )
    )
    begin = model.embeddings
    tokens = (begin.cls_token, begin.distillation_token)
    for parameter in (*tokens, begin.position_embeddings):
        nn.init.trunc_normal_(parameter, std=0.02)
    begin.patch_embeddings.projection.reset_parameters()
    return model


def spectrograms(utterances: Sequence[Tensor], length: int) -> Tensor:
    """Cut or pad utterances, each (T, bins), to one length; (B, bins, length)."""
    cut = [frames[:length] for frames in utterances]
    padded = [pad(f, (0, 0, 0, length - len(f)), value=ZERO) for f in cut]
    return torch.stack(padded).transpose(1, 2)
