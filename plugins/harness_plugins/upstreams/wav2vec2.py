"""wav2vec 2.0: the self-supervised models of the paper, and those built like them.

wav2vec 2.0: Baevski et al. 2020, https://arxiv.org/abs/2006.11477. XLSR-53: Conneau et
al. 2020, https://arxiv.org/abs/2006.13979. XLS-R: Babu et al. 2021,
https://arxiv.org/abs/2111.09296. MMS: Pratap et al. 2023,
https://arxiv.org/abs/2305.13516.

    harness run --upstream wav2vec2-base --downstream multilayer --corpus emodb

A stack of convolutions turns the waveform into a frame every 20 ms, a Transformer puts
the frames into context. The first convolution of some is normalised over time, and the
positional one of others looks beyond its input, so that silence at a clip's end would
change every frame before it. Hence, on a CPU, all that looks over time but the
attention runs clip by clip; only then are clips padded and stacked, and the attention
sees no padding. On a GPU clips are padded at once (``_padded.py``).
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

    from torch import Tensor, device
    from torch.nn import Module, ModuleDict
    from transformers.models.wav2vec2.modeling_wav2vec2 import (
        Wav2Vec2Encoder as Encoder,
    )
    from transformers.models.wav2vec2.modeling_wav2vec2 import (
        Wav2Vec2EncoderLayer as Block,
    )

    Step = Callable[[Block, Tensor], Tensor]
    Steps = Callable[[Encoder, Tensor | None, int], Step]

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
        pretraining="500 000 h of speech in 1400 languages",
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
    steps: Steps | None = None,
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

    from harness_plugins.upstreams import _devices, _padded

    found = _config.read(_config.require(checkpoint), family)
    _compare(found, rate, hop)
    model = _devices.place(read_parts(found), device)
    encoder: Encoder = model["encoder"]
    normalise = found.settings["do_normalize"]
    norm_first = found.config.get("do_stable_layer_norm", False)

    @torch.inference_mode()
    def encode(waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Turn waveforms, each (S,), into states, each (L, T, D)."""
        if device == "cpu":
            clips = [embed(model, prepared(waveform)) for waveform in waveforms]
            states, lengths = pad(clips)
        else:
            states, lengths = _padded.embed(model, waveforms, device, normalise)
        if not norm_first:
            states = encoder.layer_norm(states)
        layers = run_blocks(encoder, states, lengths, steps or masked)
        if norm_first:
            for clip in layers:
                clip[-1] = encoder.layer_norm(clip[-1])
        return layers

    def prepared(waveform: Tensor) -> Tensor:
        return normed(waveform) if normalise else waveform

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


def masked(encoder: Encoder, mask: Tensor | None, frames: int) -> Step:
    """Run blocks as they are, with an attention that sees only the real frames."""
    return lambda block, states: first(block(states, attention_mask=mask))


def pad(clips: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
    """Stack clips, each (T, D), to (B, T, D), and count the frames of each."""
    from torch.nn.utils.rnn import pad_sequence

    return pad_sequence(list(clips), batch_first=True), [len(clip) for clip in clips]


def run_blocks(
    encoder: Encoder, states: Tensor, lengths: Sequence[int], steps: Steps
) -> list[Tensor]:
    """Run a Transformer's blocks on (B, T, D) to the states of clips, each (L, T, D).

    The loop is our own: states are the same under every release of transformers. What
    goes from block to block is float32, in half precision, too: there it may be larger
    than float16 can be.

    Args:
        encoder: Has the blocks as ``layers``.
        states: The input of the first block, padded.
        lengths: How many frames of each clip are real.
        steps: From the encoder, what is added to the attention, (B, 1, 1, T), or
            ``None`` where all frames are real, and T, to a function that runs one block
            on (B, T, D).
    """
    import torch

    frames = states.shape[1]
    step = steps(encoder, attention_mask(lengths, frames, states.device), frames)
    states = states.float()
    layers = []
    for block in encoder.layers:
        states = step(block, states)
        layers.append(states)
    return [
        torch.stack([layer[row, :length] for layer in layers])
        for row, length in enumerate(lengths)
    ]


def attention_mask(
    lengths: Sequence[int], frames: int, device: device
) -> Tensor | None:
    """Return what hides padded frames from the attention, (B, 1, 1, T), if any are."""
    import torch

    from harness_plugins.upstreams import _devices, _padded

    if min(lengths) == frames:
        return None
    of = _devices.send(torch.tensor(lengths), str(device))
    real = _padded.real(of, frames)
    mask = torch.zeros(real.shape, device=device).masked_fill(~real, -torch.inf)
    return mask[:, None, None]


def first(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Take what matters of a module's output, whichever form its release has."""
    return output[0] if isinstance(output, tuple) else output


def _fold_weight_norm(model: Module) -> None:
    """Compute weights that are kept as direction and length once, and not per clip."""
    from torch.nn.utils import parametrize

    for module in model.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
