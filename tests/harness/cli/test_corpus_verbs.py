"""What ``harness corpus`` prints, and its exit codes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from harness import Target, hookimpl


@pytest.fixture
def silent(tones):
    soundfile.write(tones / "s9_low_0.wav", np.zeros(16_000), 16_000)


CHECK = ("corpus", "check", "tones")


def test_a_complete_corpus_exits_with_0(harness):
    code, out, _ = harness(*CHECK)
    assert code == 0
    assert "40 utterances of 5 speakers, 2 labels" in out
    assert "40 files of 16000 Hz, mono" in out
    assert "unknown: nothing is known" in out


def test_a_bad_file_is_listed_and_exits_with_2(harness, silent):
    code, out, _ = harness(*CHECK)
    assert code == 2
    assert [line.split() for line in out.splitlines() if "s9_low_0" in line] == [
        ["unusable", "s9_low_0.wav", "silent"]
    ]


def test_many_problems_are_counted_beyond_the_first(harness, tones):
    for take in range(30):
        (tones / f"s9_low_{take}.wav").touch()
    _, out, _ = harness(*CHECK)
    assert out.count("zero bytes") == 20
    assert "and 10 more; see --format json" in out


def test_json_of_one_corpus_is_an_object(harness, silent):
    _, out, _ = harness(*CHECK, "--format", "json")
    assert json.loads(out)["corpus"] == "tones"
    assert json.loads(out)["problems"][0]["kind"] == "unusable"


def test_json_of_several_corpora_is_a_list(harness):
    _, out, _ = harness(*CHECK, "tones", "--format", "json")
    assert [passport["corpus"] for passport in json.loads(out)] == ["tones", "tones"]


def test_markdown_has_tables(harness):
    _, out, _ = harness(*CHECK, "--format", "markdown")
    assert out.startswith("## Tones, version 1\n")
    assert "| speaker | gender | high | low | all |\n| --- | --- |" in out


def test_all_checks_what_is_there_and_names_the_rest(harness):
    code, out, err = harness("corpus", "check", "--all", "--format", "json")
    assert code == 0
    found = [passport["corpus"] for passport in json.loads(out)]
    assert found == ["demo", "demo@a", "demo@b", "tones"]
    assert "aesdd, aesdd@all, cafe" in err


def test_all_reports_a_folder_that_is_something_else(harness, tones):
    (tones.parent / "emovo").mkdir()
    code, _, err = harness("corpus", "check", "--all")
    assert code == 2
    assert "emovo: " in err
    assert "no audio file at all" in err


@pytest.mark.parametrize("arguments", [(), ("tones", "--all")])
def test_either_names_or_all_are_required(harness, arguments):
    code, _, err = harness("corpus", "check", *arguments)
    assert code == 2
    assert "pass --all" in err


def test_info_reports_what_is_on_this_machine(harness, tones):
    _, out, _ = harness("corpus", "info", "tones")
    assert f"40 utterances in {tones}" in out
    assert ["intensities", "not", "coded"] in [line.split() for line in out.split("\n")]


@pytest.fixture
def rated(tones):
    """A table of the tones without labels: some numbers, and who speaks."""
    lines = ["path,speaker,gender,arousal"]
    for number, path in enumerate(sorted(tones.glob("*.wav"))):
        rating = number / 8 if number % 2 else ""
        lines.append(f"tones/{path.name},{path.name[:2]},,{rating}")
    written = tones.parent / "rated.csv"
    written.write_text("\n".join(lines) + "\n")
    return f"csv:{written}"


@pytest.mark.parametrize("verb", ["info", "check"])
def test_the_targets_of_a_corpus_are_counted(harness, rated, verb):
    code, out, err = harness("corpus", verb, rated)
    assert code == 0, err
    rows = [line.split() for line in out.splitlines()]
    assert "target arousal 20 utterances, 0.125 to 4.875".split() in rows
    assert "target speaker 40 utterances, 5 values".split() in rows
    assert not [row for row in rows if row[:2] == ["target", "emotion"]]
    _, out, _ = harness("corpus", verb, rated, "--format", "json")
    assert json.loads(out)["targets"] == {
        "arousal": {"utterances": 20, "least": 0.125, "most": 4.875},
        "speaker": {"utterances": 40, "values": 5},
    }
    assert not {"", None} & json.loads(out)["labels"].keys()


def test_a_target_of_a_plugin_that_fails_is_not_counted(harness, manager):
    class Plugin:
        @hookimpl
        def harness_targets(self):
            yield Target(name="odd", summary="", value=lambda one: one.numbers["mood"])

    manager.register(Plugin())
    code, out, err = harness("corpus", "info", "tones")
    assert code == 0, err
    assert "target emotion" in out
    assert "target odd" not in out


def test_info_of_a_folder_that_is_something_else_repeats_the_error(harness, tones):
    (tones.parent / "emovo").mkdir()
    code, out, _ = harness("corpus", "info", "emovo")
    assert code == 0
    assert "0 utterances in" in out
    assert "no audio file at all" in out


def test_info_counts_intensities(harness, tones):
    for name in ("01-C-1-1.wav", "01-C-2-1.wav", "01-D-2-1.wav", "01-N-1-1.wav"):
        (tones.parent / "cafe").mkdir(exist_ok=True)
        (tones.parent / "cafe" / name).touch()
    _, out, _ = harness("corpus", "info", "cafe")
    assert "2 strong, 1 weak; 1 utterances without a code" in out
    _, out, _ = harness("corpus", "info", "cafe", "--format", "json")
    assert json.loads(out)["intensities"] == {"strong": 2, "weak": 1}


@pytest.mark.parametrize("verb", ["check", "info", "download"])
def test_a_corpus_that_can_be_synthesised_is(harness, tmp_path, verb):
    code, out, err = harness("corpus", verb, "demo@a")
    assert code == 0, err
    assert "demo-v1" in out
    assert len(list((tmp_path / "cache" / "demo-v1").iterdir())) == 288


def test_info_describes_a_corpus_that_is_not_on_this_machine(harness):
    code, out, _ = harness("corpus", "info", "aesdd")
    assert code == 0
    for fact in (
        "Greek, acted, 5 or 6 speakers",
        "not stated; offered for research",
        "http://m3c.web.auth.gr",
        "Vryzas",
        "mega.nz",
        "sadness/s05 (3).wav cannot be decoded",
        "Table 1 of D'Asaro et al. (2024) has 500 utterances of 5 labels; in aesdd are "
        "504 of 5. 500 is the plan",
        "not at ",
    ):
        assert fact in out
    rows = [line.split() for line in out.splitlines()]
    assert ["corpus", "aesdd", "aesdd@all"] in rows
    assert ["anger", "101", "121"] in rows
    assert ["all", "504", "604"] in rows
    assert ["published", "train", "307", "407"] in rows


def test_info_says_which_corpora_can_be_downloaded(harness):
    assert "harness corpus download cafe" in harness("corpus", "info", "cafe")[1]
    assert "corpus download" not in harness("corpus", "info", "demos")[1]


def test_info_as_json_can_be_read(harness):
    _, out, _ = harness("corpus", "info", "emodb", "--format", "json")
    description = json.loads(out)
    assert description["licence"] == "CC0-1.0"
    assert description["labels"]["anger"] == 127
    assert description["claims"][0]["utterances"] == 535


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_a_minimal_description_has_an_info_too(harness, form):
    code, out, _ = harness("corpus", "info", "tones", "--format", form)
    assert code == 0
    assert "CC0-1.0" in out


def test_an_unknown_corpus_is_reported_with_a_near_name(harness):
    code, _, err = harness("corpus", "info", "emo-db")
    assert code == 2
    assert "Did you mean 'emodb'?" in err


def test_the_list_of_corpora_has_their_size_beside_the_papers(harness):
    _, out, _ = harness("list", "corpora")
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert rows["aesdd"][2:4] == ["504", "5"]
