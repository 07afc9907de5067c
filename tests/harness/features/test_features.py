"""Extraction into the store: what is stored, what is reused, what is refused."""

from __future__ import annotations

import dataclasses
import threading

import pytest
import torch
from conditions import upstream_condition
from toys import TONES, TOY, load_toy, write_tone

from harness import CheckpointError, DataError, PluginError, Reads
from harness.data import audio, stored
from harness.data.manifest import read_manifest
from harness.data.places import Places
from harness.features import extraction
from harness.features.extraction import (
    Extraction,
    Use,
    certify,
    encoder,
    extract,
    find_source,
    kinds_for,
    store_of,
)
from harness.features.shards import NORMS
from harness.memory import Memory

TOY_CONDITION = upstream_condition()


CHUNK = 16  # utterances of a task here


@pytest.fixture(autouse=True)
def no_encoder_of_another_test():
    """Encoders are loaded once a process, by what their features depend on."""
    encoder.cache_clear()


@pytest.fixture
def use(tones, tmp_path):
    """Build how a task uses the toy upstream, loaded by some function."""

    def use(load=load_toy, **changes):
        return Use(
            upstream=dataclasses.replace(TOY, load=load),
            condition=upstream_condition(**changes),
            plugin="toy-plugin",
            places=Places(data=tones.parent, cache=tmp_path / "cache"),
            device="cpu",
        )

    return use


@pytest.fixture
def recordings(tones, tmp_path):
    """Read the recordings as they are by now."""

    def recordings():
        memory = Memory(tmp_path / "memory.json")
        return read_manifest(TONES, tones, memory).recordings

    return recordings


@pytest.fixture
def tasks(use, recordings):
    """Build the tasks of the whole corpus."""

    def tasks(kinds=("pooled", "all"), used=None):
        used, listed = used or use(), recordings()
        corpus = stored.store(used.places, listed, ())
        return [
            Extraction(
                use=used,
                corpus=corpus,
                first=first,
                last=min(first + CHUNK, len(listed)),
                kinds=kinds,
            )
            for first in range(0, len(listed), CHUNK)
        ]

    return tasks


def stored_by(used):
    """Open the store that a use of an upstream writes to."""
    return store_of(used.condition, used.places.cache)


class Counting:
    """An encoder's loader that counts the clips that are encoded."""

    def __init__(self):
        self.clips = self.loaded = 0

    def __call__(self, checkpoint, *, device, feeding):
        self.loaded += 1
        encode = load_toy(checkpoint, device=device, feeding=feeding)

        def counted(waveforms):
            self.clips += len(waveforms)
            return encode(waveforms)

        return counted


def test_stored_features_are_the_encoders_own(tasks, recordings):
    encode = load_toy(None, device="cpu", feeding="full")
    for task in tasks(kinds=("pooled", "last", "all")):
        extract(task)
    store, listed = stored_by(task.use), recordings()
    keys = [recording.key for recording in listed]
    pooled, last, every = (store.read(kind, keys) for kind in task.kinds)
    for recording in listed:
        waveform = audio.load(recording.path, TOY.rate)
        (expected,) = encode([waveform])
        assert torch.equal(every[recording.key], expected)
        assert torch.equal(last[recording.key], expected[-1])
        assert torch.allclose(pooled[recording.key], expected.mean(1), atol=1e-6)
        norms = expected.square().sum(2).sqrt().mean(1)
        assert torch.allclose(pooled[recording.key + NORMS], norms, atol=1e-6)


def test_a_task_extracts_its_own_utterances_and_no_others(tasks, recordings):
    _, second, _ = tasks()
    extract(second)
    expected = {one.key for one in recordings()[second.first : second.last]}
    assert len(expected) == CHUNK
    assert stored_by(second.use).keys("pooled") == expected


def test_what_is_stored_is_never_extracted_again(tasks, use):
    load = Counting()
    for _ in range(2):
        for task in tasks(used=use(load)):
            extract(task)
    assert load.clips == 40


def test_an_upstream_is_loaded_once_for_all_tasks(tasks, use):
    load = Counting()
    for task in tasks(used=use(load)):
        extract(task)
    assert load.loaded == 1


def test_an_upstream_is_not_loaded_where_nothing_is_missing(tasks, use):
    load = Counting()
    for task in tasks():
        extract(task)
    encoder.cache_clear()
    for task in tasks(used=use(load)):
        extract(task)
    assert load.loaded == 0


def test_frames_are_added_when_a_head_wants_them(tasks, use):
    load = Counting()
    for kinds in (("pooled",), ("pooled", "last")):
        for task in tasks(kinds, use(load)):
            extract(task)
    assert load.clips == 80
    assert len(stored_by(use(load)).keys("last")) == 40


def test_one_changed_file_costs_one_extraction(tasks, use, tones):
    load = Counting()
    for task in tasks(used=use(load)):
        extract(task)
    write_tone(tones / "s0_low_0.wav", 300.0, seconds=0.5, seed=99)
    for task in tasks(used=use(load)):
        extract(task)
    assert load.clips == 41


def test_a_file_that_changes_after_it_was_checked_is_not_stored_as_the_old_one(
    tasks, tones
):
    work = tasks()
    write_tone(tones / "s0_low_0.wav", 300.0, seconds=0.5, seed=99)
    with pytest.raises(DataError, match=r"s0_low_0\.wav"):
        for task in work:
            extract(task)


def other(value):
    """Return a value that a field of the same type can have, and does not have."""
    if value is None:
        return 0.2
    return value + 1 if isinstance(value, int | float) else f"{value} changed"


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(TOY_CONDITION)])
def test_whatever_changes_a_feature_changes_the_store(tmp_path, field):
    changed = dataclasses.replace(
        TOY_CONDITION, **{field: other(getattr(TOY_CONDITION, field))}
    )
    folders = [store_of(one, tmp_path).folder for one in (TOY_CONDITION, changed)]
    assert folders[0] != folders[1]


def test_clips_are_cut_before_the_model_encodes_them(tasks, use, recordings):
    used = use(max_seconds=0.2)
    for task in tasks(used=used):
        extract(task)
    keys = [recording.key for recording in recordings()]
    reader = stored_by(used).read("all", keys)
    assert {reader[key].shape[1] for key in keys} == {10}


def test_two_at_once_do_the_work_once(tasks, use):
    load = Counting()
    work = tasks(used=use(load))
    encoder(find_source(work[0].use, work[0].use.places), "cpu")

    def extract_all():
        for task in work:
            extract(task)

    threads = [threading.Thread(target=extract_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert load.clips == 40


@pytest.mark.parametrize(
    ("states", "complaint"),
    [
        (torch.zeros(3, 8), r"\(3, 8\)"),
        (torch.zeros(3, 0, 8), r"\(3, 0, 8\)"),
        (torch.zeros(3, 2, 8, dtype=torch.float64), "float64"),
        (torch.full((3, 2, 8), torch.nan), "NaN"),
    ],
)
def test_an_upstream_that_returns_something_else_is_named(
    tasks, use, states, complaint
):
    def load(checkpoint, *, device, feeding):
        return lambda waveforms: [states for _ in waveforms]

    with pytest.raises(PluginError, match=f"'toy' returned.*{complaint}"):
        extract(tasks(used=use(load))[0])


@pytest.mark.parametrize("when", ["loading", "extracting"])
def test_the_plugin_of_an_upstream_that_raises_is_named(tasks, use, when):
    def load(checkpoint, *, device, feeding):
        if when == "loading":
            raise RuntimeError("no such layer")
        return lambda waveforms: [][0]

    with pytest.raises(PluginError, match=f"toy-plugin failed while {when}.*'toy'"):
        extract(tasks(used=use(load))[0])


def test_an_upstream_without_a_hop_returns_one_vector_a_clip(tasks, use):
    used = use()
    vectors = dataclasses.replace(used.upstream, hop=None)
    used = dataclasses.replace(used, upstream=vectors)
    with pytest.raises(PluginError, match="one vector a clip"):
        extract(tasks(used=used)[0])


def test_frames_too_large_for_half_precision_are_refused(tasks, use):
    def load(checkpoint, *, device, feeding):
        return lambda waveforms: [torch.full((3, 2, 8), 1e6) for _ in waveforms]

    with pytest.raises(DataError, match="--frame-type float32"):
        extract(tasks(used=use(load, frame_type="float16"))[0])


def test_frames_are_stored_in_half_precision_and_means_are_not(tasks, use, recordings):
    used = use(frame_type="float16")
    for task in tasks(used=used):
        extract(task)
    key = recordings()[0].key
    kinds = {kind: stored_by(used).read(kind, [key])[key] for kind in task.kinds}
    assert kinds["all"].dtype == torch.float16
    assert kinds["pooled"].dtype == torch.float32


@pytest.mark.parametrize(
    ("reads", "kinds"),
    [
        ([("last", False), ("all", False)], ("pooled",)),
        ([("last", False), ("last", True)], ("pooled", "last")),
        ([("last", True), ("all", True)], ("pooled", "all")),
        ([("each", False)], ("pooled",)),
        ([("each", True)], ("pooled", "all")),
    ],
)
def test_no_more_is_stored_than_the_heads_read(reads, kinds):
    asked = [Reads(layers=layers, frames=frames) for layers, frames in reads]
    assert kinds_for(asked) == kinds


def test_less_exact_arithmetic_is_used_where_it_is_asked_for(tasks, use, recordings):
    """On a CPU here, since autocast is the same there; the program refuses that."""

    def load(checkpoint, *, device, feeding):
        matrix = torch.randn(320, 8, generator=torch.Generator().manual_seed(0))

        def encode(waveforms):
            frames = [w[:3200].view(1, -1, 320).expand(3, -1, -1) for w in waveforms]
            return [frame @ matrix for frame in frames]

        return encode

    def states(precision):
        used = use(load, precision=precision)
        extract(tasks(used=used)[0])
        key = recordings()[0].key
        return stored_by(used).read("all", [key])[key]

    exact, coarse = states("float32"), states("bfloat16")
    assert coarse.dtype == torch.float32
    assert not torch.equal(exact, coarse)
    assert torch.allclose(exact, coarse, atol=0.2)


def test_features_say_where_and_when_they_were_made(tasks, recordings):
    for task in tasks():
        extract(task)
    keys = [recording.key for recording in recordings()]
    record = stored_by(task.use).record(keys)
    assert record.devices[0].startswith("cpu (")
    assert record.versions.keys() >= {"torch", "python"}
    assert "" < record.first <= record.last
    assert record.seconds > 0


# ---------------------------------------------------------------- certificates


def test_an_upstream_is_certified_once(use):
    load = Counting()
    certify(use(load))
    clips, figures = load.clips, stored_by(use()).certificate
    assert clips > 0
    assert figures["batched_delta"] == 0
    certify(use(load))
    assert load.clips == clips


# ---------------------------------------------------------------- checkpoints


@pytest.fixture
def folder(tmp_path):
    """A folder with the weights of an upstream."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.mark.parametrize(
    ("damage", "state"),
    [
        (lambda folder: None, "changed since it was planned"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no checkpoint"),
    ],
)
def test_a_task_refuses_other_weights_than_the_plan_saw(use, folder, damage, state):
    used = use(checkpoint="the hash of the plan")
    upstream = dataclasses.replace(used.upstream, checkpoint=str(folder))
    damage(folder)
    with pytest.raises(CheckpointError, match=state):
        certify(dataclasses.replace(used, upstream=upstream))


# ---------------------------------------------------------------- what is decoded


def other_sound(path):
    write_tone(path, 900, seconds=0.5, seed=1)


def cut(path):
    path.write_bytes(path.read_bytes()[:4000])


def other_tag(path):
    """Append what no decoder reads."""
    path.write_bytes(path.read_bytes() + b"LIST\4\0\0\0INFO")


def text(path):
    path.write_text("Not audio.")


@pytest.mark.parametrize("change", [other_sound, cut, other_tag, text])
def test_a_file_that_changed_since_it_was_planned_is_refused_by_name(
    tasks, use, tones, change
):
    planned = tasks()
    path = tones / "s0_high_0.wav"
    before = path.read_bytes()
    change(path)
    with pytest.raises(DataError, match=r"s0_high_0\.wav.*the same command again"):
        extract(planned[0])
    assert stored_by(use()).keys("pooled") == set()
    path.write_bytes(before)
    extract(planned[0])
    assert len(stored_by(use()).keys("pooled")) == CHUNK


def test_a_file_that_is_gone_since_it_was_planned_is_named(tasks, tones):
    planned = tasks()
    (tones / "s0_high_0.wav").unlink()
    with pytest.raises(
        DataError, match=r"Cannot decode .*s0_high_0\.wav: No such file"
    ):
        extract(planned[0])


# ---------------------------------------------------------------- batches


def test_batches_store_what_clips_one_by_one_do(tasks, use, tmp_path):
    for task in tasks():
        extract(task)
    alone = stored_by(use())
    places = dataclasses.replace(use().places, cache=tmp_path / "other")
    batched = dataclasses.replace(use(), device="cpu:0", places=places)
    for task in tasks(used=batched):
        extract(task)
    for kind in ("pooled", "all"):
        keys = sorted(alone.keys(kind))
        one, other = alone.read(kind, keys), stored_by(batched).read(kind, keys)
        for key in keys:
            assert torch.allclose(one[key], other[key], atol=1e-6)


def test_a_shard_is_written_within_a_task_and_outlives_what_ends_it(
    tasks, use, monkeypatch
):
    monkeypatch.setattr(extraction, "SHARD_BYTES", 1)

    class Failing(Counting):
        def __call__(self, checkpoint, *, device, feeding):
            encode = super().__call__(checkpoint, device=device, feeding=feeding)

            def failing(waveforms):
                if self.clips == 10:
                    raise ValueError("lost")
                return encode(waveforms)

            return failing

    used = use(Failing())
    with pytest.raises(PluginError, match="lost"):
        extract(tasks(used=used)[0])
    kept = len(stored_by(used).keys("pooled"))
    assert 7 <= kept <= 10  # some were on their way
    encoder.cache_clear()
    again = Counting()
    extract(tasks(used=use(again))[0])
    assert again.clips == CHUNK - kept


def test_a_clip_that_does_not_fit_is_named_and_the_others_are_stored(tasks, use):
    class Small(Counting):
        def __call__(self, checkpoint, *, device, feeding):
            encode = super().__call__(checkpoint, device=device, feeding=feeding)

            def small(waveforms):
                if max(map(len, waveforms)) > 0.45 * TOY.rate:
                    raise torch.OutOfMemoryError("CUDA out of memory.")
                return encode(waveforms)

            return small

    used = use(Small())
    with pytest.raises(DataError, match=r"too long for toy .* --max-seconds"):
        extract(tasks(used=used)[0])
    assert 0 < len(stored_by(used).keys("pooled")) < CHUNK


def test_a_certificate_is_one_of_a_kind_of_device(use):
    store = stored_by(use())
    assert not store.is_certified("cpu")
    store.certify({"batched_delta": 0.1}, "cpu")
    store.certify({"batched_delta": 0.2}, "cuda")
    assert store.is_certified("cuda")
    assert store.certificate == {"batched_delta": 0.2}
