"""The published lists, the readers and the published splits agree with one another."""

from __future__ import annotations

import functools
import io
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from harness_plugins.corpora import (
    aesdd,
    cafe,
    demos,
    emodb,
    emomatch,
    emovo,
    eyase,
    oreau,
    shemo,
)
from harness_plugins.corpora._known import FOLDER

from harness import Utterance
from harness.data.passport import examine
from harness.files import sha256_file
from harness.memory import Memory
from harness.splits.strategies import harness_splits, make_split
from harness.types import SplitOptions

STRATEGIES = {strategy.name: strategy for strategy in harness_splits()}
MODULES = (aesdd, cafe, demos, emodb, emomatch, emovo, eyase, oreau, shemo)
CORPORA = {
    corpus.name: corpus for module in MODULES for corpus in module.harness_corpora()
}
LISTED = {name: corpus for name, corpus in CORPORA.items() if corpus.files}
every = pytest.mark.parametrize("corpus", LISTED.values(), ids=LISTED)

# the variant that has all files of the archive, and folders that ids leave out
WHOLE = {"aesdd": "aesdd@all", "oreau": "oreau@v2"}
PLACES = {"cafe": "CaFE/Colère/Fort/", "oreau": "OréauFR_02/"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Unpack a corpus as empty files with the published names, once."""

    @functools.cache
    def unpack(folder):
        root = tmp_path_factory.mktemp(folder)
        whole = LISTED[WHOLE.get(folder, folder)]
        for id in whole.files():
            path = root / (PLACES.get(folder, "") + id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return root

    return unpack


@every
def test_the_reader_yields_the_labels_and_speakers_of_the_list(archive, corpus):
    found = {u.id: (u.label, u.speaker) for u in corpus.read(archive(corpus.base))}
    assert found == {
        id: (file.label, file.speaker) for id, file in corpus.files().items()
    }


@every
def test_the_counts_are_those_of_the_list(corpus):
    labels = Counter(file.label for file in corpus.files().values())
    assert dict(sorted(labels.items())) == dict(sorted(corpus.counts.items()))
    assert corpus.versions[corpus.version] == labels.total()


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)
def test_a_corpus_has_as_many_utterances_as_its_labels_have(corpus):
    size = corpus.versions[corpus.version]
    assert sum(corpus.counts.values()) == size or not corpus.counts
    assert corpus.counts.keys() <= set(corpus.labels)


@every
def test_the_published_split_is_what_the_splitter_makes(corpus):
    files = corpus.files()
    utterances = [
        Utterance(id=id, path=id, label=file.label, speaker=file.speaker)
        for id, file in files.items()
    ]
    (fold,) = make_split(
        STRATEGIES["speaker-independent"], utterances, SplitOptions()
    ).folds
    made = {id: part for part, ids in fold.parts() for id in ids}
    assert made == {id: file.part for id, file in files.items()}


@every
def test_the_page_of_published_splits_has_the_hash_of_the_split(corpus):
    utterances = [
        Utterance(
            id=id, path=id, label=file.label, speaker=file.speaker, part=file.part
        )
        for id, file in corpus.files().items()
    ]
    options = SplitOptions(files=corpus.files)
    split = replace(
        make_split(STRATEGIES["published"], utterances, options),
        strategy="speaker-independent",  # by which it was made
    )
    page = (FOLDER / "README.md").read_text("utf-8")
    (section,) = (
        text for text in page.split("## ") if text.startswith(corpus.name + "\n")
    )
    assert f"`{split.sha256}`" in section


@pytest.mark.parametrize(
    ("name", "speakers"),
    [
        ("aesdd", 5),
        ("aesdd@all", 6),
        ("cafe", 12),
        ("demos", 68),
        ("emodb", 10),
        ("emovo", 6),
        ("eyase", 6),
        ("oreau@v2", 32),
        ("shemo", 87),
    ],
)
def test_the_list_has_so_many_speakers(name, speakers):
    files = CORPORA[name].files()
    assert len({file.speaker for file in files.values()}) == speakers


def test_every_table_belongs_to_a_corpus():
    tables = {path.stem for path in FOLDER.glob("*.csv")}
    assert tables == {corpus.base for corpus in LISTED.values()}


@pytest.mark.parametrize("name", ["emodb", "emovo", "eyase"])
def test_every_file_has_a_hash_of_its_own(name):
    files = CORPORA[name].files()
    hashes = {file.sha256 for file in files.values()}
    assert len(hashes) == len(files)
    assert all(len(sha256) == 64 for sha256 in hashes)


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)
def test_a_difference_from_the_claim_has_a_reason(corpus):
    (claim,) = corpus.claims
    size = (corpus.versions[corpus.version], len(corpus.labels))
    certain = corpus.name not in ("emomatch", "shemo@modified")
    assert (size == (claim.utterances, claim.labels)) or claim.because or not certain


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__[-8:])
def test_the_plain_name_is_the_variant_nearest_to_the_claim(module):
    """By the number of utterances, and where that is equal by the number of labels."""

    def distance(corpus):
        (claim,) = corpus.claims
        size = corpus.versions[corpus.version]
        labels = len(corpus.labels)
        return abs(size - claim.utterances), abs(labels - claim.labels)

    plain, *variants = module.harness_corpora()
    assert plain.variant == ""
    assert all(distance(plain) <= distance(variant) for variant in variants)


# ---------------------------------------------------------------- passports of trees


@pytest.fixture
def sound():
    """Write files with published names and 10 ms of audio, each its own."""
    rng = np.random.default_rng(0)
    template = io.BytesIO()
    soundfile.write(template, np.zeros(80), 8000, format="WAV")
    header = template.getvalue()[:-160]

    def write(root: Path, paths):
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(header + rng.bytes(160))
        return root

    return write


def passport(corpus, root, tmp_path):
    siblings = [
        other
        for other in CORPORA.values()
        if other.base == corpus.base and other.name != corpus.name
    ]
    return examine(corpus, root, Memory(tmp_path / "memory.json"), siblings=siblings)


def test_every_kind_of_damage_to_a_corpus_is_named(sound, tmp_path):
    names = sorted(CORPORA["eyase"].files())
    root = sound(tmp_path / "eyase" / "EYASE", names)
    files = {
        id: replace(file, sha256=sha256_file(root / id))
        for id, file in CORPORA["eyase"].files().items()
    }
    corpus = replace(CORPORA["eyase"], files=lambda: files)
    gone = [name for name in names if name.startswith("Male02/")]
    for name in gone:
        (root / name).unlink()
    (root / "Male01/ml01_ang (1).wav").unlink()
    (root / "Male01/ml01_ang (2).wav").rename(root / "Male01/ml01_ang (98).wav")
    os.truncate(root / "Male01/ml01_ang (3).wav", 100)
    sound(root, ["Male01/ml01_ang (4).wav", "Male01/ml01_ang (99).wav", "song.wav"])

    found = passport(corpus, root.parent, tmp_path)
    kinds = [(one.kind, one.path) for one in found.problems if one.kind != "missing"]
    assert kinds == [
        ("refusal", ""),
        ("missing speaker", "Male02"),
        ("renamed", "Male01/ml01_ang (98).wav"),
        ("unexpected", "EYASE/song.wav"),
        ("unexpected", "Male01/ml01_ang (99).wav"),
        ("altered", "Male01/ml01_ang (4).wav"),
        ("unusable", "Male01/ml01_ang (3).wav"),
    ]
    missing = [one.path for one in found.problems if one.kind == "missing"]
    assert missing == ["Male01/ml01_ang (1).wav", *gone]
    assert "different" in found.verdict


def test_version_2_of_oreau_under_the_name_of_version_1_is_reported(sound, tmp_path):
    root = sound(tmp_path / "oreau", CORPORA["oreau@v2"].files())
    found = passport(CORPORA["oreau"], root, tmp_path)
    assert len(found.manifest.utterances) == 434
    assert "'oreau@v2': use that name" in found.verdict
    assert "Version '2' has 434 utterances." in found.verdict


def test_version_2_of_emodb_under_the_name_of_version_1_is_reported(sound, tmp_path):
    names = sorted(CORPORA["emodb"].files())
    more = [name.replace("a.wav", "e.wav") for name in names if name[-5] == "a"]
    assert not set(more) & set(names)
    laryngo = [name.replace("wav/", "laryngo/") for name in names[:9]]
    root = sound(tmp_path / "emodb", [*names, *more, *laryngo])
    found = passport(CORPORA["emodb"], root, tmp_path)
    unexpected = [one.path for one in found.problems if one.kind == "unexpected"]
    assert sorted(unexpected) == sorted(more + laryngo)
    assert "another version" in found.problems[0].detail


def test_a_variant_of_a_complete_corpus_is_complete(sound, tmp_path):
    root = sound(tmp_path / "aesdd", CORPORA["aesdd@all"].files())
    (root / "sadness/s05 (3).wav").touch()
    found = passport(CORPORA["aesdd"], root, tmp_path)
    assert found.is_sound
    assert found.verdict.startswith("complete: all 504 files of AESDD (5 speakers)")
    assert "500 utterances of 5 labels; here are 504 of 5. 500 is the plan" in (
        found.verdict
    )


def test_the_corrupt_file_of_aesdd_is_known(sound, tmp_path):
    root = sound(tmp_path / "aesdd", CORPORA["aesdd@all"].files())
    (root / "sadness/s05 (3).wav").touch()
    found = passport(CORPORA["aesdd@all"], root, tmp_path)
    assert found.is_sound
    assert found.left_out[0].startswith("sadness/s05 (3).wav: cannot be decoded")


def test_the_program_makes_the_published_split(sound, tmp_path, harness):
    root = sound(tmp_path / "oreau", CORPORA["oreau@v2"].files())
    asked = ("split", "oreau@v2", "--data-root", str(tmp_path))
    published = harness(*asked, "--split", "published", "--out", "one.json")
    assert published[0] == 0, published[2]
    assert harness(*asked, "--out", "other.json")[:2] == published[:2]
    one, other = (json.loads(Path(n).read_text()) for n in ("one.json", "other.json"))
    assert one.pop("strategy") == "published"
    assert other.pop("strategy") == "speaker-independent"
    assert one == other
    (root / "m/sesss/07z03Sa.wav").unlink()
    code, _, err = harness(*asked, "--split", "published")
    assert code == 2
    assert err.endswith("\n  missing here: m/sesss/07z03Sa.wav\n")


@pytest.mark.real
def test_the_real_emodb_is_verified_byte_for_byte(tmp_path):
    root = Path(os.environ["HARNESS_DATA"]) / "emodb"
    found = passport(CORPORA["emodb"], root, tmp_path)
    assert found.is_sound
    assert found.verdict == (
        "verified: all 535 files of EmoDB (1.0), byte for byte. Table 1 of D'Asaro et "
        "al. (2024) has as many: 535 utterances of 7 labels."
    )
