"""Lists of utterances as files of the cache, found by the hash of what they hold."""

from __future__ import annotations

import dataclasses
import multiprocessing
from pathlib import Path

import pytest
from manifests import manifest_of

from harness import DataError, Fold, StoreError, Utterance
from harness.data import stored
from harness.data.places import Places

FULL = Utterance(
    id="a/é 1.wav",
    path="a/é 1.wav",
    label="anger",
    speaker="s1",
    gender="female",
    sentence="t1",
    intensity="strong",
    language="x-a",
    start=0.1,
    end=1.7,
    part="train",
    numbers={"arousal": 0.25},
    value=0.25,
)
BARE = Utterance(id="b", path="b.wav", label="joy", speaker="s2")
THIRD = Utterance(id="c", path="c.wav", label="joy", speaker="s3")


@pytest.fixture(autouse=True)
def nothing_loaded():
    stored.load.cache_clear()


@pytest.fixture
def places(tmp_path):
    return Places(data=tmp_path / "data", cache=tmp_path / "cache")


@pytest.fixture
def recordings(places):
    """Recordings that differ from each other in every field."""
    listed = manifest_of([FULL, BARE, THIRD]).recordings
    return tuple(
        dataclasses.replace(
            recording,
            path=places.data / recording.utterance.path,
            sha256=f"hash {number}",
            rate=8000 + number,
            channels=1 + number,
            seconds=1 / (3 + number),
            peak=0.1 * number,
        )
        for number, recording in enumerate(listed)
    )


FOLDS = (
    Fold(name="0", train=("a/é 1.wav",), valid=("b",), test=("c",)),
    Fold(name="s 2", train=("c",), valid=("a/é 1.wav",), test=("b",)),
    Fold(name="part", train=("b",), valid=(), test=("c",)),
)


def test_every_field_of_a_recording_is_read_as_it_was_stored(places, recordings):
    key = stored.store(places, recordings, FOLDS)
    assert tuple(stored.load(places, key).recordings) == recordings


def test_what_a_recording_is_mixed_with_is_read_as_it_was_stored(places, recordings):
    first, *others = recordings
    mixed = dataclasses.replace(first, perturbation="babble", others=tuple(others))
    key = stored.store(places, [mixed, *others], FOLDS)
    assert tuple(stored.load(places, key).recordings) == (mixed, *others)


def test_every_part_of_a_fold_is_read_as_it_was_stored(places, recordings):
    corpus = stored.load(places, stored.store(places, recordings, FOLDS))
    for fold in FOLDS:
        parts = corpus.fold(fold.name)
        ids = tuple(tuple(r.utterance.id for r in part) for part in parts)
        assert ids == (fold.train, fold.valid, fold.test)


def test_what_stands_in_no_part_of_a_fold_is_in_none(places, recordings):
    corpus = stored.load(places, stored.store(places, recordings, FOLDS))
    assert recordings[0] not in [r for part in corpus.fold("part") for r in part]


def test_a_slice_parses_only_the_blocks_that_it_needs(places, recordings, monkeypatch):
    monkeypatch.setattr(stored, "BLOCK", 2)
    several = [
        dataclasses.replace(
            recordings[number % 3],
            utterance=dataclasses.replace(FULL, id=f"{number:02}"),
        )
        for number in range(9)
    ]
    corpus = stored.load(places, stored.store(places, several, ()))
    stored._block.cache_clear()
    assert corpus.recordings[4:7] == tuple(several[4:7])
    assert stored._block.cache_info().misses == 2
    assert corpus.recordings[-1] == several[-1]
    assert list(corpus.recordings) == several
    with pytest.raises(IndexError):
        corpus.recordings[9]


def test_numbers_are_read_as_they_were_written(places, recordings):
    utterance = dataclasses.replace(FULL, start=1, end=2.0)
    given = dataclasses.replace(recordings[0], utterance=utterance)
    (found,) = stored.load(places, stored.store(places, [given], ())).recordings
    assert found.key == given.key


def test_the_key_is_known_before_anything_is_written(places, recordings):
    key = stored.key_of(places, recordings, FOLDS)
    assert not places.cache.exists()
    assert stored.store(places, recordings, FOLDS) == key
    assert stored.store(places, recordings, FOLDS) == key


def changes():
    """Every field of a recording and of its utterance, with another value."""
    recording = manifest_of([FULL]).recordings[0]
    for of, owner in ((recording, "recording"), (FULL, "utterance")):
        for field in dataclasses.fields(of):
            value = getattr(of, field.name)
            if field.name in ("utterance", "sketch"):  # no task needs a sketch
                continue
            if isinstance(value, str):
                yield owner, field.name, f"{value} changed"
            elif isinstance(value, dict):
                yield owner, field.name, {**value, "age": 41.0}
            elif isinstance(value, Path):
                yield owner, field.name, value / "changed"
            elif isinstance(value, tuple):
                yield owner, field.name, (recording,)
            elif isinstance(value, dict):
                yield owner, field.name, value | {"changed": 1.0}
            elif value is None:
                yield owner, field.name, 1.0
            else:
                yield owner, field.name, value + 1


@pytest.mark.parametrize(("owner", "field", "value"), list(changes()))
def test_the_key_depends_on_every_field(places, recordings, owner, field, value):
    first, *rest = recordings
    if owner == "utterance":
        utterance = dataclasses.replace(first.utterance, **{field: value})
        first = dataclasses.replace(first, utterance=utterance)
    else:
        first = dataclasses.replace(first, **{field: value})
    assert stored.key_of(places, recordings, ()) != (
        stored.key_of(places, [first, *rest], ())
    )


def test_the_key_depends_on_folds_and_their_names(places, recordings):
    fold = FOLDS[0]
    variants = [
        (),
        (fold,),
        (dataclasses.replace(fold, name="1"),),
        (dataclasses.replace(fold, valid=(), test=("b", "c")),),
        FOLDS,
    ]
    keys = {stored.key_of(places, recordings, folds) for folds in variants}
    assert len(keys) == len(variants)


def test_the_key_does_not_depend_on_where_folders_lie(places, recordings, tmp_path):
    elsewhere = Places(data=tmp_path / "other data", cache=tmp_path / "other cache")
    moved = [
        dataclasses.replace(one, path=elsewhere.data / one.utterance.path)
        for one in recordings
    ]
    assert stored.key_of(places, recordings, FOLDS) == (
        stored.key_of(elsewhere, moved, FOLDS)
    )


def test_a_machine_with_other_folders_finds_the_files_in_its_own(
    places, recordings, tmp_path, monkeypatch
):
    key = stored.store(places, recordings, FOLDS)
    monkeypatch.setenv("HARNESS_WORKER_DATA", "/there/data")
    found = stored.load(places.here(), key).recordings
    assert [one.path for one in found] == [
        Path("/there/data") / one.utterance.path for one in recordings
    ]


def test_a_path_outside_the_data_is_kept(places, recordings):
    outside = dataclasses.replace(recordings[0], path=Path("/elsewhere/é 1.wav"))
    key = stored.store(places, [outside], ())
    assert tuple(stored.load(places, key).recordings) == (outside,)


def test_it_is_read_once_a_process(places, recordings):
    key = stored.store(places, recordings, FOLDS)
    first = stored.load(places, key)
    (places.cache / stored.FOLDER / f"{key}.jsonl").unlink()
    assert stored.load(places, key) is first


# ---------------------------------------------------------------- damage


def test_a_list_that_is_gone_is_an_error_that_names_it(places):
    with pytest.raises(DataError, match=r"abc\.jsonl is gone or damaged.*same command"):
        stored.load(places, "abc")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "{}",
        lambda text: "[]",
        lambda text: "null",
        lambda text: text.replace('"hash 1"', '"hash 2"'),
        lambda text: text.replace('"s1"', '"s2"'),
        lambda text: text.encode().decode("utf-8")[:-1] + "\udcff",
    ],
    ids=["empty", "half", "other", "list", "null", "audio", "speaker", "bytes"],
)
def test_a_damaged_list_is_an_error_that_names_it(places, recordings, damage):
    key = stored.store(places, recordings, FOLDS)
    path = places.cache / stored.FOLDER / f"{key}.jsonl"
    path.write_bytes(damage(path.read_text("utf-8")).encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=r"is gone or damaged.*same command"):
        stored.load(places, key)


def test_the_same_command_again_repairs_a_damaged_list(places, recordings):
    key = stored.store(places, recordings, FOLDS)
    path = places.cache / stored.FOLDER / f"{key}.jsonl"
    path.write_text(path.read_text("utf-8")[:-9], "utf-8")
    with pytest.raises(DataError):
        stored.load(places, key)
    stored.store(places, recordings, FOLDS)
    assert tuple(stored.load(places, key).recordings) == recordings


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path, recordings):
    (tmp_path / "file").touch()
    places = Places(data=tmp_path / "data", cache=tmp_path / "file")
    with pytest.raises(StoreError):
        stored.store(places, recordings, FOLDS)


# ---------------------------------------------------------------- at once


def _store(places, recordings, gate):
    gate.wait(20)
    for number in range(20):
        folds = (dataclasses.replace(FOLDS[0], name=str(number)),)
        key = stored.store(places, recordings, folds)
        assert tuple(stored.load(places, key).recordings) == recordings


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_processes_that_store_the_same_at_once_do_not_disturb_each_other(
    places, recordings
):
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(3)
    writers = [
        context.Process(target=_store, args=(places, recordings, gate))
        for _ in range(3)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    files = list((places.cache / stored.FOLDER).iterdir())
    assert len(files) == 20
    assert all(map(stored.is_whole, files))
