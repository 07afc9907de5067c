"""A corpus that lies near where it is looked for is found by who reads the error."""

from __future__ import annotations

import pytest

from harness.data.nearby import nearby


@pytest.mark.parametrize(
    ("lies", "asked", "said"),
    [
        ("data/emodb/wav", "data/emodb", "to {}/data, the folder above it"),
        ("data/emodb/wav", "data/emodb/wav", "to {}/data, the folder above it"),
        ("data/speech/emodb", "data", "to {}/data/speech, the folder above it"),
        ("data/Emo-DB", "data", "rename that folder to 'emodb'"),
        ("data/EmoDB/wav", "data/EmoDB", "rename that folder to 'emodb'"),
        ("data/cafe", "data", ""),
        ("data/cafe", "nowhere", ""),
    ],
)
def test_where_a_corpus_seems_to_be_is_said(lies, asked, said, tmp_path):
    (tmp_path / lies).mkdir(parents=True)
    found = nearby("emodb", tmp_path / asked / "emodb")
    assert said.format(tmp_path) in found
    assert bool(found) == bool(said)


def test_a_data_root_that_is_too_deep_is_not_answered_by_a_download(harness, tones):
    words = ("--upstream", "toy", "--downstream", "linear", "--corpus", "tones")
    code, _, err = harness("plan", *words, "--data-root", str(tones))
    assert code == 2
    assert f"set HARNESS_DATA (or --data-root) to {tones.parent}" in err
