"""Tasks of a plan: named once, small, and by reference."""

from __future__ import annotations

import dataclasses
import pickle
import shutil
from pathlib import Path

import pytest
from manifests import manifest_of
from toys import TONES, TOY

from harness import Fold, Split, Utterance, hookimpl, perform
from harness.data import stored
from harness.data.places import Places
from harness.execution import cost, tasks
from harness.execution.executors import Serial
from harness.execution.planner import make_plan
from harness.execution.request import Grid
from harness.execution.scheduler import run_tasks
from harness.execution.tasks import chunks, work_of, write_payloads
from harness.features.extraction import Extraction, Use, certify, extract
from harness.registry import Registry
from harness.splits.transfer import Division
from harness.training.task import Training, train
from harness.types import Result


class Copies:
    """Offers the corpus of tones under another name, too."""

    @hookimpl
    def harness_corpora(self):
        yield dataclasses.replace(TONES, name="copy")


@pytest.fixture
def copy(tones, manager):
    """A second corpus of the same audio files."""
    shutil.copytree(tones, tones.parent / "copy")
    manager.register(Copies())


@pytest.fixture
def work(manager, monkeypatch):
    """The work of a plan, on a CPU; extraction in tasks however little there is."""
    monkeypatch.setattr(tasks, "LEAST", 0.0)
    monkeypatch.setattr(tasks, "CHUNKS", 3)

    def work(plan):
        return work_of(plan, Registry.of(manager), device="cpu", quiet=True)

    return work


def of(work, function):
    """The tasks of a work that call a function."""
    return [task for task in work.tasks if task.function is function]


# ---------------------------------------------------------------- what there is


def test_an_upstream_is_certified_and_extracted_before_its_cells_are_fitted(plan, work):
    found = work(plan(seeds=(0, 1)))
    functions = [task.function for task in found.tasks]
    assert functions[0] == certify
    assert set(functions[1:-2]) == {extract}
    assert functions[-2:] == [train] * 2
    stages = {task.stage for task in found.tasks if task.function is not train}
    assert {frozenset(task.needs) for task in of(found, train)} == {frozenset(stages)}
    assert all(task.needs == () for task in of(found, extract) + of(found, certify))


def test_chunks_hold_every_utterance_once(plan, work):
    spans = [(t.payload.first, t.payload.last) for t in of(work(plan()), extract)]
    assert len(spans) > 2
    assert [n for span in spans for n in range(*span)] == list(range(40))


def test_a_chunk_has_so_much_work_and_memory(large, monkeypatch):
    (pair,) = large.pairs
    assert len(list(chunks(pair))) in (tasks.CHUNKS, tasks.CHUNKS + 1)
    monkeypatch.setattr(tasks, "LEAST", 0.0)
    monkeypatch.setattr(tasks, "MOST", 3.5 * cost.DECODING)  # clips are of a second
    assert {last - first for first, last in chunks(pair)} == {3, 5000 % 3}
    monkeypatch.setattr(tasks, "BYTES", 0)
    assert list(chunks(pair)) == [(n, n + 1) for n in range(5000)]


def test_every_cell_has_a_task_that_is_found_by_its_id(plan, work):
    planned = plan(downstream="linear,multilayer", split="loso", seeds=(0, 1))
    found = work(planned)
    assert found.jobs.keys() == {task.id for task in of(found, train)}
    assert len(found.jobs) == 20
    for task in of(found, train):
        assert found.jobs[task.id].cell == task.payload.cell


def test_every_task_has_an_id_of_its_own(plan, work, copy):
    """Two heads of ``toy`` read other frames on one corpus than on the other."""
    grids = (
        Grid(("toy", "fbank"), ("linear", "multilayer"), ("tones",)),
        Grid(("toy",), ("nonlinear", "linear"), ("copy",)),
    )
    planned = plan(grids=grids, split="loso", seeds=(0, 1))
    found = work(planned)
    ids = [task.id for task in found.tasks]
    assert len(ids) == len(set(ids))
    assert len(of(found, certify)) == 2
    assert len(of(found, extract)) >= 2 * len(planned.pairs) == 6
    assert len(of(found, train)) == len(planned.cells) == 60
    assert set().union(*(task.needs for task in found.tasks)) == {
        task.stage for task in found.tasks if task.function is not train
    }


def test_the_audio_of_extractions_is_that_of_the_corpus(plan, work):
    planned = plan()
    assert sum(work(planned).audio.values()) == pytest.approx(
        planned.pairs[0].manifest.seconds
    )


def test_ids_are_the_same_whenever_a_plan_is_made(plan, work):
    one, other = work(plan()), work(plan())
    assert [task.id for task in one.tasks] == [task.id for task in other.tasks]


# ---------------------------------------------------------------- sharing


def test_pairs_that_need_the_same_features_share_their_extraction(plan, work, copy):
    planned = plan(corpus="tones,copy")
    found = work(planned)
    assert len(planned.pairs) == len(of(found, train)) == 2
    assert len(of(found, extract)) == len(of(work(plan()), extract))
    assert len(of(found, certify)) == 1
    needs = {task.needs for task in of(found, train)}
    assert len(needs) == 1


def test_pairs_of_other_features_share_nothing(plan, work):
    found = work(plan(upstream="toy,fbank"))
    each = [len(of(work(plan(upstream=one)), extract)) for one in ("toy", "fbank")]
    assert len(of(found, extract)) == sum(each)
    assert len(of(found, certify)) == 2
    assert len({task.needs for task in of(found, train)}) == 2


def done(work, *functions):
    """Do the tasks of a work that call one of some functions."""
    for task in work.tasks:
        if task.function in functions:
            perform(task)


def test_what_is_stored_is_no_task_any_more(plan, work):
    planned = plan()
    write_payloads(planned)
    done(work(planned), certify, extract)
    assert [task.function for task in work(plan()).tasks] == [train]


def test_only_chunks_of_which_something_is_missing_are_extracted(plan, work):
    planned = plan()
    write_payloads(planned)
    first, second, *others = of(work(planned), extract)
    perform(second)
    left = [task.payload.first for task in of(work(plan()), extract)]
    assert left == [task.payload.first for task in (first, *others)]


def test_a_pair_whose_cells_are_done_has_no_task(plan, work, manager):
    finished = frozenset(cell.run_id for cell in plan().cells)

    class Results:
        @hookimpl(tryfirst=True)
        def harness_finished_runs(self, runs):
            return finished

    manager.register(Results())
    assert work(plan()).tasks == ()


# ---------------------------------------------------------------- small


@pytest.fixture
def large(plan):
    """The plan of a corpus of 5000 utterances."""
    planned = plan(downstream="linear,nonlinear,multilayer,layerwise")
    (pair,) = planned.pairs
    ids = [f"{'folder/' * 5}{number:05}.wav" for number in range(5000)]
    manifest = manifest_of(
        Utterance(id=one, path=one, label=TONES.labels[n % 2], speaker=f"s{n % 97}")
        for n, one in enumerate(ids)
    )
    manifest = dataclasses.replace(manifest, corpus=TONES)
    fold = Fold(
        name="0",
        train=tuple(ids[:4000]),
        valid=tuple(ids[4000:4500]),
        test=tuple(ids[4500:]),
    )
    division = Division(
        manifest=manifest,
        split=Split(strategy="published", folds=(fold,)),
        trained=("tones",),
    )
    pair = dataclasses.replace(pair, division=division, missing=manifest.recordings)
    return dataclasses.replace(planned, pairs=(pair,))


def test_a_task_is_small_however_large_its_corpus(large, work):
    found = work(large)
    assert len(of(found, extract)) > 2
    sizes = [len(pickle.dumps(task)) for task in found.tasks]
    assert max(sizes) < 20_000
    assert sum(sizes) < 2_000_000


def test_a_task_is_the_same_after_it_was_pickled(plan, work):
    for task in work(plan(downstream="linear,multilayer,majority")).tasks:
        again = pickle.loads(pickle.dumps(task))
        assert again == task


# ---------------------------------------------------------------- by reference


def strings(value):
    """Every text and path in a payload, but those of its places."""
    if isinstance(value, Places):
        return
    if isinstance(value, str | Path):
        yield str(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from strings(getattr(value, field.name))
    elif isinstance(value, dict):
        for pair in value.items():
            yield from strings(pair)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from strings(one)


def test_a_payload_names_no_folder_but_in_its_places(plan, work, ask):
    request = ask()
    found = work(plan(downstream="linear,multilayer"))
    roots = [str(request.data_root), str(request.cache)]
    kinds = set()
    for task in found.tasks:
        kinds.add(type(task.payload))
        texts = list(strings(task.payload))
        assert len(texts) > 5
        assert not [text for text in texts if any(root in text for root in roots)]
    assert kinds == {Use, Extraction, Training}


def test_stored_lists_name_no_folder_at_all(plan, ask):
    request = ask()
    write_payloads(plan())
    (path,) = (request.cache / stored.FOLDER).iterdir()
    text = path.read_text("utf-8")
    assert '"data:tones/s0_high_0.wav"' in text
    assert str(request.data_root) not in text
    assert str(request.cache) not in text


def test_a_list_is_stored_once_for_all_pairs_of_a_corpus(plan, ask):
    write_payloads(plan(upstream="toy,fbank", downstream="linear,multilayer"))
    assert len(list((ask().cache / stored.FOLDER).iterdir())) == 1


def test_nothing_is_written_before_payloads_are(plan, work, ask):
    work(plan())
    assert not (ask().cache / stored.FOLDER).exists()


# ---------------------------------------------------------------- elsewhere


def test_a_machine_that_has_the_folders_elsewhere_does_the_tasks(
    ask, plan, work, monkeypatch, tmp_path
):
    request = ask()
    planned = plan()
    write_payloads(planned)
    tasks = [pickle.dumps(task) for task in work(planned).tasks]
    there = tmp_path / "mounted here"
    there.mkdir()
    (request.data_root).rename(there / "data")
    (request.cache).rename(there / "cache")
    monkeypatch.setenv("HARNESS_WORKER_DATA", str(there / "data"))
    monkeypatch.setenv("HARNESS_WORKER_CACHE", str(there / "cache"))
    stored.load.cache_clear()
    (result,) = (
        found
        for found in (perform(pickle.loads(task)) for task in tasks)
        if isinstance(found, Result)
    )
    assert result.n_train + result.n_valid + result.n_test == 40
    assert not request.cache.exists()


def test_tasks_run_one_after_another_give_a_result_for_every_cell(ask, manager):
    registry = Registry.of(manager)
    planned = make_plan(ask(downstream="linear,majority", seeds=(0, 1)), registry)
    write_payloads(planned)
    work = work_of(planned, registry, device="cpu", quiet=True)
    outcomes = list(run_tasks(work.tasks, Serial(), window=1))
    ended = [one.value for one in outcomes if one.task.id in work.jobs]
    results = [value for value in ended if isinstance(value, Result)]
    assert len(results) == len(ended)
    assert {result.run_id for result in results} == {c.run_id for c in planned.cells}
    assert {result.training.plugins["upstream"] for result in results} == {"toy-plugin"}
    assert results[0].condition.upstream.name == TOY.name
