"""Plans: what they hold, what they refuse, and that they do nothing."""

from __future__ import annotations

import dataclasses
import shutil
import socket
from itertools import product
from types import SimpleNamespace

import pytest
from harness_plugins.downstreams import majority
from harness_plugins.recipes import PEFT_SER
from toys import LABELS, TONES, TOY, write_tone

from harness import (
    CheckpointError,
    DataError,
    Downstream,
    Fold,
    HarnessError,
    Reads,
    hookimpl,
)
from harness.data import audio
from harness.errors import MissingCorpusError, UnknownNameError
from harness.execution.grids import corpora_of
from harness.execution.planner import make_plan
from harness.execution.request import Grid
from harness.execution.upstreams import NOT_HERE
from harness.features import extraction
from harness.registry import Registry
from harness.splits.files import write_split
from harness.training import loop
from harness.types import Split


class Offering:
    """A plugin that offers these upstreams, heads and corpora."""

    def __init__(self, *, upstreams=(), downstreams=(), corpora=(), rivals=()):
        self.upstreams, self.downstreams = upstreams, downstreams
        self.corpora, self.rivals = corpora, rivals

    @hookimpl
    def harness_upstreams(self):
        return self.upstreams

    @hookimpl
    def harness_downstreams(self):
        return self.downstreams

    @hookimpl
    def harness_corpora(self):
        return self.corpora

    @hookimpl
    def harness_control_upstreams(self, upstream):
        return self.rivals if upstream.name == "toy" else ()


def other_upstream(name, **changes):
    return dataclasses.replace(TOY, name=name, **changes)


@pytest.fixture
def offer(manager):
    """Register a plugin that offers something."""

    def offer(*, name="offering", **offers):
        manager.register(Offering(**offers), name=name)

    return offer


@pytest.fixture
def chords(tones, manager, offer):
    """A second corpus, which shares both labels and no audio with the first."""
    folder = tones.parent / "chords"
    folder.mkdir()
    for speaker, label, take in product(range(5), LABELS, range(2)):
        seed = 100 + 10 * speaker + take + 5 * LABELS.index(label)
        path = folder / f"c{speaker}_{label}_{take}.wav"
        write_tone(path, 400, seconds=0.5, seed=seed)
    offer(name="chords", corpora=[dataclasses.replace(TONES, name="chords")])


def run_ids(plan, **axes):
    """The cells of a plan whose upstream, head or corpus has some name."""
    return {
        cell.run_id
        for cell in plan.cells
        if all(
            getattr(cell.condition, axis).name == name for axis, name in axes.items()
        )
    }


def condition(plan):
    (cell,) = plan.cells
    return cell.condition


# ---------------------------------------------------------------- purity


def files_below(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def offline(monkeypatch):
    """Fail whatever opens a connection."""

    def connect(*arguments, **more):
        raise AssertionError("a plan must not use the network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)


ABSENT = "wav2vec2-base"


def test_a_plan_fetches_and_makes_nothing(plan, tmp_path, offline):
    before = files_below(tmp_path)
    planned = plan(upstream=f"toy,{ABSENT}", corpus="tones,demo")
    assert files_below(tmp_path) == before
    assert [upstream.name for upstream in planned.absent] == [ABSENT]
    assert [corpus.name for corpus in planned.unmade] == ["demo"]


def test_a_plan_remembers_hashes_and_writes_nothing_else(plan, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.files.SETTLED_SECONDS", -60.0)
    before = files_below(tmp_path)
    plan()
    after = files_below(tmp_path)
    (written,) = after.keys() - before.keys()
    assert written.startswith("cache/memory/")
    assert before.items() <= after.items()


def test_a_corpus_that_is_not_synthesised_yet_is_looked_at_in_the_scratch_folder(
    ask, registry, tmp_path, offline
):
    (tmp_path / "scratch").mkdir()
    request = ask(upstream=f"toy,{ABSENT}", corpus="demo")
    planned = make_plan(request, registry, scratch=tmp_path / "scratch")
    assert [corpus.name for corpus in planned.unmade] == ["demo"]
    assert [upstream.name for upstream in planned.absent] == [ABSENT]
    assert len(planned.cells) == 2
    assert not (tmp_path / "cache").exists()


def test_the_cells_of_an_absent_upstream_are_listed_without_its_hash(plan):
    planned = plan(upstream=ABSENT)
    assert condition(planned).upstream.checkpoint == NOT_HERE.sha256
    assert len(planned.pairs[0].missing) == 40


def test_an_upstream_that_cannot_be_had_is_left_out_and_the_plan_says_why(
    ask, registry
):
    request = ask(upstream=f"toy,{ABSENT}")
    planned = make_plan(request, registry, unavailable={ABSENT: "Out of reach."})
    assert planned.missing == ("Out of reach.",)
    assert {cell.condition.upstream.name for cell in planned.cells} == {"toy"}


# ---------------------------------------------------------------- cells


def test_every_combination_is_a_cell(plan):
    planned = plan(downstream="linear,majority", seeds=(0, 1), split="loso")
    assert len(planned.cells) == 2 * 2 * 5
    assert len({cell.run_id for cell in planned.cells}) == 20
    assert len(planned.todo) == 20
    assert len(planned.pairs) == 1


def seeds_of(plan, head):
    return [c.seed for c in plan.cells if c.condition.downstream.name == head]


def test_each_head_runs_its_own_seeds_where_none_is_named(plan):
    planned = plan(downstream="linear,multilayer,majority")
    assert seeds_of(planned, "multilayer") == [0, 1, 2]
    assert seeds_of(planned, "linear") == seeds_of(planned, "majority") == [0]
    assert planned.seeds == {(0,): ["linear", "majority"], (0, 1, 2): ["multilayer"]}


def test_a_seed_that_is_named_is_the_only_one(plan):
    planned = plan(downstream="linear,multilayer", seeds=(0,))
    assert planned.seeds == {(0,): ["linear", "multilayer"]}


def test_how_many_seeds_a_head_runs_is_no_part_of_its_cells(plan, offer, manager):
    (head,) = majority.harness_downstreams()
    (one,) = (cell.run_id for cell in plan(downstream="majority").cells)
    manager.unregister(name="majority")
    offer(downstreams=[dataclasses.replace(head, seeds=2)])
    assert one in {cell.run_id for cell in plan(downstream="majority").cells}


def test_a_cell_of_two_grids_is_one_cell(plan):
    grids = (
        Grid(("toy",), ("linear",), ("tones",)),
        Grid(("toy",), ("majority", "linear"), ("tones",)),
    )
    assert len(plan(grids=grids).cells) == 2
    assert len(plan(grids=grids).pairs) == 1


def test_finished_cells_are_not_done_again(plan, manager):
    first, second = sorted(run_ids(plan(seeds=(0, 1))))

    class Results:
        @hookimpl(tryfirst=True)
        def harness_finished_runs(self, runs):
            return frozenset({first})

    manager.register(Results())
    planned = plan(seeds=(0, 1))
    assert {job.cell.run_id for job in planned.todo} == {second}
    assert len(planned.cells) == 2


def test_nothing_is_missing_where_nothing_is_to_be_done(plan, manager):
    finished = frozenset(run_ids(plan()))

    class Results:
        @hookimpl(tryfirst=True)
        def harness_finished_runs(self, runs):
            return finished

    manager.register(Results())
    (pair,) = plan().pairs
    assert pair.missing == ()
    assert pair.todo == ()


@pytest.mark.parametrize(
    ("heads", "kinds"),
    [
        ("linear", ("pooled",)),
        ("linear,nonlinear", ("pooled", "last")),
        ("linear,nonlinear,multilayer", ("pooled", "all")),
        ("layerwise", ("pooled",)),
    ],
)
def test_no_more_features_are_asked_for_than_the_heads_read(plan, heads, kinds):
    (pair,) = plan(downstream=heads).pairs
    assert pair.kinds == kinds


# ---------------------------------------------------------------- independence

PATIENT = other_upstream("patient", min_seconds=0.35)


def neighbours():
    """Requests that have the cell of ``toy`` on ``tones`` and something beside it."""
    return {
        "an upstream that needs longer clips": {"upstream": "toy,patient"},
        "an upstream before it": {"upstream": "patient,toy"},
        "another head": {"downstream": "linear,multilayer"},
        "another corpus": {"corpus": "tones,chords"},
        "joined corpora": {"corpus": "tones,tones+chords"},
        "other seeds": {"seeds": (3, 0)},
        "controls": {"controls": True},
        "all controls": {"controls": True, "all_controls": True},
        "another grid": {
            "grids": (
                Grid(("patient",), ("nonlinear",), ("chords", "tones")),
                Grid(("toy",), ("linear",), ("tones",)),
            )
        },
    }


@pytest.mark.parametrize("changes", neighbours().values(), ids=neighbours())
def test_a_cell_does_not_depend_on_what_else_is_asked_for(plan, offer, chords, changes):
    offer(upstreams=[PATIENT], rivals=["patient"])
    alone = run_ids(plan(skip_bad=True))
    assert len(alone) == 1
    assert alone <= run_ids(plan(skip_bad=True, **changes))


def test_bundled_fbank_keeps_its_cells_beside_an_upstream_that_needs_longer_clips(
    plan, offer
):
    offer(upstreams=[PATIENT])
    alone = run_ids(plan(upstream="fbank", skip_bad=True))
    beside = plan(upstream="fbank,patient", skip_bad=True)
    assert run_ids(beside, upstream="fbank") == alone
    lengths = [len(pair.manifest.recordings) for pair in beside.pairs]
    assert lengths[0] == 40 > lengths[1]
    assert "the model needs 350 ms" in beside.pairs[1].manifest.bad[0]
    assert beside.pairs[0].manifest.bad == ()


def test_corpora_that_are_tested_on_do_not_change_the_cell_at_home(plan, chords):
    alone = run_ids(plan())
    both = plan(test_corpora=("tones", "chords"))
    assert run_ids(both, corpus="tones") == alone
    assert len(both.cells) == 2


def test_allowing_bad_audio_changes_nothing_where_there_is_none(plan):
    assert run_ids(plan()) == run_ids(plan(skip_bad=True, skip_missing=True))


def test_the_order_of_names_changes_no_cell(plan):
    one = plan(upstream="toy,fbank", downstream="linear,majority")
    other = plan(upstream="fbank,toy", downstream="majority,linear")
    assert run_ids(one) == run_ids(other)


def test_the_same_corpus_in_another_folder_has_the_same_cells(
    ask, registry, tones, tmp_path
):
    shutil.copytree(tones.parent, tmp_path / "elsewhere")
    moved = ask(data_root=tmp_path / "elsewhere", cache=tmp_path / "other cache")
    assert run_ids(make_plan(moved, registry)) == run_ids(make_plan(ask(), registry))


# ---------------------------------------------------------------- conditions


def test_a_condition_holds_what_was_asked_and_what_was_found(plan):
    found = condition(plan(seeds=(7,), split="speaker-independent"))
    upstream, downstream, corpus = found.upstream, found.downstream, found.corpus
    assert (upstream.layers, upstream.dim, upstream.hop) == (3, 8, 0.02)
    assert (upstream.precision, upstream.frame_type) == ("float32", "float32")
    assert (upstream.feeding, upstream.max_seconds) == ("full", None)
    assert upstream.checkpoint == ""
    assert (upstream.decoding, upstream.extraction) == (
        audio.VERSION,
        extraction.VERSION,
    )
    assert downstream.recipe == PEFT_SER
    assert downstream.reads == Reads(layers="last", frames=False)
    assert (downstream.selection, downstream.training) == ("macro_f1", loop.VERSION)
    assert (corpus.trained, corpus.tested) == (("tones",), ())
    assert (corpus.versions, corpus.languages) == (("1",), ("x-tones",))
    assert (corpus.strategy, corpus.folds) == ("speaker-independent", 1)
    assert corpus.speaker_independent


CHANGES = {
    "frame_type": "float16",
    "precision": "bfloat16",
    "max_seconds": 0.3,
    "selection": "uar",
    "split": "stratified",
}


def test_epochs_that_are_averaged_are_another_cell_and_one_epoch_is_the_same(plan):
    several = plan(selection="macro_f1:epochs=5")
    assert condition(several).downstream.selection == "macro_f1:epochs=5"
    assert run_ids(several).isdisjoint(run_ids(plan()))
    assert run_ids(plan(selection="macro_f1:epochs=1")) == run_ids(plan())


@pytest.mark.parametrize("option", ["", "epochs", "epochs=0", "epochs=-1", "mean=5"])
def test_epochs_that_are_averaged_in_another_way_are_refused(plan, option):
    with pytest.raises(HarnessError, match="macro_f1:epochs=5 for the mean"):
        plan(selection=f"macro_f1:{option}")


@pytest.mark.parametrize("changes", CHANGES.items(), ids=CHANGES)
def test_whatever_changes_a_number_is_another_cell(plan, changes):
    name, value = changes
    plain, changed = plan(), plan(**dict([changes]))
    assert run_ids(plain).isdisjoint(run_ids(changed))
    upstream, downstream, corpus = (
        getattr(condition(changed), axis)
        for axis in ("upstream", "downstream", "corpus")
    )
    holders = {
        "frame_type": upstream,
        "precision": upstream,
        "max_seconds": upstream,
        "selection": downstream,
    }
    if name in holders:
        assert getattr(holders[name], name) == value
    if name == "split":
        assert corpus.strategy == value


def test_changed_audio_is_another_cell(plan, tones):
    before = run_ids(plan())
    write_tone(tones / "s0_low_0.wav", 300.0, seconds=0.5, seed=99)
    assert before.isdisjoint(run_ids(plan()))


def test_an_upstream_is_fed_as_asked_if_it_can_be_and_else_as_usual(plan, offer):
    trimming = other_upstream("trimming", feedings=("full", "trimmed"))
    offer(upstreams=[trimming])
    planned = plan(upstream="toy,trimming", feeding="trimmed")
    fed = {
        cell.condition.upstream.name: cell.condition.upstream.feeding
        for cell in planned.cells
    }
    assert fed == {"toy": "full", "trimming": "trimmed"}
    assert run_ids(planned, upstream="toy") == run_ids(plan())


def test_options_stand_in_the_name_where_they_are_not_the_defaults(plan):
    names = [
        condition(plan(upstream=name)).upstream.name
        for name in ("fbank", "fbank:bins=128", "fbank:bins=40")
    ]
    assert names == ["fbank", "fbank", "fbank:bins=40"]
    assert condition(plan(upstream="fbank:bins=40")).upstream.dim == 40
    assert run_ids(plan(upstream="fbank")) == run_ids(plan(upstream="fbank:bins=128"))


def test_the_package_of_a_plugin_is_part_of_a_condition_unless_it_is_bundled(
    plan, offer, manager
):
    reads = Reads(layers="last", frames=False)
    head = Downstream(name="acme-head", summary="", reads=reads, fit=majority.fit)
    offer(name="acme", upstreams=[other_upstream("acme-speech")], downstreams=[head])
    for version in ("1.0", "1.1"):
        manager.origins["acme"] = SimpleNamespace(
            name="acme", dist=SimpleNamespace(name="harness-acme", version=version)
        )
        planned = plan(upstream="acme-speech,fbank", downstream="acme-head,linear")
        upstreams = {c.condition.upstream for c in planned.cells}
        heads = {c.condition.downstream for c in planned.cells}
        assert {one.name: one.plugin for one in upstreams} == {
            "acme-speech": f"harness-acme {version}",
            "fbank": "",
        }
        assert {one.name: one.plugin for one in heads} == {
            "acme-head": f"harness-acme {version}",
            "linear": "",
        }


def test_a_checkpoint_is_known_by_its_bytes(plan, offer, tmp_path):
    def weights(folder, data):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.safetensors").write_bytes(data)
        return {"weighty": tmp_path / folder}

    offer(upstreams=[other_upstream("weighty", checkpoint="acme/weighty")])
    one, same, other = (
        plan(upstream="weighty", checkpoints=weights(folder, data))
        for folder, data in (("a", b"one"), ("b", b"one"), ("c", b"other"))
    )
    assert run_ids(one) == run_ids(same) != run_ids(other)
    assert one.pairs[0].revision == "local"
    assert one.absent == ()


def test_joined_and_transferred_corpora_are_named(plan, chords):
    planned = plan(corpus="tones,tones+chords", test_corpora=("chords",))
    corpora = {cell.condition.corpus for cell in planned.cells}
    assert {(one.trained, one.tested) for one in corpora} == {
        (("tones",), ("chords",)),
        (("tones", "chords"), ()),
    }
    assert {len(one.versions) for one in corpora} == {2}


# ---------------------------------------------------------------- controls


def test_controls_stand_beside_what_is_asked_for(plan):
    planned = plan(downstream="linear,nonlinear", controls=True)
    rows = {
        (cell.condition.upstream.name, cell.condition.downstream.name)
        for cell in planned.cells
    }
    assert rows == {
        ("toy", "linear"),
        ("toy", "nonlinear"),
        ("toy", "permuted"),
        ("fbank", "linear"),
        ("fbank", "majority"),
        ("fbank", "chance"),
    }


def test_rivals_are_added_where_all_controls_are_asked_for(plan, offer):
    offer(upstreams=[other_upstream("rival")], rivals=["rival"])
    for everything in (False, True):
        planned = plan(controls=True, all_controls=everything)
        names = {cell.condition.upstream.name for cell in planned.cells}
        assert ("rival" in names) is everything


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("changes", "near"),
    [
        ({"upstream": "toyo"}, "'toy'"),
        ({"downstream": "linears"}, "'linear'"),
        ({"corpus": "tonnes"}, "'tones'"),
        ({"test_corpora": ("tonnes",)}, "'tones'"),
        ({"selection": "macro_f2"}, "'macro_f1'"),
        ({"split": "losso"}, "'loso'"),
        ({"checkpoints": {"toyo": None}}, "'toy'"),
    ],
    ids=str,
)
def test_a_name_that_nothing_has_is_refused_with_a_near_one(plan, changes, near):
    with pytest.raises(UnknownNameError, match=f"Did you mean {near}"):
        plan(**changes)


def test_a_checkpoint_of_an_upstream_that_is_not_asked_for_is_refused(plan, tmp_path):
    with pytest.raises(UnknownNameError, match="upstream of this command"):
        plan(checkpoints={"fbank": tmp_path})


def test_a_checkpoint_folder_that_does_not_exist_is_refused(plan, tmp_path):
    folders = {ABSENT: tmp_path / "nowhere"}
    with pytest.raises(CheckpointError, match="nowhere"):
        plan(upstream=ABSENT, checkpoints=folders)
    planned = plan(upstream=f"{ABSENT},toy", checkpoints=folders, skip_missing=True)
    assert "nowhere" in planned.missing[0]
    assert {cell.condition.upstream.name for cell in planned.cells} == {"toy"}


def test_a_feeding_that_no_upstream_knows_is_refused(plan):
    with pytest.raises(HarnessError, match=r"None of fbank, toy can be fed 'trimmed'"):
        plan(upstream="toy,fbank", feeding="trimmed")


def test_folds_are_refused_where_a_split_takes_none(plan):
    with pytest.raises(HarnessError, match="'loso' takes no number of folds"):
        plan(split="loso", folds=4)
    assert len(plan(split="kfold", folds=4).cells) == 4


def test_a_head_on_frames_is_refused_where_there_are_none(plan, offer):
    offer(upstreams=[other_upstream("vectors", hop=None)])
    assert len(plan(upstream="vectors").cells) == 1
    with pytest.raises(HarnessError, match=r"'nonlinear' reads frames.*'linear'"):
        plan(upstream="vectors", downstream="linear,nonlinear")


def test_a_classifier_is_refused_on_another_upstream_than_its_own(plan):
    with pytest.raises(HarnessError, match=r"'ast' is made for 'fbank', not for 'toy'"):
        plan(downstream="ast")
    assert len(plan(upstream="fbank", downstream="ast").cells) == 1


def test_a_corpus_that_is_not_here_is_refused_or_left_out(plan):
    with pytest.raises(MissingCorpusError, match="'emodb' is not at"):
        plan(corpus="tones,emodb")
    planned = plan(corpus="tones,emodb,tones+emodb", skip_missing=True)
    assert {cell.condition.corpus.name for cell in planned.cells} == {"tones"}
    assert "'emodb' is not at" in planned.missing[0]


def test_bad_audio_is_refused_or_left_out(plan, tones):
    (tones / "s0_low_0.wav").write_text("not audio")
    with pytest.raises(DataError, match=r"s0_low_0\.wav: unreadable.*"):
        plan()
    (pair,) = plan(skip_bad=True).pairs
    assert len(pair.manifest.recordings) == 39
    assert pair.manifest.bad[0].startswith("s0_low_0.wav: unreadable")


def test_clips_that_are_too_short_for_an_upstream_are_refused(plan, offer):
    offer(upstreams=[PATIENT])
    assert len(plan().cells) == 1
    with pytest.raises(DataError, match="too short"):
        plan(upstream="patient")


def test_a_split_file_of_another_corpus_is_refused(plan, chords, tmp_path):
    (pair,) = plan(corpus="chords").pairs
    path = tmp_path / "split.json"
    write_split(pair.division.split, path, pair.manifest)
    assert len(plan(corpus="chords", split=str(path)).cells) == 1
    with pytest.raises(DataError, match="is a split of 'chords', not of 'tones'"):
        plan(split=str(path))


def test_a_split_file_that_leaks_is_refused(plan, tmp_path):
    (pair,) = plan().pairs
    ids = tuple(one.id for one in pair.manifest.utterances)
    fold = Fold(name="0", train=ids[::2], valid=ids[1:3:2], test=ids[3::2])
    path = tmp_path / "split.json"
    split = Split(strategy="speaker-independent", folds=(fold,))
    write_split(split, path, pair.manifest)
    with pytest.raises(DataError):
        plan(split=str(path))


def test_a_split_that_a_corpus_cannot_have_is_refused(plan):
    with pytest.raises(DataError, match="published"):
        plan(split="published")


# ---------------------------------------------------------------- doubts


def test_a_corpus_that_is_not_whole_raises_a_doubt(plan, offer, tones):
    whole = dataclasses.replace(TONES, name="whole", versions={"1": 41})
    shutil.copytree(tones, tones.parent / "whole")
    offer(corpora=[whole])
    (doubt,) = plan(corpus="whole,tones").doubts
    assert "whole is not as it was published: 40 of 41 utterances are used" in doubt


def test_a_plan_asks_the_registry_of_its_own_manager(ask, manager, offer):
    offer(upstreams=[other_upstream("late")])
    planned = make_plan(ask(upstream="late"), Registry.of(manager))
    assert planned.pairs[0].upstream.name == "late"


@pytest.mark.parametrize(
    ("name", "corpora"),
    [
        ("emodb+aesdd", ("emodb", "aesdd")),
        ("csv:a.csv+demo@a", ("csv:a.csv", "demo@a")),
        ("demo@a+csv:b/a.csv", ("demo@a", "csv:b/a.csv")),
        ("csv:a.csv+csv:b.csv", ("csv:a.csv", "csv:b.csv")),
        ("csv:my+data/a.csv", ("csv:my+data/a.csv",)),
        ("csv:a+b.csv+emodb", ("csv:a+b.csv", "emodb")),
    ],
)
def test_corpora_are_joined_whatever_their_names_look_like(name, corpora):
    assert corpora_of(name) == corpora


def test_a_folder_whose_name_has_the_sign_is_one_corpus(tmp_path):
    (tmp_path / "a+b").mkdir()
    assert corpora_of(f"audformat:{tmp_path}/a+b") == (f"audformat:{tmp_path}/a+b",)
