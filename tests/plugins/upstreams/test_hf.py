from __future__ import annotations

import json

import pytest
from harness_plugins.upstreams import _hf
from transformers import (
    Data2VecAudioConfig,
    HubertConfig,
    Wav2Vec2BertConfig,
    Wav2Vec2Config,
    WavLMConfig,
    WhisperConfig,
)

from harness import CheckpointError

SMALL = {"num_hidden_layers": 3, "hidden_size": 24, "num_attention_heads": 2}
CONFIGS = {
    "data2vec-audio": Data2VecAudioConfig(**SMALL),
    "hubert": HubertConfig(**SMALL),
    "wav2vec2": Wav2Vec2Config(**SMALL),
    "wav2vec2-bert": Wav2Vec2BertConfig(**SMALL),
    "wavlm": WavLMConfig(**SMALL),
    "whisper": WhisperConfig(encoder_layers=3, d_model=24),
}


@pytest.fixture(params=CONFIGS)
def family(request, tmp_path):
    CONFIGS[request.param].save_pretrained(tmp_path)
    return request.param


def describe(folder):
    return _hf.describe("hf:acme/small", "acme/small", folder)


def test_a_checkpoint_describes_itself(family, tmp_path):
    upstream = describe(tmp_path)
    assert (upstream.layers, upstream.dim, upstream.hop) == (3, 24, 0.02)
    assert upstream.rate == 16_000


def test_its_weights_are_where_it_was_said(family, tmp_path):
    upstream = describe(tmp_path)
    assert (upstream.name, upstream.checkpoint) == ("hf:acme/small", "acme/small")


def test_its_family_loads_it(family, tmp_path):
    assert describe(tmp_path).load is _hf.LOADS[family]


@pytest.mark.parametrize("family", ["wav2vec2"], indirect=True)
def test_the_shortest_clip_is_what_the_convolutions_need(family, tmp_path):
    assert describe(tmp_path).min_seconds == 400 / 16_000


@pytest.mark.parametrize("family", ["whisper"], indirect=True)
def test_a_whisper_can_be_fed_in_every_way(family, tmp_path):
    upstream = describe(tmp_path)
    assert upstream.feedings == ("full", "condensed", "trimmed")
    assert upstream.window == 30.0


@pytest.mark.parametrize("family", ["hubert"], indirect=True)
def test_the_rate_is_the_preprocessors(family, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text('{"sampling_rate": 8000}')
    assert (describe(tmp_path).rate, describe(tmp_path).hop) == (8000, 0.04)


def test_an_unknown_family_is_refused_with_the_known_ones(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(CheckpointError, match=r"family 'bert', not .*'whisper'"):
        describe(tmp_path)


def test_an_incomplete_configuration_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "hubert"}))
    with pytest.raises(CheckpointError, match="has no 'conv_kernel'"):
        describe(tmp_path)
