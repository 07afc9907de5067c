"""Runs on perturbed recordings: what is extracted, trained on and tested."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy
import pytest
import torch
from toys import TOY, ToyPlugin

from harness import HarnessError, Perturbation, hookimpl
from harness.data import stored
from harness.execution.executors import Serial
from harness.execution.scheduler import run_tasks
from harness.execution.tasks import work_of, write_payloads
from harness.features.extraction import Extraction, extract, store_of
from harness.registry import Registry
from harness.training.task import Training
from harness.types import Result

CALLS: Counter[str] = Counter()


def add_hiss(speech):
    CALLS["hiss"] += 1
    drawn = speech.random.standard_normal(len(speech.waveform), "float32")
    return speech.waveform + 0.3 * torch.from_numpy(drawn)


class Hiss:
    @hookimpl
    def harness_perturbations(self):
        yield Perturbation(name="hiss", summary="", apply=add_hiss)


@pytest.fixture(autouse=True)
def hiss(manager):
    CALLS.clear()
    manager.register(Hiss())


@pytest.fixture
def work(manager):
    def work(plan):
        return work_of(plan, Registry.of(manager), device="cpu", quiet=True)

    return work


@pytest.fixture
def results(plan, work):
    """Do a plan; return its results, by (perturbation, fold)."""

    def results(**asked):
        planned = plan(**asked)
        write_payloads(planned)
        found = {}
        for outcome in run_tasks(work(planned).tasks, Serial(), window=1):
            assert outcome.error is None, outcome.error
            if isinstance(outcome.value, Result):
                of = outcome.value.condition.perturbation
                found[str(of) if of else "clean", outcome.value.fold] = outcome.value
        return found

    return results


def trainings(work):
    return [t.payload for t in work.tasks if isinstance(t.payload, Training)]


def features(task, corpus):
    places = task.use.places
    return {one.key for one in stored.load(places, corpus).recordings}


# ---------------------------------------------------------------- what is read


def test_the_test_part_is_perturbed_and_the_others_are_clean(plan, work):
    planned = plan(perturb=("hiss",))
    write_payloads(planned)
    (task,) = trainings(work(planned))
    clean = {one.key for one in planned.pairs[0].manifest.recordings}
    assert features(task, task.corpus) == clean
    (fold,) = planned.pairs[0].division.split.folds
    tested = stored.load(task.use.places, task.tested)
    assert {one.utterance.id for one in tested.recordings} == set(fold.test)
    assert all(one.perturbation for one in tested.recordings)


def test_all_parts_are_perturbed_where_that_is_asked_for(plan, work):
    planned = plan(perturb=("hiss",), perturb_parts="all")
    write_payloads(planned)
    (task,) = trainings(work(planned))
    recordings = stored.load(task.use.places, task.corpus).recordings
    assert task.corpus == task.tested
    assert len(recordings) == 40
    assert all(one.perturbation for one in recordings)


def test_the_head_is_the_same_and_its_test_another(results):
    found = results(perturb=("clean", "hiss"))
    clean, hissed = found["clean", "0"], found["hiss", "0"]
    assert clean.history == hissed.history
    assert [one.utterance for one in clean.predictions] == [
        one.utterance for one in hissed.predictions
    ]
    assert [one.scores for one in clean.predictions] != [
        one.scores for one in hissed.predictions
    ]


# ---------------------------------------------------------------- conditions


def test_a_clean_cell_has_the_name_that_it_has_without_the_option(plan):
    alone, among = plan(), plan(perturb=("hiss", "clean"))
    assert {one.run_id for one in alone.cells} < {one.run_id for one in among.cells}


def test_a_perturbation_and_its_parts_are_of_the_condition(plan):
    cells = [
        *plan(perturb=("noise:snr=10", "noise:snr=20", "clean")).cells,
        *plan(perturb=("noise:snr=10",), perturb_parts="all").cells,
    ]
    assert len({one.run_id for one in cells}) == 4
    said = [one.condition.perturbation for one in cells]
    assert [str(one) for one in said] == [
        *("noise:snr=10", "noise:snr=20", "None", "noise:snr=10 (all parts)")
    ]
    assert str(cells[0]).endswith("noise:snr=10")


def test_names_that_mean_the_same_are_one(plan):
    assert len(plan(perturb=("noise", "noise:snr=20", "noise:snr=20.0")).cells) == 1


# ---------------------------------------------------------------- extracted once


def test_a_recording_is_perturbed_once_whatever_the_folds_and_heads(results):
    found = results(
        perturb=("hiss",), split="loso", downstream="linear,majority", seeds=(0, 1)
    )
    assert CALLS["hiss"] == 40
    assert len(found) == 5


def test_what_is_stored_is_found_by_another_command(results, plan):
    results(perturb=("clean", "hiss"), split="loso")
    (pair,) = plan(perturb=("hiss",), split="loso", downstream="nonlinear").pairs
    assert {one.perturbation == "" for one in pair.missing} == {True, False}  # frames
    (pair,) = plan(perturb=("hiss",), split="kfold", folds=5).pairs
    assert pair.missing == ()
    (pair,) = plan(perturb=("hiss",), perturb_parts="all").pairs
    assert pair.missing == ()


def test_clean_features_are_those_of_ordinary_runs(results, plan, work):
    results()
    planned = plan(perturb=("hiss",))
    extractions = [t for t in work(planned).tasks if t.function is extract]
    (fold,) = planned.pairs[0].division.split.folds
    assert sum(t.payload.last - t.payload.first for t in extractions) == len(fold.test)
    assert {one.utterance.id for one in planned.pairs[0].missing} == set(fold.test)


def test_pairs_of_several_perturbations_share_the_clean_features(plan, work):
    planned = plan(perturb=("clean", "hiss", "noise"), split="loso")
    stages = {t.stage for t in work(planned).tasks if t.function is extract}
    assert len(stages) == 3


def test_features_that_are_gone_are_extracted_again(plan, work, results):
    planned = plan(perturb=("hiss",))
    write_payloads(planned)
    (task,) = [t for t in work(planned).tasks if isinstance(t.payload, Training)]
    from harness.training.task import train

    result = train(task.payload)
    assert len(result.predictions) == CALLS["hiss"]


def test_the_samples_are_the_same_in_any_batch(plan, work):
    """Extracted one by one and in one task, in an order of its own."""
    planned = plan(perturb=("hiss",), perturb_parts="all")
    write_payloads(planned)
    (pair,) = planned.pairs
    use = trainings(work(planned))[0].use
    keys = [one.key for one in pair.perturbed.recordings]
    read = []
    for places in ([(n, n + 1) for n in reversed(range(40))], [(0, 40)]):
        for first, last in places:
            extract(
                Extraction(
                    use=use,
                    corpus=trainings(work(planned))[0].corpus,
                    first=first,
                    last=last,
                    kinds=("pooled",),
                    perturber=pair.perturbed.by,
                )
            )
        store = store_of(pair.condition, planned.request.cache)
        read.append(store.read("pooled", keys).stacked(keys).clone())
        store.drop("pooled", keys)
    assert torch.equal(*read)


# ---------------------------------------------------------------- limits


def test_clips_that_get_too_short_for_the_model_are_left_out(plan, manager):
    class Longer(ToyPlugin):
        @hookimpl
        def harness_upstreams(self):
            yield dataclasses.replace(TOY, name="long", min_seconds=0.31)

    manager.unregister(name="toy-plugin")
    manager.register(Longer())
    asked = {"upstream": "long", "skip_bad": True}
    (clean,) = plan(**asked).pairs
    (fast,) = plan(**asked, perturb=("speed:factor=1.2",)).pairs
    (slow,) = plan(**asked, perturb=("speed:factor=0.5",)).pairs
    assert len(clean.manifest.recordings) == len(slow.manifest.recordings) == 40
    assert len(fast.manifest.recordings) == 33  # of 0.372 s and more


def test_vectors_that_were_made_elsewhere_are_not_perturbed(harness, tmp_path):
    harness("features", "export", "--upstream", "toy", "--corpus", "tones")
    code, _, err = harness(
        *("run", "--upstream", "features:toy-tones.npz", "--corpus", "tones"),
        *("--downstream", "linear", "--perturb", "noise"),
    )
    assert code == 2
    assert "--perturb changes nothing of 'features:toy-tones'" in err


def test_parts_of_nothing_are_refused(harness):
    code, _, err = harness(
        *("run", "--upstream", "toy", "--corpus", "tones", "--downstream", "linear"),
        *("--perturb-parts", "all"),
    )
    assert code == 2
    assert "changes nothing without --perturb" in err


def test_an_unknown_perturbation_suggests_a_near_one(plan):
    with pytest.raises(HarnessError, match="Did you mean 'noise'"):
        plan(perturb=("noize",))


# ---------------------------------------------------------------- the command line


GRID = (
    *("--upstream", "toy", "--corpus", "tones", "--downstream", "linear"),
    *("--executor", "serial", "--no-controls"),
)


def test_a_plan_says_what_is_extracted_more(harness):
    _, out, _ = harness("plan", *GRID, "--split", "loso", "--perturb", "clean,hiss")
    assert "perturbed ones. Each is extracted once" in out
    rows = [line.split() for line in out.splitlines() if line.startswith("toy")]
    assert [row[3] for row in rows] == ["clean", "hiss"]
    _, out, _ = harness("plan", *GRID)
    assert "perturbed" not in out


def test_a_suite_may_perturb(harness, tmp_path):
    (tmp_path / "mine.toml").write_text(
        'perturb = ["clean", "noise:snr=5"]\nperturb_parts = "all"\n'
        '[[grid]]\nupstreams = ["toy"]\ndownstreams = ["linear"]\n'
        'corpora = ["tones"]\n'
    )
    _, out, err = harness(
        "plan", "--suite", "mine.toml", "--no-controls", "--format", "json"
    )
    assert '"perturbed": "noise:snr=5 (all parts)"' in out, err


def test_what_babble_mixes_into_training_is_said(harness):
    asked = ("plan", *GRID, "--perturb", "babble:talkers=2")
    assert "speak in the background" in harness(*asked, "--perturb-parts", "all")[2]
    assert "speak in the background" not in harness(*asked)[2]


def test_perturbed_features_are_listed_and_pruned(harness):
    assert harness("run", *GRID, "--perturb", "clean,hiss", "--quiet")[0] == 0
    _, listed, _ = harness("cache")
    (row,) = [line for line in listed.splitlines() if line.startswith("toy-")]
    tested = CALLS["hiss"]
    assert str(40 + tested) in row.split()
    harness("cache", "prune", "--all")
    harness("run", *GRID, "--perturb", "hiss", "--again", "all", "--quiet")
    assert CALLS["hiss"] == 2 * tested


def test_clean_results_are_chosen_by_what_boards_call_them(harness):
    harness("run", *GRID, "--perturb", "clean,hiss", "--quiet")
    for word in ("clean", "none", "None"):
        _, out, _ = harness("runs", "list", "--only", f"perturbation={word}")
        assert "hiss" not in out
        assert "toy" in out
    _, out, _ = harness("runs", "list", "--only", "perturbation=clean,hiss")
    assert "hiss" in out
    _, out, _ = harness("runs", "list", "--only", "test_corpus=none")
    assert "toy" in out
    code, _, err = harness("runs", "list", "--only", "perturbation=hum")
    assert code == 2
    assert "clean, hiss" in err
    code, _, err = harness("runs", "list", "--only", "feeding=none")
    assert code == 2


FILE = ("--upstream", "toy", "--corpus", "tones", "--quiet", "--executor", "serial")


def exported(harness, path, *more):
    out = ("--out", str(path))
    code, _, err = harness("features", "export", *FILE, *out, *more)
    assert code == 0, err
    with numpy.load(path) as file:
        return dict(file)


def test_perturbed_features_are_exported_and_say_so(harness, tmp_path):
    clean = exported(harness, tmp_path / "clean.npz")
    assert "perturbation" not in json.loads(str(clean["condition"]))
    hiss = exported(harness, tmp_path / "hiss.npz", "--perturb", "hiss")
    assert CALLS["hiss"] == 40
    assert (hiss["id"] == clean["id"]).all()
    assert not numpy.allclose(hiss["features"], clean["features"])
    assert json.loads(str(hiss["condition"]))["perturbation"]["name"] == "hiss"
    run = ("run", *GRID, "--perturb", "hiss", "--perturb-parts", "all", "--quiet")
    assert harness(*run)[0] == 0
    assert CALLS["hiss"] == 40  # nothing is extracted twice
    again = exported(harness, tmp_path / "again.npz", "--perturb", "clean")
    assert (again["features"] == clean["features"]).all()


def test_one_file_has_the_features_of_one_perturbation(harness):
    export = ("features", "export", "--upstream", "toy", "--corpus", "tones")
    code, _, err = harness(*export, "--perturb", "clean,hiss")
    assert code == 2
    assert "Call this once for each" in err
    assert harness(*export, "--perturb", "noise:snr=5", "--quiet")[0] == 0
    assert Path("toy-tones-noise-snr-5.npz").exists()
    code, _, err = harness(
        *("features", "export", "--upstream", "features:toy-tones-noise-snr-5.npz"),
        *("--corpus", "tones", "--perturb", "hiss"),
    )
    assert code == 2
    assert "--perturb changes nothing of" in err


def test_a_limit_is_of_exported_features_too(harness, tmp_path):
    assert len(exported(harness, tmp_path / "few.npz", "--limit", "8")["id"]) == 8


def test_python_takes_the_option(tones, tmp_path, monkeypatch):
    import harness

    monkeypatch.setenv("HARNESS_DATA", str(tones.parent))
    found = harness.run(
        plugins=[ToyPlugin(), Hiss()],
        upstream="toy",
        downstream="linear",
        corpus="tones",
        controls=False,
        perturb=["clean", "hiss"],
        executor="serial",
        cache=tmp_path / "cache",
        runs=tmp_path / "runs",
        quiet=True,
    )
    table = found.results
    assert sorted(map(str, table["perturbation"].to_pylist())) == ["None", "hiss"]
    features = harness.features(
        "toy",
        "tones",
        plugins=[ToyPlugin(), Hiss()],
        perturb="hiss",
        executor="serial",
        cache=tmp_path / "cache",
        quiet=True,
    )
    assert "perturbed by hiss" in repr(features)
    assert features.array.shape[0] == 40


def test_the_perturbation_of_contributing_works_as_it_stands(harness, manager):
    import re
    import types
    from pathlib import Path

    text = (Path(__file__).parents[3] / "CONTRIBUTING.md").read_text("utf-8")
    section = text.partition("## Add a perturbation\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(code.splitlines()) <= 30
    module = types.ModuleType("mine")
    exec(compile(code, "CONTRIBUTING.md", "exec", dont_inherit=True), vars(module))
    manager.register(module, name="mine")
    asked = ("--perturb", "clean,hum,hum:hertz=60", "--quiet")
    assert harness("run", *GRID, *asked, "--split", "loso")[0] == 0
    _, out, _ = harness("leaderboard", "--view", "robustness", "--format", "csv")
    assert "hum:hertz=50" in out
    assert "hum:hertz=60" in out
    _, listed, _ = harness("runs", "list")
    assert "hum:hertz=60" in listed
