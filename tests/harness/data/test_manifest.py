"""A corpus on disk: every file is read, checked and hashed; bad ones are named."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import soundfile
from toys import TONES

from harness import DataError, Utterance
from harness.data.manifest import difference, read_manifest, refuse_bad
from harness.memory import Memory


@pytest.fixture
def read(tones, tmp_path):
    def read(corpus=TONES, root=tones, **options):
        return read_manifest(corpus, root, Memory(tmp_path / "memory.json"), **options)

    return read


def test_every_utterance_is_read_and_sorted(read):
    manifest = read()
    ids = [utterance.id for utterance in manifest.utterances]
    assert len(ids) == 40
    assert ids == sorted(ids)
    assert manifest.labels == ("high", "low")
    assert manifest.seconds == pytest.approx(
        sum(0.3 + 0.01 * n for n in range(1, 41)), abs=0.01
    )


def test_the_hash_depends_on_audio_labels_and_speakers_alone(read, tones, tmp_path):
    before = read().sha256
    shutil.copytree(tones, tmp_path / "elsewhere" / "tones")
    assert read(root=tmp_path / "elsewhere" / "tones").sha256 == before
    (tones / "s0_low_0.wav").rename(tones / "s1_low_9.wav")
    assert read().sha256 != before


def spoil(tones):
    rng = np.random.default_rng(0)
    (tones / "s9_low_0.wav").touch()
    (tones / "s9_low_1.wav").write_text("text")
    soundfile.write(tones / "s9_low_2.wav", 0.1 * rng.standard_normal(160), 16_000)
    soundfile.write(
        tones / "s9_low_3.wav", np.full(100, np.nan), 16_000, subtype="FLOAT"
    )
    long = 0.1 * rng.standard_normal(8000 * 2400)
    soundfile.write(tones / "s9_low_4.wav", long, 8000)


def test_all_bad_files_are_reported_at_once(read, tones):
    spoil(tones)
    manifest = read().lasting(0.025)
    assert len(manifest.recordings) == 40
    with pytest.raises(DataError) as raised:
        refuse_bad([manifest])
    for reason in ("zero bytes", "unreadable", "10 ms", "NaN", "40 min", "--skip-bad"):
        assert reason in str(raised.value)


def test_cutting_clips_makes_a_long_one_good(read, tones):
    spoil(tones)
    manifest = read(max_seconds=6.0).lasting(0.025)
    assert [line.split(":")[0] for line in manifest.bad] == [
        f"s9_low_{take}.wav" for take in range(4)
    ]


def test_each_upstream_leaves_out_the_clips_that_are_too_short_for_it(read, tones):
    spoil(tones)
    manifest = read()
    assert "s9_low_2.wav" in {one.id for one in manifest.utterances}
    lasting = manifest.lasting(0.35)
    assert {one.seconds >= 0.35 for one in lasting.recordings} == {True}
    short = [line for line in lasting.bad if "too short" in line]
    assert len(short) + len(lasting.recordings) == len(manifest.recordings)
    assert "s9_low_2.wav: too short (10 ms; the model needs 350 ms)" in short
    assert list(lasting.bad) == sorted(lasting.bad)
    assert lasting.sha256 != manifest.sha256


def test_a_corpus_without_short_clips_is_the_same_for_every_upstream(read):
    manifest = read()
    assert manifest.lasting(0.31) is manifest.lasting(0.025) is manifest


def test_a_long_list_of_bad_files_is_cut(read, tones):
    for take in range(50):
        (tones / f"s9_low_{take}.wav").touch()
    with pytest.raises(DataError, match=r"^50 audio files.*(\n.*)+and 30 more"):
        refuse_bad([read()])


def test_a_missing_folder_says_how_to_get_the_corpus(read, tmp_path):
    with pytest.raises(DataError, match=r"'tones' is not at .*seems to be at"):
        read(root=tmp_path / "nowhere")


def test_an_empty_folder_is_an_error(read, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no utterance of 'tones'"):
        read(root=tmp_path / "empty")


def offering(*utterances):
    return dataclasses.replace(TONES, read=lambda root: utterances)


def test_two_utterances_may_not_share_an_id(read):
    one = Utterance(id="a", path="s0_low_0.wav", label="low", speaker="s0")
    with pytest.raises(DataError, match="two utterances 'a'"):
        read(offering(one, one))


def test_a_label_that_was_not_declared_is_an_error(read):
    one = Utterance(id="a", path="s0_low_0.wav", label="middle", speaker="s0")
    with pytest.raises(DataError, match="does not declare the label 'middle'"):
        read(offering(one))


def test_a_file_that_is_missing_is_bad_and_not_fatal(read):
    one = Utterance(id="a", path="none.wav", label="low", speaker="s0")
    assert read(offering(one)).bad == ("a: missing",)


def test_two_spans_of_a_file_are_two_recordings(read):
    first = Utterance(id="a", path="s0_low_0.wav", label="low", speaker="s0", end=0.1)
    second = dataclasses.replace(first, id="b", start=0.1, end=0.2)
    one, other = read(offering(first, second)).recordings
    assert one.seconds == other.seconds == pytest.approx(0.1)
    assert one.key != other.key
    assert one.content != other.content


@pytest.fixture
def published(listed):
    return dataclasses.replace(TONES, files=lambda: listed)


def test_a_corpus_as_it_was_published_raises_no_doubt(read, published):
    assert difference(read(published)) == ""
    assert difference(read(dataclasses.replace(TONES, versions={"1": 40}))) == ""


def test_a_corpus_of_which_nothing_is_known_raises_no_doubt(read):
    assert difference(read()) == ""


def test_other_bytes_and_missing_files_raise_doubts(read, published, tones):
    (tones / "s0_low_0.wav").unlink()
    shutil.copy(tones / "s0_low_1.wav", tones / "s0_low_2.wav")
    assert difference(read(published)) == (
        "tones is not as it was published: 39 of 40 utterances are used, 1 files have "
        "other bytes. 'harness corpus check tones' says which."
    )


def test_another_number_than_was_published_raises_a_doubt(read):
    corpus = dataclasses.replace(TONES, versions={"1": 41})
    assert "40 of 41 utterances are used" in difference(read(corpus))
