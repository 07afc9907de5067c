"""A corpus that can be synthesised appears complete or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from toys import TONES

from harness import StoreError
from harness.data.synthesis import synthesise


def write_two(folder):
    (folder / "s0_low_0.wav").touch()
    (folder / "s0_low_1.wav").touch()


MADE = replace(TONES, name="made@variant", make=write_two)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "cache" / "made"


def test_the_folder_is_made_and_nothing_else(root):
    synthesise(MADE, root)
    assert sorted(path.name for path in root.iterdir()) == [
        "s0_low_0.wav",
        "s0_low_1.wav",
    ]
    assert list(root.parent.iterdir()) == [root]


def test_a_folder_that_exists_is_kept(root):
    root.mkdir(parents=True)
    synthesise(MADE, root)
    assert list(root.iterdir()) == []


def test_a_corpus_that_cannot_be_synthesised_is_left_alone(root):
    synthesise(TONES, root)
    assert not root.parent.exists()


def test_an_interrupted_synthesis_leaves_nothing(root):
    def interrupted(folder):
        (folder / "s0_low_0.wav").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesise(replace(MADE, make=interrupted), root)
    assert list(root.parent.iterdir()) == []


def test_a_process_that_was_faster_wins(root):
    def outrun(folder):
        write_two(folder)
        root.mkdir()
        (root / "faster.wav").touch()

    synthesise(replace(MADE, make=outrun), root)
    assert [path.name for path in root.iterdir()] == ["faster.wav"]
    assert list(root.parent.iterdir()) == [root]


def test_a_cache_that_cannot_be_written_is_an_error_with_a_next_step(tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(StoreError, match=r"corpus 'made' at .*with --cache or"):
        synthesise(MADE, tmp_path / "cache" / "made")
