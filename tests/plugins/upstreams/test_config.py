"""What a checkpoint's JSON files say is understood, or refused by name."""

from __future__ import annotations

import json
import random
import shutil
from typing import Any

import pytest
import torch
from harness_plugins.upstreams import _schema, hf, wav2vec2, whisper
from tiny import WAV2VEC2, WAV2VEC2_BERT, WHISPER
from transformers import (
    Data2VecAudioModel,
    HubertModel,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertModel,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMModel,
    WhisperFeatureExtractor,
    WhisperModel,
)

from harness import CheckpointError

FAMILIES: dict[str, Any] = {
    "data2vec-audio": (Data2VecAudioModel, WAV2VEC2, Wav2Vec2FeatureExtractor),
    "hubert": (HubertModel, WAV2VEC2, Wav2Vec2FeatureExtractor),
    "wav2vec2": (Wav2Vec2Model, WAV2VEC2, Wav2Vec2FeatureExtractor),
    "wav2vec2-bert": (Wav2Vec2BertModel, WAV2VEC2_BERT, SeamlessM4TFeatureExtractor),
    "wavlm": (WavLMModel, WAV2VEC2, Wav2Vec2FeatureExtractor),
    "whisper": (
        WhisperModel,
        WHISPER,
        lambda: WhisperFeatureExtractor(feature_size=20, chunk_length=2),
    ),
}
FILES = ("config.json", "preprocessor_config.json")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Return the folder of a tiny random checkpoint of a family; not to be changed."""
    made = {}

    def make(family):
        if family not in made:
            kind, settings, extractor = FAMILIES[family]
            made[family] = tmp_path_factory.mktemp(family)
            with torch.random.fork_rng():
                torch.manual_seed(0)
                kind(kind.config_class(**settings)).save_pretrained(made[family])
            extractor().save_pretrained(made[family])
        return made[family]

    return make


@pytest.fixture
def copied(tiny, tmp_path):
    """Return a copy of a family's tiny checkpoint, to change."""
    return lambda family: shutil.copytree(tiny(family), tmp_path / "copy")


def upstream_of(folder):
    """Describe a folder, as ``hf:FOLDER`` is."""
    upstream = hf.harness_upstream(f"hf:{folder}")
    assert upstream is not None
    return upstream


def states(folder, seconds=0.3):
    """Describe, load and run a folder, as ``hf:FOLDER`` is."""
    upstream = upstream_of(folder)
    encode = upstream.load(folder, device="cpu", feeding="full")
    random = torch.Generator().manual_seed(0)
    (found,) = encode([0.1 * torch.randn(round(16_000 * seconds), generator=random)])
    assert found.shape[::2] == (upstream.layers, upstream.dim)
    return found


def said(folder, name="config.json"):
    return json.loads((folder / name).read_text("utf-8"))


def say(folder, name="config.json", **fields):
    """Write fields into a file; ``None`` takes one away."""
    file = folder / name
    old = said(folder, name) if file.exists() else {}
    new = {key: value for key, value in (old | fields).items() if value is not None}
    file.write_text(json.dumps(new), "utf-8")


# ---------------------------------------------------------------- what is understood


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "passed_over",
    [
        {"attn_implementation": "flash_attention_2"},
        {"_attn_implementation": "flash_attention_2"},
        {"dtype": "float16", "torch_dtype": "bfloat16"},
        {"attention_dropout": 0.9, "layerdrop": 1.0, "hidden_dropout": 0.5},
        {"mask_time_prob": 1.0, "apply_spec_augment": True, "mask_channel_prob": 0.5},
        {"id2label": {"0": "anger"}, "problem_type": "regression"},
        {"_name_or_path": "acme", "architectures": ["Acme"], "pooling_mode": "max"},
        {"quantization_config": None},
    ],
)
def test_what_changes_nothing_of_an_encoder_is_passed_over(copied, family, passed_over):
    folder = copied(family)
    before = states(folder)
    say(folder, **passed_over)
    assert torch.equal(states(folder), before)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantization_config", {"load_in_8bit": True}),
        ("auto_map", {"AutoModel": "modeling_acme.Acme"}),
        ("pruned_heads", {"0": [1]}),
        ("rope_scaling", {"factor": 2.0}),
        ("norm_type", "rms"),
        ("\x1b[31mred\u202e", 1),
    ],
)
def test_a_field_that_is_not_understood_is_refused_by_name(
    copied, family, field, value
):
    folder = copied(family)
    say(folder, **{field: value})
    with pytest.raises(CheckpointError) as refused:
        states(folder)
    assert ascii(field) in str(refused.value)
    assert "config.json" in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("family", "field", "value"),
    [
        ("whisper", "dither", 1e-4),
        ("whisper", "n_fft", 512),
        ("whisper", "hop_length", 80),
        ("whisper", "sampling_rate", 8000),
        ("whisper", "do_normalize", True),
        ("whisper", "padding_value", 1.0),
        ("whisper", "padding_side", "left"),
        ("wav2vec2", "feature_size", 2),
        ("wav2vec2", "sampling_rate", 10**9),
        ("wav2vec2", "sampling_rate", 0),
        ("wav2vec2", "do_normalize", "yes"),
        ("wav2vec2", "feature_extractor_type", "Speech2TextFeatureExtractor"),
        ("wavlm", "gain", 2.0),
        ("wav2vec2-bert", "stride", 1),
        ("wav2vec2-bert", "num_mel_bins", 40),
    ],
)
@pytest.mark.parametrize("place", ["preprocessor_config.json", "processor_config.json"])
def test_a_front_end_that_is_not_ours_is_refused_by_name(
    copied, family, field, value, place
):
    folder = copied(family)
    settings = said(folder, "preprocessor_config.json") | {field: value}
    (folder / "preprocessor_config.json").unlink()
    if place == "processor_config.json":
        say(folder, place, feature_extractor=settings, processor_class="Acme")
    else:
        say(folder, place, **settings)
    with pytest.raises(CheckpointError, match=field):
        states(folder)


@pytest.mark.parametrize(
    ("family", "fields", "problem"),
    [
        ("wav2vec2", {"conv_kernel": [10, 3, 3]}, "3 conv_kernel and 7 conv_stride"),
        ("hubert", {"num_feat_extract_layers": 6}, "7 convolutions and says 6"),
        ("wavlm", {"hidden_size": 9}, "num_attention_heads of 2 cannot divide"),
        ("wavlm", {"num_buckets": 320, "max_bucket_distance": 80}, "bucket"),
        ("data2vec-audio", {"conv_stride": [4096] * 7}, "more than 10 s"),
        ("wav2vec2-bert", {"feature_projection_input_dim": 80}, "80 mel bins"),
        ("wav2vec2-bert", {"conv_depthwise_kernel_size": 30}, "even"),
        ("whisper", {"num_mel_bins": 128}, "128 mel bins .* given 20"),
        ("whisper", {"num_hidden_layers": 2}, "3 encoder_layers and says 2"),
        ("whisper", {"max_source_positions": 1500}, "1500 frames .* given 2 s"),
        ("whisper", {"scale_embedding": True}, "'scale_embedding'"),
        ("wav2vec2", {"num_hidden_layers": 10**11}, "'num_hidden_layers'"),
        ("whisper", {"encoder_layers": -1}, "'encoder_layers'"),
        ("hubert", {"layer_norm_eps": "1e-5"}, "'layer_norm_eps'"),
        ("wavlm", {"do_stable_layer_norm": 1}, "'do_stable_layer_norm'"),
        ("wav2vec2", {"feat_extract_norm": "batch"}, "'feat_extract_norm'"),
        ("wav2vec2", {"hidden_act": "acme"}, "'hidden_act'"),
        ("wav2vec2-bert", {"position_embeddings_type": "alibi"}, "'position_emb"),
    ],
)
def test_fields_that_cannot_be_or_contradict_each_other_are_refused(
    copied, family, fields, problem
):
    folder = copied(family)
    say(folder, **fields)
    with pytest.raises(CheckpointError, match=problem):
        states(folder)


def test_a_wav2vec2_with_adapters_in_its_blocks_uses_them(tmp_path):
    settings = WAV2VEC2 | {"adapter_attn_dim": 4, "do_stable_layer_norm": True}
    model = Wav2Vec2Model(Wav2Vec2Model.config_class(**settings)).eval()
    model.save_pretrained(tmp_path)
    Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(tmp_path)
    found = states(tmp_path)
    random = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        clip = 0.1 * torch.randn(1, 4800, generator=random)
        expected = model(clip).last_hidden_state[0]
    torch.testing.assert_close(found[-1], expected, atol=1e-4, rtol=0)


# ---------------------------------------------------------------- the front end's files


def into_processor(folder, **fields):
    """Move the front end's settings to where transformers 5 has a processor's."""
    settings = said(folder, "preprocessor_config.json") | fields
    (folder / "preprocessor_config.json").unlink()
    say(folder, "processor_config.json", feature_extractor=settings)


@pytest.mark.parametrize("normalise", [False, True])
def test_the_front_end_may_stand_in_the_processors_file(copied, normalise):
    folder = copied("wav2vec2")
    say(folder, "preprocessor_config.json", do_normalize=normalise)
    expected = states(folder)
    into_processor(folder)
    assert torch.equal(states(folder), expected)
    into_processor_again = said(folder, "processor_config.json")["feature_extractor"]
    say(
        folder,
        "processor_config.json",
        feature_extractor=into_processor_again | {"do_normalize": not normalise},
    )
    assert not torch.allclose(states(folder), expected, atol=1e-3)


def test_two_files_that_differ_are_refused(copied):
    folder = copied("wav2vec2")
    settings = said(folder, "preprocessor_config.json")
    nested = settings | {"do_normalize": not settings["do_normalize"]}
    say(folder, "processor_config.json", feature_extractor=nested)
    with pytest.raises(CheckpointError, match="two things for 'do_normalize'"):
        states(folder)


def test_two_files_that_agree_are_one(copied):
    folder = copied("wav2vec2")
    expected = states(folder)
    settings = said(folder, "preprocessor_config.json")
    say(folder, "processor_config.json", feature_extractor=settings)
    assert torch.equal(states(folder), expected)


@pytest.mark.parametrize(
    "fields",
    [
        {"processor_class": "Acme", "noise": 0.1},
        {"audio_processor": {"do_normalize": False}},
        {"feature_extractor": [1]},
        {"feature_extractor": "Wav2Vec2FeatureExtractor"},
    ],
)
def test_a_processors_file_that_is_not_understood_is_refused(copied, fields):
    folder = copied("wav2vec2")
    say(folder, "processor_config.json", **fields)
    with pytest.raises(CheckpointError, match=r"processor_config\.json"):
        states(folder)


@pytest.mark.parametrize("family", ["data2vec-audio", "hubert", "wav2vec2", "wavlm"])
def test_whether_the_input_is_normalised_is_never_guessed(copied, family):
    folder = copied(family)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match="nothing says whether"):
        states(folder)


@pytest.mark.parametrize("family", ["wav2vec2-bert", "whisper"])
def test_a_front_end_that_the_config_determines_needs_no_file(copied, family):
    folder = copied(family)
    expected = states(folder)
    (folder / "preprocessor_config.json").unlink()
    assert torch.equal(states(folder), expected)


def test_mel_filters_that_are_written_out_must_be_whispers(copied):
    folder = copied("whisper")
    expected = states(folder)
    filters = WhisperFeatureExtractor(feature_size=20).mel_filters.T.tolist()
    say(folder, "preprocessor_config.json", mel_filters=filters)
    assert torch.equal(states(folder), expected)
    for wrong in ([[2 * x for x in row] for row in filters], [], [["a"]], [1, [2]]):
        say(folder, "preprocessor_config.json", mel_filters=wrong)
        with pytest.raises(CheckpointError, match="mel_filters"):
            states(folder)


@pytest.mark.parametrize(
    "fields", [{"conv_stride": [5, 2, 2, 2, 2, 2, 1]}, {"sampling_rate": 8000}]
)
def test_a_folder_of_another_rate_or_hop_is_refused_under_a_name(copied, fields):
    folder = copied("wav2vec2")
    name = "preprocessor_config.json" if "sampling_rate" in fields else "config.json"
    say(folder, name, **fields)
    with pytest.raises(CheckpointError, match="use --upstream hf:FOLDER"):
        wav2vec2.load(folder, device="cpu", feeding="full")
    upstream = upstream_of(folder)
    assert upstream.load(folder, device="cpu", feeding="full")
    say(folder, name, conv_stride=[5, 2, 2, 2, 2, 2, 2])
    with pytest.raises(CheckpointError, match=r"frame every|conv_stride"):
        upstream.load(folder, device="cpu", feeding="full")


# ---------------------------------------------------------------- broken files


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b'{"model_type": "wav2vec2", "hidden_size": NaN}',
        b'{"model_type": "wav2vec2", "layer_norm_eps": 1e999}',
        b'{"model_type": "wav2vec2", "model_type": "wav2vec2"}',
        b'{"hidden_size": ' + b"9" * 5000 + b"}",
        b'{"a": ' * 100_000,
        b"[" * 100_000,
    ],
    ids=range(11),
)
def test_a_file_that_is_no_json_object_of_numbers_is_refused(copied, name, text):
    folder = copied("wav2vec2")
    (folder / name).write_bytes(text)
    with pytest.raises(CheckpointError, match=name) as refused:
        states(folder)
    assert str(refused.value).isprintable()


def test_a_file_that_is_no_file_is_refused(copied):
    folder = copied("whisper")
    (folder / "preprocessor_config.json").unlink()
    (folder / "preprocessor_config.json").mkdir()
    with pytest.raises(CheckpointError, match=r"broken preprocessor_config\.json"):
        states(folder)


def test_a_file_of_gigabytes_is_not_read(copied):
    folder = copied("whisper")
    with (folder / "config.json").open("r+b") as file:
        file.truncate(2**33)
    with pytest.raises(CheckpointError, match=r"broken config\.json"):
        states(folder)


GARBAGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 2**31, 10**11, 10**30, -(10**30), 0.5, -2.5),
    *(1e300, float("nan"), float("inf"), "", "8", "gelu", "\x00\x1b[2J", "é" * 5000),
    *([], [None], [[1]], [1e9], [-1] * 7, [0] * 7, list(range(300)), {}, {"a": {}}),
)
"""Values of wrong types and of absurd sizes."""


def mutated(text, dice):
    """Return the bytes of a JSON file with something wrong in it."""
    fields = json.loads(text)
    name = dice.choice(sorted(fields))
    kind = dice.randrange(10)
    if kind == 0:
        del fields[name]
    elif kind == 1:
        fields[name + dice.choice("x_2\x07")] = fields[name]
    elif kind == 2:
        fields[name] = [fields[name]]
    elif kind == 3:
        deep = '{"a":' * (depth := dice.choice([5, 2000])) + "1" + "}" * depth
        return text[:1] + json.dumps(name) + ":" + deep + "," + text[1:]
    elif kind == 4:
        value = json.dumps(fields[name])
        return text.rstrip()[:-1] + f",{json.dumps(name)}:{value}" + "}"
    elif kind == 5:
        at = dice.randrange(len(text))
        return text[:at] + dice.choice(['"', "{", "]", ",", "\x00", ""])
    elif kind == 6:
        raw, at = bytearray(text, "utf-8"), dice.randrange(len(text))
        raw[at] ^= 1 << dice.randrange(8)
        return bytes(raw)
    else:
        fields[name] = dice.choice(GARBAGE)
    return json.dumps(fields)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", FILES)
def test_a_mutated_file_changes_no_number_or_is_refused_in_a_sentence(
    copied, family, name
):
    folder, dice = copied(family), random.Random(f"{family} {name}")
    expected, text = states(folder), (folder / name).read_text("utf-8")
    refused = 0
    for _ in range(150):
        broken = mutated(text, dice)
        raw = broken if isinstance(broken, bytes) else broken.encode("utf-8")
        (folder / name).write_bytes(raw)
        try:
            found = states(folder)
        except CheckpointError as error:
            refused += 1
            assert str(error).isprintable()
            assert len(str(error)) < 600 + len(str(folder))
        else:
            assert torch.equal(found, expected) or is_meant(raw, text)
    assert refused > 20


def is_meant(raw, text):
    """Return whether a changed file is a sound description of another model.

    One digit of a number, or one truth value, is what a file may well say.
    """
    new, old = json.loads(raw), json.loads(text)
    changed = [name for name in old if new.get(name) != old[name]]
    return len(changed) == 1 and type(new[changed[0]]) is type(old[changed[0]])


def test_every_family_is_described_in_one_place():
    assert set(_schema.FAMILIES) == set(hf.LOADS) == set(FAMILIES)
    assert whisper.FEEDINGS[0] == "full"
