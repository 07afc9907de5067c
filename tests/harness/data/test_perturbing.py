"""Perturbed recordings: their keys, what they are mixed with, and their samples."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from manifests import manifest_of

from harness import DataError, Perturbation, PluginError, Utterance
from harness.data import audio, perturbing
from harness.data.manifest import Recording
from harness.data.perturbing import Perturber, marked, neighbours

RATE = 16_000


def utterances(count=12, speakers=4):
    return [
        Utterance(
            id=f"{n:02}", path=f"{n:02}.wav", label="a", speaker=f"s{n % speakers}"
        )
        for n in range(count)
    ]


def mixing(count=2, **changes):
    return Perturbation(
        name="mix", summary="", apply=first_other, others=count, **changes
    )


def first_other(speech):
    return speech.others[0]


def draw(speech):
    drawn = speech.random.standard_normal(len(speech.waveform), "float32")
    return torch.from_numpy(0.1 * drawn)


DRAW = Perturbation(name="draw:level=1", summary="", apply=draw)


# ---------------------------------------------------------------- keys


def keys(perturbation, recordings=None, identity="", manifests=None):
    manifest = manifest_of(utterances())
    by = Perturber(perturbation=perturbation)
    found = marked(
        recordings or manifest.recordings, by, identity, manifests or [manifest]
    )
    return [one.key for one in found]


def test_a_perturbed_recording_has_a_key_of_its_own():
    clean = [one.key for one in manifest_of(utterances()).recordings]
    assert not set(keys(DRAW)) & set(clean)
    assert len(set(keys(DRAW))) == len(clean)


def test_a_key_is_the_same_whatever_else_is_perturbed():
    some = manifest_of(utterances()).recordings[3:5]
    assert keys(DRAW, some) == keys(DRAW)[3:5]


@pytest.mark.parametrize("change", [{"name": "draw:level=2"}, {"version": 2}])
def test_a_key_says_what_the_recording_is_perturbed_by(change):
    assert not set(keys(dataclasses.replace(DRAW, **change))) & set(keys(DRAW))


def test_a_key_says_which_package_brought_the_perturbation():
    assert not set(keys(DRAW, identity="acme 2")) & set(keys(DRAW, identity="acme 1"))


def test_a_key_says_what_the_recording_is_mixed_with():
    whole = manifest_of(utterances())
    less = dataclasses.replace(whole, recordings=whole.recordings[:-3])
    one, other = (
        keys(mixing(), less.recordings, manifests=[of]) for of in (whole, less)
    )
    assert set(one) != set(other)
    assert set(one) & set(other)  # some are mixed with the same ones


def test_a_faster_recording_is_shorter():
    fast = Perturber(perturbation=dataclasses.replace(DRAW, tempo=1.25))
    manifest = manifest_of(utterances())
    made = marked(manifest.recordings, fast, "", [manifest])
    assert {one.seconds for one in made} == {0.8}


# ---------------------------------------------------------------- others


def test_others_are_of_other_speakers_each_of_another_first():
    chosen = dict(neighbours(manifest_of(utterances()), mixing(3)))
    for one in manifest_of(utterances()).recordings:
        speakers = [other.utterance.speaker for other in chosen[one.key]]
        assert len(set(speakers)) == 3
        assert one.utterance.speaker not in speakers


def test_speakers_come_again_where_there_are_too_few():
    chosen = dict(neighbours(manifest_of(utterances(speakers=2)), mixing(3)))
    assert {len(others) for others in chosen.values()} == {3}


def test_others_do_not_depend_on_the_order_of_the_corpus():
    manifest = manifest_of(utterances())
    turned = dataclasses.replace(manifest, recordings=manifest.recordings[::-1])
    assert dict(neighbours(manifest, mixing())) == dict(neighbours(turned, mixing()))


def test_a_corpus_of_one_speaker_has_no_others():
    with pytest.raises(DataError, match="beeps has but one speaker"):
        list(neighbours(manifest_of(utterances(speakers=1)), mixing()))


# ---------------------------------------------------------------- samples


@pytest.fixture
def recording(tmp_path):
    """A recording of two seconds of noise at 8 kHz, of which it is a span or all."""

    def recording(name="one", start=0.0, end=None, **more):
        path = tmp_path / f"{name}.wav"
        seed = sum(name.encode())
        noise = np.random.default_rng(seed).standard_normal(16_000)
        soundfile.write(path, 0.1 * noise, 8_000)
        probe = audio.probe(path, start=start, end=end)
        facts: dict[str, Any] = {k: v for k, v in probe.items() if k != "problem"}
        utterance = Utterance(
            id=name, path=path.name, label="a", speaker=name, start=start, end=end
        )
        return Recording(utterance=utterance, path=path, **facts, **more)

    return recording


def waveform(perturbation, recording, **more):
    return Perturber(perturbation=perturbation).waveform(recording, RATE, **more)


def test_it_is_applied_at_the_rate_of_the_model(recording):
    def check(speech):
        assert speech.rate == RATE
        assert len(speech.waveform) == 2 * RATE
        return speech.waveform

    apply = Perturbation(name="check", summary="", apply=check)
    assert torch.equal(waveform(apply, recording()), audio.load(recording().path, RATE))


def test_a_span_is_perturbed_alone(recording):
    made = waveform(DRAW, recording(start=0.5, end=1.0))
    assert len(made) == RATE // 2


def test_it_is_cut_after_it_is_perturbed(recording):
    def slower(speech):
        return speech.waveform.repeat_interleave(2)

    slow = Perturbation(name="slow", summary="", apply=slower)
    assert len(waveform(slow, recording())) == 4 * RATE
    cut = waveform(slow, recording(), max_seconds=3.0)
    assert torch.equal(cut, waveform(slow, recording())[: 3 * RATE])


def test_what_exceeds_full_scale_is_clipped(recording):
    loud = Perturbation(
        name="loud", summary="", apply=lambda speech: speech.waveform * 99
    )
    assert float(waveform(loud, recording()).abs().max()) == 1.0


def test_draws_depend_on_the_samples_alone(recording, tmp_path):
    one = recording()
    moved = tmp_path / "elsewhere.flac"
    soundfile.write(moved, soundfile.read(one.path)[0], 8_000)
    probe = audio.probe(moved)
    there = dataclasses.replace(one, path=moved, sha256=probe["sha256"])
    same = probe["content"] == one.content  # 16 bits in both
    assert same
    assert torch.equal(waveform(DRAW, one), waveform(DRAW, there))
    assert not torch.equal(waveform(DRAW, one), waveform(DRAW, recording("two")))


def test_two_levels_of_a_perturbation_draw_the_same(recording):
    harder = dataclasses.replace(DRAW, name="draw:level=2")
    other = dataclasses.replace(DRAW, name="other")
    one, two, three = (waveform(p, recording()) for p in (DRAW, harder, other))
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


def test_others_are_decoded_at_the_same_rate(recording):
    two = recording("two")
    made = waveform(mixing(1), recording(others=(two,)))
    assert torch.equal(made, audio.load(two.path, RATE))


def test_a_file_that_changed_is_refused_whether_spoken_or_mixed_in(recording):
    two = dataclasses.replace(recording("two"), sha256="other")
    with pytest.raises(DataError, match="changed since it was checked"):
        waveform(DRAW, two)
    with pytest.raises(DataError, match="changed since it was checked"):
        waveform(mixing(1), recording(others=(two,)))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, "NoneType, not a tensor"),
        (torch.zeros(2, 3), "not a tensor"),
        (torch.zeros(3, dtype=torch.float64), "float64, not float32"),
        (torch.zeros(0), "no samples"),
        (torch.tensor([float("nan")]), "NaN"),
    ],
)
def test_what_is_no_waveform_names_the_plugin(recording, made, said):
    odd = Perturbation(name="odd", summary="", apply=lambda speech: made)
    with pytest.raises(
        PluginError, match=f"acme failed while perturbing by 'odd'.*{said}"
    ):
        Perturber(perturbation=odd, plugin="acme").waveform(recording(), RATE)


def test_the_word_for_clean_is_no_perturbation(registry):
    assert not registry.perturbations.named(perturbing.CLEAN)
