"""Every family of upstreams on checkpoints with random weights, made on the spot."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import transformers
from harness_plugins.upstreams import (
    _wav2vec2_bert,
    fbank,
    hf,
    hubert,
    wav2vec2,
    wavlm,
    whisper,
)
from tiny import LAYER_NORM, WAV2VEC2, WAV2VEC2_BERT, WHISPER

from harness.features.padding import voice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

RATE = 16_000


@dataclass(frozen=True)
class Family:
    """A kind of model, and how the harness loads it.

    Attributes:
        kind: The class in transformers, empty for one without weights.
        load: The loader of the plugin.
        settings: Of the class' config.
        feeding: How it is fed.
    """

    kind: str
    load: Callable[..., Any]
    settings: dict[str, Any] = field(default_factory=dict)
    feeding: str = "full"

    def write(self, folder: Path) -> None:
        """Save a model whose every weight is random, as a hub folder has it."""
        if not self.kind:
            return
        random = torch.Generator().manual_seed(0)
        model_class = getattr(transformers, self.kind)
        model = model_class(model_class.config_class(**self.settings))
        with torch.no_grad():
            for weight in model.state_dict().values():
                if weight.is_floating_point() and weight.ndim == 1:
                    noise = torch.randn(weight.shape, generator=random)
                    weight.copy_(0.2 * noise + 1)
        model.save_pretrained(folder)
        if self.kind == "Wav2Vec2BertModel":
            transformers.SeamlessM4TFeatureExtractor().save_pretrained(folder)
        elif self.kind == "WhisperModel":
            bins = self.settings.get("num_mel_bins", 80)
            frames = self.settings.get("max_source_positions", 1500)
            transformers.WhisperFeatureExtractor(
                feature_size=bins, chunk_length=frames // 50
            ).save_pretrained(folder)
        else:
            transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)

    def encoder(self, folder: Path, device: str) -> Any:
        """Load what was written."""
        place = folder if self.kind else None
        return self.load(place, device=device, feeding=self.feeding)


TINY = {
    "wav2vec2": Family("Wav2Vec2Model", wav2vec2.load, WAV2VEC2),
    "wav2vec2, layer norm": Family(
        "Wav2Vec2Model", wav2vec2.load, WAV2VEC2 | LAYER_NORM
    ),
    "hubert": Family("HubertModel", hubert.load, WAV2VEC2),
    "hubert, batch norm": Family(
        "HubertModel",
        hubert.load,
        WAV2VEC2 | {"conv_pos_batch_norm": True, "feat_proj_layer_norm": False},
    ),
    "wavlm": Family("WavLMModel", wavlm.load, WAV2VEC2),
    "wavlm, layer norm": Family("WavLMModel", wavlm.load, WAV2VEC2 | LAYER_NORM),
    "data2vec": Family(
        "Data2VecAudioModel",
        hf.LOADS["data2vec-audio"],
        WAV2VEC2 | {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5},
    ),
    "wav2vec2-bert": Family("Wav2Vec2BertModel", _wav2vec2_bert.load, WAV2VEC2_BERT),
    "wav2vec2-bert, rotary": Family(
        "Wav2Vec2BertModel",
        _wav2vec2_bert.load,
        WAV2VEC2_BERT | {"position_embeddings_type": "rotary"},
    ),
    **{
        f"whisper, {feeding}": Family("WhisperModel", whisper.load, WHISPER, feeding)
        for feeding in whisper.FEEDINGS
    },
    "fbank": Family("", fbank.load),
}

LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}


def _whisper(layers: int, dim: int) -> dict[str, Any]:
    """Return the settings of one of Whisper's sizes; of the decoder least."""
    return {
        "d_model": dim,
        "encoder_layers": layers,
        "encoder_attention_heads": dim // 64,
        "encoder_ffn_dim": 4 * dim,
        "decoder_layers": 1,
        "decoder_attention_heads": dim // 64,
        "decoder_ffn_dim": dim,
        "vocab_size": 51865,
    }


_wav2vec2 = partial(Family, "Wav2Vec2Model", wav2vec2.load)
SIX = {
    "wav2vec2-base": _wav2vec2(),
    "wav2vec2-large": _wav2vec2(LARGE),
    "xls-r-300m": _wav2vec2(LARGE | LAYER_NORM),
    "whisper-small-en": Family("WhisperModel", whisper.load, _whisper(12, 768)),
    "whisper-small": Family("WhisperModel", whisper.load, _whisper(12, 768)),
    "whisper-medium": Family("WhisperModel", whisper.load, _whisper(24, 1024)),
}
"""The models of the paper, by their true sizes."""


def clips(*seconds: float) -> list[Tensor]:
    """Make clips that resemble voices, each (S,)."""
    return [voice(length, RATE, seed) for seed, length in enumerate(seconds)]


def gap(one: Tensor, other: Tensor) -> float:
    """Return the largest difference over the deviation of a layer of (L, T, D)."""
    assert one.shape == other.shape, (one.shape, other.shape)
    one, other = one.double().cpu(), other.double().cpu()
    spread = one.std(dim=(1, 2)).clamp(min=1e-12)
    return float(((one - other).abs().amax(dim=(1, 2)) / spread).max())
