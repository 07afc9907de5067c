"""What ``harness publish`` would send, what it sends, and what it never does."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from harness_leaderboard.publish import model
from harness_leaderboard.publish.private import Private
from harness_leaderboard.results.store import write_result
from ratings import ratings
from study import SPEAKERS, predicted, put, study

from harness.errors import HarnessError
from harness.training.metrics import macro_f1

HOST = "lab-machine-7"
USER = "ludwig"
TESTED = tuple(f"s{number}" for number in range(SPEAKERS))
BENCHMARK = ("--benchmark", "emodb=acme/emodb-bench:emodb-loso")
MODEL = ("model", "acme/wave", "--upstream", "whisper", "--downstream", "probe")


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine and a user whose names are known."""
    monkeypatch.setattr("socket.gethostname", lambda: f"{HOST}.example.org")
    monkeypatch.setattr("getpass.getuser", lambda: USER)
    monkeypatch.setattr(Path, "home", lambda: Path("/home") / USER)


@pytest.fixture
def results(make_result):
    made = study(make_result, downstream_plugin="")
    return [replace(one, speakers_test=TESTED) for one in made]


@pytest.fixture
def store(runs):
    def store(results):
        for one in results:
            write_result(one, runs)

    return store


@pytest.fixture
def publish(harness, results, store):
    """Publish the study, with ``put`` at a path of its first result."""

    def publish(*arguments, **planted):
        changed = results[0]
        for path, value in planted.items():
            changed = put(changed, tuple(path.split("__")), value)
        store([changed, *results[1:]])
        return harness("publish", *arguments)

    return publish


class Hub:
    """Stands in for ``HfApi``, and notes what it is sent."""

    sent: dict[str, bytes]

    def __init__(self):
        self.noted = []
        self.sent = {}
        self.fault = None

    def create_repo(self, repository, **named):
        self.noted.append(("repository", repository, named))

    def create_commit(self, repository, operations, **named):
        if self.fault:
            raise self.fault
        self.noted.append(("commit", repository, named))
        self.sent = {one.path_in_repo: one.path_or_fileobj for one in operations}
        url = f"https://huggingface.co/{repository}/discussions/1"
        pull = url if named["create_pr"] else None
        return type("Info", (), {"pr_url": pull})()


@pytest.fixture
def hub(monkeypatch):
    hub = Hub()
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: hub)
    return hub


# ---------------------------------------------------------------- a dry run


@pytest.mark.parametrize("form", [("page",), ("results",), (*MODEL, *BENCHMARK)])
def test_a_dry_run_shows_every_file_and_sends_nothing(publish, hub, form, tmp_path):
    code, out, err = publish(*form)
    assert code == 0, err
    assert "https://huggingface.co/" in out
    assert re.search(r"^file  \S+, \d+", out, re.MULTILINE)
    assert "Nothing was sent" in err
    assert hub.noted == []
    assert not (tmp_path / "site").exists()


def test_a_page_is_a_static_space(publish, tmp_path):
    assert publish("page", "--out", "site", "--title", "Mine")[0] == 0
    _, top, _ = (tmp_path / "site/README.md").read_text("utf-8").split("---\n", 2)
    assert yaml.safe_load(top)["sdk"] == "static"
    assert yaml.safe_load(top)["title"] == "Mine"
    assert "whisper" in (tmp_path / "site/index.html").read_text("utf-8")


def test_a_dataset_is_read_by_the_library_of_the_hub(publish):
    datasets = pytest.importorskip("datasets")
    assert publish("results", "--out", "made", "--licence", "cc-by-4.0")[0] == 0
    made = str(Path("made").absolute())
    cache = str(Path("cache-of-datasets").absolute())
    read = {
        name: datasets.load_dataset(made, name, split="train", cache_dir=cache)
        for name in ("results", "predictions")
    }
    assert len(read["results"]) == 12
    assert len(read["predictions"]) == 12 * 60
    row = read["results"][0]
    assert {"upstream", "scores_macro_f1", "control", "corpus_manifest"} <= set(row)
    assert set(read["predictions"][0]) >= {"utterance", "label", "scores", "labels"}


def test_a_card_says_what_is_in_it(publish, tmp_path):
    assert publish("results", "--out", "made")[0] == 0
    card = (tmp_path / "made/README.md").read_text("utf-8")
    top = yaml.safe_load(card.split("---\n")[1])
    assert [one["config_name"] for one in top["configs"]] == ["results", "predictions"]
    assert "license" not in top
    assert "None is stated" in card
    assert "12 results" in card
    table = pq.read_table(tmp_path / "made/results.parquet")
    named = re.findall(r"^\| `(\w+)` \|", card, re.MULTILINE)
    assert set(named) - {"results"} <= set(table.column_names)


def test_validation_predictions_are_a_table_of_their_own_where_there_are_any(
    make_result, runs, publish, tmp_path
):
    result = make_result()
    stored = replace(result, valid_predictions=result.predictions)
    write_result(stored, runs)
    assert publish("results", "--out", "made")[0] == 0
    card = (tmp_path / "made/README.md").read_text("utf-8")
    assert "`valid_predictions` has the same" in card
    table = pq.read_table(tmp_path / "made/valid_predictions.parquet")
    assert table["speaker"].to_pylist() == ["10", "10"]
    assert pa.types.is_string(table.schema.field("language").type)


def test_predictions_can_be_left_out(publish, tmp_path):
    assert publish("results", "--out", "made", "--no-predictions")[0] == 0
    assert not (tmp_path / "made/predictions.parquet").exists()
    card = (tmp_path / "made/README.md").read_text("utf-8")
    assert "predictions.parquet" not in card
    table = pq.read_table(tmp_path / "made/results.parquet")
    assert not {"skipped", "speakers_test"} & set(table.column_names)


# ---------------------------------------------------------------- a model's scores

SCHEMA = {
    "dataset": {"id", "task_id", "revision"},
    "source": {"url", "name", "user", "org"},
}
FIELDS = {"dataset", "value", "verifyToken", "date", "source", "notes"}
"""https://huggingface.co/docs/hub/eval-results; dataset.id, task_id and value are
required, and of a source its url."""


def test_an_entry_has_the_documented_fields_and_no_others(publish, tmp_path):
    source = "https://huggingface.co/datasets/acme/results"
    code, _, err = publish(*MODEL, *BENCHMARK, "--source", source, "--out", "made")
    assert code == 0, err
    (path,) = (tmp_path / "made/.eval_results").glob("*.yaml")
    (entry,) = yaml.safe_load(path.read_text("utf-8"))
    assert {"dataset", "value"} <= set(entry) <= FIELDS
    for name, fields in SCHEMA.items():
        assert set(entry[name]) <= fields
    assert entry["dataset"] == {"id": "acme/emodb-bench", "task_id": "emodb-loso"}
    assert 0 < entry["value"] < 100
    assert entry["date"] == "2025-01-01"
    assert entry["source"]["url"] == source
    assert "head probe" in entry["notes"]
    hub = pytest.importorskip("huggingface_hub")
    (read,) = hub.parse_eval_result_entries([entry])
    assert hub.eval_result_entries_to_yaml([read]) == [entry]


def test_the_value_is_the_mean_over_seeds(publish, results, tmp_path):
    publish(*MODEL, *BENCHMARK, "--out", "made")
    scores = [
        one.scores["macro_f1"]
        for one in results
        if one.condition.downstream.name == "probe"
        and one.condition.corpus.name == "emodb"
    ]
    (path,) = (tmp_path / "made/.eval_results").glob("*.yaml")
    (entry,) = yaml.safe_load(path.read_text("utf-8"))
    assert entry["value"] == pytest.approx(100 * sum(scores) / 2, abs=0.01)
    assert "2 seeds" in entry["notes"]


def test_a_paragraph_for_the_card_is_written_and_never_sent(publish, hub, tmp_path):
    assert publish(*MODEL, *BENCHMARK, "--out", "made", "--push")[0] == 0
    text = (tmp_path / "made/card-paragraph.md").read_text("utf-8")
    assert "| emodb | emotion | de | speaker-independent | yes |" in text
    assert list(hub.sent) == [".eval_results/speech-harness-emodb-probe.yaml"]


def test_without_a_benchmark_there_is_a_paragraph_and_nothing_to_send(publish):
    code, out, err = publish(*MODEL)
    assert code == 0
    assert "──── card-paragraph.md" in out
    assert "by --benchmark" in err


def test_scores_are_proposed_as_a_pull_request(publish, hub):
    code, out, _ = publish(*MODEL, *BENCHMARK, "--push")
    assert code == 0
    ((_, repository, named),) = hub.noted
    assert repository == "acme/wave"
    assert named["create_pr"]
    assert "Sent: https://huggingface.co/acme/wave/discussions/1" in out


def test_a_score_says_its_interval_where_there_is_one(publish, tmp_path):
    publish(*MODEL, *BENCHMARK, "--out", "made")
    (path,) = (tmp_path / "made/.eval_results").glob("*.yaml")
    (entry,) = yaml.safe_load(path.read_text("utf-8"))
    ((low, high),) = re.findall(r"interval \[(\d+), (\d+)\]", entry["notes"])
    assert int(low) < entry["value"] < int(high)
    card = (tmp_path / "made/card-paragraph.md").read_text("utf-8")
    assert f"| [{low}, {high}] |" in card


def test_a_metric_that_reads_scores_has_no_interval(publish, results, monkeypatch):
    odd = replace(macro_f1, of_confusion=False)
    assert model._intervals(None, odd, []) == {}


# ---------------------------------------------------------------- numbers


@pytest.fixture
def rated(make_result, store):
    """Results of arousal on two corpora, by a head that others may publish."""
    made = ratings(make_result, downstream_plugin="")
    store(made)
    return made


@pytest.mark.parametrize("metric", ["ccc", "rmse"])
def test_scores_of_numbers_are_in_the_units_of_their_metric(
    metric, rated, harness, tmp_path
):
    system = ("--upstream", "whisper", "--downstream", "linear")
    words = (*system, *BENCHMARK, "--metric", metric, "--out", "made")
    code, _, err = harness("publish", "model", "acme/wave", *words)
    assert code == 0, err
    (path,) = (tmp_path / "made/.eval_results").glob("*.yaml")
    assert path.name == "speech-harness-emodb-arousal-linear.yaml"
    (entry,) = yaml.safe_load(path.read_text("utf-8"))
    scores = [
        one.scores[metric]
        for one in rated
        if one.condition.downstream.name == "linear"
        and one.condition.upstream.name == "whisper"
        and one.condition.corpus.name == "emodb"
    ]
    factor, unit = {"ccc": (100, "percent"), "rmse": (1, "the units of the target")}[
        metric
    ]
    mean = factor * sum(scores) / len(scores)
    assert entry["value"] == pytest.approx(mean, rel=1e-3)
    assert f"in {unit} of the head" in entry["notes"]
    assert "target arousal" in entry["notes"]
    low, high = re.findall(r"interval \[([-\d.]+), ([\d.]+)\]", entry["notes"])[0]
    assert float(low) < entry["value"] < float(high)
    card = (tmp_path / "made/card-paragraph.md").read_text("utf-8")
    assert card.startswith("### Arousal in the frozen model")
    assert f", in {unit}, with its" in card
    assert f"| [{low}, {high}] |" in card


def test_without_a_metric_numbers_alone_are_published_by_their_own(
    rated, harness, make_result, store
):
    words = ("model", "acme/wave", "--upstream", "whisper", "--downstream", "linear")
    code, out, _ = harness("publish", *words)
    assert code == 0
    assert "reaches the CCC below, in percent" in out
    named = {"upstream": "whisper", "downstream": "linear", "downstream_plugin": ""}
    other = predicted(make_result(**named, corpus="aesdd"), 0.9)
    store([replace(other, speakers_test=TESTED)])
    _, _, err = harness("publish", *words)
    assert "4 results of numbers (arousal): --metric ccc shows them" in err


def test_a_card_names_what_is_predicted(rated, harness, results, store, tmp_path):
    for name, form in (("Arousal", "page"), ("Arousal and emotion", "results")):
        assert harness("publish", form, "--out", form)[0] == 0
        card = (tmp_path / form / "README.md").read_text("utf-8")
        assert f"# {name} in frozen speech models" in card
        store(results)
    assert "scores_macro_f1.mean()" in card
    assert "speech-emotion-recognition" in card
    words = ("--only", "target=arousal", "--out", "numbers")
    assert harness("publish", "results", *words)[0] == 0
    card = (tmp_path / "numbers/README.md").read_text("utf-8")
    assert "scores_ccc.mean()" in card
    assert "emotion" not in card.partition("## Citation")[0]


def test_what_would_be_sent_is_printed_for_programs(publish, hub):
    code, out, _ = publish(*MODEL, *BENCHMARK, "--format", "json")
    assert code == 0
    said = json.loads(out)
    assert said["to"] == "https://huggingface.co/acme/wave"
    assert [one["beside"] for one in said["files"]] == [False, True]
    assert yaml.safe_load(said["files"][0]["text"])[0]["value"] > 0
    assert said["sent"] is None
    _, out, _ = publish(*MODEL, *BENCHMARK, "--format", "json", "--push")
    assert json.loads(out)["sent"].endswith("/acme/wave/discussions/1")


def test_a_control_is_no_score_of_a_model(publish):
    code, _, err = publish(
        "model", "acme/x", "--upstream", "whisper", "--downstream", "chance"
    )
    assert code == 2
    assert "chance is a control" in err


def test_a_model_does_not_get_the_scores_of_another(publish):
    system = ("--upstream", "whisper-base", "--downstream", "linear")
    code, _, err = publish("model", "acme/other", *system)
    assert code == 2
    assert "whisper-base is openai/whisper-base, and not acme/other" in err


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ({"scores": {"macro_f1": 0.99}}, "macro_f1 is 0.990000"),
        ({"training__warnings": ("padding leaks",)}, "a rule is broken"),
        ({"speakers_train": ("s0",)}, "were trained on"),
    ],
)
def test_what_is_not_verified_is_not_published(publish, results, planted, said):
    results.sort(key=lambda one: one.condition.downstream.name != "probe")
    code, _, err = publish(*MODEL, *BENCHMARK, **planted)
    assert code == 2
    assert said in err


def test_folds_that_lack_one_are_not_published(publish, results):
    results[:] = [put(one, ("condition", "corpus", "folds"), 4) for one in results]
    code, _, err = publish(*MODEL, *BENCHMARK)
    assert code == 2
    assert "has 1 of 4 folds" in err


def test_a_benchmark_is_one_of_a_corpus_that_has_a_score(publish):
    code, _, err = publish(*MODEL, "--benchmark", "emovo=acme/x:y")
    assert code == 2
    assert "'emovo'" in err
    code, _, err = publish(*MODEL, "--benchmark", "emodb")
    assert "is not like CORPUS=OWNER/DATASET:TASK" in err


# ---------------------------------------------------------------- private

UPSTREAM = "condition__upstream__name"
CORPUS = "condition__corpus__trained"
PLANTED = [
    {UPSTREAM: f"hf:/home/{USER}/models/mine"},
    {CORPUS: (f"csv:/home/{USER}/study/table.csv",)},
    {"skipped": (f"/data/{USER}/a.wav: truncated",)},
    {"training__warnings": (f"x failed at C:\\Users\\{USER}\\x.py",)},
    {"training__plugins": {"upstream": "mine at \\\\fileserver\\share\\x.py"}},
    {"training__revision": f"file:///srv/{USER}/x"},
    {"extraction__devices": ("~/secret/cuda",)},
]


def everything(folder: Path) -> str:
    """All text of a folder, also that within Parquet."""
    said = []
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            said.append(json.dumps(pq.read_table(path).to_pylist()))
        elif path.is_file():
            said.append(path.read_text("utf-8"))
    return "\n".join(said)


@pytest.mark.parametrize(
    ("form", "planted"),
    [("page", PLANTED[0]), ("page", PLANTED[1]), *(("results", p) for p in PLANTED)],
    ids=lambda one: one if isinstance(one, str) else next(iter(one)),
)
def test_no_path_leaves_the_machine(publish, form, planted, tmp_path):
    code, out, err = publish(form, "--out", "made", **planted)
    assert code == 0, err
    assert re.search(r"^cut   .* to \S+$", out, re.MULTILINE)
    text = everything(tmp_path / "made")
    for word in (USER, "/home/", "/srv/", "C:\\\\Users", "fileserver", "~/secret"):
        assert word not in text


@pytest.mark.parametrize("name", [USER, HOST, HOST.upper(), f"{HOST}.example.org"])
def test_a_name_of_user_or_machine_is_refused(publish, name, hub, tmp_path):
    planted = {"training__device": f"cuda on {name}"}
    send = ("--out", "made", "--push")
    for form in (("page", "--to", "a/b"), ("results", "--to", "a/b"), MODEL):
        code, _, err = publish(*form, *send, **planted)
        assert code == 2
        assert "in the column 'training.device'" in err
        assert "--allow" in err
    assert hub.noted == []
    assert not (tmp_path / "made").exists()


def test_a_name_that_may_be_read_is_allowed(publish):
    planted = {"training__device": f"cuda on {USER}"}
    assert publish("results", "--allow", USER, **planted)[0] == 0


def test_two_files_with_one_name_stay_two():
    private = Private(names=frozenset())
    one, other = private.clean(["/a/x.wav", "/b/x.wav"])
    assert one == "x.wav"
    assert re.fullmatch(r"x\.wav~[0-9a-f]{6}", other)
    assert private.clean("/a/x.wav") == one


@pytest.mark.parametrize(
    "text",
    ["n/a", "wav/03a01Fa.wav", "openai/whisper-base", "https://zenodo.org/x", "a → b"],
)
def test_what_is_no_path_stays(text):
    assert Private(names=frozenset({"who"})).clean(text) == text


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("csv:/Users/x/my data/t.csv", "csv:t.csv"),
        ("C:\\Users\\x\\t.csv", "t.csv"),
        ("csv:~/x/t.csv", "csv:t.csv"),
        ("read '/a/b.wav', then /c/d.wav", "read 'b.wav', then d.wav"),
        ("file:///a/b", "b"),
    ],
)
def test_a_path_is_cut_to_its_last_part(text, cut):
    assert Private(names=frozenset()).clean(text) == cut


def test_a_text_that_names_a_folder_of_the_user_is_refused():
    with pytest.raises(HarnessError, match=f"holds the path /home/{USER}"):
        Private.here().refuse_paths("index.html", f"<p>/home/{USER}/x</p>")


# ---------------------------------------------------------------- sending


@pytest.mark.parametrize(("form", "kind"), [("page", "space"), ("results", "dataset")])
def test_a_push_makes_the_repository_and_sends_what_was_shown(
    publish, hub, form, kind, tmp_path
):
    where = ("--to", "acme/board", "--private", "--push", "--out", "made")
    code, out, err = publish(form, *where)
    assert code == 0, err
    (_, _, made), (_, repository, sent) = hub.noted
    assert made["private"]
    assert made["space_sdk"] == ("static" if kind == "space" else None)
    assert (repository, sent["repo_type"]) == ("acme/board", kind)
    for name, content in hub.sent.items():
        assert (tmp_path / "made" / name).read_bytes() == content
        assert f"file  {name}, " in out
    assert not any(name.endswith((".wav", ".flac", ".mp3")) for name in hub.sent)


def test_a_push_needs_to_know_where_to(publish, hub):
    code, _, err = publish("page", "--push")
    assert code == 2
    assert "--to OWNER/NAME" in err
    assert "--benchmark" in publish(*MODEL, "--push")[2]
    assert hub.noted == []


def test_what_the_hub_refuses_is_a_sentence_with_the_next_step(publish, hub):
    hub.fault = OSError("401 Unauthorized")
    code, _, err = publish("page", "--push", "--to", "a/b")
    assert code == 2
    assert "a/b was not changed: 401 Unauthorized" in err
    assert "hf auth login" in err


def test_only_the_results_that_are_asked_for_are_published(publish, tmp_path):
    publish("results", "--only", "corpus=emodb", "--out", "made")
    table = pq.read_table(tmp_path / "made/results.parquet")
    assert set(map(tuple, table["corpus_trained"].to_pylist())) == {("emodb",)}
