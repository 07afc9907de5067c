from __future__ import annotations

import json

import pytest
import torch
from harness_plugins.upstreams import _config, random, wav2vec2
from transformers import WhisperConfig, WhisperModel

from harness import CheckpointError, HarnessError
from harness.features.checkpoints import find_checkpoint
from harness.memory import Memory


@pytest.fixture
def checkpoint(tmp_path):
    config = WhisperConfig(
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        vocab_size=64,
        pad_token_id=0,
    )
    torch.manual_seed(1)
    WhisperModel(config).save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def states(registry, name, checkpoint):
    encode = registry.upstreams[name].load(checkpoint, device="cpu", feeding="full")
    waveform = torch.randn(8000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return encode([0.1 * waveform])[0]


def test_weights_are_random_and_the_same_each_time(registry, checkpoint):
    trained = states(registry, "whisper-tiny", checkpoint)
    one, other = (states(registry, "random:whisper-tiny", checkpoint) for _ in range(2))
    assert one.shape == trained.shape
    assert torch.equal(one, other)
    assert not torch.allclose(one, trained, atol=1e-3)


def test_only_the_configuration_is_read(registry, checkpoint):
    drawn = states(registry, "random:whisper-tiny", checkpoint)
    (checkpoint / "model.safetensors").write_bytes(b"not weights")
    assert torch.equal(states(registry, "random:whisper-tiny", checkpoint), drawn)


def test_the_decoder_and_how_weights_are_stored_change_nothing(registry, checkpoint):
    drawn = states(registry, "random:whisper-tiny", checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    config |= {"decoder_layers": 3, "vocab_size": 999, "dtype": "float16"}
    (checkpoint / "config.json").write_text(json.dumps(config))
    assert torch.equal(states(registry, "random:whisper-tiny", checkpoint), drawn)


def test_a_family_that_is_not_known_cannot_be_random(registry, checkpoint):
    (checkpoint / "config.json").write_text('{"model_type": "acme"}')
    with pytest.raises(CheckpointError, match="family 'acme', not"):
        states(registry, "random:whisper-tiny", checkpoint)


def test_the_global_random_state_is_left_alone(registry, checkpoint):
    before = torch.random.get_rng_state()
    states(registry, "random:whisper-tiny", checkpoint)
    assert torch.equal(torch.random.get_rng_state(), before)


def found(registry, tmp_path, **given):
    upstream = registry.upstreams["random:whisper-tiny"]
    folders = {name.replace("_", "-"): folder for name, folder in given.items()}
    return find_checkpoint(upstream, folders, Memory(tmp_path / "m"), download=False)


def test_the_trained_models_folder_serves_the_random_one(
    registry, checkpoint, tmp_path, monkeypatch
):
    given = found(registry, tmp_path, whisper_tiny=checkpoint)
    assert given.folder == checkpoint
    checkpoint.rename(tmp_path / "whisper-tiny")
    monkeypatch.setenv("HARNESS_CHECKPOINTS", str(tmp_path))
    assert found(registry, tmp_path).folder == tmp_path / "whisper-tiny"


def test_it_is_described_as_untrained(registry):
    upstream = registry.upstreams["random:xls-r-300m"]
    assert upstream.name == "random:xls-r-300m"
    assert upstream.layers == registry.upstreams["xls-r-300m"].layers
    assert "random" in upstream.pretraining


def test_its_version_follows_the_trained_models(registry):
    control = registry.upstreams["random:xls-r-300m"]
    trained = registry.upstreams["xls-r-300m"]
    assert control.version == trained.version + random.VERSION


def test_a_model_without_weights_cannot_be_random(registry):
    with pytest.raises(CheckpointError, match="fbank has no weights"):
        registry.upstreams["random:fbank"]


def test_a_random_model_of_an_unknown_name_suggests_a_near_one(registry):
    from harness.errors import UnknownNameError

    with pytest.raises(UnknownNameError, match="Did you mean 'whisper-tiny'"):
        registry.upstreams["random:whisper-tony"]


def test_it_stands_beside_every_upstream_that_has_weights(registry):
    def controls(name):
        upstream = registry.upstreams[name]
        answers = registry.hook.harness_control_upstreams(upstream=upstream)
        return [control for answer in answers for control in answer]

    assert controls("whisper-tiny") == ["random:whisper-tiny"]
    assert controls("random:whisper-tiny") == []
    assert controls("fbank") == []


# ---------------------------------------------------------------- one of its own


def made(registry, name):
    upstream = registry.upstreams[name]
    waveform = torch.randn(8000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        encode = upstream.load(None, device="cpu", feeding="full")
        return upstream, encode([0.1 * waveform])[0]


def test_a_small_model_of_random_weights_is_made_on_demand(registry):
    upstream, one = made(registry, "wav2vec2-random")
    assert one.shape == (upstream.layers, 24, upstream.dim)
    assert upstream.checkpoint is None
    assert torch.equal(one, made(registry, "wav2vec2-random")[1])


def test_its_layers_differ(registry):
    _, states = made(registry, "wav2vec2-random")
    steps = (states[1:] - states[:-1]).pow(2).mean((1, 2)).sqrt()
    assert (steps > 0.1 * states.std()).all()


def test_its_seed_is_an_option_and_in_its_name(registry):
    upstream, other = made(registry, "wav2vec2-random:seed=1")
    assert upstream.name == "wav2vec2-random:seed=1"
    assert not torch.allclose(other, made(registry, "wav2vec2-random")[1])


def test_a_seed_that_torch_refuses_is_refused(registry):
    with pytest.raises(HarnessError, match="seed begins at 0"):
        registry.upstreams["wav2vec2-random:seed=-1"]


def test_its_parameters_are_those_that_are_used(registry, tmp_path):
    for file, said in (
        ("config.json", random.TINY),
        ("preprocessor_config.json", random.FRONT_END),
    ):
        (tmp_path / file).write_text(json.dumps(said))
    found = _config.read(tmp_path, "wav2vec2")
    random._draw(found, 0, tmp_path)
    parts = wav2vec2.read_parts(found)
    counted = sum(weight.numel() for weight in parts.parameters())
    assert registry.upstreams["wav2vec2-random"].parameters == counted
