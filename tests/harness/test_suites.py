"""Named studies: what their files say, what is left out, and the control rows."""

from __future__ import annotations

import pyarrow.parquet
import pytest
from toys import GRID

from harness.errors import HarnessError, UnknownNameError
from harness.suites import narrow, read_suite, suite_file

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


def rows(tmp_path):
    return pyarrow.parquet.read_table(tmp_path / "runs").to_pylist()


def test_the_paper_is_six_models_three_heads_nine_corpora_and_ast(registry):
    grids, options = read_suite(suite_file("paper", registry))
    cells = [
        len(grid.upstreams) * len(grid.downstreams) * len(grid.corpora)
        for grid in grids
    ]
    assert cells == [6 * 3 * 9, 9]
    assert options["split"] == "speaker-independent"
    for grid in grids:
        assert [registry.upstreams[name] for name in grid.upstreams]
        assert [registry.downstreams[name] for name in grid.downstreams]
        assert [registry.corpora[name] for name in grid.corpora]


def test_a_part_of_a_suite_can_be_picked(suite):
    (grid,) = narrow(read_suite(suite)[0], {"corpus": ["aesdd"]})
    assert grid.corpora == ("aesdd",)
    assert grid.upstreams == ("toy",)


def test_picking_what_a_suite_has_not_is_an_error(suite):
    with pytest.raises(UnknownNameError, match="Did you mean 'aesdd'"):
        narrow(read_suite(suite)[0], {"corpus": ["aesd"]})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[grid]", "Cannot read the suite"),
        ("seeds = '0'", r"no \[\[grid\]\]"),
        ("[[grid]]\nupstreams = ['toy']", "exactly these lists"),
        (SUITE.replace('["toy"]', '"toy"'), "not a list of names"),
        (f"sead = 1\n{SUITE}", "Did you mean 'seeds'"),
    ],
)
def test_a_suite_that_cannot_be_used_is_told(tmp_path, text, complaint):
    path = tmp_path / "suite.toml"
    path.write_text(text)
    with pytest.raises(HarnessError, match=complaint):
        read_suite(path)


def test_what_is_not_here_is_left_out_and_listed(harness, suite, tmp_path):
    options = ("--executor", "serial", "--no-controls")
    code, _, err = harness("run", "--suite", str(suite), *options)
    assert code == 3
    assert "left out: Corpus 'aesdd' is not at" in err
    assert {(row["split"], row["seed"]) for row in rows(tmp_path)} == {
        ("loso", 0),
        ("loso", 1),
    }
    assert (tmp_path / "runs" / "_mine.toml").read_text() == SUITE


def test_the_command_line_overrides_a_suite(harness, suite, tmp_path):
    options = ("--only", "corpus=tones", "--seeds", "7", "--split", "stratified")
    place = ("--executor", "serial", "--no-controls")
    assert harness("run", "--suite", str(suite), *options, *place)[0] == 0
    assert [(row["split"], row["seed"]) for row in rows(tmp_path)] == [
        ("stratified", 7)
    ]


def test_control_rows_stand_beside_the_others(harness, tmp_path):
    grid = [word for word in GRID if word != "--no-controls"]
    assert harness("run", *grid, "--downstream", "linear,nonlinear")[0] == 0
    assert sorted((row["upstream"], row["downstream"]) for row in rows(tmp_path)) == [
        ("fbank", "chance"),
        ("fbank", "linear"),
        ("fbank", "majority"),
        ("toy", "linear"),
        ("toy", "nonlinear"),
        ("toy", "shuffled"),
    ]


def test_a_head_learns_nothing_from_shuffled_labels(harness, tmp_path):
    harness("run", *GRID, "--downstream", "shuffled,chance", "--seeds", "0-9")
    for row in rows(tmp_path):
        assert row["recipe"] == "peft-ser"
    shuffled = [row["uar"] for row in rows(tmp_path) if row["downstream"] == "shuffled"]
    assert 0.2 < sum(shuffled) / len(shuffled) < 0.8
    assert len(set(shuffled)) > 1
