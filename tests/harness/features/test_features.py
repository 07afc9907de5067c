from __future__ import annotations

import dataclasses
import threading

import pytest
import torch
from toys import TONES, TOY, load_toy, write_tone

from harness import DataError, PluginError, Reads
from harness.data import audio
from harness.data.manifest import read_manifest
from harness.features.checkpoints import Checkpoint
from harness.features.extraction import (
    Extraction,
    Source,
    chunks,
    encoder,
    extract,
    kinds_for,
)
from harness.features.store import NORMS
from harness.files import Memory

HERE = Checkpoint(folder=None, revision="", sha256="")


def source(load=load_toy, **changes):
    upstream = dataclasses.replace(TOY, load=load)
    return Source(upstream=upstream, checkpoint=HERE, feeding="full", **changes)


def tasks(root, tmp_path, kinds=("pooled", "all"), used=None):
    manifest = read_manifest(TONES, root, Memory(tmp_path / "memory.json"))
    return [
        Extraction(
            source=used or source(),
            recordings=chunk,
            kinds=kinds,
            cache=tmp_path / "cache",
            device="cpu",
        )
        for chunk in chunks(manifest.recordings)
    ]


class Counting:
    """An encoder's loader that counts the clips that are heard."""

    def __init__(self):
        self.clips = 0

    def __call__(self, checkpoint, *, device, feeding):
        encode = load_toy(checkpoint, device=device, feeding=feeding)

        def counted(waveforms):
            self.clips += len(waveforms)
            return encode(waveforms)

        return counted


def test_stored_features_are_the_encoders_own(tones, tmp_path):
    encode = load_toy(None, device="cpu", feeding="full")
    for task in tasks(tones, tmp_path, kinds=("pooled", "last", "all")):
        extract(task)
        store = task.source.store(task.cache)
        keys = [recording.key for recording in task.recordings]
        pooled, last, every = (store.read(kind, keys) for kind in task.kinds)
        for recording in task.recordings:
            waveform = audio.load(tones / recording.utterance.path, TOY.rate)
            (expected,) = encode([waveform])
            assert torch.equal(every[recording.key], expected)
            assert torch.equal(last[recording.key], expected[-1])
            assert torch.allclose(pooled[recording.key], expected.mean(1), atol=1e-6)
            norms = expected.square().sum(2).sqrt().mean(1)
            assert torch.allclose(pooled[recording.key + NORMS], norms, atol=1e-6)


def test_what_is_stored_is_never_extracted_again(tones, tmp_path):
    load = Counting()
    for _ in range(2):
        for task in tasks(tones, tmp_path, used=source(load)):
            extract(task)
    assert load.clips == 40


def test_frames_are_added_when_a_head_wants_them(tones, tmp_path):
    load = Counting()
    for kinds in (("pooled",), ("pooled", "last")):
        for task in tasks(tones, tmp_path, kinds=kinds, used=source(load)):
            extract(task)
    assert load.clips == 80
    assert len(source(load).store(tmp_path / "cache").keys("last")) == 40


def test_one_changed_file_costs_one_extraction(tones, tmp_path):
    load = Counting()
    for task in tasks(tones, tmp_path, used=source(load)):
        extract(task)
    write_tone(tones / "s0_low_0.wav", 300.0, seconds=0.5, seed=99)
    for task in tasks(tones, tmp_path, used=source(load)):
        extract(task)
    assert load.clips == 41


@pytest.mark.parametrize(
    "change",
    [
        {"max_seconds": 0.2},
        {"feeding": "trimmed"},
        {"frame_type": "float16"},
        {"precision": "bfloat16"},
        {"checkpoint": dataclasses.replace(HERE, sha256="abc")},
        {"upstream": dataclasses.replace(TOY, version=2)},
    ],
)
def test_whatever_changes_a_feature_changes_the_store(tmp_path, change):
    changed = dataclasses.replace(source(), **change)
    assert changed.store(tmp_path).folder != source().store(tmp_path).folder


def test_clips_are_cut_before_the_model_hears_them(tones, tmp_path):
    used = source(max_seconds=0.2)
    for task in tasks(tones, tmp_path, used=used):
        extract(task)
        reader = used.store(task.cache).read("all", [r.key for r in task.recordings])
        assert {reader[r.key].shape[1] for r in task.recordings} == {10}


def test_two_at_once_do_the_work_once(tones, tmp_path):
    load = Counting()
    work = tasks(tones, tmp_path, used=source(load))
    encoder.cache_clear()
    encoder(work[0].source, "cpu")
    threads = [
        threading.Thread(target=lambda: [extract(task) for task in work])
        for _ in range(2)
    ]
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
def test_an_upstream_that_breaks_its_word_is_named(tones, tmp_path, states, complaint):
    def load(checkpoint, *, device, feeding):
        return lambda waveforms: [states for _ in waveforms]

    with pytest.raises(PluginError, match=f"'toy' gave.*{complaint}"):
        extract(tasks(tones, tmp_path, used=source(load))[0])


def test_frames_too_large_for_half_precision_are_refused(tones, tmp_path):
    def load(checkpoint, *, device, feeding):
        return lambda waveforms: [torch.full((3, 2, 8), 1e6) for _ in waveforms]

    used = source(load, frame_type="float16")
    with pytest.raises(DataError, match="--frame-type float32"):
        extract(tasks(tones, tmp_path, used=used)[0])


@pytest.mark.parametrize(
    ("reads", "kinds"),
    [
        ([("last", False), ("all", False)], ("pooled",)),
        ([("last", False), ("last", True)], ("pooled", "last")),
        ([("last", True), ("all", True)], ("pooled", "all")),
    ],
)
def test_no_more_is_stored_than_the_heads_read(reads, kinds):
    asked = [Reads(layers=layers, frames=frames) for layers, frames in reads]
    assert kinds_for(asked) == kinds


def test_less_exact_arithmetic_is_asked_for_and_named(tones, tmp_path):
    """On a CPU here, since autocast is the same there; the program refuses that."""

    def load(checkpoint, *, device, feeding):
        matrix = torch.randn(320, 8, generator=torch.Generator().manual_seed(0))

        def encode(waveforms):
            return [(w[:3200].view(1, -1, 320) @ matrix) for w in waveforms]

        return encode

    def heard(precision):
        used = source(load, precision=precision)
        task = tasks(tones, tmp_path, used=used)[0]
        extract(task)
        key = task.recordings[0].key
        return used.fed, used.store(tmp_path / "cache").read("all", [key])[key]

    exact, coarse = heard("float32"), heard("bfloat16")
    assert (exact[0], coarse[0]) == ("full", "full, bfloat16")
    assert coarse[1].dtype == torch.float32
    assert not torch.equal(exact[1], coarse[1])
    assert torch.allclose(exact[1], coarse[1], atol=0.2)
