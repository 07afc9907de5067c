"""wav2vec 2.0: the self-supervised models of the paper, and those built like them.

wav2vec 2.0: Baevski et al. 2020, https://arxiv.org/abs/2006.11477. XLSR-53: Conneau et
al. 2020, https://arxiv.org/abs/2006.13979. XLS-R: Babu et al. 2021,
https://arxiv.org/abs/2111.09296. MMS: Pratap et al. 2023,
https://arxiv.org/abs/2305.13516.

    harness run --upstream wav2vec2-base --downstream multilayer --corpus emodb

A stack of convolutions turns the waveform into a frame every 20 ms, a Transformer puts
the frames into context. The first convolution of some is normalised over time, and the
positional one of others looks beyond its input, so that silence at a clip's end would
change every frame before it. Hence all that looks over time but the attention runs clip
by clip; only then are clips padded and stacked, and the attention sees no padding.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import TYPE_CHECKING

from harness import Upstream, hookimpl
from harness_plugins.upstreams import _config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor
    from torch.nn import Module, ModuleDict
    from transformers.models.wav2vec2.modeling_wav2vec2 import (
        Wav2Vec2Encoder as Encoder,
    )
    from transformers.models.wav2vec2.modeling_wav2vec2 import (
        Wav2Vec2EncoderLayer as Block,
    )

    Step = Callable[[Block, Tensor], Tensor]

RATE = 16_000
HOP = 320  # samples from a frame to the next: the product of the strides
VERSION = 1
"""Raised when a change moves a number of wav2vec 2.0 or of a family built on it here:
HuBERT, WavLM, data2vec, wav2vec2-BERT."""

FRONT = 45_000_000
"""Weights that a frame of 20 ms meets in the seven convolutions beside each once: 64,
32, 16, 8, 4, 2 and 1 steps of kernels of 10, 3, 3, 3, 3, 2 and 2, with 512 channels."""


@hookimpl
def harness_upstreams() -> Iterator[Upstream]:
    """Offer the paper's three, and two more that are multilingual."""
    base = _base()
    large = partial(base, layers=24, dim=1024, parameters=315_437_696)
    yield base(
        name="wav2vec2-base",
        checkpoint="facebook/wav2vec2-base",
        revision="0b5b8e868dd84f03fd87d01f9c4ff0f080fecfe8",
        languages=("en",),
        pretraining="960 h of English audio books (LibriSpeech)",
    )
    yield large(
        name="wav2vec2-large",
        checkpoint="facebook/wav2vec2-large",
        revision="312b2410566b698c7a649068d413b2067848bd75",
        parameters=315_427_968,
        languages=("en",),
        pretraining="960 h of English audio books (LibriSpeech)",
    )
    yield large(
        name="xls-r-300m",
        checkpoint="facebook/wav2vec2-xls-r-300m",
        revision="1a640f32ac3e39899438a2931f9924c02f080a54",
        languages=("mul",),
        pretraining="436 000 h of speech in 128 languages",
    )
    yield large(
        name="xlsr-53",
        checkpoint="facebook/wav2vec2-large-xlsr-53",
        revision="c3f9d884181a224a6ac87bf8885c84d1cff3384f",
        languages=("mul",),
        pretraining="56 000 h of speech in 53 languages",
    )
    yield large(
        name="mms-300m",
        checkpoint="facebook/mms-300m",
        revision="4ee317ce793c53dbc041fc4376c7558292dd38dc",
        languages=("mul",),
        pretraining="500 000 h of speech in 1 400 languages",
        licence="CC-BY-NC-4.0",
    )


def _base() -> partial[Upstream]:
    """Return what is common to the models of the base size."""
    return partial(
        Upstream,
        load=load,
        layers=12,
        dim=768,
        front=FRONT,
        parameters=94_370_944,
        hop=HOP / RATE,
        files=_config.FILES,
        licence="Apache-2.0",
        version=VERSION,
    )


def load(
    checkpoint: Path | None,
    *,
    device: str,
    feeding: str,
    rate: int = RATE,
    hop: int = HOP,
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Read the convolutions and the Transformer; no quantiser, no CTC head."""
    return load_like("wav2vec2", checkpoint, device, rate=rate, hop=hop)


def load_like(
    family: str,
    checkpoint: Path | None,
    device: str,
    steps: Callable[[Encoder, Tensor], Step] | None = None,
    *,
    rate: int = RATE,
    hop: int = HOP,
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Build the encoder of any model that has wav2vec 2.0's parts.

    Args:
        family: Its model type.
        checkpoint: Its folder.
        device: Where it runs.
        steps: How its blocks are run, by default as ``masked`` has it.
        rate: The sampling rate that it was described with, in hertz.
        hop: The samples from a frame to the next that it was described with.

    Raises:
        CheckpointError: Where the checkpoint is of another family, rate or hop, or
            cannot be used.
    """
    import torch

    found = _config.read(_config.require(checkpoint), family)
    _compare(found, rate, hop)
    model = read_parts(found).to(device)
    encoder: Encoder = model["encoder"]
    normalise = found.settings["do_normalize"]
    norm_first = found.config.get("do_stable_layer_norm", False)

    @torch.inference_mode()
    def encode(waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Turn waveforms, each (S,), into states, each (L, T, D)."""
        inputs = [waveform.to(device) for waveform in waveforms]
        if normalise:
            inputs = [normed(waveform) for waveform in inputs]
        clips = [embed(model, waveform) for waveform in inputs]
        if not norm_first:
            clips = [encoder.layer_norm(clip) for clip in clips]
        states = run_blocks(encoder, clips, steps or masked)
        if norm_first:
            for state in states:
                state[-1] = encoder.layer_norm(state[-1])
        return states

    return encode


def _compare(found: _config.Description, rate: int, hop: int) -> None:
    """Refuse a checkpoint that is not sampled as the model's description says."""
    own = (found.settings["sampling_rate"], prod(found.config["conv_stride"]))
    if own != (rate, hop):
        raise _config.refusal(
            found.folder,
            f"has a frame every {own[1]} samples at {own[0]} Hz, not every {hop} at "
            f"{rate} Hz",
            _config.HF,
        )


def normed(waveform: Tensor) -> Tensor:
    """Bring a waveform (S,) to mean 0 and variance 1."""
    from torch.nn.functional import layer_norm

    return layer_norm(waveform, waveform.shape, eps=1e-7)


def read_parts(found: _config.Description) -> ModuleDict:
    """Read what is used of a checkpoint: convolutions, projection, Transformer."""
    import torch

    from harness_plugins.upstreams import _weights

    with torch.device("meta"):
        whole = _config.build(found)
    parts = ("feature_extractor", "feature_projection", "encoder")
    model = torch.nn.ModuleDict({part: getattr(whole, part) for part in parts})
    _weights.fill(model, found.folder, (f"{whole.base_model_prefix}.", ""))
    _fold_weight_norm(model)
    return model


def embed(model: ModuleDict, waveform: Tensor) -> Tensor:
    """Turn a waveform (S,) into frames with their positions (T, D)."""
    frames = model["feature_extractor"](waveform[None]).transpose(1, 2)
    states = first(model["feature_projection"](frames))
    encoder: Encoder = model["encoder"]
    embedded: Tensor = (states + encoder.pos_conv_embed(states))[0]
    return embedded


def masked(encoder: Encoder, real: Tensor) -> Step:
    """Run blocks as they are, with an attention that sees only the real frames."""
    import torch

    scores = torch.zeros(real.shape, device=real.device)
    scores = scores.masked_fill(~real, -torch.inf)[:, None, None]
    mask = None if real.all() else scores
    return lambda block, states: first(block(states, attention_mask=mask))


def run_blocks(
    encoder: Encoder,
    clips: Sequence[Tensor],
    steps: Callable[[Encoder, Tensor], Step],
) -> list[Tensor]:
    """Run a Transformer's blocks on clips, each (T, D), to states, each (L, T, D).

    The loop is our own: states are the same under every release of transformers.

    Args:
        encoder: Has the blocks as ``layers``.
        clips: The input of the first block.
        steps: From the encoder and from which of the padded frames are real, (B, T),
            to a function that runs one block on (B, T, D).
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    states = pad_sequence(list(clips), batch_first=True)
    lengths = torch.tensor([len(clip) for clip in clips], device=states.device)
    step = steps(
        encoder, torch.arange(states.shape[1], device=states.device) < lengths[:, None]
    )
    layers = []
    for block in encoder.layers:
        states = step(block, states)
        layers.append(states)
    return [
        torch.stack([layer[row, : len(clip)] for layer in layers])
        for row, clip in enumerate(clips)
    ]


def first(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Take what matters of a module's output, whichever form its release has."""
    return output[0] if isinstance(output, tuple) else output


def _fold_weight_norm(model: Module) -> None:
    """Compute weights that are kept as direction and length once, and not per clip."""
    from torch.nn.utils import parametrize

    for module in model.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
