from __future__ import annotations

import json
import random
import re
import warnings

import pytest
import torch
from harness_plugins.upstreams import _config as config
from harness_plugins.upstreams import _weights as weights
from safetensors.torch import save_file
from torch import nn

from harness import CheckpointError


@pytest.fixture
def small():
    """A module without memory, as an upstream builds it before it is filled."""
    with torch.device("meta"):
        return nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))


@pytest.fixture
def stored():
    """What a checkpoint has for it, with a head that nobody asked for."""
    random = torch.Generator().manual_seed(0)
    shapes = {
        "model.0.weight": (2, 3),
        "model.0.bias": (2,),
        "model.1.weight": (2,),
        "model.1.bias": (2,),
        "head.weight": (5, 2),
    }
    return {
        name: torch.randn(shape, generator=random) for name, shape in shapes.items()
    }


def test_weights_arrive_under_their_prefix(tmp_path, small, stored):
    save_file(stored, tmp_path / "model.safetensors")
    weights.fill(small, tmp_path, ["model."])
    assert torch.equal(small[0].weight, stored["model.0.weight"])


def test_a_filled_module_is_frozen(tmp_path, small, stored):
    save_file(stored, tmp_path / "model.safetensors")
    weights.fill(small, tmp_path, ["model."])
    assert not small.training
    assert not any(weight.requires_grad for weight in small.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_precision_is_computed_in_float32(tmp_path, small, stored, dtype):
    narrow = {name: tensor.to(dtype) for name, tensor in stored.items()}
    save_file(narrow, tmp_path / "model.safetensors")
    weights.fill(small, tmp_path, ["model."])
    assert torch.equal(small[0].weight, narrow["model.0.weight"].float())


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "before torch 1.6"])
def test_a_bin_file_is_read(tmp_path, small, stored, legacy):
    file = tmp_path / "pytorch_model.bin"
    torch.save(stored, file, _use_new_zipfile_serialization=not legacy)
    weights.fill(small, tmp_path, ["model."])
    assert torch.equal(small[1].bias, stored["model.1.bias"])


def test_a_bin_file_that_runs_code_is_refused(tmp_path, small):
    torch.save({"0.weight": print}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="Python objects, not only weights"):
        weights.fill(small, tmp_path, [""])


@pytest.mark.parametrize("content", [None, 3, [torch.ones(2)], {1: torch.ones(2)}])
def test_a_bin_file_without_weights_by_name_is_refused(tmp_path, small, content):
    torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="not weights by name"):
        weights.fill(small, tmp_path, [""])


@pytest.mark.parametrize("value", [[1.0, 2.0], 3, "text"])
def test_a_value_that_is_no_tensor_is_refused(tmp_path, small, stored, value):
    torch.save(stored | {"model.0.bias": value}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"0\.bias as .* not as weights"):
        weights.fill(small, tmp_path, ["model."])


def test_what_a_file_says_reaches_no_terminal(tmp_path, small):
    instance = b"\x80\x02cacme\n\x1b[31mPainted\n)\x81."  # of a class of that name
    (tmp_path / "pytorch_model.bin").write_bytes(instance)
    with pytest.raises(CheckpointError, match="Python objects") as refused:
        weights.fill(small, tmp_path, [""])
    assert str(refused.value).isprintable()


def test_damage_is_said_without_control_characters(tmp_path, small, stored):
    file = tmp_path / "pytorch_model.bin"
    torch.save(stored, file, _use_new_zipfile_serialization=False)
    raw, dice = file.read_bytes(), random.Random(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that a protocol is unknown
        for _ in range(300):
            broken = bytearray(raw)
            broken[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
            file.write_bytes(broken)
            try:
                weights.fill(small, tmp_path, ["model."])
            except CheckpointError as error:
                assert str(error).isprintable()


# ---------------------------------------------------------------- quantised, or more


@pytest.mark.parametrize(
    "dtype", [torch.int8, torch.uint8, torch.int32, torch.float8_e4m3fn, torch.bool]
)
def test_quantised_weights_are_refused_by_name(tmp_path, small, stored, dtype):
    stored["model.0.weight"] = stored["model.0.weight"].to(dtype)
    save_file(stored, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"0\.weight in \w+: quantised"):
        weights.fill(small, tmp_path, ["model."])


@pytest.mark.parametrize(
    "beside",
    [
        *("0.weight.absmax", "0.weight.quant_state.bitsandbytes__nf4", "0.SCB"),
        *("0.weight_scale", "0.lora_A.weight", "0.qweight", "1.running_mean"),
    ],
)
def test_weights_that_the_config_does_not_describe_are_refused_by_name(
    tmp_path, small, stored, beside
):
    save_file(
        stored | {f"model.{beside}": torch.ones(2)}, tmp_path / "model.safetensors"
    )
    with pytest.raises(CheckpointError, match=f"has {re.escape(beside)}, which its"):
        weights.fill(small, tmp_path, ["model."])


def test_a_weight_that_stands_there_twice_is_refused(tmp_path, small, stored):
    twice = stored | {"0.bias": 2 * stored["model.0.bias"]}
    save_file(twice, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"has 0\.bias twice"):
        weights.fill(small, tmp_path, ["model.", ""])


def test_a_weight_that_repeats_one_number_is_never_blown_up(tmp_path, small, stored):
    huge = torch.ones(1).expand(2**20, 2**20)
    torch.save(stored | {"model.0.weight": huge}, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="of shape"):
        weights.fill(small, tmp_path, ["model."])


def test_safetensors_come_before_bin(tmp_path, small, stored):
    save_file(stored, tmp_path / "model.safetensors")
    (tmp_path / "pytorch_model.bin").write_text("not this")
    weights.fill(small, tmp_path, ["model."])
    assert torch.equal(small[0].bias, stored["model.0.bias"])


def shard(folder, stored, stem="model", suffix="safetensors"):
    """Write one file a weight, and the index."""
    names = {}
    for number, name in enumerate(stored):
        names[name] = f"{stem}-{number + 1:05}-of-{len(stored):05}.{suffix}"
        if suffix == "safetensors":
            save_file({name: stored[name]}, folder / names[name])
        else:
            torch.save({name: stored[name]}, folder / names[name])
    index = folder / f"{stem}.{suffix}.index.json"
    index.write_text(json.dumps({"weight_map": names}))


@pytest.mark.parametrize(
    ("stem", "suffix"), [("model", "safetensors"), ("pytorch_model", "bin")]
)
def test_shards_are_joined(tmp_path, small, stored, stem, suffix):
    shard(tmp_path, stored, stem, suffix)
    weights.fill(small, tmp_path, ["model."])
    assert torch.equal(small[1].weight, stored["model.1.weight"])


@pytest.mark.parametrize(
    "shard_name",
    ["../model-1.safetensors", "sub/model-1.safetensors", "x.safetensors", 3],
)
def test_an_index_names_only_files_that_are_hashed(tmp_path, small, stored, shard_name):
    shard(tmp_path, stored)
    index = tmp_path / "model.safetensors.index.json"
    names = json.loads(index.read_text())["weight_map"]
    index.write_text(json.dumps({"weight_map": names | {"head.weight": shard_name}}))
    with pytest.raises(CheckpointError, match=r"index\.json that names"):
        weights.fill(small, tmp_path, ["model."])


def test_shards_without_an_index_are_refused_whatever_lies_beside(
    tmp_path, small, stored
):
    shard(tmp_path, stored)
    (tmp_path / "model.safetensors.index.json").unlink()
    torch.save(stored, tmp_path / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"no model\.safetensors\.index\.json"):
        weights.fill(small, tmp_path, ["model."])


def test_an_absent_shard_is_named(tmp_path, small, stored):
    shard(tmp_path, stored)
    (tmp_path / "model-00002-of-00005.safetensors").unlink()
    with pytest.raises(CheckpointError, match="lacks model-00002-of-00005"):
        weights.fill(small, tmp_path, ["model."])


@pytest.mark.parametrize(
    ("gain", "direction"),
    [
        ("weight_g", "weight_v"),
        ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    ],
)
def test_both_names_of_a_weight_norm_are_understood(tmp_path, gain, direction):
    with torch.device("meta"):
        conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(2, 2, 3), dim=2)
    stored = {
        f"conv.{gain}": torch.full((1, 1, 3), 2.0),
        f"conv.{direction}": torch.ones(2, 2, 3),
        "conv.bias": torch.zeros(2),
    }
    save_file(stored, tmp_path / "model.safetensors")
    weights.fill(nn.ModuleDict({"conv": conv}), tmp_path, [""])
    torch.testing.assert_close(conv.weight, torch.ones(2, 2, 3))


def test_missing_weights_are_named(tmp_path, small, stored):
    del stored["model.0.bias"]
    save_file(stored, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks 0\.bias\. .*--checkpoint"):
        weights.fill(small, tmp_path, ["model."])


def test_of_many_missing_weights_the_rest_is_counted(tmp_path, small, stored):
    save_file({"head.weight": stored["head.weight"]}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"0\.bias, .* and 1 more weights"):
        weights.fill(small, tmp_path, ["model."])


def test_a_weight_of_another_shape_is_refused(tmp_path, small, stored):
    stored["model.0.weight"] = torch.zeros(4, 3)
    save_file(stored, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"0\.weight .* \(4, 3\), not \(2, 3\)"):
        weights.fill(small, tmp_path, ["model."])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, small, stored, value):
    stored["model.1.bias"][0] = value
    save_file(stored, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"NaN or infinite values in 1\.bias"):
        weights.fill(small, tmp_path, ["model."])


@pytest.mark.parametrize("kept", [0, 7, 100, -4])
def test_a_truncated_safetensors_file_is_refused(tmp_path, small, stored, kept):
    file = tmp_path / "model.safetensors"
    save_file(stored, file)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"damaged model\.safetensors"):
        weights.fill(small, tmp_path, ["model."])


@pytest.mark.parametrize("kept", [0, 7, 400, -4])
def test_a_truncated_bin_file_is_refused(tmp_path, small, stored, kept):
    file = tmp_path / "pytorch_model.bin"
    torch.save(stored, file)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"damaged pytorch_model\.bin"):
        weights.fill(small, tmp_path, ["model."])


def test_a_folder_without_weights_is_refused(tmp_path, small):
    with pytest.raises(CheckpointError, match=r"has no model\.safetensors"):
        weights.fill(small, tmp_path, [""])


def test_a_folder_without_a_config_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        config.read(tmp_path, "whisper")


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_config_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        config.read(tmp_path, "whisper")


def test_another_family_is_refused_by_name(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CheckpointError, match="family 'bert', not 'whisper'"):
        config.read(tmp_path, "whisper")
