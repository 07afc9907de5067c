"""wav2vec2-BERT: a Conformer on log-mel frames, for ``hf:`` checkpoints.

Barrault et al. 2023, https://arxiv.org/abs/2312.05187.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_plugins.upstreams.wav2vec2 import first, run_blocks

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

    from harness_plugins.upstreams import _config

    folder = _config.require(checkpoint)
    model = read_parts(folder).to(device)
    log_mel = SeamlessM4TFeatureExtractor(**_config.read_settings(folder))

    @torch.inference_mode()
    def encode(waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Turn waveforms, each (S,), into states, each (L, T, D)."""
        clips = [embed(waveform) for waveform in waveforms]
        return run_blocks(model["encoder"], clips, conformer)

    def embed(waveform: Tensor) -> Tensor:
        """Turn a waveform (S,) into the Conformer's input (T, D)."""
        features = log_mel(
            waveform.cpu().numpy(),
            sampling_rate=log_mel.sampling_rate,
            pad_to_multiple_of=None,
            return_tensors="pt",
        )["input_features"]
        embedded: Tensor = first(model["feature_projection"](features.to(device)))[0]
        return embedded

    return encode


def read_parts(folder: Path) -> ModuleDict:
    """Read what is used of a checkpoint: the projection and the Conformer."""
    import torch
    from transformers import Wav2Vec2BertConfig, Wav2Vec2BertModel

    from harness_plugins.upstreams import _config, _weights

    found = _config.read_config(folder, "wav2vec2-bert")
    config = Wav2Vec2BertConfig.from_dict(found)
    with torch.device("meta"):
        whole = Wav2Vec2BertModel(config)
    encoder = whole.encoder
    if encoder.embed_positions is not None:  # computed from the config, in no file
        encoder.embed_positions = type(encoder.embed_positions)(config)
    parts = ("feature_projection", "encoder")
    model = torch.nn.ModuleDict({part: getattr(whole, part) for part in parts})
    _weights.fill(model, folder, ("wav2vec2_bert.", ""))
    return model


def conformer(encoder: Encoder, real: Tensor) -> Callable[[Block, Tensor], Tensor]:
    """Run blocks with an attention that sees the frames of (B, T) that are real.

    The convolution needs no mask: it looks back, and padding follows the clip.
    """
    import torch

    scores = torch.zeros(real.shape, device=real.device)
    scores = scores.masked_fill(~real, -torch.inf)[:, None, None]
    mask = None if real.all() else scores

    def step(block: Block, states: Tensor) -> Tensor:
        positions = encoder.embed_positions and encoder.embed_positions(states)
        return first(
            block(states, attention_mask=mask, relative_position_embeddings=positions)
        )

    return step
