"""Every family like wav2vec 2.0, on tiny checkpoints with random weights."""

from __future__ import annotations

import json
import shutil
from functools import lru_cache

import pytest
import torch
from harness_plugins.upstreams import _wav2vec2_bert, hubert, wav2vec2, wavlm
from safetensors.torch import load_file, save_file
from tiny import LAYER_NORM, WAV2VEC2, WAV2VEC2_BERT
from transformers import (
    Data2VecAudioModel,
    HubertForCTC,
    HubertModel,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertModel,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
    Wav2Vec2Model,
    WavLMModel,
)

from harness import CheckpointError

TINY = WAV2VEC2 | {
    "vocab_size": 9,
    "num_codevectors_per_group": 4,
    "codevector_dim": 8,
    "proj_codevector_dim": 8,
}
FAMILIES = {
    "wav2vec2, group norm": (Wav2Vec2Model, wav2vec2.load, TINY),
    "wav2vec2, layer norm": (Wav2Vec2Model, wav2vec2.load, TINY | LAYER_NORM),
    "hubert, group norm": (HubertModel, hubert.load, TINY),
    "hubert, layer norm": (HubertModel, hubert.load, TINY | LAYER_NORM),
    "hubert, batch norm": (
        HubertModel,
        hubert.load,
        TINY | {"conv_pos_batch_norm": True, "feat_proj_layer_norm": False},
    ),
    "wavlm, group norm": (WavLMModel, wavlm.load, TINY),
    "wavlm, layer norm": (WavLMModel, wavlm.load, TINY | LAYER_NORM),
    "data2vec": (
        Data2VecAudioModel,
        lambda checkpoint, *, device, feeding: wav2vec2.load_like(
            "data2vec-audio", checkpoint, device
        ),
        TINY | {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5},
    ),
    "wav2vec2-bert, key": (Wav2Vec2BertModel, _wav2vec2_bert.load, WAV2VEC2_BERT),
    "wav2vec2-bert, relative": (
        Wav2Vec2BertModel,
        _wav2vec2_bert.load,
        WAV2VEC2_BERT | {"position_embeddings_type": "relative"},
    ),
    "wav2vec2-bert, rotary": (
        Wav2Vec2BertModel,
        _wav2vec2_bert.load,
        WAV2VEC2_BERT | {"position_embeddings_type": "rotary"},
    ),
}


def save(folder, kind, settings, *, normalise=True, dtype=torch.float32):
    """Save a tiny model whose every weight is random, as a hub folder has it."""
    random = torch.Generator().manual_seed(0)
    model = kind(kind.config_class(**settings))
    with torch.no_grad():
        for weight in model.state_dict().values():
            if weight.is_floating_point():
                noise = torch.randn(weight.shape, generator=random)
                weight.copy_(noise.abs() + 0.5 if weight.ndim == 1 else 0.4 * noise)
    model.to(dtype).save_pretrained(folder)
    if kind is Wav2Vec2BertModel:
        SeamlessM4TFeatureExtractor().save_pretrained(folder)
    else:
        extractor = Wav2Vec2FeatureExtractor(do_normalize=normalise)
        extractor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    """Return a checkpoint of each family, its class and its ``load``."""
    kind, load, settings = FAMILIES[request.param]
    return save(tmp_path_factory.mktemp("checkpoint"), kind, settings), kind, load


@pytest.fixture(scope="module")
def encode(family):
    folder, _, load = family
    return load(folder, device="cpu", feeding="full")


@pytest.fixture(scope="module")
def expected(family):
    """Return the states that transformers has for a clip."""
    folder, kind, _ = family
    return lambda waveform: transformers_states(folder, kind, waveform)


@pytest.fixture
def checkpoint(tmp_path):
    return save(tmp_path, Wav2Vec2Model, TINY)


def noise(seconds, seed=0):
    random = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(round(16_000 * seconds), generator=random) + 0.01


@lru_cache(maxsize=4)
def reference(folder, kind):
    """Load a checkpoint as transformers does it."""
    model = kind.from_pretrained(folder, dtype=torch.float32).eval()
    bert = kind is Wav2Vec2BertModel
    extractor = SeamlessM4TFeatureExtractor if bert else Wav2Vec2FeatureExtractor
    return model, extractor.from_pretrained(folder)


def transformers_states(folder, kind, waveform):
    """Call transformers directly, on one clip, to (L, T, D)."""
    model, extractor = reference(folder, kind)
    options = {"pad_to_multiple_of": None} if kind is Wav2Vec2BertModel else {}
    inputs = extractor(
        waveform.numpy(), sampling_rate=16_000, return_tensors="pt", **options
    )
    inputs.pop("attention_mask", None)
    with torch.inference_mode():
        output = model(**inputs, output_hidden_states=True)
    return torch.cat([*output.hidden_states[1:-1], output.last_hidden_state])


def distance(states, expected):
    """The largest difference over the standard deviation, of the worst layer."""
    assert states.shape == expected.shape
    gap = (states - expected).abs().amax(dim=(1, 2))
    return float((gap / expected.std(dim=(1, 2))).max())


@pytest.mark.parametrize("seconds", [0.1, 0.73, 3.0, 30.0])
def test_states_are_those_of_transformers(encode, expected, seconds):
    (states,) = encode([noise(seconds)])
    assert distance(states, expected(noise(seconds))) < 1e-4


def test_states_do_not_depend_on_the_batch(encode, expected):
    lengths = [0.2, 1.3, 0.1, 2.5, 0.7]
    clips = [noise(seconds, seed) for seed, seconds in enumerate(lengths)]
    assert max(map(distance, encode(clips), map(expected, clips))) < 1e-4


def test_a_quiet_clip_gives_the_states_of_transformers(encode, expected):
    (states,) = encode([noise(0.5) / 1000])
    assert distance(states, expected(noise(0.5) / 1000)) < 1e-4


def test_silence_gives_finite_states(encode):
    (states,) = encode([torch.zeros(8000)])
    assert states.isfinite().all()


def test_the_waveform_is_left_as_it_was(encode):
    waveform = noise(0.5)
    encode([waveform])
    assert torch.equal(waveform, noise(0.5))


def test_states_carry_no_gradient(encode):
    (states,) = encode([noise(0.1)])
    assert not states.requires_grad


def test_a_checkpoint_without_an_encoder_weight_is_refused(family, tmp_path):
    folder, _, load = family
    stored = load_file(folder / "model.safetensors")
    lost = sorted(name for name in stored if name.startswith("encoder.layers.1."))[0]
    del stored[lost]
    save_file(stored, tmp_path / "model.safetensors")
    for name in ("config.json", "preprocessor_config.json"):
        shutil.copy(folder / name, tmp_path)
    with pytest.raises(CheckpointError, match=rf"lacks {lost}"):
        load(tmp_path, device="cpu", feeding="full")


def test_a_checkpoint_of_another_family_is_refused(family, tmp_path):
    _, kind, load = family
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "whisper"}))
    expected = f"family 'whisper', not '{kind.config_class.model_type}'"
    with pytest.raises(CheckpointError, match=expected):
        load(tmp_path, device="cpu", feeding="full")


def load(folder):
    return wav2vec2.load(folder, device="cpu", feeding="full")


@pytest.mark.parametrize("normalise", [True, False])
def test_the_input_is_normalised_as_the_checkpoint_says(tmp_path, normalise):
    folder = save(tmp_path, Wav2Vec2Model, TINY | LAYER_NORM, normalise=normalise)
    (states,) = load(folder)([noise(0.5)])
    expected = transformers_states(folder, Wav2Vec2Model, noise(0.5))
    assert distance(states, expected) < 1e-4


@pytest.mark.parametrize("kind", [Wav2Vec2ForCTC, Wav2Vec2ForPreTraining])
def test_a_checkpoint_with_a_head_is_used_without_it(tmp_path, kind):
    folder = save(tmp_path, kind, TINY)
    (states,) = load(folder)([noise(0.5)])
    expected = transformers_states(folder, Wav2Vec2Model, noise(0.5))
    assert distance(states, expected) < 1e-4


def test_a_fine_tuned_hubert_is_used_without_its_head(tmp_path):
    folder = save(tmp_path, HubertForCTC, TINY)
    (states,) = hubert.load(folder, device="cpu", feeding="full")([noise(0.5)])
    expected = transformers_states(folder, HubertModel, noise(0.5))
    assert distance(states, expected) < 1e-4


def test_an_adapter_behind_the_transformer_is_not_used(tmp_path, checkpoint):
    settings = TINY | {"add_adapter": True, "output_hidden_size": 24}
    folder = save(tmp_path / "adapted", Wav2Vec2Model, settings)
    stored = load_file(checkpoint / "model.safetensors")
    adapter = {
        name: tensor
        for name, tensor in load_file(folder / "model.safetensors").items()
        if name.startswith("adapter.")
    }
    save_file(stored | adapter, folder / "model.safetensors")
    assert torch.equal(load(folder)([noise(0.5)])[0], load(checkpoint)([noise(0.5)])[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_are_computed_in_float32(tmp_path, dtype):
    folder = save(tmp_path, Wav2Vec2Model, TINY, dtype=dtype)
    (states,) = load(folder)([noise(0.5)])
    assert states.dtype == torch.float32
    expected = transformers_states(folder, Wav2Vec2Model, noise(0.5))
    assert distance(states, expected) < 1e-4


def old_names(stored):
    """Name the weight norm of the positional convolution as torch did before 2.0."""
    return {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor
        for name, tensor in stored.items()
    }


def test_a_bin_file_with_old_names_gives_the_same_states(checkpoint):
    (expected,) = load(checkpoint)([noise(0.5)])
    stored = old_names(load_file(checkpoint / "model.safetensors"))
    assert any(name.endswith("weight_g") for name in stored)
    (checkpoint / "model.safetensors").unlink()
    torch.save(stored, checkpoint / "pytorch_model.bin")
    assert torch.equal(load(checkpoint)([noise(0.5)])[0], expected)


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        ("wav2vec2-base", Wav2Vec2Model, {}),
        ("wav2vec2-large", Wav2Vec2Model, {}),
        ("xls-r-300m", Wav2Vec2Model, LAYER_NORM),
        ("xlsr-53", Wav2Vec2Model, LAYER_NORM),
        ("mms-300m", Wav2Vec2Model, LAYER_NORM),
        ("hubert-base", HubertModel, {}),
        ("wavlm-base-plus", WavLMModel, {}),
    ],
)
def test_described_parameters_are_those_that_are_used(name, kind, settings):
    offers = [
        offer
        for module in (wav2vec2, hubert, wavlm)
        for offer in module.harness_upstreams()
    ]
    (upstream,) = (offer for offer in offers if offer.name == name)
    config = kind.config_class(
        hidden_size=upstream.dim,
        num_hidden_layers=upstream.layers,
        num_attention_heads=upstream.dim // 64,
        intermediate_size=4 * upstream.dim,
        **settings,
    )
    with torch.device("meta"):
        model = kind(config)
    parts = (model.feature_extractor, model.feature_projection, model.encoder)
    counted = sum(weight.numel() for part in parts for weight in part.parameters())
    assert upstream.parameters == counted
