"""Whisper's encoder, by the frame: the models that head the paper's tables.

Radford et al. 2022, https://arxiv.org/abs/2212.04356. Only the encoder is read and run.

    harness run --upstream whisper-base --downstream linear --corpus emodb --split loso

reaches a macro-F1 near 83 % in about ten minutes on two cores.

Whisper reads windows of 30 s, so a clip of 3 s is nine tenths silence, which costs time
and changes the states of the speech. Three feedings:

* ``full``: the window as in pre-training; the default.
* ``condensed``: of the silence only some frames are computed, the fewer the further
  from the clip, and the attention counts each for those it stands for. Nearly 5 times
  as fast at 3 s; in Whisper base the mean states keep a cosine of 0.9998 to ``full``.
* ``trimmed``: the silence is cut to one second. 9 times as fast, a cosine of 0.98.

Under each of them only the frames that cover the clip are returned. A clip that is
longer than the window is encoded in consecutive windows.
"""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING

from harness import Upstream, hookimpl
from harness_plugins.upstreams import _config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import (
        WhisperEncoder,
        WhisperEncoderLayer,
    )

VERSION = 1
"""Raised when a change of this file moves a number."""

RATE = 16_000
FEEDINGS = ("full", "condensed", "trimmed")
HOP = 320  # samples from a frame to the next: 160 in the mel, halved by a convolution
TAIL = 50  # silent frames that stay under ``trimmed``
GUARD = 25  # and under ``condensed``; measured, as what follows: see docs/feeding.md
GROUPS = ((2, 50), (4, 50))  # frames of a group after the guard, and how many groups
REST = 8  # frames of a group from there on
GOLDEN = (5**0.5 - 1) / 2
BATCH = 8  # windows at a time
ENGLISH = "438 000 h of transcribed English speech from the web"
MULTILINGUAL = "680 000 h of transcribed speech from the web, in 99 languages"


VOCABULARY = 51_865
"""Tokens of the multilingual ones but large-v3; the English-only ones have one less."""


@hookimpl
def harness_upstreams() -> Iterator[Upstream]:
    """Offer five sizes of Whisper."""
    yield _whisper("tiny", 4, 384, "169d4a4341b33bc18d8881c4b69c2e104e1cc0af")
    yield _whisper("base", 6, 512, "e37978b90ca9030d5170a5c07aadb050351a65bb")
    yield _whisper("small", 12, 768, "973afd24965f72e36ca33b3055d56a652f456b4d")
    yield _whisper("small.en", 12, 768, "e8727524f962ee844a7319d92be39ac1bd25655a")
    yield _whisper("medium", 24, 1024, "abdf7c39ab9d0397620ccaea8974cc764cd0953e")


def _whisper(size: str, layers: int, dim: int, revision: str) -> Upstream:
    english = size.endswith(".en")
    block = 12 * dim**2 + 12 * dim  # less the key's bias, with both norms
    front = 80 * dim * 3 + dim * dim * 3 + 2 * dim + 1500 * dim
    return Upstream(
        name=f"whisper-{size}".replace(".", "-"),
        load=load,
        layers=layers,
        dim=dim,
        hop=HOP / RATE,
        rate=RATE,
        checkpoint=f"openai/whisper-{size}",
        revision=revision,
        files=_config.FILES,
        feedings=FEEDINGS,
        window=30.0,
        parameters=layers * block + front + 2 * dim,
        languages=("en",) if english else ("mul",),
        unlike={"vocab_size": VOCABULARY if english else VOCABULARY - 1},
        pretraining=ENGLISH if english else MULTILINGUAL,
        licence="Apache-2.0",
        version=VERSION,
    )


def load(
    checkpoint: Path | None, *, device: str, feeding: str
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Read the encoder; of the decoder not a byte is read."""
    import torch
    from transformers import WhisperFeatureExtractor

    found = _config.read(_config.require(checkpoint), "whisper")
    log_mel = WhisperFeatureExtractor(feature_size=found.config["num_mel_bins"])
    _compare(found, log_mel)
    encoder = read_encoder(found).to(device)

    @torch.inference_mode()
    def encode(waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Turn waveforms, each (S,), into states, each (L, T, D)."""
        window = encoder.config.max_source_positions
        clips = [torch.split(waveform, window * HOP) for waveform in waveforms]
        pieces = [piece for clip in clips for piece in clip]
        states = (
            states
            for start in range(0, len(pieces), BATCH)
            for states in _encode(
                encoder, log_mel, pieces[start : start + BATCH], feeding
            )
        )
        return [torch.cat([next(states) for _ in clip], dim=1) for clip in clips]

    return encode


def read_encoder(found: _config.Description) -> WhisperEncoder:
    """Read the encoder of a checkpoint, with or without a decoder."""
    import torch

    from harness_plugins.upstreams import _weights

    with torch.device("meta"):
        encoder: WhisperEncoder = _config.build(found)
    _weights.fill(encoder, found.folder, ("model.encoder.", "encoder."))
    return encoder


def _compare(found: _config.Description, log_mel: WhisperFeatureExtractor) -> None:
    """Refuse mel filters that are not Whisper's; older files have them written out."""
    import numpy as np

    if (written := found.settings["mel_filters"]) is None:
        return
    try:
        same = np.allclose(np.asarray(written, float).T, log_mel.mel_filters, atol=1e-5)
    except (TypeError, ValueError):
        same = False
    if not same:
        problem = "has mel_filters that are not Whisper's"
        raise _config.refusal(found.folder, problem, _config.CORRECT)


def _encode(
    encoder: WhisperEncoder,
    log_mel: WhisperFeatureExtractor,
    pieces: Sequence[Tensor],
    feeding: str,
) -> list[Tensor]:
    """Encode pieces, each (S,) of at most a window; absent frames count nothing."""
    from torch.nn.utils.rnn import pad_sequence

    real = [_frames(piece) for piece in pieces]
    window = encoder.config.max_source_positions
    contexts = [_context(feeding, frames, window) for frames in real]
    inputs = [
        _embed(encoder, log_mel, piece, positions)
        for piece, (positions, _) in zip(pieces, contexts, strict=True)
    ]
    states = pad_sequence(inputs, batch_first=True)
    counts = pad_sequence([counts for _, counts in contexts], batch_first=True)
    bias = counts.log()[:, None, None].to(states.device)
    layers = _blocks(encoder, states, None if counts.eq(1).all() else bias, max(real))
    return [layers[:, row, :frames] for row, frames in enumerate(real)]


def _frames(piece: Tensor) -> int:
    """Count the frames that cover a piece (S,), the last one perhaps in part."""
    return -(-len(piece) // HOP)


def _context(feeding: str, real: int, window: int) -> tuple[Tensor, Tensor]:
    """Choose the frames of the window to compute (K,), and what each counts (K,).

    Where in its group the frame is that stands for it moves by the golden ratio from
    group to group. A fixed place would meet the waves of the position embedding in
    step, and all stand-ins would err in the same direction.
    """
    import torch

    tail = {"full": window, "trimmed": TAIL, "condensed": GUARD}[feeding]
    dense = min(real + tail, window)
    positions, counts = list(range(dense)), [1] * dense
    if feeding == "condensed":
        for number, (start, size) in enumerate(_groups(dense, window)):
            positions.append(start + int(number * GOLDEN % 1 * size))
            counts.append(size)
    return torch.tensor(positions), torch.tensor(counts)


def _groups(start: int, window: int) -> Iterator[tuple[int, int]]:
    """Divide the silence from a frame on; yield each group's first frame and size.

    The window's very last frame sees its edge and is like no other: it stands alone.
    """
    sizes = chain(*(repeat(size, number) for size, number in GROUPS), repeat(REST))
    while start < window:
        size = min(next(sizes), window - 1 - start) or 1
        yield start, size
        start += size


def _embed(
    encoder: WhisperEncoder,
    log_mel: WhisperFeatureExtractor,
    piece: Tensor,
    positions: Tensor,
) -> Tensor:
    """Run the log-mel and the convolutions on a piece (S,), to (K, D).

    After the clip all frames of the window are equal, up to its very last one, which
    sees the edge. So the clip and four silent frames are computed, and repeated.
    """
    from torch.nn.functional import gelu

    window = encoder.config.max_source_positions
    computed = min(_frames(piece) + 4, window)
    mel = log_mel(
        piece.cpu().numpy(),
        sampling_rate=RATE,
        max_length=computed * HOP,
        return_tensors="pt",
    )["input_features"]
    mel = mel.to(encoder.conv1.weight.device)
    frames = gelu(encoder.conv2(gelu(encoder.conv1(mel))))[0].T
    index = positions.clamp(max=computed - 2)
    index[positions == window - 1] = computed - 1
    embedded: Tensor = frames[index] + encoder.embed_positions.weight[positions]
    return embedded


def _blocks(
    encoder: WhisperEncoder, states: Tensor, bias: Tensor | None, real: int
) -> Tensor:
    """Run the blocks on (B, K, D) and keep their first frames, (L, B, real, D).

    The loop is our own: states are the same under every release of transformers:
    each block's output, the last one's after the final norm. The last block is run for
    the real frames alone, as nothing reads the others.
    """
    *blocks, last = encoder.layers
    kept = states.new_empty(len(blocks) + 1, len(states), real, states.shape[2])
    for layer, block in enumerate(blocks):
        states = _block(block, states, bias, states.shape[1])
        kept[layer] = states[:, :real]
    kept[-1] = encoder.layer_norm(_block(last, states, bias, real))
    return kept


def _block(
    block: WhisperEncoderLayer, states: Tensor, bias: Tensor | None, needed: int
) -> Tensor:
    """Run one block on (B, K, D) for its first ``needed`` frames, (B, needed, D).

    Args:
        block: Of the encoder.
        states: What every frame can attend to.
        bias: Added to the attention to a frame, (B, 1, 1, K), or ``None`` for zeros.
        needed: At most K.
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    def heads(projected: Tensor) -> Tensor:
        return torch.unflatten(projected, -1, (attention.num_heads, -1)).transpose(1, 2)

    attention = block.self_attn
    normed = block.self_attn_layer_norm(states)
    mixed = scaled_dot_product_attention(
        heads(attention.q_proj(normed[:, :needed])),
        heads(attention.k_proj(normed)),
        heads(attention.v_proj(normed)),
        attn_mask=bias,
    )
    states = states[:, :needed] + attention.out_proj(mixed.transpose(1, 2).flatten(2))
    inner = block.activation_fn(block.fc1(block.final_layer_norm(states)))
    output: Tensor = states + block.fc2(inner)
    return output
