"""What was hashed when a run was planned is what is loaded."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace

import pytest
import torch
from conditions import upstream_condition
from harness_plugins.upstreams import random, wav2vec2, whisper
from toys import TOY

from harness import CheckpointError
from harness.data.places import Places
from harness.features import padding
from harness.features.checkpoints import Planned, find_checkpoint
from harness.features.extraction import Use, certify, encoder, find_source, store_of
from harness.memory import Memory


@pytest.fixture(autouse=True)
def no_encoder_of_another_test():
    """Encoders are loaded once a process, by what their features depend on."""
    encoder.cache_clear()


@pytest.fixture
def folder(tmp_path):
    """A checkpoint whose files changed last a minute ago, as far as one can tell."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_bytes(b"{}")
    return folder


def planned(folder, tmp_path, load, **changes):
    """An upstream as a plan saw it, loaded by some function."""
    upstream = replace(TOY, load=load, checkpoint=str(folder), **changes)
    memory = Memory(tmp_path / "memory.json")
    found = find_checkpoint(upstream, {}, memory, download=False)
    assert found is not None
    return Planned(
        upstream=upstream, sha256=found.sha256, given={}, memory=memory
    ), found


def as_it_was(file, content):
    """Write bytes back and set the time of the change back, as rsync -t does."""
    status = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_files_that_nobody_touches_are_loaded(folder, tmp_path):
    as_planned, found = planned(folder, tmp_path, lambda folder, **named: "encoder")
    assert as_planned.find() == found
    assert as_planned.load(found, found.folder) == "encoder"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_that_changed_after_the_plan_is_refused(folder, tmp_path, name):
    loaded = []
    as_planned, found = planned(
        folder, tmp_path, lambda folder, **named: loaded.append(folder)
    )
    content = (folder / name).read_bytes()
    as_it_was(folder / name, b"x" * len(content))
    with pytest.raises(CheckpointError, match="changed since it was planned"):
        as_planned.load(found, found.folder)
    assert loaded == []


@pytest.mark.parametrize("back", [False, True], ids=["for good", "and put back"])
@pytest.mark.parametrize("how", ["overwritten", "replaced", "touched by rsync"])
def test_a_file_that_changes_while_it_is_loaded_is_refused(folder, tmp_path, how, back):
    file = folder / "model.safetensors"

    def write(content):
        if how == "overwritten":
            file.write_bytes(content)
        elif how == "replaced":
            (folder / "beside").write_bytes(content)
            (folder / "beside").replace(file)
        else:
            as_it_was(file, content)

    def load(folder, **named):
        time.sleep(0.02)  # longer than a tick of the file system's clock
        write(b"poison!")
        states = file.read_bytes()
        if back:
            write(b"weights")
        return states

    as_planned, found = planned(folder, tmp_path, load)
    with pytest.raises(CheckpointError, match="changed since it was planned"):
        as_planned.load(found, found.folder)


@pytest.mark.parametrize("change", ["lost", "added"])
def test_a_file_that_comes_or_goes_while_it_is_loaded_is_refused(
    folder, tmp_path, change
):
    def load(folder, **named):
        if change == "lost":
            (folder / "config.json").unlink()
        else:
            (folder / "preprocessor_config.json").write_text("{}")

    as_planned, found = planned(folder, tmp_path, load)
    with pytest.raises(CheckpointError, match="changed since it was planned"):
        as_planned.load(found, found.folder)


def test_a_file_that_is_not_read_may_change(folder, tmp_path):
    def load(folder, **named):
        (folder / "README.md").write_text("new")
        return "encoder"

    as_planned, found = planned(folder, tmp_path, load)
    assert as_planned.load(found, found.folder) == "encoder"


def test_a_file_that_cannot_be_read_is_named(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(tmp_path / "nowhere")
    upstream = replace(TOY, checkpoint=str(folder))
    with pytest.raises(CheckpointError, match=r"cannot be read: .*model\.safetensors"):
        find_checkpoint(upstream, {}, Memory(tmp_path / "m"), download=False)


def test_a_task_loads_what_was_planned_or_nothing(folder, tmp_path):
    def load(checkpoint, *, device, feeding):
        (checkpoint / "model.safetensors").write_bytes(b"poison")
        return lambda waveforms: [torch.zeros(3, 5, 8) for _ in waveforms]

    as_planned, _ = planned(folder, tmp_path, load)
    use = Use(
        upstream=as_planned.upstream,
        condition=upstream_condition(checkpoint=as_planned.sha256),
        plugin="toy-plugin",
        places=Places(data=tmp_path, cache=tmp_path / "cache"),
        device="cpu",
    )
    with pytest.raises(CheckpointError, match="changed since it was planned"):
        certify(use)
    assert store_of(use.condition, use.places.cache).certificate == {}
    with pytest.raises(CheckpointError, match="changed since it was planned"):
        find_source(use, use.places)


def test_a_certificates_clip_is_as_long_as_the_upstream_needs(tmp_path):
    lengths: list[int] = []

    def load(checkpoint, *, device, feeding):
        def encode(waveforms):
            lengths.extend(len(waveform) for waveform in waveforms)
            return [torch.randn(3, 5, 8) for _ in waveforms]

        return encode

    upstream = replace(TOY, load=load, min_seconds=2.5)
    use = Use(
        upstream=upstream,
        condition=upstream_condition(),
        plugin="toy-plugin",
        places=Places(data=tmp_path, cache=tmp_path / "cache"),
        device="cpu",
    )
    certify(use)
    assert min(lengths) == 2.5 * TOY.rate
    assert set(store_of(use.condition, use.places.cache).certificate) == {
        f"{trial}_{what}" for trial in padding.TRIALS for what in ("delta", "distance")
    }


# ---------------------------------------------------------------- what is hashed


def digest(upstream, folder, tmp_path):
    given = {upstream.name: folder}
    return find_checkpoint(upstream, given, Memory(tmp_path / "m"), download=False)


NAMED = [*wav2vec2.harness_upstreams(), *whisper.harness_upstreams()]


@pytest.mark.parametrize("upstream", NAMED, ids=lambda upstream: upstream.name)
def test_every_file_that_is_read_is_hashed_and_no_other(folder, tmp_path, upstream):
    before = digest(upstream, folder, tmp_path).sha256
    for name in ("adapter.deu.safetensors", "tokenizer.json", "adapter_model.bin"):
        (folder / name).write_bytes(b"not read")
        assert digest(upstream, folder, tmp_path).sha256 == before
    seen = {before}
    for name in ("preprocessor_config.json", "processor_config.json"):
        (folder / name).write_bytes(b"read")
        seen.add(digest(upstream, folder, tmp_path).sha256)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    seen.add(digest(upstream, folder, tmp_path).sha256)
    (folder / "pytorch_model.bin").write_bytes(b"other weights")
    seen.add(digest(upstream, folder, tmp_path).sha256)
    assert len(seen) == 5


def test_random_weights_depend_on_the_configuration_alone(folder, tmp_path):
    drawn = random.harness_upstream("random:whisper-tiny", lambda name: NAMED[-5])
    before = digest(drawn, folder, tmp_path).sha256
    (folder / "model.safetensors").unlink()
    assert digest(drawn, folder, tmp_path).sha256 == before
    (folder / "config.json").write_text('{"a": 1}')
    assert digest(drawn, folder, tmp_path).sha256 != before


@pytest.mark.parametrize(
    ("name", "vocabulary"), [("whisper-tiny", 51_864), ("whisper-small-en", 51_865)]
)
def test_weights_for_other_languages_are_refused(name, vocabulary, registry, tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"vocab_size": vocabulary}))
    (folder / "model.safetensors").write_bytes(b"weights")
    memory = Memory(tmp_path / "memory")
    with pytest.raises(CheckpointError, match=f"not of {name}.*--upstream hf:"):
        find_checkpoint(
            registry.upstreams[name], {name: folder}, memory, download=False
        )
