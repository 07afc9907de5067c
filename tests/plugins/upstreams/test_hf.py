"""Checkpoints of every family that ``hf:`` takes, described and run end to end."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow.parquet
import pytest
import torch
from harness_plugins.upstreams import hf, random, wav2vec2, whisper
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file
from tiny import LAYER_NORM, WAV2VEC2, WAV2VEC2_BERT, WHISPER
from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioModel,
    HubertConfig,
    HubertModel,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

from harness import CheckpointError, HubCheckpoint, Upstream, hookimpl
from harness.features.checkpoints import find_checkpoint
from harness.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = {"num_hidden_layers": 3, "hidden_size": 24, "num_attention_heads": 2}
CONVOLVED = SMALL | {"num_conv_pos_embedding_groups": 4}
CONFIGS = {
    "data2vec-audio": Data2VecAudioConfig(**CONVOLVED),
    "hubert": HubertConfig(**CONVOLVED),
    "wav2vec2": Wav2Vec2Config(**CONVOLVED),
    "wav2vec2-bert": Wav2Vec2BertConfig(**SMALL),
    "wavlm": WavLMConfig(**CONVOLVED),
    "whisper": WhisperConfig(encoder_layers=3, d_model=24),
}


@pytest.fixture(params=CONFIGS)
def family(request, tmp_path):
    CONFIGS[request.param].save_pretrained(tmp_path)
    if request.param not in ("wav2vec2-bert", "whisper"):
        Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    return request.param


def upstream_of(name: str) -> Upstream:
    upstream = hf.harness_upstream(name)
    assert upstream is not None
    return upstream


def describe(folder):
    return hf.describe("hf:acme/small", folder, "acme/small", "main")


def test_a_checkpoint_describes_itself(family, tmp_path):
    upstream = describe(tmp_path)
    assert (upstream.layers, upstream.dim, upstream.hop) == (3, 24, 0.02)
    assert upstream.rate == 16_000


def test_its_weights_are_where_it_was_said(family, tmp_path):
    upstream = describe(tmp_path)
    assert (upstream.name, upstream.checkpoint) == ("hf:acme/small", "acme/small")


def test_its_family_loads_it(family, tmp_path):
    assert describe(tmp_path).load is hf.LOADS[family]


def test_its_version_is_its_familys(family, tmp_path):
    module = whisper if family == "whisper" else wav2vec2
    assert describe(tmp_path).version == module.VERSION


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
    Wav2Vec2FeatureExtractor(sampling_rate=8000).save_pretrained(tmp_path)
    assert (describe(tmp_path).rate, describe(tmp_path).hop) == (8000, 0.04)


def test_an_unknown_family_is_refused_with_the_known_ones(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(CheckpointError, match=r"family 'bert', not .*'whisper'"):
        describe(tmp_path)


def test_an_incomplete_configuration_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "hubert"}))
    with pytest.raises(CheckpointError, match="has no 'hidden_size'"):
        describe(tmp_path)


# ---------------------------------------------------------------- tiny, end to end

FAMILIES: dict[str, tuple[Any, dict[str, Any], Callable[[], Any]]] = {
    "data2vec-audio": (Data2VecAudioModel, WAV2VEC2, Wav2Vec2FeatureExtractor),
    "hubert": (HubertModel, WAV2VEC2, Wav2Vec2FeatureExtractor),
    "wav2vec2": (Wav2Vec2Model, WAV2VEC2, Wav2Vec2FeatureExtractor),
    "wav2vec2, layer norm": (
        Wav2Vec2Model,
        WAV2VEC2 | LAYER_NORM,
        Wav2Vec2FeatureExtractor,
    ),
    "wav2vec2-bert": (Wav2Vec2BertModel, WAV2VEC2_BERT, SeamlessM4TFeatureExtractor),
    "wavlm": (WavLMModel, WAV2VEC2, Wav2Vec2FeatureExtractor),
    "whisper": (
        WhisperForConditionalGeneration,
        WHISPER | {"d_model": 24},
        lambda: WhisperFeatureExtractor(feature_size=20, chunk_length=2),
    ),
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Return the folder of a tiny random checkpoint, as the hub has it."""
    made = {}

    def make(name):
        if name not in made:
            kind, settings, extractor = FAMILIES[name]
            made[name] = tmp_path_factory.mktemp("hub") / "acme" / "tiny model"
            with torch.random.fork_rng():
                torch.manual_seed(0)
                kind(kind.config_class(**settings)).save_pretrained(made[name])
            extractor().save_pretrained(made[name])
        return made[name]

    return make


def run(harness, tmp_path, upstream, *options):
    """Run the linear head on the tones; return its row."""
    code, _, err = harness(
        *("run", "--upstream", upstream, "--downstream", "linear"),
        *("--corpus", "tones", "--executor", "serial", "--no-controls", *options),
    )
    assert code == 0, err
    (row,) = pyarrow.parquet.read_table(tmp_path / "runs").to_pylist()
    return row


@pytest.mark.parametrize("name", FAMILIES)
def test_a_folder_of_any_family_runs(harness, tmp_path, tiny, name):
    row = run(harness, tmp_path, f"hf:{tiny(name)}")
    condition = row["condition"]["upstream"]
    assert condition["name"] == f"hf:{tiny(name)}"
    assert (condition["layers"], condition["dim"]) == (3, 24)
    assert row["training"]["revision"] == "local"
    plugins = dict(row["training"]["plugins"])
    assert plugins["upstream"].startswith("hf (speech-harness ")


@pytest.mark.parametrize("name", FAMILIES)
def test_a_folder_of_any_family_keeps_the_rules(harness, tiny, name):
    code, out, err = harness("check", f"hf:{tiny(name)}")
    assert code == 0, out + err
    assert "Features are batch-invariant" in out


def flat(text):
    """Undo what a terminal's width does to a sentence."""
    return " ".join(text.split())


PAPER = {  # each with its architecture, and the format that its commit has
    "wav2vec2-base": ("wav2vec2", "pytorch_model.bin"),
    "wav2vec2-large": ("wav2vec2", "pytorch_model.bin"),
    "xls-r-300m": ("wav2vec2, layer norm", "pytorch_model.bin"),
    "whisper-small-en": ("whisper", "model.safetensors"),
    "whisper-small": ("whisper", "model.safetensors"),
    "whisper-medium": ("whisper", "model.safetensors"),
}


@pytest.mark.parametrize("upstream", PAPER)
def test_a_model_of_the_paper_runs_from_a_given_checkpoint(
    harness, manager, tmp_path, tiny, upstream
):
    family, file = PAPER[upstream]
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny(family), folder)
    if file == "pytorch_model.bin":
        torch.save(load_file(folder / "model.safetensors"), folder / file)
        (folder / "model.safetensors").unlink()
    offers = [*wav2vec2.harness_upstreams(), *whisper.harness_upstreams()]
    (offer,) = (one for one in offers if one.name == upstream)
    name = f"{upstream}-of-tiny-size"
    small = replace(offer, name=name, layers=3, dim=24)
    manager.register(SimpleNamespace(harness_upstreams=hookimpl(lambda: [small])))
    row = run(harness, tmp_path, name, "--checkpoint", f"{name}={folder}")
    assert row["condition"]["upstream"]["name"] == name
    assert row["training"]["revision"] == "local"


def test_a_checkpoint_of_another_size_under_a_name_is_refused(harness, tiny):
    folder = tiny("whisper")
    code, _, err = harness(
        *("run", "--upstream", "whisper-tiny", "--downstream", "linear"),
        *("--corpus", "tones", "--executor", "serial", "--no-controls"),
        *("--checkpoint", f"whisper-tiny={folder}"),
    )
    assert code != 0
    assert "3 layers of 24 dims where its description says 4 of 384" in flat(err)
    assert "--upstream hf:FOLDER" in flat(err)


def test_names_with_slashes_stay_in_their_folders(harness, tmp_path, tiny):
    run(harness, tmp_path, f"hf:{tiny('hubert')}")
    (store,) = (tmp_path / "cache" / "features").iterdir()
    (result,) = (tmp_path / "runs").glob("*.parquet")
    assert store.name[0].isalnum()
    assert result.name.startswith("hf-")


def test_a_finished_run_of_a_folder_is_never_computed_again(harness, tmp_path, tiny):
    run(harness, tmp_path, f"hf:{tiny('hubert')}")
    _, _, err = harness(
        *("run", "--upstream", f"hf:{tiny('hubert')}", "--downstream", "linear"),
        *("--corpus", "tones", "--executor", "serial", "--no-controls"),
    )
    assert "1 of them done before" in err


def test_a_checkpoint_can_be_given_for_a_name_with_a_colon(harness, tmp_path, tiny):
    given, name = tmp_path / "given", f"hf:{tiny('hubert')}"
    shutil.copytree(tiny("hubert"), given)
    weights = load_file(given / "model.safetensors")
    torch.save({k: 2 * v for k, v in weights.items()}, given / "pytorch_model.bin")
    (given / "model.safetensors").unlink()
    row = run(harness, tmp_path, name, "--checkpoint", f"{name}={given}")
    other = upstream_of(name)
    memory = Memory(tmp_path / "memory.json")
    original = find_checkpoint(other, {}, memory, download=False)
    assert original is not None
    assert row["condition"]["upstream"]["checkpoint"] != original.sha256


def test_a_local_copy_may_lie_among_the_checkpoints(monkeypatch, tmp_path, tiny):
    shutil.copytree(tiny("wavlm"), tmp_path / "hf:acme" / "tiny")
    monkeypatch.setenv("HARNESS_CHECKPOINTS", str(tmp_path))
    upstream = upstream_of("hf:acme/tiny")
    assert upstream.checkpoint == str(tmp_path / "hf:acme" / "tiny")


def test_another_name_is_left_to_others():
    assert hf.harness_upstream("whisper-base") is None


# ---------------------------------------------------------------- the hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """A hub with one repository, which fetches into a cache as the real one does."""

    def __init__(self, folder, cache):
        self.folder, self.cache, self.fetched = folder, cache / COMMIT, []

    def __call__(
        self,
        repository,
        *,
        revision,
        allow_patterns,
        ignore_patterns=(),
        local_files_only=False,
    ):
        assert repository == "acme/tiny"
        assert revision in ("main", "v1", COMMIT)
        for path in [] if local_files_only else sorted(self.folder.iterdir()):
            allowed = any(fnmatch(path.name, pattern) for pattern in allow_patterns)
            if allowed and not (
                ignore_patterns and fnmatch(path.name, ignore_patterns)
            ):
                self.cache.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, self.cache)
                self.fetched.append(path.name)
        if not self.cache.is_dir():
            raise LocalEntryNotFoundError("not here")
        return str(self.cache)


@pytest.fixture
def hub(tmp_path, tiny, monkeypatch):
    shutil.copytree(tiny("wavlm"), tmp_path / "repository")
    made = Hub(tmp_path / "repository", tmp_path / "hub")
    monkeypatch.setattr("huggingface_hub.snapshot_download", made)
    monkeypatch.setattr("harness_plugins.upstreams.hf.reachable", lambda: True)
    monkeypatch.setattr("harness.hub.reachable", lambda: True)
    return made


def test_of_a_hubs_checkpoint_only_the_configuration_is_fetched(hub):
    upstream = upstream_of("hf:acme/tiny")
    assert hub.fetched == ["config.json", "preprocessor_config.json"]
    assert (upstream.layers, upstream.dim) == (3, 24)


def test_what_is_not_read_is_not_fetched(hub, tmp_path):
    for name in ("adapter.deu.safetensors", "tokenizer.json", "flax_model.msgpack"):
        (hub.folder / name).write_bytes(b"not read")
    (hub.folder / "processor_config.json").write_text('{"processor_class": "A"}')
    upstream = upstream_of("hf:acme/tiny")
    find_checkpoint(upstream, {}, Memory(tmp_path / "memory.json"), download=True)
    assert set(hub.fetched) == {
        *("config.json", "preprocessor_config.json", "processor_config.json"),
        "model.safetensors",
    }


def test_an_adapter_in_safetensors_does_not_stand_for_older_weights(hub, tmp_path):
    (hub.folder / "model.safetensors").rename(hub.folder / "pytorch_model.bin")
    (hub.folder / "adapter.deu.safetensors").write_bytes(b"not read")
    upstream = upstream_of("hf:acme/tiny")
    find_checkpoint(upstream, {}, Memory(tmp_path / "memory.json"), download=True)
    assert "pytorch_model.bin" in hub.fetched


def test_for_random_weights_only_the_configuration_is_fetched(hub, tmp_path):
    upstream = random.harness_upstream("random:hf:acme/tiny", upstream_of)
    assert upstream is not None
    memory = Memory(tmp_path / "memory.json")
    found = find_checkpoint(upstream, {}, memory, download=True)
    assert found is not None
    assert found.folder == hub.cache
    assert find_checkpoint(upstream, {}, memory, download=False) is not None
    assert {Path(name).suffix for name in hub.fetched} == {".json"}


def test_random_weights_run_without_any(harness, tmp_path, tiny):
    copy = shutil.copytree(tiny("wavlm"), tmp_path / "copy")
    (copy / "model.safetensors").unlink()
    row = run(harness, tmp_path, f"random:hf:{copy}")
    assert row["condition"]["upstream"]["layers"] == 3


@pytest.mark.parametrize("name", ["hf:acme/tiny", "hf:acme/tiny@v1"])
def test_a_hubs_checkpoint_is_pinned_to_its_commit(hub, name):
    upstream = upstream_of(name)
    assert (upstream.checkpoint, upstream.revision) == ("acme/tiny", COMMIT)


def test_a_hubs_checkpoint_runs(hub, harness, tmp_path):
    row = run(harness, tmp_path, "hf:acme/tiny")
    assert row["condition"]["upstream"]["name"] == "hf:acme/tiny"
    assert row["training"]["revision"] == COMMIT


def test_a_description_alone_is_not_a_checkpoint(hub, tmp_path):
    upstream = upstream_of("hf:acme/tiny")
    memory = Memory(tmp_path / "memory.json")
    assert find_checkpoint(upstream, {}, memory, download=False) is None


def test_older_weights_are_left_on_the_hub_where_there_are_safetensors(hub, tmp_path):
    (hub.folder / "pytorch_model.bin").write_bytes(b"old")
    upstream = upstream_of("hf:acme/tiny")
    find_checkpoint(upstream, {}, Memory(tmp_path / "memory.json"), download=True)
    assert "model.safetensors" in hub.fetched
    assert "pytorch_model.bin" not in hub.fetched


def test_older_weights_are_fetched_where_there_are_no_others(hub, tmp_path):
    (hub.folder / "model.safetensors").rename(hub.folder / "pytorch_model.bin")
    upstream = upstream_of("hf:acme/tiny")
    find_checkpoint(upstream, {}, Memory(tmp_path / "memory.json"), download=True)
    assert "pytorch_model.bin" in hub.fetched


def test_older_weights_beside_safetensors_change_no_hash(tmp_path, tiny):
    shutil.copytree(tiny("hubert"), tmp_path / "copy")
    upstream = upstream_of(f"hf:{tmp_path / 'copy'}")
    memory = Memory(tmp_path / "memory.json")
    before = find_checkpoint(upstream, {}, memory, download=False)
    assert before is not None
    (tmp_path / "copy" / "pytorch_model.bin").write_bytes(b"old")
    assert find_checkpoint(upstream, {}, memory, download=False) == before


# ---------------------------------------------------------------- several checkpoints


@pytest.fixture
def pair(tmp_path, tiny):
    """An upstream of two checkpoints, and where each of them lies."""
    upstream = upstream_of(f"hf:{tiny('hubert')}")
    second = HubCheckpoint(id="acme/tiny", files=("config.json", "*.safetensors"))
    folder = tmp_path / "second"
    shutil.copytree(tiny("wavlm"), folder)
    return replace(upstream, name="pair", more_checkpoints={"voice": second}), folder


def found(upstream, tmp_path, **given):
    names = {f"pair/{key}": folder for key, folder in given.items()}
    return find_checkpoint(upstream, names, Memory(tmp_path / "m"), download=False)


def test_a_further_checkpoint_is_given_by_its_name(pair, tmp_path):
    upstream, folder = pair
    both = found(upstream, tmp_path, voice=folder)
    assert both.folder == Path(upstream.checkpoint)
    assert both.more == {"voice": folder}
    assert both.revision == "local, voice: local"


def test_a_further_checkpoint_lies_below_the_first_ones_folder(
    pair, tmp_path, monkeypatch
):
    upstream, folder = pair
    shutil.copytree(upstream.checkpoint, tmp_path / "all" / "pair")
    folder.rename(tmp_path / "all" / "pair" / "voice")
    monkeypatch.setenv("HARNESS_CHECKPOINTS", str(tmp_path / "all"))
    both = found(upstream, tmp_path)
    assert both.more == {"voice": tmp_path / "all" / "pair" / "voice"}


def test_one_hash_covers_every_checkpoint(pair, tmp_path):
    upstream, folder = pair
    alone = find_checkpoint(
        replace(upstream, more_checkpoints={}),
        {},
        Memory(tmp_path / "m"),
        download=False,
    )
    assert alone is not None
    before = found(upstream, tmp_path, voice=folder)
    weights = load_file(folder / "model.safetensors")
    save_file({k: 2 * v for k, v in weights.items()}, folder / "model.safetensors")
    after = found(upstream, tmp_path, voice=folder)
    assert len({alone.sha256, before.sha256, after.sha256}) == 3


def test_without_one_of_its_checkpoints_an_upstream_is_not_here(pair, tmp_path, hub):
    upstream, _ = pair
    assert found(upstream, tmp_path) is None
    assert hub.fetched == []


def test_a_further_checkpoint_comes_from_the_hub(pair, tmp_path, hub):
    upstream, _ = pair
    both = find_checkpoint(upstream, {}, Memory(tmp_path / "m"), download=True)
    assert both is not None
    assert both.more["voice"].name == COMMIT
    assert both.revision == f"local, voice: {COMMIT}"


def test_several_checkpoints_cannot_be_random(pair):
    upstream, _ = pair
    with pytest.raises(CheckpointError, match="made of several checkpoints"):
        random.harness_upstream("random:pair", lambda name: upstream)


# ---------------------------------------------------------------- what is nowhere


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("hf:acme/absent", "the Hugging Face hub cannot be reached"),
        ("hf:./absent", "no id of the Hugging Face hub"),
    ],
)
def test_what_is_nowhere_is_named_with_both_ways_out(
    harness, monkeypatch, name, sentence
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, _, err = harness("check", name)
    assert code == 2
    assert sentence in err
    assert "--upstream hf:FOLDER" in err


def test_a_folder_of_an_upstream_that_is_gone_is_named(tmp_path, tiny):
    shutil.copytree(tiny("hubert"), tmp_path / "copy")
    upstream = upstream_of(f"hf:{tmp_path / 'copy'}")
    shutil.rmtree(tmp_path / "copy")
    with pytest.raises(CheckpointError, match=r"copy of hf:.* does not exist"):
        find_checkpoint(upstream, {}, Memory(tmp_path / "m.json"), download=False)
