from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path

import pytest
import soundfile
import torch
from harness_plugins.upstreams import _weights, whisper
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import WHISPER
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperModel,
)
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from harness import CheckpointError

WINDOW = 2.0  # seconds; 100 frames


def save(folder, kind=WhisperForConditionalGeneration, dtype=torch.float32):
    """Save a tiny Whisper whose every weight is random, as a hub folder has it."""
    random = torch.Generator().manual_seed(0)
    model = kind(WhisperConfig(**WHISPER))
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=random))
    model.to(dtype).save_pretrained(folder)
    extractor = WhisperFeatureExtractor(feature_size=20, chunk_length=int(WINDOW))
    extractor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save(tmp_path_factory.mktemp("whisper"))


def noise(seconds, seed=0):
    random = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(round(16_000 * seconds), generator=random)


def load(folder, feeding="full"):
    return whisper.load(folder, device="cpu", feeding=feeding)


@lru_cache(maxsize=1)
def reference(folder):
    """Load a checkpoint as transformers does it."""
    model = WhisperModel.from_pretrained(folder, dtype=torch.float32).eval()
    return model, WhisperFeatureExtractor.from_pretrained(folder)


def transformers_states(folder, waveform):
    """Call transformers directly: the states of a window's real frames (L, T, D)."""
    model, extractor = reference(folder)
    inputs = extractor(waveform.numpy(), sampling_rate=16_000, return_tensors="pt")
    with torch.inference_mode():
        output = model.encoder(inputs["input_features"], output_hidden_states=True)
    real = -(-len(waveform) // 320)
    states = (*output.hidden_states[1:-1], output.last_hidden_state)
    return torch.cat(states)[:, :real]


def distance(states, expected):
    """The largest difference over the standard deviation, of the worst layer."""
    assert states.shape == expected.shape
    gap = (states - expected).abs().amax(dim=(1, 2))
    return float((gap / expected.std(dim=(1, 2))).max())


@pytest.mark.parametrize("seconds", [0.025, 0.1, 0.73, 1.5, 1.93, 1.99, 2.0])
def test_states_are_those_of_transformers(checkpoint, seconds):
    (states,) = load(checkpoint)([noise(seconds)])
    assert distance(states, transformers_states(checkpoint, noise(seconds))) < 1e-4


def test_silence_gives_the_states_of_transformers(checkpoint):
    (states,) = load(checkpoint)([torch.zeros(8000)])
    assert distance(states, transformers_states(checkpoint, torch.zeros(8000))) < 1e-4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_are_computed_in_float32(tmp_path, dtype):
    folder = save(tmp_path, dtype=dtype)
    (states,) = load(folder)([noise(0.5)])
    assert states.dtype == torch.float32
    assert distance(states, transformers_states(folder, noise(0.5))) < 1e-4


def test_a_bare_model_is_a_checkpoint_too(tmp_path):
    folder = save(tmp_path, kind=WhisperModel)
    (states,) = load(folder)([noise(0.5)])
    assert distance(states, transformers_states(folder, noise(0.5))) < 1e-4


def test_without_preprocessor_settings_the_config_is_enough(tmp_path, checkpoint):
    folder = save(tmp_path)
    (folder / "preprocessor_config.json").unlink()
    (states,) = load(folder)([noise(0.5)])
    assert torch.equal(states, load(checkpoint)([noise(0.5)])[0])


@pytest.mark.parametrize("feeding", ["full", "condensed", "trimmed"])
@pytest.mark.parametrize(("samples", "frames"), [(400, 2), (3200, 10), (3201, 11)])
def test_only_frames_that_cover_audio_come_back(checkpoint, feeding, samples, frames):
    (states,) = load(checkpoint, feeding)([noise(1.0)[:samples]])
    assert states.shape == (3, frames, 16)


@pytest.mark.parametrize("feeding", ["full", "condensed", "trimmed"])
def test_states_do_not_depend_on_the_batch(checkpoint, feeding):
    lengths = [0.2, 1.3, 5.1, 0.7, 0.03, 2.0, 1.0, 0.4, 0.5, 0.6]
    clips = [noise(seconds, seed) for seed, seconds in enumerate(lengths)]
    encode = load(checkpoint, feeding)
    alone = [encode([clip])[0] for clip in clips]
    assert max(map(distance, encode(clips), alone)) < 1e-4


@pytest.mark.parametrize("feeding", ["full", "condensed", "trimmed"])
def test_a_long_clip_is_encoded_in_consecutive_windows(checkpoint, feeding):
    clip = noise(4.5)
    encode = load(checkpoint, feeding)
    (whole,) = encode([clip])
    parts = encode(clip.split(round(16_000 * WINDOW)))
    assert whole.shape[1] == 225
    assert torch.equal(whole, torch.cat(list(parts), dim=1))


def by_hand(folder, waveform, positions, counts):
    """Write the attention out, with as many equal keys as a frame stands for."""
    model, extractor = reference(folder)
    encoder = model.encoder
    inputs = extractor(waveform.numpy(), sampling_rate=16_000, return_tensors="pt")
    mel = inputs["input_features"]
    gelu = torch.nn.functional.gelu
    states = gelu(encoder.conv2(gelu(encoder.conv1(mel))))[0].T
    states = (states + encoder.embed_positions.weight)[positions]
    layers = []
    for block in encoder.layers:
        attention = block.self_attn
        normed = block.self_attn_layer_norm(states)
        keys = normed.repeat_interleave(counts, dim=0)
        query, key, value = (
            projection(inputs).unflatten(1, (attention.num_heads, -1)).transpose(0, 1)
            for projection, inputs in [
                (attention.q_proj, normed),
                (attention.k_proj, keys),
                (attention.v_proj, keys),
            ]
        )
        scores = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
        mixed = (scores.softmax(dim=-1) @ value).transpose(0, 1).flatten(1)
        states = states + attention.out_proj(mixed)
        states = states + block.fc2(gelu(block.fc1(block.final_layer_norm(states))))
        layers.append(states)
    layers[-1] = encoder.layer_norm(states)
    return torch.stack(layers)[:, : -(-len(waveform) // 320)].detach()


@pytest.mark.parametrize(("seconds", "context"), [(0.3, 65), (0.99, 100), (1.7, 100)])
def test_trimmed_reads_the_clip_and_a_second_of_silence(checkpoint, seconds, context):
    (states,) = load(checkpoint, "trimmed")([noise(seconds)])
    positions, counts = torch.arange(context), torch.ones(context, dtype=torch.int64)
    expected = by_hand(checkpoint, noise(seconds), positions, counts)
    assert distance(states, expected) < 1e-4


@pytest.mark.parametrize(
    ("seconds", "dense", "groups"),
    [(0.3, 40, [2] * 29 + [1, 1]), (1.46, 98, [1, 1]), (1.48, 99, [1]), (1.7, 100, [])],
)
def test_condensed_counts_a_silent_frame_for_its_neighbours(
    checkpoint, seconds, dense, groups
):
    (states,) = load(checkpoint, "condensed")([noise(seconds)])
    counts = torch.tensor([1] * dense + groups)
    places = [int(0.618034 * n % 1 * size) for n, size in enumerate(groups)]
    starts = counts.cumsum(0) - counts
    positions = starts + torch.tensor([0] * dense + places)
    expected = by_hand(checkpoint, noise(seconds), positions, counts)
    assert distance(states, expected) < 1e-4


def test_condensed_thins_silence_the_more_the_further_it_is():
    _, counts = whisper._context("condensed", 150, 1500)
    sizes, numbers = counts.unique_consecutive(return_counts=True)
    assert sizes.tolist() == [1, 2, 4, 8, 1]
    assert numbers.tolist() == [175, 50, 50, 128, 1]


@pytest.mark.parametrize("feeding", ["full", "condensed"])
@pytest.mark.parametrize("real", [1, 700, 1473, 1474, 1475, 1500])
def test_every_frame_of_the_window_is_counted_once(feeding, real):
    _, counts = whisper._context(feeding, real, 1500)
    assert counts.sum() == 1500


def test_stand_ins_are_at_every_place_of_their_groups_alike():
    positions, counts = whisper._context("condensed", 150, 1500)
    places = (positions - counts.cumsum(0) + counts)[counts == 8]
    assert places.bincount().tolist() == pytest.approx([128 / 8] * 8, abs=1.5)


def test_condensed_comes_closer_to_full_than_trimmed(checkpoint):
    full, condensed, trimmed = (
        load(checkpoint, feeding)([noise(0.3)])[0].mean(dim=1)
        for feeding in ("full", "condensed", "trimmed")
    )
    assert (condensed - full).norm() < (trimmed - full).norm() / 2


def test_the_waveform_is_left_as_it_was(checkpoint):
    waveform = noise(0.5)
    load(checkpoint)([waveform])
    assert torch.equal(waveform, noise(0.5))


def test_states_carry_no_gradient(checkpoint):
    (states,) = load(checkpoint)([noise(0.5)])
    assert not states.requires_grad


def test_no_weight_of_the_decoder_is_read(checkpoint, monkeypatch):
    read = []

    class Watched:
        def __init__(self, *arguments, **options):
            self.file = safe_open(*arguments, **options)

        def __enter__(self):
            return self

        def __exit__(self, *raised):
            pass

        def keys(self):
            return self.file.keys()

        def get_tensor(self, name):
            read.append(name)
            return self.file.get_tensor(name)

    monkeypatch.setattr(_weights, "safe_open", Watched)
    load(checkpoint)
    assert {name.split(".")[1] for name in read} == {"encoder"}


def test_a_checkpoint_without_an_encoder_weight_is_refused(tmp_path):
    file = save(tmp_path) / "model.safetensors"
    stored = load_file(file)
    del stored["model.encoder.layers.1.fc1.weight"]
    save_file(stored, file)
    with pytest.raises(CheckpointError, match=r"lacks layers\.1\.fc1\.weight"):
        load(tmp_path)


def test_a_checkpoint_of_another_family_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "wav2vec2"}))
    with pytest.raises(CheckpointError, match="family 'wav2vec2', not 'whisper'"):
        load(tmp_path)


def test_no_checkpoint_is_refused():
    with pytest.raises(CheckpointError, match="--checkpoint"):
        load(None)


@pytest.mark.parametrize(
    "upstream", [*whisper.harness_upstreams()], ids=lambda u: u.name
)
def test_described_parameters_are_the_encoders(upstream):
    config = WhisperConfig(
        d_model=upstream.dim,
        encoder_layers=upstream.layers,
        encoder_attention_heads=upstream.dim // 64,
        encoder_ffn_dim=4 * upstream.dim,
    )
    with torch.device("meta"):
        encoder = WhisperEncoder(config)
    assert upstream.parameters == encoder.num_parameters()


@pytest.mark.real
def test_real_speech_gives_the_states_of_transformers():
    folder = Path(os.environ["HARNESS_CHECKPOINTS"]) / "whisper-base"
    files = sorted((Path(os.environ["HARNESS_DATA"]) / "emodb/wav").glob("*.wav"))
    encode = load(folder)
    for file in files[::27]:
        waveform = torch.from_numpy(soundfile.read(file, dtype="float32")[0])
        (states,) = encode([waveform])
        assert distance(states, transformers_states(folder, waveform)) < 1e-4
