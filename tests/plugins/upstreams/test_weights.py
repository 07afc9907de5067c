from __future__ import annotations

import json

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
