"""Datasets in the layouts of the Hugging Face hub become corpora."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import shutil
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from harness_plugins.corpora import hub
from pyarrow import parquet

from harness import Corpus, DataError, HarnessError, Utterance

datasets = pytest.importorskip("datasets")
pytestmark = [  # the library leaves files open
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LABELS, SPEAKERS = ("anger", "joy"), ("a", "b", "c", "d")


def sound(hertz: float) -> bytes:
    """A quarter of a second in WAV."""
    file = io.BytesIO()
    wave = 0.5 * np.sin(np.arange(4000) * hertz / 16_000 * 2 * np.pi)
    soundfile.write(file, wave, 16_000, format="WAV")
    return file.getvalue()


def rows(start: int = 0, count: int = 8) -> list[dict[str, object]]:
    return [
        {
            "audio": {"bytes": sound(200 + 7 * n), "path": f"take{n}.wav"},
            "label": n % 2,
            "speaker": SPEAKERS[n // 2 % 4],
        }
        for n in range(start, start + count)
    ]


def write_parquet(folder: Path, part: str, made: list[dict[str, object]]) -> Path:
    """Write a part as the hub has it: the audio's bytes in a column of their own."""
    features = datasets.Features(
        audio=datasets.Audio(),
        label=datasets.ClassLabel(names=list(LABELS)),
        speaker=datasets.Value("string"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(made, schema=features.arrow_schema)
    path = folder / f"{part}-00000-of-00001.parquet"
    parquet.write_table(table, path)
    return path


def write_folder(folder: Path, metadata: str) -> Path:
    """Write a folder of audio with a table beside it."""
    folder.mkdir(parents=True)
    for number in range(4):
        (folder / f"x{number}.wav").write_bytes(sound(300 + 9 * number))
    (folder / "metadata.csv").write_text(metadata, "utf-8")
    return folder


def described(place: Path | str) -> Corpus:
    """Describe a dataset by its place and options."""
    corpus = hub.harness_corpus(name=f"hf-dataset:{place}")
    assert corpus is not None
    return corpus


def unpack(corpus: Corpus, root: Path) -> None:
    """Do what a run does before it reads a folder's dataset."""
    assert corpus.make is not None
    corpus.make(root)


METADATA = "file_name,label,speaker,gender,mood\n" + "".join(
    f"x{n}.wav,{('Anger', 'joy')[n % 2]},s{n},{'fm'[n % 2]},5\n" for n in range(4)
)


@pytest.fixture
def embedded(tmp_path):
    """Two parts in Parquet, with the audio in it, and a card."""
    folder = tmp_path / "embedded"
    write_parquet(folder / "data", "train", rows())
    write_parquet(folder / "data", "validation", rows(8, 4))
    card = "---\nlicense: cc-by-4.0\nlanguage: it\n---\n# Mine\n"
    (folder / "README.md").write_text(card)
    return folder


@pytest.fixture
def read(tmp_path):
    """Unpack a dataset of a folder as a run does, and list its utterances."""

    def read(place, options=""):
        name = f"hf-dataset:{place}" + f":{options}" * bool(options)
        corpus = described(name.removeprefix("hf-dataset:"))
        root = tmp_path / "unpacked" / hashlib.md5(name.encode()).hexdigest()
        if not root.exists():
            root.mkdir(parents=True)
            unpack(corpus, root)
        return sorted(corpus.read(root), key=lambda one: one.id)

    return read


def test_other_names_are_not_answered():
    assert hub.harness_corpus(name="csv:x.csv") is None
    table = replace(described("a/b"), name="csv:x.csv")
    assert hub.harness_corpus_root(table, Path()) is None


def test_audio_in_parquet_becomes_files_and_labels_have_their_names(embedded, read):
    found = read(embedded)
    assert len(found) == 12
    assert found[0] == Utterance(
        id="train/take0.wav",
        path="train/take0.wav",
        label="anger",
        speaker="a",
        language="it",
        part="train",
    )
    assert {one.part for one in found} == {"train", "valid"}
    assert {one.label for one in found} == set(LABELS)


def test_bytes_are_written_as_they_are(embedded, tmp_path):
    corpus = described(embedded)
    (tmp_path / "root").mkdir()
    unpack(corpus, tmp_path / "root")
    assert (tmp_path / "root/train/take3.wav").read_bytes() == sound(221)


def test_a_folder_is_named_by_its_content_and_described_by_its_card(embedded, tmp_path):
    corpus = described(embedded)
    shutil.copytree(embedded, tmp_path / "other" / "embedded")
    copy = described(tmp_path / "other" / "embedded")
    assert corpus.name == copy.name
    assert corpus.name == f"hf-dataset:embedded@{corpus.version}"
    assert corpus.licence == "cc-by-4.0"
    (embedded / "README.md").write_text("another")
    assert described(embedded).name != corpus.name


def test_one_part_of_several_is_read(embedded, read):
    assert len(read(embedded, "split=validation")) == 4
    with pytest.raises(DataError, match=r"no part 'dev'. It has: train, validation"):
        read(embedded, "split=dev")


def test_a_folder_of_audio_has_its_table_beside(tmp_path, read):
    write_folder(tmp_path / "audio/train", METADATA)
    found = read(tmp_path / "audio")
    assert [one.label for one in found] == ["anger", "joy", "anger", "joy"]
    assert [one.gender for one in found] == ["female", "male", "female", "male"]
    assert found[0].id == "train/x0.wav"


def test_columns_are_mapped_by_name(tmp_path, read):
    metadata = METADATA.replace("label", "emotion").replace("speaker", "actor")
    write_folder(tmp_path / "audio/train", metadata)
    found = read(tmp_path / "audio", "label=emotion,speaker=actor,gender=none,id=actor")
    assert [(one.id, one.speaker) for one in found][:2] == [("s0", "s0"), ("s1", "s1")]
    assert found[0].gender is None
    with pytest.raises(DataError, match=r"no column 'label'. It has: emotion, actor"):
        read(tmp_path / "audio")


def test_numbers_are_columns_too(tmp_path, read):
    header, *lines = METADATA.splitlines()
    rated = [f"{line},{n}.5,2" for n, line in enumerate(lines)]
    table = "\n".join([f"{header},valence,act", *rated])
    write_folder(tmp_path / "audio/train", table)
    found = read(tmp_path / "audio", "arousal=act")
    assert [one.numbers["valence"] for one in found] == [0.5, 1.5, 2.5, 3.5]
    assert {one.numbers["arousal"] for one in found} == {2.0}
    with pytest.raises(DataError, match="no column 'anger'"):
        read(tmp_path / "audio", "dominance=anger")


def test_numbers_of_plugins_targets_are_columns_as_in_tables(tmp_path, read):
    header, *lines = METADATA.splitlines()
    rated = [f"{line},{n},{n}.5,7" for n, line in enumerate(lines)]
    table = "\n".join([f"{header},number:Age,snr,Height", *rated])
    write_folder(tmp_path / "audio/train", table)
    assert read(tmp_path / "audio")[1].numbers == {"age": 1.0}
    one = read(tmp_path / "audio", "numbers=snr:Height")[1]
    assert one.numbers == {"age": 1.0, "snr": 1.5, "height": 7.0}
    assert read(tmp_path / "audio", "numbers=none")[1].numbers == {}
    with pytest.raises(DataError, match=r"no column 'heights'.*Name one by numbers="):
        read(tmp_path / "audio", "numbers=heights")


def test_a_dataset_may_have_no_emotions(tmp_path, read):
    write_folder(tmp_path / "audio/train", METADATA.replace("label", "topic"))
    with pytest.raises(DataError, match="label=none reads it for other targets"):
        read(tmp_path / "audio")
    assert {one.label for one in read(tmp_path / "audio", "label=none")} == {""}


def test_a_folder_a_label_has_no_speakers_and_says_what_that_means(tmp_path, read):
    for number, label in enumerate(LABELS):
        (tmp_path / "audio" / label).mkdir(parents=True)
        for take in range(2):
            path = tmp_path / "audio" / label / f"{take}.wav"
            path.write_bytes(sound(200 + 50 * number + 9 * take))
    with pytest.raises(DataError, match=r"no column 'speaker'.*speaker=none reads it"):
        read(tmp_path / "audio")
    found = read(tmp_path / "audio", "speaker=none")
    assert {one.speaker for one in found} == {"not-stated"}
    assert [one.id for one in found] == [
        "train/0.wav",
        "train/000002-0.wav",
        "train/000003-1.wav",
        "train/1.wav",
    ]


@pytest.mark.parametrize("parts", [1, 2])
def test_what_save_to_disk_writes_is_read(tmp_path, embedded, parts, read):
    (path,) = (embedded / "data").glob("train*")
    table = datasets.Dataset(parquet.read_table(path))
    table = table.cast(table.features)
    saved = table if parts == 1 else datasets.DatasetDict(train=table, test=table)
    saved.save_to_disk(str(tmp_path / "saved"))
    assert len(read(tmp_path / "saved")) == 8 * parts


def test_audio_in_an_archive_is_read(tmp_path, read):
    folder = write_folder(tmp_path / "loose", METADATA)
    (tmp_path / "packed").mkdir()
    shutil.make_archive(str(tmp_path / "packed/train"), "zip", folder)
    assert read(tmp_path / "packed")[0].id == "train/x0.wav"


def test_one_configuration_of_several_is_chosen(tmp_path, read):
    lines = ["---", "configs:"]
    for name in ("de", "it"):
        write_parquet(tmp_path / "two" / name, "train", rows(count=4))
        lines += [f"- config_name: {name}", f"  data_files: {name}/*.parquet"]
    (tmp_path / "two/README.md").write_text("\n".join([*lines, "---", ""]))
    with pytest.raises(DataError, match=r"\['de', 'it'\]. Choose by config=NAME"):
        read(tmp_path / "two")
    assert len(read(tmp_path / "two", "config=it")) == 4


# ---------------------------------------------------------------- not trusted


@pytest.mark.parametrize(
    "files", ["https://example.org/x.parquet", "../other/*.parquet", "/etc/passwd"]
)
def test_a_card_that_names_data_elsewhere_is_refused(embedded, files, read):
    card = f"---\nconfigs:\n- config_name: x\n  data_files: '{files}'\n---\n"
    (embedded / "README.md").write_text(card)
    with pytest.raises(DataError, match="names data outside of itself"):
        read(embedded)


def test_a_link_that_leads_out_is_refused(tmp_path, read):
    folder = write_folder(tmp_path / "audio/train", METADATA)
    (tmp_path / "secret.wav").write_bytes(sound(100))
    (folder / "x0.wav").unlink()
    (folder / "x0.wav").symlink_to(tmp_path / "secret.wav")
    with pytest.raises(DataError, match="outside of itself"):
        read(tmp_path / "audio")


def test_a_row_that_leads_out_is_refused(tmp_path, embedded, read):
    (tmp_path / "secret.wav").write_bytes(sound(100))
    made = [one | {"audio": {"bytes": None, "path": "../secret.wav"}} for one in rows()]
    write_parquet(embedded / "data", "train", made)
    with pytest.raises(DataError, match="outside of itself"):
        read(embedded, "split=train")


@pytest.mark.parametrize("path", ["../../x.wav", "/tmp/x.wav", "..\\x.wav", "..", ""])
def test_no_name_of_audio_leads_out_of_where_it_is_unpacked(embedded, path, read):
    made = rows()
    made[0]["audio"] = {"bytes": sound(99), "path": path}
    write_parquet(embedded / "data", "train", made)
    found = read(embedded, "split=train")
    assert all(one.path.startswith("train/") for one in found)
    assert not any(".." in one.path for one in found)


def test_code_of_a_dataset_is_never_run(tmp_path, read):
    (tmp_path / "coded").mkdir()
    (tmp_path / "coded/coded.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(DataError, match="never run here"):
        read(tmp_path / "coded")


def test_pickles_and_unknown_files_are_not_opened(tmp_path, read):
    (tmp_path / "odd").mkdir()
    with zipfile.ZipFile(tmp_path / "odd/train.npz", "w") as file:
        file.writestr("x", b"")
    (tmp_path / "odd/train.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(DataError, match="Cannot read the dataset"):
        read(tmp_path / "odd")


def test_a_label_that_is_not_known_is_none_and_not_a_class(embedded, read):
    write_parquet(embedded / "data", "train", [*rows(), rows()[0] | {"label": None}])
    assert [one.label for one in read(embedded)].count("") == 1


def test_a_speaker_that_is_not_known_is_an_error(embedded, read):
    write_parquet(embedded / "data", "train", [*rows(), rows()[0] | {"speaker": None}])
    with pytest.raises(DataError, match=r"'speaker' is empty.*split=NAME"):
        read(embedded)


def test_ids_that_name_two_utterances_are_refused(embedded, read):
    with pytest.raises(DataError, match="the column 'speaker' names 'a' 4 times"):
        read(embedded, "id=speaker")


def test_without_the_library_the_message_says_what_to_install(
    embedded, read, monkeypatch
):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'speech-harness\[datasets\]'"):
        read(embedded)


# ---------------------------------------------------------------- by the program


def test_a_run_on_a_folder_unpacks_it_in_the_cache(harness, embedded, tmp_path):
    grid = ("--upstream", "toy", "--downstream", "linear", "--no-controls")
    where = ("--corpus", f"hf-dataset:{embedded}", "--split", "stratified")
    code, out, err = harness("run", *grid, *where, "--seeds", "0")
    assert code == 0, err
    assert "embedded@" in out
    assert list((tmp_path / "cache/hf-dataset").glob("embedded@*/rows.parquet"))
    assert harness("check", f"hf-dataset:{embedded}")[0] == 0


def test_a_name_without_a_commit_is_told_apart_from_one(harness):
    code, _, err = harness("corpus", "check", "hf-dataset:acme/emo")
    assert code == 2
    assert "'main' is no commit" in err
    assert "'harness corpus download hf-dataset:acme/emo@main'" in err


def test_an_option_that_is_none_is_named_with_those_that_are(harness, embedded):
    code, _, err = harness("corpus", "check", f"hf-dataset:{embedded}:spekaer=x")
    assert code == 2
    assert "Did you mean 'speaker'?" in err


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere", "a/b/c", "@main"])
def test_what_is_neither_a_folder_nor_an_id_is_refused(name):
    with pytest.raises(HarnessError, match="no such folder"):
        hub.harness_corpus(f"hf-dataset:{name}")


# ---------------------------------------------------------------- the hub


class Handler(http.server.SimpleHTTPRequestHandler):
    """Answers as the hub does of one dataset, at one commit."""

    def __init__(self, *args, served: Path, **named):
        self.served = served
        super().__init__(*args, **named)

    def do_GET(self):
        path = unquote(self.path.partition("?")[0])
        if "/commits/" in path:
            entry = {"id": COMMIT, "title": "", "date": "2026-01-01T00:00:00.000Z"}
            return self.answer([entry | {"message": "", "authors": []}])
        if "/tree/" in path:
            return self.answer(self.listed())
        if path.startswith("/api/datasets/acme/emo"):
            return self.answer(self.described())
        if "/resolve/" in path:
            file = self.served / path.partition(f"/resolve/{COMMIT}/")[2]
            return self.answer(file.read_bytes() if file.is_file() else None)
        return self.answer(None)

    do_HEAD = do_GET

    def listed(self):
        files = sorted(path for path in self.served.rglob("*") if path.is_file())
        return [
            {
                "type": "file",
                "path": one.relative_to(self.served).as_posix(),
                "size": one.stat().st_size,
                "oid": "0" * 40,
            }
            for one in files
        ]

    def described(self):
        names = [
            {"rfilename": one["path"], "size": one["size"]} for one in self.listed()
        ]
        card = {"license": "cc-by-4.0"}
        return {"id": "acme/emo", "sha": COMMIT, "siblings": names, "cardData": card}

    def answer(self, content):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def served(embedded, tmp_path, monkeypatch):
    """The hub, on this machine, with one dataset."""
    serve = functools.partial(Handler, served=embedded)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    constants = "huggingface_hub.constants"
    monkeypatch.setattr(f"{constants}.ENDPOINT", url)
    monkeypatch.setattr(
        f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE",
        url + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(f"{constants}.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(f"{constants}.HF_HUB_OFFLINE", False)
    yield embedded
    server.shutdown()
    server.server_close()


DOWNLOAD = ("corpus", "download", "hf-dataset:acme/emo@main")
PINNED = f"hf-dataset:acme/emo@{COMMIT[:12]}"


def test_a_download_pins_the_commit_and_says_the_name(
    served, harness, tones, monkeypatch
):
    (served / "read_me.py").write_text("raise SystemExit")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, out, err = harness(*DOWNLOAD)
    assert code == 2
    assert "licence   cc-by-4.0" in out
    assert "--accept-licence" in err
    code, out, err = harness(*DOWNLOAD, "--accept-licence")
    assert code == 0, err
    assert f"use       harness run … --corpus {PINNED}" in out
    root = tones.parent / "hf-dataset" / f"acme--emo@{COMMIT[:12]}"
    assert (root / "rows.parquet").is_file()
    assert not list(root.rglob("*.py"))
    code, out, _ = harness("corpus", "check", PINNED)
    assert code == 0
    assert "12 utterances of 4 speakers, 2 labels" in out
    assert "complete at" in harness(*DOWNLOAD)[1]


def test_a_run_downloads_nothing(served, harness, tmp_path):
    code, _, err = harness(
        *("run", "--upstream", "toy", "--downstream", "linear", "--corpus", PINNED)
    )
    assert code == 2
    assert f"'harness corpus download {PINNED}' fetches it." in err
    assert not (tmp_path / "hub").exists()


def test_an_abbreviated_commit_is_completed(served, harness):
    code, _, err = harness("corpus", "download", PINNED, "--accept-licence")
    assert code == 0, err


def test_a_dataset_with_code_of_its_own_is_refused(served, harness):
    (served / "emo.py").write_text("raise SystemExit")
    code, _, err = harness(*DOWNLOAD, "--accept-licence")
    assert code == 2
    assert "never run here" in err
    assert "refs/convert/parquet" in err


def test_offline_is_honoured(served, harness, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, _, err = harness(*DOWNLOAD)
    assert code == 2
    assert "Cannot download acme/emo at main" in err
