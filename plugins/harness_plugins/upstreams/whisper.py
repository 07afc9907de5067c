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

from functools import cache
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
WINDOW = 1500  # frames of 30 s
TAIL = 50  # silent frames that stay under ``trimmed``
GUARD = 25  # and under ``condensed``; measured, as what follows: see docs/feeding.md
GROUPS = ((2, 50), (4, 50))  # frames of a group after the guard, and how many groups
REST = 8  # frames of a group from there on
GOLDEN = (5**0.5 - 1) / 2
BATCH = 8  # windows at a time on a CPU
FFT = 400  # samples of the log-mel's frames
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
        computed=computed,
        languages=("en",) if english else ("mul",),
        unlike={"vocab_size": VOCABULARY if english else VOCABULARY - 1},
        pretraining=ENGLISH if english else MULTILINGUAL,
        licence="Apache-2.0",
        version=VERSION,
    )


@cache
def computed(feeding: str, frames: int) -> int:
    """Count the frames that are computed for a clip of so many."""
    if frames > WINDOW:
        return computed(feeding, WINDOW) + computed(feeding, frames - WINDOW)
    dense = min(frames + _tail(feeding), WINDOW)
    condensed = feeding == "condensed"
    return dense + (sum(1 for _ in _groups(dense, WINDOW)) if condensed else 0)


def load(
    checkpoint: Path | None, *, device: str, feeding: str
) -> Callable[[Sequence[Tensor]], Sequence[Tensor]]:
    """Read the encoder; of the decoder not a byte is read."""
    import torch
    from transformers import WhisperFeatureExtractor

    from harness_plugins.upstreams import _devices

    found = _config.read(_config.require(checkpoint), "whisper")
    log_mel = WhisperFeatureExtractor(feature_size=found.config["num_mel_bins"])
    _compare(found, log_mel)
    encoder = _devices.place(read_encoder(found), device)
    filters = torch.from_numpy(log_mel.mel_filters).float().T.to(device)

    def inputs(pieces: Sequence[Tensor], positions: Sequence[Tensor]) -> Tensor:
        if device == "cpu":
            return _one_by_one(encoder, log_mel, pieces, positions)
        return _together(encoder, filters, pieces, positions, device)

    @torch.inference_mode()
    def encode(waveforms: Sequence[Tensor]) -> list[Tensor]:
        """Turn waveforms, each (S,), into states, each (L, T, D)."""
        window = encoder.config.max_source_positions
        clips = [torch.split(waveform, window * HOP) for waveform in waveforms]
        pieces = [piece for clip in clips for piece in clip]
        size = BATCH if device == "cpu" else len(pieces)
        states = (
            states
            for start in range(0, len(pieces), size)
            for states in _encode(
                encoder, inputs, pieces[start : start + size], feeding
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
    inputs: Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor],
    pieces: Sequence[Tensor],
    feeding: str,
) -> list[Tensor]:
    """Encode pieces, each (S,) of at most a window; absent frames count nothing."""
    from torch.nn.utils.rnn import pad_sequence

    from harness_plugins.upstreams import _devices

    real = [_frames(piece) for piece in pieces]
    window = encoder.config.max_source_positions
    contexts = [_context(feeding, frames, window) for frames in real]
    states = inputs(pieces, [positions for positions, _ in contexts])
    counts = pad_sequence([counts for _, counts in contexts], batch_first=True)
    bias = None
    if not counts.eq(1).all():
        bias = _devices.send(counts.log()[:, None, None], str(states.device))
    layers = _blocks(encoder, states, bias, max(real))
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

    dense = min(real + _tail(feeding), window)
    positions, counts = list(range(dense)), [1] * dense
    if feeding == "condensed":
        for number, (start, size) in enumerate(_groups(dense, window)):
            positions.append(start + int(number * GOLDEN % 1 * size))
            counts.append(size)
    return torch.tensor(positions), torch.tensor(counts)


def _tail(feeding: str) -> int:
    """Return how many silent frames after a clip are computed one by one."""
    return {"full": WINDOW, "trimmed": TAIL, "condensed": GUARD}[feeding]


def _groups(start: int, window: int) -> Iterator[tuple[int, int]]:
    """Divide the silence from a frame on; yield each group's first frame and size.

    The window's very last frame sees its edge and is like no other: it stands alone.
    """
    sizes = chain(*(repeat(size, number) for size, number in GROUPS), repeat(REST))
    while start < window:
        size = min(next(sizes), window - 1 - start) or 1
        yield start, size
        start += size


def _one_by_one(
    encoder: WhisperEncoder,
    log_mel: WhisperFeatureExtractor,
    pieces: Sequence[Tensor],
    positions: Sequence[Tensor],
) -> Tensor:
    """Embed pieces, each (S,), one by one, and pad them to (B, K, D)."""
    from torch.nn.utils.rnn import pad_sequence

    embedded = [
        _embed(encoder, log_mel, piece, chosen)
        for piece, chosen in zip(pieces, positions, strict=True)
    ]
    return pad_sequence(embedded, batch_first=True)


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
    import torch
    from torch.nn.functional import gelu

    window = encoder.config.max_source_positions
    computed = min(_frames(piece) + 4, window)
    with torch.autocast("cpu", enabled=False):
        mel = log_mel(
            piece.cpu().numpy(),
            sampling_rate=RATE,
            max_length=computed * HOP,
            return_tensors="pt",
        )["input_features"]
    frames = gelu(encoder.conv2(gelu(encoder.conv1(mel))))[0].T
    index = positions.clamp(max=computed - 2)
    index[positions == window - 1] = computed - 1
    embedded: Tensor = frames[index] + encoder.embed_positions.weight[positions]
    return embedded


def _together(
    encoder: WhisperEncoder,
    filters: Tensor,
    pieces: Sequence[Tensor],
    positions: Sequence[Tensor],
    device: str,
) -> Tensor:
    """Embed pieces, each (S,), in one batch, to (B, K, D): for a GPU.

    What ``_embed`` computes of each, with silence up to the longest of them: its frames
    are equal, and the last one sees the edge as there.
    """
    import torch
    from torch.nn.functional import gelu
    from torch.nn.utils.rnn import pad_sequence

    from harness_plugins.upstreams import _devices

    window = encoder.config.max_source_positions
    computed = min(max(map(_frames, pieces)) + 4, window)
    samples = _devices.stack(pieces, computed * HOP, device)
    with torch.autocast(device.partition(":")[0], enabled=False):
        mel = _log_mel(samples, filters)
    frames = gelu(encoder.conv2(gelu(encoder.conv1(mel)))).transpose(1, 2)
    chosen = pad_sequence(list(positions), batch_first=True)
    index = chosen.clamp(max=computed - 2)
    index[chosen == window - 1] = computed - 1
    index = _devices.send(index, device)[..., None].expand(-1, -1, frames.shape[2])
    embedded: Tensor = frames.gather(1, index) + encoder.embed_positions(
        _devices.send(chosen, device)
    )
    return embedded


def _log_mel(samples: Tensor, filters: Tensor) -> Tensor:
    """Compute what WhisperFeatureExtractor does of (B, S), on the samples' device.

    Args:
        samples: Of clips, each followed by silence.
        filters: The mel filters, (bins, FFT // 2 + 1).

    Returns:
        Shape (B, bins, S / 160).
    """
    import torch

    shape = torch.hann_window(FFT, device=samples.device)
    spectra = torch.stft(samples, FFT, HOP // 2, window=shape, return_complex=True)
    mel = (filters @ spectra[..., :-1].abs().square()).clamp(min=1e-10).log10()
    floor = mel.amax(dim=(1, 2), keepdim=True) - 8.0
    return (torch.maximum(mel, floor) + 4.0) / 4.0


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
