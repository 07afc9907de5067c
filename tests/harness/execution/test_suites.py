"""Named studies: what their files say, what is left out, and the control rows."""

from __future__ import annotations

import pytest
from collector import Collector
from toys import GRID

from harness.errors import HarnessError, UnknownNameError
from harness.execution.suites import narrow, read_suite, suite_file

SUITE = """
split = "loso"
seeds = "0-1"

[[grid]]
upstreams = ["toy"]
downstreams = ["linear"]
corpora = ["tones", "aesdd"]
"""


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SUITE)
    return path


@pytest.fixture
def results(manager):
    """The results of the runs of a test."""
    collector = Collector()
    manager.register(collector)
    return collector.results


def splits_and_seeds(results):
    return {(one.condition.corpus.strategy, one.seed) for one in results}


def test_the_paper_is_six_models_three_heads_nine_corpora_and_ast(registry):
    grids, options = read_suite(suite_file("paper", registry))
    cells = [
        len(grid.upstreams) * len(grid.downstreams) * len(grid.corpora)
        for grid in grids
    ]
    assert cells == [6 * 3 * 9, 9]
    assert options == {"split": "speaker-independent", "seeds": "0"}
    for grid in grids:
        assert [registry.upstreams[name] for name in grid.upstreams]
        assert [registry.downstreams[name] for name in grid.downstreams]
        assert [registry.corpora[name] for name in grid.corpora]


def test_a_part_of_a_suite_can_be_chosen(suite):
    (grid,) = narrow(read_suite(suite)[0], {"corpus": ["aesdd"]})
    assert grid.corpora == ("aesdd",)
    assert grid.upstreams == ("toy",)


def test_choosing_what_a_suite_lacks_is_an_error(suite):
    with pytest.raises(UnknownNameError, match="Did you mean 'aesdd'"):
        narrow(read_suite(suite)[0], {"corpus": ["aesd"]})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[grid]", "Cannot read the suite"),
        ("seeds = '0'", r"no \[\[grid\]\]"),
        ("[[grid]]\nupstreams = ['toy']", "exactly these lists"),
        (SUITE.replace('["toy"]', '"toy"'), "not a list of names"),
        (SUITE.replace('["toy"]', "[]"), "not a list of names"),
        (SUITE.replace("corpora", "corpus"), "One has upstreams, downstreams, corpus"),
        (f"sead = 1\n{SUITE}", "Did you mean 'seeds'"),
    ],
)
def test_a_suite_that_cannot_be_used_is_refused(tmp_path, text, complaint):
    path = tmp_path / "suite.toml"
    path.write_text(text)
    with pytest.raises(HarnessError, match=complaint):
        read_suite(path)


def test_a_suite_that_is_missing_is_reported(tmp_path):
    with pytest.raises(HarnessError, match=r"none\.toml: No such file or directory\."):
        read_suite(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ('seeds = "a"', "'a' is not like 0-4 or 0,2,5"),
        ('folds = "five"', "'five' is not a valid integer"),
        ("folds = 2", "2 is not in the range"),
    ],
)
def test_an_option_of_a_suite_is_read_as_the_command_line_reads_it(
    harness, suite, said, complaint
):
    suite.write_text(f"{said}\n{SUITE.partition('seeds')[2].partition(chr(10))[2]}")
    code, _, err = harness("plan", "--suite", str(suite))
    assert code == 2
    assert f"'{said.split()[0]}' in the suite {suite} cannot be used" in err
    assert complaint in err


def test_a_metric_that_a_suite_names_must_be_known(harness, suite, tones):
    suite.write_text('selection = "macro-f1"\n' + SUITE)
    only = ("--only", "corpus=tones", "--no-controls")
    code, _, err = harness("plan", "--suite", str(suite), *only)
    assert code == 2
    assert "No metric is called 'macro-f1'. Did you mean 'macro_f1'?" in err


@pytest.mark.parametrize("seeds", ["2", '"2"', "[2]", '"2-2"'])
def test_seeds_of_a_suite_may_be_written_in_several_ways(harness, suite, seeds):
    suite.write_text(SUITE.replace('"0-1"', seeds))
    only = ("--only", "corpus=tones", "--no-controls", "--quiet")
    code, out, _ = harness("plan", "--suite", str(suite), *only)
    assert code == 0
    assert "5 cells" in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--suite", "paper", "--corpus", "emodb"), "pick of them by --only"),
        (("--only", "corpus=tones", *GRID, "--downstream", "linear"), "name one by"),
    ],
)
def test_a_suite_and_lists_of_ones_own_are_not_mixed(harness, arguments, complaint):
    arguments = [word for word in arguments if word not in ("--executor", "serial")]
    code, _, err = harness("plan", *arguments)
    assert code == 2
    assert complaint in err


def test_a_baseline_may_stand_beside_a_suite(harness, suite):
    only = ("--only", "corpus=tones", "--no-controls", "--quiet")
    seeds = ("--seeds", "0", "--split", "speaker-independent")
    code, out, _ = harness(
        "plan", "--suite", str(suite), *only, *seeds, "--baseline", "ast-tiny"
    )
    assert code == 0
    rows = [line.split()[:6] for line in out.splitlines() if "speaker-ind" in line]
    assert ["fbank", "full", "tones", "speaker-independent", "1", "0"] in rows


def test_what_is_missing_is_left_out_and_listed(harness, suite, results, tmp_path):
    options = ("--executor", "serial", "--no-controls")
    code, _, err = harness("run", "--suite", str(suite), *options)
    assert code == 3
    assert "left out: Corpus 'aesdd' is not at" in err
    assert splits_and_seeds(results) == {("loso", 0), ("loso", 1)}
    assert (tmp_path / "runs" / "_mine.toml").read_text() == SUITE


def test_without_a_corpus_no_checkpoint_is_fetched(harness, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "harness.execution.upstreams.find_checkpoint", lambda *a, **k: asked.append(a)
    )
    path = tmp_path / "far.toml"
    path.write_text(SUITE.replace('["tones", "aesdd"]', '["aesdd"]'))
    assert harness("run", "--suite", str(path), "--no-controls")[0] == 3
    assert asked == []


def test_the_command_line_overrides_a_suite(harness, suite, results):
    options = ("--only", "corpus=tones", "--seeds", "7", "--split", "stratified")
    place = ("--executor", "serial", "--no-controls")
    assert harness("run", "--suite", str(suite), *options, *place)[0] == 0
    assert len(results) == 1
    assert splits_and_seeds(results) == {("stratified", 7)}


def test_control_rows_stand_beside_the_others(harness, results):
    grid = [word for word in GRID if word != "--no-controls"]
    heads = ("--downstream", "linear,nonlinear", "--seeds", "0")
    assert harness("run", *grid, *heads)[0] == 0
    assert sorted(
        (one.condition.upstream.name, one.condition.downstream.name) for one in results
    ) == [
        ("fbank", "chance"),
        ("fbank", "linear"),
        ("fbank", "majority"),
        ("toy", "linear"),
        ("toy", "nonlinear"),
        ("toy", "permuted"),
    ]


def test_a_head_learns_nothing_from_permuted_labels(harness, results):
    harness("run", *GRID, "--downstream", "permuted", "--seeds", "0-9")
    recalls = [one.scores["uar"] for one in results]
    assert 0.2 < sum(recalls) / len(recalls) < 0.8
    assert len(set(recalls)) > 1
