"""The passport names whatever is wrong with a corpus' folder, and lists the rest."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import soundfile
from toys import RATE, TONES, write_tone

from harness import Claim, DataError, Utterance
from harness.data.passport import examine
from harness.data.passport.forms import as_json, counts, facts
from harness.data.passport.problems import ProblemKind
from harness.memory import Memory


@pytest.fixture
def published(listed):
    return replace(TONES, files=lambda: listed, versions={"1": 40, "2": 41})


@pytest.fixture
def examined(published, tones, tmp_path):
    def examined(corpus=published, root=tones, **options):
        return examine(corpus, root, Memory(tmp_path / "memory.json"), **options)

    return examined


def problems(passport):
    return [(one.kind, one.path) for one in passport.problems]


def test_a_complete_corpus_is_verified_byte_for_byte(examined):
    passport = examined()
    assert passport.is_sound
    assert passport.verdict == "verified: all 40 files of Tones (1), byte for byte."


def test_without_hashes_a_corpus_is_complete_by_name(examined, published):
    files = {id: replace(file, sha256="") for id, file in published.files().items()}
    passport = examined(replace(published, files=lambda: files))
    assert passport.verdict == "complete: all 40 files of Tones (1), by name."


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        ({"counts": {"high": 20, "low": 20}}, "counted: as many utterances of each"),
        ({"versions": {"1": 40}}, "counted: as many utterances as Tones (1) has"),
        ({}, "unknown: nothing is known"),
    ],
)
def test_with_less_to_compare_the_verdict_says_less(examined, known, verdict):
    passport = examined(replace(TONES, **known))
    assert passport.is_sound
    assert passport.verdict.startswith(verdict)


def test_a_missing_file_is_named(examined, tones):
    (tones / "s0_low_0.wav").unlink()
    passport = examined()
    assert problems(passport) == [("missing", "s0_low_0.wav")]
    assert not passport.is_sound
    assert passport.verdict.startswith("different: this is not Tones (1) as published")
    assert "1 missing" in passport.verdict


def test_a_renamed_file_is_recognised_by_its_bytes(examined, tones):
    (tones / "s0_low_0.wav").rename(tones / "s0_low_7.wav")
    passport = examined()
    assert problems(passport) == [("renamed", "s0_low_7.wav")]
    assert "'s0_low_0.wav'" in passport.problems[0].detail


def test_a_file_renamed_to_what_no_reader_knows_is_recognised_too(examined, tones):
    corpus_reads = examined().manifest.corpus.read

    def read(root):
        return (u for u in corpus_reads(root) if u.id[0] == "s")

    (tones / "s0_low_0.wav").rename(tones / "x0_low_0.wav")
    passport = examined(replace(examined().manifest.corpus, read=read))
    assert problems(passport) == [("renamed", "x0_low_0.wav")]


def test_a_truncated_file_is_named(examined, tones):
    path = tones / "s0_low_0.wav"
    os.truncate(path, path.stat().st_size // 2)
    passport = examined()
    assert problems(passport) == [("unusable", "s0_low_0.wav")]
    assert "truncated" in passport.problems[0].detail


def test_a_file_with_other_bytes_is_named(examined, tones):
    write_tone(tones / "s0_low_0.wav", 300.0, seconds=0.4, seed=99)
    assert problems(examined()) == [("altered", "s0_low_0.wav")]


def test_an_extra_utterance_is_named(examined, tones):
    write_tone(tones / "s0_low_9.wav", 300.0, seconds=0.4, seed=99)
    passport = examined()
    assert problems(passport) == [("unexpected", "s0_low_9.wav")]
    assert "Version '2' has 41 utterances." in passport.verdict


def test_a_reader_that_refuses_a_folder_does_not_hide_the_rest(
    examined, tones, published
):
    def read(root):
        yield from TONES.read(root)
        raise DataError("too many")

    passport = examined(replace(published, read=read))
    assert len(passport.manifest.utterances) == 40
    assert [one.detail for one in passport.problems] == ["too many"]


def test_audio_that_no_reader_reads_is_named(examined, tones):
    (tones / "deeper").mkdir()
    shutil.copy(tones / "s0_low_0.wav", tones / "deeper" / "copy.FLAC")
    (tones / "deeper" / ".hidden.wav").touch()
    (tones / "readme.txt").touch()
    assert problems(examined()) == [("unexpected", "deeper/copy.FLAC")]


def test_what_a_variant_in_the_same_folder_reads_is_not_unexpected(examined, published):
    few = replace(
        published,
        name="tones@few",
        read=lambda root: (u for u in TONES.read(root) if u.speaker != "s0"),
        files=None,
        versions={},
    )
    assert problems(examined(few, siblings=[published])) == []


def test_a_folder_of_another_variant_is_called_by_its_name(examined, published):
    other = replace(TONES, name="tones@other", version="3", counts={"high": 9})
    passport = examined(other, siblings=[published])
    assert passport.verdict.endswith("the files of 'tones': use that name.")


def test_a_folder_without_the_corpus_but_with_its_variant_says_so(examined, published):
    def refuse(root):
        raise DataError("Nothing here.")

    other = replace(TONES, name="tones@other", read=refuse)
    with pytest.raises(DataError, match=r"Nothing here\. .*of 'tones': use"):
        examined(other, siblings=[published])


def test_a_speaker_who_is_gone_is_named_with_the_files(examined, tones):
    for path in tones.glob("s3_*"):
        path.unlink()
    found = problems(examined())
    assert found[0] == ("missing speaker", "s3")
    assert len(found) == 9


def test_a_known_defect_is_left_out_and_is_no_problem(examined, tones, published):
    (tones / "anger").mkdir()
    (tones / "anger" / "bad.wav").touch()
    passport = examined(replace(published, defects={"anger/bad.wav": "is broken"}))
    assert passport.left_out == ("anger/bad.wav: is broken",)
    assert passport.is_sound


def test_two_copies_of_an_utterance_are_named(examined, published, tones):
    def read(root):
        yield from TONES.read(root)
        yield Utterance(id="s0_low_0.wav", path="x/x.wav", label="low", speaker="s0")

    (tones / "x").mkdir()
    shutil.copy(tones / "s0_low_0.wav", tones / "x" / "x.wav")
    assert problems(examined(replace(published, read=read))) == [("copy", "x/x.wav")]


def test_the_same_audio_twice_is_reported_and_is_no_fault(examined, tones):
    shutil.copy(tones / "s0_low_0.wav", tones / "s1_low_0.wav")
    passport = examined(TONES)
    assert problems(passport) == [("duplicate", "s1_low_0.wav")]
    assert "'s0_low_0.wav'" in passport.problems[0].detail
    assert passport.is_sound


def test_counts_are_compared_where_no_list_is_known(examined):
    passport = examined(replace(TONES, counts={"high": 20, "low": 21}))
    assert problems(passport) == [("count", "low")]
    assert "20 utterances, where 21" in passport.problems[0].detail


@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        (Claim(source="A table", utterances=40, labels=2), "A table has as many: 40"),
        (
            Claim(source="A table", utterances=50, labels=2, because="A typing error."),
            "A table has 50 utterances of 2 labels; here are 40 of 2. A typing error.",
        ),
    ],
)
def test_a_claim_is_compared_with_the_reason(examined, published, claim, sentence):
    assert sentence in examined(replace(published, claims=(claim,))).verdict


def test_counts_are_by_speaker_gender_and_label(examined):
    genders: dict[str, Literal["female", "male"]] = {"s0": "female", "s1": "male"}

    def read(root):
        for utterance in TONES.read(root):
            yield replace(utterance, gender=genders.get(utterance.speaker))

    rows = list(counts(examined(replace(TONES, read=read)).manifest))
    assert rows[0] == ("s0", "female", "4", "4", "8")
    assert rows[2] == ("s2", "unknown", "4", "4", "8")
    assert rows[-4:] == [
        ("all", "all", "20", "20", "40"),
        ("all", "female", "4", "4", "8"),
        ("all", "male", "4", "4", "8"),
        ("all", "unknown", "12", "12", "24"),
    ]


def test_rates_channels_and_clipping_are_reported(examined, tones):
    loud = np.clip(3 * np.sin(np.arange(RATE) / 20), -1, 1)
    soundfile.write(tones / "s0_low_0.wav", np.stack([loud, loud], axis=1), 2 * RATE)
    rows = list(facts(examined(TONES)))
    assert ("form", "39 files of 16000 Hz, mono") in rows
    assert ("form", "1 files of 32000 Hz, stereo") in rows
    (clipping,) = [text for what, text in rows if what == "clipping"]
    assert clipping.startswith("1 files reach full scale; with clipped peaks: 1, ")


def test_a_peak_at_full_scale_is_not_yet_clipped(examined, tones):
    wave = np.sin(np.arange(RATE) / 20) * 0.5
    wave[100] = 1.0
    soundfile.write(tones / "s0_low_0.wav", wave, RATE)
    (clipping,) = [text for what, text in facts(examined(TONES)) if what == "clipping"]
    assert clipping == "1 files reach full scale; with clipped peaks: none"


def test_repeated_sentences_are_counted(examined):
    def read(root):
        for utterance in TONES.read(root):
            yield replace(utterance, sentence=utterance.id[-5])

    rows = dict(facts(examined(replace(TONES, read=read))))
    assert rows["sentences"] == "4, each spoken 10 times"


def test_intensities_are_counted_where_they_are_coded(examined):
    def read(root):
        for utterance in TONES.read(root):
            coded = {"s0": "weak", "s1": "strong", "s2": "strong"}
            yield replace(utterance, intensity=coded.get(utterance.speaker))

    passport = examined(replace(TONES, read=read))
    rows = dict(facts(passport))
    assert rows["intensities"] == "16 strong, 8 weak; 16 utterances without a code"
    assert as_json(passport)["intensities"] == {"strong": 16, "weak": 8}
    assert dict(facts(examined(TONES)))["intensities"] == "not coded"


def test_the_json_has_its_keys_and_no_others(examined, tones):
    (tones / "s0_low_0.wav").unlink()
    value = as_json(examined())
    assert list(json.loads(json.dumps(value))) == [
        *("corpus", "version", "utterances", "labels", "intensities", "speakers"),
        *("hours", "manifest_sha256", "problems", "agreement", "verdict"),
    ]
    assert value["problems"] == [
        {"kind": "missing", "path": "s0_low_0.wav", "detail": "low, speaker s0"}
    ]


def test_a_name_that_is_not_unicode_can_be_printed(examined, tones, published):
    (tones / "s0_low_0.wav").rename(tones / os.fsdecode(b"s0_low_\xff.wav"))
    known = {id: replace(f, sha256="") for id, f in published.files().items()}

    def read(root):
        return (u for u in TONES.read(root) if u.id.isascii())

    passport = examined(replace(published, read=read, files=lambda: known))
    assert ("unexpected", "s0_low_�.wav") in problems(passport)
    json.dumps(as_json(passport)).encode()


def test_a_missing_folder_is_an_error(examined, tmp_path):
    with pytest.raises(DataError, match="is not at"):
        examined(root=tmp_path / "nowhere")


def test_channels_that_nearly_cancel_are_noted_and_are_no_fault(examined, tones):
    samples, rate = soundfile.read(tones / "s0_low_0.wav")
    for name, other in (("s0_low_0.wav", -0.97), ("s0_low_1.wav", 0.5)):
        both = np.stack([samples, other * samples], 1)
        soundfile.write(tones / name, both, rate, "FLOAT")
    passport = examined(TONES)
    assert problems(passport) == [("cancelling", "s0_low_0.wav")]
    assert passport.problems[0].detail == (
        "the channels nearly cancel: -36 dB in their mean"
    )
    assert passport.is_sound


def test_a_file_that_cannot_seek_has_a_level(examined, tones):
    samples, rate = soundfile.read(tones / "s0_low_0.wav")
    soundfile.write(tones / "s0_low_0.wav", samples, rate, "GSM610")
    assert len(examined(TONES).levels) == 40


def test_a_corpus_with_one_label_cannot_be_used(examined, tones):
    for path in tones.glob("*_high_*.wav"):
        path.unlink()
    passport = examined(replace(TONES, labels=("low",)))
    assert (ProblemKind.UNUSABLE, "low") in problems(passport)
    assert not passport.is_sound
