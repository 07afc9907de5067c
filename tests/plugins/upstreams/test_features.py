"""Features out of the harness, and back in, by every form."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from harness_plugins.upstreams import _vectors, features
from toys import TOY, ToyPlugin

import harness
from harness import HarnessError, Utterance

FORMS = ("npz", "parquet", "arrow")
RUN: dict[str, Any] = {
    "corpus": "tones",
    "downstream": "linear",
    "controls": False,
    "executor": "serial",
    "quiet": True,
    "split": "loso",
}


def utterance(id):
    return Utterance(id=id, path=id, label="high", speaker="s0")


def described(name):
    """The description of what a place holds."""
    upstream = features.harness_upstream(name)
    assert upstream is not None
    return upstream


def states_of(name, *ids):
    """What the upstream returns of these utterances, each (L, T, D)."""
    upstream = described(name)
    encode = upstream.load(Path(str(upstream.checkpoint)), device="cpu", feeding="full")
    return [state.numpy() for state in encode([utterance(id) for id in ids])]


@pytest.fixture
def toys(tmp_path, tones, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_DATA", str(tones.parent))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_CHECKPOINTS", raising=False)
    return [ToyPlugin()]


@pytest.fixture
def exported(harness_run):
    def export(name, *more):
        words = ("--upstream", "toy", "--corpus", "tones", "--out", name, "--quiet")
        code, out, err = harness_run("features", "export", *words, *more)
        assert code == 0, err
        return out

    return export


@pytest.fixture
def harness_run(request):
    """The fixture that runs the program, under another name than the package."""
    return request.getfixturevalue("harness")


def write(path, ids=("a", "b"), values=None, **more):
    """Write vectors as another program may."""
    values = np.ones((len(ids), 4), np.float32) if values is None else values
    if path.suffix == ".npz":
        np.savez(path, ids=np.array(ids), features=values, **more)
        return
    table = pa.table({"id": list(ids), "features": values.tolist()})
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)


# ---------------------------------------------------------------- there and back


@pytest.mark.parametrize("form", FORMS)
def test_what_is_exported_scores_as_the_upstream_itself(exported, toys, form):
    exported(f"toy.{form}")
    asked = ["toy", f"features:toy.{form}"]
    results = harness.run(**RUN, upstream=asked, plugins=toys)
    rows = results.predictions.to_pandas()
    mine, theirs = (rows[rows.upstream == name] for name in ("toy", "features:toy"))
    assert len(mine) == len(theirs) == 40
    for column in ("utterance", "predicted", "score_high", "score_low"):
        assert mine[column].tolist() == theirs[column].tolist()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("frames", ["last", "all"])
def test_frames_come_back_as_they_were(exported, toys, form, frames):
    exported(f"toy.{form}", "--frames", frames)
    stored = harness.features("toy", "tones", frames=frames, plugins=toys, quiet=True)
    upstream = described(f"features:toy.{form}")
    assert upstream.hop == TOY.hop
    assert upstream.layers == (1 if frames == "last" else TOY.layers)
    ids = stored.utterances["id"].to_pylist()
    for state, array in zip(
        states_of(f"features:toy.{form}", *ids), stored, strict=True
    ):
        assert np.array_equal(state if frames == "all" else state[0], array)


def test_heads_on_all_layers_read_exported_means(exported, toys):
    exported("toy.npz")
    asked = RUN | {"downstream": "layerwise"}
    results = harness.run(**asked, upstream="features:toy.npz", plugins=toys)
    assert results.results["upstream_layers"].to_pylist()[0] == TOY.layers


def test_the_same_features_are_the_same_file(exported, tmp_path):
    for form in FORMS:
        exported(f"one.{form}")
        exported(f"other.{form}")
        one, other = tmp_path / f"one.{form}", tmp_path / f"other.{form}"
        assert one.read_bytes() == other.read_bytes()


def test_a_file_has_labels_speakers_and_the_condition(exported, tmp_path):
    exported("toy.npz")
    exported("toy.parquet")
    with np.load(tmp_path / "toy.npz", allow_pickle=False) as file:
        assert file["features"].shape == (40, 3, 8)
        assert set(file["label"]) == {"high", "low"}
        assert json.loads(str(file["condition"]))["name"] == "toy"
    table = pq.read_table(tmp_path / "toy.parquet")
    assert set(table["speaker"].to_pylist()) == {f"s{n}" for n in range(5)}
    assert json.loads(table.schema.metadata[b"condition"])["kind"] == "pooled"


def test_a_file_that_is_there_is_not_replaced_unless_asked_for(exported, harness_run):
    exported("toy.npz")
    words = ("--upstream", "toy", "--corpus", "tones", "--out", "toy.npz")
    code, _, err = harness_run("features", "export", *words)
    assert (code, "toy.npz exists already" in err) == (2, True)
    assert harness_run("features", "export", *words, "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--out", "toy.csv"), "The ending of toy.csv stands for no form"),
        (("--frame-type", "float16"), "--frame-type float16 changes nothing"),
        (("--upstream", "no"), "No upstream is called 'no'"),
        (("--corpus", "no"), "No corpus is called 'no'"),
    ],
)
def test_an_export_that_cannot_be_says_why(harness_run, words, sentence):
    asked = ("--upstream", "toy", "--corpus", "tones")
    code, _, err = harness_run("features", "export", *asked, *words)
    assert (code, sentence in err) == (2, True), err


# ---------------------------------------------------------------- other programs


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(2, 4), (2, 3, 4)])
def test_vectors_of_another_program_are_read(tmp_path, form, shape):
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    write(tmp_path / f"mine.{form}", values=values)
    name = f"features:{tmp_path}/mine.{form}"
    upstream = described(name)
    assert (upstream.name, upstream.hop, upstream.dim) == ("features:mine", None, 4)
    (state,) = states_of(name, "b")
    assert state.dtype == np.float32
    assert np.array_equal(state[:, 0], np.atleast_2d(values[1]))


def test_a_compressed_file_is_read_too(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, ids=np.array(["a"]), features=np.full((1, 4), 2.0))
    assert np.array_equal(states_of(f"features:{path}", "a")[0], np.full((1, 1, 4), 2))


def test_a_folder_may_have_a_file_a_corpus(tmp_path):
    write(tmp_path / "one.npz", ids=["a"])
    write(tmp_path / "two.parquet", ids=["b"])
    assert len(states_of(f"features:{tmp_path}", "a", "b")) == 2


def test_an_id_of_a_joined_corpus_begins_with_its_name(tmp_path):
    write(tmp_path / "mine.npz", corpus=np.array(["x", "x"]))
    assert len(states_of(f"features:{tmp_path}/mine.npz", "x/a", "b")) == 2


def test_another_content_is_another_condition(exported, toys, tmp_path):
    exported("toy.npz")
    first = harness.run(**RUN, upstream="features:toy.npz", plugins=toys)
    with np.load("toy.npz") as file:
        arrays = dict(file)
    np.savez("toy.npz", **arrays | {"features": arrays["features"] + 1})
    other = harness.run(**RUN, upstream="features:toy.npz", plugins=toys)
    hashes = {
        one.results["upstream_checkpoint"].to_pylist()[0] for one in (first, other)
    }
    assert len(hashes) == 2
    assert other.run
    assert other.run.computed == len(other.results)


# ---------------------------------------------------------------- what is refused


def nan(values):
    values[1, 0] = np.nan
    return values


@pytest.mark.parametrize(
    ("ids", "more", "sentence"),
    [
        (["a", "a"], {}, "'a' is there twice"),
        (["a", "b", "c"], {"values": np.ones((2, 4))}, "2 rows of features for 3"),
        (["a", "b"], {"values": np.ones((2, 4), int)}, "not floats of shape"),
        (["a", "b"], {"values": np.ones(2)}, "not floats of shape"),
        ([1, 2], {}, "not .N,. texts"),
        (["a", "b"], {"values": np.array([{}, {}])}, "is not as long|cannot be read"),
    ],
)
def test_an_npz_that_contradicts_itself_is_refused(tmp_path, ids, more, sentence):
    write(tmp_path / "mine.npz", ids=ids, **more)
    with pytest.raises(HarnessError, match=sentence):
        features.harness_upstream(f"features:{tmp_path}/mine.npz")


def test_no_pickle_is_ever_read(tmp_path):
    ids = np.array(["a", {}], dtype=object)
    np.savez(tmp_path / "mine.npz", ids=ids, features=np.ones((2, 4)))
    with pytest.raises(HarnessError, match=r"pickle|Object arrays"):
        features.harness_upstream(f"features:{tmp_path}/mine.npz")


def test_a_shape_that_is_not_there_is_refused(tmp_path):
    """A header that claims more than the file has reserves no memory."""
    path = tmp_path / "mine.npz"
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("ids.npy", "w") as file:
            np.lib.format.write_array(file, np.array(["a"]))
        with archive.open("features.npy", "w") as file:
            head = {"descr": "<f4", "fortran_order": False, "shape": (1, 10**15)}
            np.lib.format.write_array_header_1_0(file, head)
    with pytest.raises(HarnessError, match="not as long as its shape says"):
        features.harness_upstream(f"features:{path}")


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_vectors, "MOST", 1000)
    np.savez_compressed(
        tmp_path / "mine.npz", ids=np.array(["a"]), features=np.zeros((1, 4000))
    )
    pq.write_table(
        pa.table({"id": ["a"], "features": [[0.0] * 4000]}), tmp_path / "mine.parquet"
    )
    for form in ("npz", "parquet"):
        with pytest.raises(HarnessError, match="bytes of memory"):
            features.harness_upstream(f"features:{tmp_path}/mine.{form}")


@pytest.mark.parametrize(
    "columns",
    [
        {"features": [[1.0], [2.0]]},
        {"id": ["a", "b"]},
        {"id": ["a", None], "features": [[1.0], [2.0]]},
        {"id": ["a", "b"], "features": [[1.0], [2.0, 3.0]]},
        {"id": ["a", "b"], "features": [[1.0], None]},
        {"id": ["a", "b"], "features": [[1.0], [None]]},
        {"id": ["a", "b"], "features": ["x", "y"]},
    ],
)
def test_a_table_that_lacks_something_is_refused(tmp_path, columns):
    pq.write_table(pa.table(columns), tmp_path / "mine.parquet")
    with pytest.raises(HarnessError, match=r"mine.parquet cannot be read"):
        features.harness_upstream(f"features:{tmp_path}/mine.parquet")


def test_a_file_that_is_damaged_is_refused(tmp_path):
    for form in FORMS:
        (tmp_path / f"mine.{form}").write_bytes(b"PK\3\4 nothing")
        with pytest.raises(HarnessError, match="cannot be read"):
            features.harness_upstream(f"features:{tmp_path}/mine.{form}")


def test_a_place_without_features_says_what_would_be_one(tmp_path):
    for place in (tmp_path, tmp_path / "no"):
        with pytest.raises(HarnessError, match=r"ends in .arrow, .npz, .parquet"):
            features.harness_upstream(f"features:{place}")


def test_files_of_other_sizes_do_not_go_together(tmp_path):
    write(tmp_path / "one.npz", ids=["a"])
    write(tmp_path / "two.npz", ids=["b"], values=np.ones((1, 5)))
    with pytest.raises(HarnessError, match="Put them into folders of their own"):
        features.harness_upstream(f"features:{tmp_path}")


def test_an_utterance_without_a_row_is_named(tmp_path):
    write(tmp_path / "mine.npz")
    with pytest.raises(HarnessError, match="the id 'c'; there are 2, such as 'a'"):
        states_of(f"features:{tmp_path}/mine.npz", "c")


def test_a_value_that_is_no_number_names_the_utterance(tmp_path):
    write(tmp_path / "mine.npz", values=nan(np.ones((2, 4))))
    with pytest.raises(HarnessError, match=r"features of 'b' in .* hold NaN"):
        states_of(f"features:{tmp_path}/mine.npz", "b")


def test_what_would_change_nothing_is_refused(exported, toys, harness_run):
    exported("toy.npz")
    with pytest.raises(HarnessError, match="--max-seconds cuts no clip"):
        harness.plan(
            upstream="features:toy.npz",
            **{k: RUN[k] for k in ("corpus", "downstream")},
            max_seconds=1,
            plugins=toys,
        )
    code, _, err = harness_run("check", "features:toy.npz")
    assert (code, "no model that could be checked" in err) == (2, True)


def test_no_control_with_random_weights_stands_beside(exported, toys):
    exported("toy.npz")
    asked = {k: v for k, v in RUN.items() if k not in ("controls", "executor")}
    planned = harness.plan(
        **asked, upstream="features:toy.npz", all_controls=True, plugins=toys
    )
    names = {cell.condition.upstream.name for cell in planned.cells}
    assert names == {"features:toy", "fbank"}
