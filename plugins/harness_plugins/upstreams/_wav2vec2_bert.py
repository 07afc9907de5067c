"""wav2vec2-BERT: a Conformer on log-mel frames, for ``hf:`` checkpoints.

Barrault et al. 2023, https://arxiv.org/abs/2312.05187.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_plugins.upstreams import _config
from harness_plugins.upstreams.wav2vec2 import first, pad, run_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor
    from torch.nn import ModuleDict
    from transformers.models.wav2vec2_bert.modeling_wav2vec2_bert import (
        Wav2Vec2BertEncoder as Encoder,
    )
    from transformers.models.wav2vec2_bert.modeling_wav2vec2_bert import (
        Wav2Vec2BertEncoderLayer as Block,
    )


def load(
    checkpoint: Path | None, *, device: str, feeding: str
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Read the projection and the Conformer; no adapter that may follow."""
    import torch
    from transformers import SeamlessM4TFeatureExtractor

    from harness_plugins.upstreams import _devices

    found = _config.read(_config.require(checkpoint), "wav2vec2-bert")
    model = _devices.place(read_parts(found), device)
    bins = found.settings["num_mel_bins"]
    log_mel = SeamlessM4TFeatureExtractor(feature_size=bins, num_mel_bins=bins)

    @torch.inference_mode()
    def encode(waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Turn waveforms, each (S,), into states, each (L, T, D)."""
        clips = [embed(waveform) for waveform in waveforms]
        return run_blocks(model["encoder"], *pad(clips), conformer)

    def embed(waveform: Tensor) -> Tensor:
        """Turn a waveform (S,) into the Conformer's input (T, D)."""
        with torch.autocast("cpu", enabled=False):
            features = log_mel(
                waveform.cpu().numpy(),
                sampling_rate=log_mel.sampling_rate,
                pad_to_multiple_of=None,
                return_tensors="pt",
            )["input_features"]
        embedded: Tensor = first(model["feature_projection"](features.to(device)))[0]
        return embedded

    return encode


def read_parts(found: _config.Description) -> ModuleDict:
    """Read what is used of a checkpoint: the projection and the Conformer."""
    import torch

    from harness_plugins.upstreams import _weights

    with torch.device("meta"):
        whole = _config.build(found)
    encoder = whole.encoder
    parts = ("feature_projection", "encoder")
    model = torch.nn.ModuleDict({part: getattr(whole, part) for part in parts})
    positions, encoder.embed_positions = encoder.embed_positions, None
    _weights.fill(model, found.folder, ("wav2vec2_bert.", ""))
    if positions is not None:  # computed from the config, in no file
        encoder.embed_positions = type(positions)(whole.config)
    return model


def conformer(
    encoder: Encoder, mask: Tensor | None, frames: int
) -> Callable[[Block, Tensor], Tensor]:
    """Run blocks with an attention that a mask hides padding from, if there is any.

    The convolution needs no mask: it looks back, and padding follows the clip.
    """

    def step(block: Block, states: Tensor) -> Tensor:
        positions = encoder.embed_positions and encoder.embed_positions(states)
        return first(
            block(states, attention_mask=mask, relative_position_embeddings=positions)
        )

    return step
