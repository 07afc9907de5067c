"""Every name and option is matched against what was asked for."""

from __future__ import annotations

import pytest
from toys import GRID

from harness.execution import planner

RUN = ("run", *GRID, "--downstream", "linear")
SUITE = """
[[grid]]
upstreams = ["toy"]
downstreams = ["linear"]
corpora = ["tones"]

[[grid]]
upstreams = ["fbank"]
downstreams = ["linear"]
corpora = ["demo"]
"""


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "study.toml").write_text(SUITE)
    return ("run", "--suite", str(tmp_path / "study.toml"), "--executor", "serial")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--split", "losso"), "Did you mean 'loso'?"),
        (("--split", "mine.json"), "Cannot use the split file mine.json: No such"),
        (("--split", "loso", "--folds", "4"), "takes no number of folds"),
        (("--split", "loso", "--target", "speaker"), "'loso' tests others"),
        (("--select", "macro_f2"), "Did you mean 'macro_f1'?"),
        (("--select", "macro_f1:epoch=2"), "no way to select epochs"),
        (("--perturb", "nois"), "Did you mean 'noise'?"),
        (("--executor", "seral"), "Did you mean 'serial'?"),
        (("--device", "cpuu"), "There is no device 'cpuu' here"),
    ],
)
def test_a_mistake_in_a_name_is_refused_before_a_corpus_is_read(
    harness, monkeypatch, options, sentence
):
    def never(*read, **as_well):
        raise AssertionError("a corpus was read")

    monkeypatch.setattr(planner, "read_manifest", never)
    code, _, err = harness("run", *GRID, "--downstream", "linear", *options)
    assert code == 2
    assert sentence in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--seeds", "0-1000000000"), "more than 10000 seeds"),
        (("--seeds", "0-9999,10000"), "more than 10000 seeds"),
        (("--seeds", str(2**63)), "a seed is at most"),
        (("--seeds", str(2**64)), "a seed is at most"),
        (("--seeds", "9" * 5000), "a seed is at most"),
        (("--seeds", "-1"), "not like 0-4"),
        (("--seeds", "1_0"), "not like 0-4"),
        (("--seeds", "٣"), "not like 0-4"),
        (("--seeds", "4-2"), "holds no seed"),
        (("--max-seconds", "nan"), "no number of seconds"),
        (("--max-seconds", "inf"), "not in the range"),
        (("--max-seconds", "-1"), "not in the range"),
        (("--max-seconds", "0"), "not in the range"),
        (("--folds", "2"), "not in the range"),
        (("--folds", str(10**30)), "not in the range"),
        (("--workers", str(10**9)), "not in the range"),
        (("--workers", "-1"), "not in the range"),
        (("--split-seed", "-1"), "not in the range"),
        (("--split-seed", str(2**63)), "not in the range"),
    ],
)
def test_a_number_out_of_bounds_is_refused_before_any_work(
    harness, tmp_path, arguments, sentence
):
    code, out, err = harness(*RUN, *arguments)
    assert code == 2
    assert sentence in err
    assert out == ""
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--split", "loso", "--split-seed", "3"), "draws nothing"),
        (("--split", "column", "--split-seed", "3"), "draws nothing"),
        (("--split", "a.json", "--split-seed", "3"), "draws nothing"),
        (("--split", "loso", "--folds", "4"), "takes no number of folds"),
        (("--frame-type", "float16"), "no head of this command (linear) reads frames"),
        (("--all-controls",), "--no-controls"),
        (("--only", "corpus=tones"), "picks of a suite"),
        (("--corpus", "tones+tones"), "joins a corpus with itself"),
        (("--checkpoint", "tow=x"), "No upstream of this command is called 'tow'"),
        (("--checkpoint", "toy=x", "--checkpoint", "toy=y"), "given twice"),
        (("--feeding", "loud"), "Known for them: full"),
    ],
)
def test_an_option_without_effect_is_refused(harness, arguments, sentence):
    code, out, err = harness(*RUN, *arguments)
    assert code == 2
    assert sentence in err
    assert out == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--corpus", "tones,tones"), "--corpus names 'tones' twice"),
        (("--downstream", "linear, linear"), "--downstream names 'linear' twice"),
        (("--seeds", "0,0"), "--seeds names a seed twice"),
        (("--test-corpus", "tones"), "--test-corpus names what is trained on"),
        (("--workers", "2"), "runs one task at a time"),
        (("--upstream", "toy,whisper-tiny", "--feeding", "trimmed"), "fed as usual"),
    ],
)
def test_an_option_without_effect_on_the_result_is_warned_of(
    harness, monkeypatch, arguments, sentence
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, _, err = harness(*RUN, *arguments)
    assert code == (2 if "trimmed" in arguments else 0), err
    assert f"warning: {sentence}" in err or ("warning: " in err and sentence in err)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--split", "kfold", "--split-seed", "3", "--folds", "3"),
        ("--downstream", "multilayer", "--frame-type", "float16"),
        ("--upstream", "fbank:bins=40,hop=0.01,fbank:bins=40"),
    ],
)
def test_an_option_with_an_effect_is_not_warned_of(harness, arguments):
    _, _, err = harness("plan", *RUN[1:5], *RUN[7:], *arguments)
    assert "warning" not in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--keep-features", "pooled"), "are dropped after its last cell."),
        (("--max-hours", "0.00001"), "after 1e-05 h: about "),
        (("--max-hours", "100"), "after 100 h."),
        (("--keep-going",), "When a cell fails, the others are computed."),
        (("--no-keep-going",), "When a cell fails, the run ends."),
    ],
)
def test_a_plan_says_what_each_option_of_a_run_does(harness, arguments, sentence):
    plan = ("plan", *GRID[:4], "--downstream", "linear")
    code, out, err = harness(*plan, *arguments)
    assert code == 0, err
    assert sentence in out
    assert sentence not in harness(*plan)[1]


def test_only_names_an_axis_once(harness, suite):
    code, _, err = harness(*suite, "--only", "corpus=tones", "--only", "corpus=demo")
    assert code == 2
    assert "Write corpus=tones,demo" in err


def test_only_that_leaves_nothing_is_refused(harness, suite):
    code, _, err = harness(*suite, "--only", "corpus=tones", "--only", "upstream=fbank")
    assert code == 2
    assert "Nothing is left to run" in err


def test_a_checkpoint_of_what_is_not_checked_is_refused(harness):
    code, _, err = harness("check", "toy", "--checkpoint", "whisper-bse=x")
    assert code == 2
    assert "No upstream of this command is called 'whisper-bse'" in err


def test_a_feeding_of_a_head_is_refused(harness):
    code, _, err = harness("check", "linear", "--feeding", "full")
    assert code == 2
    assert "--feeding is for upstreams" in err


def test_archives_are_all_here_or_all_elsewhere(harness):
    sources = ("--from", "a.zip", "--from", "https://example.org/b.zip")
    code, _, err = harness("corpus", "download", "emodb", *sources)
    assert code == 2
    assert "zips of this machine, or addresses" in err


# ---------------------------------------------------------------- one speaker


def test_a_plan_says_which_parts_rest_on_one_speaker(harness):
    _, out, _ = harness("plan", *GRID[:4], "--downstream", "linear")
    assert "The validation and the test parts rest on one speaker each" in out
    assert "--split loso" in out


def test_a_run_says_so_beside_its_figures(harness):
    _, _, err = harness(*RUN)
    assert "The validation and the test parts rest on one speaker each" in err
    assert err.index("macro-F1") < err.index("rest on one speaker")


@pytest.mark.parametrize("verb", [("plan", *GRID[:4]), ("run", *GRID)])
@pytest.mark.parametrize("split", ["loso", "kfold"])
def test_a_split_that_tests_every_speaker_is_not_remarked_on(harness, verb, split):
    _, out, err = harness(*verb, "--downstream", "linear", "--split", split)
    assert "one speaker" not in out + err


def test_a_split_is_described_with_the_same_words(harness):
    assert "rest on one speaker each" in harness("split", "tones")[1]
    assert "rest on one speaker" not in harness("split", "tones", "--split", "loso")[1]


@pytest.mark.parametrize(
    ("threads", "warned"), [("8", True), ("1", False), ("", False)]
)
def test_a_number_of_threads_that_is_not_used_is_said(
    threads, warned, harness, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    _, _, err = harness("run", *GRID, "--downstream", "linear", "--quiet")
    assert ("OMP_NUM_THREADS=8 changes nothing" in err) == warned
