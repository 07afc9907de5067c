"""Splits that are read: from files, from a column, from a publication."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from divided import EVEN, GOOD, make_split
from manifests import manifest_of

from harness import DataError, Fold, KnownFile, StoreError, Utterance
from harness.splits.files import read_split, write_split

# ---------------------------------------------------------------- files


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "split.json"
    write_split(make_split(EVEN, "kfold"), path, manifest_of(EVEN))
    return path


def test_folds_come_back_from_their_file(path):
    assert read_split(path).folds == make_split(EVEN, "kfold").folds


def test_what_a_split_was_made_for_comes_back_from_its_file(path):
    file = read_split(path)
    assert (file.corpus, file.version, file.strategy) == ("beeps", "1.0", "kfold")
    assert file.manifest_sha256 == manifest_of(EVEN).sha256


def test_nothing_else_is_left_beside_the_file(path):
    assert list(path.parent.iterdir()) == [path]


def test_ids_stand_in_the_file_as_they_are(tmp_path):
    utterances = [replace(u, id=f"شاد/{u.id}") for u in EVEN]
    path = tmp_path / "split.json"
    write_split(make_split(utterances, "loso"), path, manifest_of(utterances))
    assert '"شاد/p-0"' in path.read_text("utf-8")


def test_ids_are_sorted_however_they_stand_in_the_file(path):
    value = json.loads(path.read_text())
    value["folds"][0]["train"].reverse()
    path.write_text(json.dumps(value))
    assert read_split(path).folds == make_split(EVEN, "kfold").folds


def test_a_folder_that_cannot_be_written_is_an_error(path):
    with pytest.raises(StoreError, match="Cannot write"):
        write_split(GOOD, path / "split.json", manifest_of(EVEN))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (b"[" * 100_000, "recursion"),
        (b"\xff\xfe", "codec can't decode"),
        (b"[]", "'format' is missing"),
        (b'{"format": 2}', "format is 2, not 1"),
    ],
)
def test_a_file_that_is_no_split_is_refused(path, content, reason):
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"split file .*split\.json.*{reason}"):
        read_split(path)


@pytest.mark.parametrize(
    ("entry", "value", "reason"),
    [
        ("strategy", None, "'strategy' is missing or is not of type str"),
        ("corpus", 7, "'corpus' is missing or is not of type str"),
        ("folds", {}, "'folds' is missing or is not of type list"),
        ("folds", [], "no folds"),
        ("folds", ["0"], "'train' is missing"),
        (
            "folds",
            [{"name": "0", "train": [1], "valid": [], "test": []}],
            "not a string",
        ),
        ("folds", [{"name": "0", "train": [], "valid": []}], "'test' is missing"),
        ("folds", [{"train": [], "valid": [], "test": []}], "'name' is missing"),
        (
            "folds",
            [{"name": "0", "train": [], "valid": [], "test": []}] * 2,
            "two of the same name",
        ),
    ],
)
def test_a_malformed_entry_is_refused_with_the_reason(path, entry, value, reason):
    path.write_text(json.dumps(json.loads(path.read_text()) | {entry: value}))
    with pytest.raises(DataError, match=rf"split file .*split\.json.*{reason}"):
        read_split(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_split(tmp_path / "split.json")


# ---------------------------------------------------------------- parts that are given


def parted(**parts):
    """Three speakers, two labels each, with the part that each says it is in."""
    return [
        Utterance(
            id=f"{speaker}{label}", path="x", label=label, speaker=speaker, part=part
        )
        for speaker, part in parts.items()
        for label in "ab"
    ]


def test_a_column_is_taken_as_it_is():
    split = make_split(parted(p="test", q="train", r="valid"), "column")
    assert split.strategy == "column"
    assert split.folds == (
        Fold(name="0", train=("qa", "qb"), valid=("ra", "rb"), test=("pa", "pb")),
    )


@pytest.mark.parametrize("part", [None, "", "dev"])
def test_an_utterance_without_a_part_is_refused(part):
    with pytest.raises(DataError, match=r"2 of 6 utterances .* the first is 'qa'"):
        make_split(parted(p="test", q=part, r="valid"), "column")


def known(utterances):
    return {
        one.id: KnownFile(label=one.label, speaker=one.speaker, part=one.part)
        for one in utterances
    }


def test_a_published_split_is_called_so():
    own = parted(p="test", q="train", r="valid")
    plain = parted(p=None, q=None, r=None)
    split = make_split(plain, "published", files=lambda: known(own))
    assert (split.strategy, split.speaker_independent) == ("published", True)
    assert split.folds == make_split(own, "column").folds


def test_a_corpus_that_differs_from_the_published_split_is_refused_with_the_list():
    files = known(parted(p="test", q="train", r="valid"))
    here = parted(q=None, r=None, s=None)
    with pytest.raises(DataError) as refused:
        make_split(here, "published", files=lambda: files)
    assert str(refused.value).endswith(
        "\n  missing here: pa\n  missing here: pb\n  only here: sa\n  only here: sb"
    )


def test_a_long_list_of_differences_is_cut():
    files = known(parted(**{f"s{number}": "train" for number in range(30)}))
    with pytest.raises(DataError, match=r"in 66 utterances(.*\n)+  … and 46 more"):
        make_split(parted(p=None, q=None, r=None), "published", files=lambda: files)


def test_without_published_files_there_is_no_published_split():
    with pytest.raises(DataError, match="No split of this corpus is published"):
        make_split(parted(p=None, q=None, r=None), "published")


def test_a_column_can_be_written_and_read(tmp_path):
    split = make_split(parted(p="test", q="train", r="valid"), "column")
    write_split(split, tmp_path / "s.json", manifest_of([]))
    assert read_split(tmp_path / "s.json").folds == split.folds
