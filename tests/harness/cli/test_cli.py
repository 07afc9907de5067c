"""Mistakes that a newcomer makes: one clear sentence each, and exit code 2."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import soundfile
from toys import GRID

from harness.registry import Plugin

LINEAR = (*GRID, "--downstream", "linear")


def run(**changes):
    options = {"upstream": "toy", "downstream": "linear", "corpus": "tones"} | changes
    words = [f"--{name}={value}" for name, value in options.items()]
    return ("run", "--executor", "serial", *words)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (run(upstream="whisper-bass"), "Did you mean 'whisper-base'?"),
        (run(downstream="lineer"), "Did you mean 'linear'?"),
        (run(corpus="emo-db"), "Did you mean 'emodb'?"),
        (run(split="losso"), "Did you mean 'loso'?"),
        (run(split="none.json"), "none.json"),
        (run(feeding="loud"), "Known for them: full"),
        (run(seeds="a"), "not like 0-4"),
        (run(checkpoint="x"), "not like whisper-base=FOLDER"),
        (run(upstream="whisper-base", checkpoint="whisper-base=no"), "does not exist"),
        (run(device="cuda:7"), "no device 'cuda:7'"),
        (run(precision="bfloat16"), "needs a GPU"),
        (run(upstream=""), "--upstream"),
        (("run",), "Missing option '--upstream'"),
        (("runn",), "No such command 'runn'"),
        (("leaderboard",), "harness run"),
        (("corpus", "check", "tone"), "Did you mean 'tones'?"),
        (("split", "tones", "--out", "x.txt"), "ends in .json"),
        (run(**{"data-root": "nowhere"}), "is not at nowhere"),
    ],
)
def test_a_mistake_is_told_with_the_next_step(harness, arguments, sentence):
    code, out, err = harness(*arguments)
    assert code == 2
    assert sentence in err
    assert "Traceback" not in err
    assert out == ""


def test_an_empty_corpus_folder_is_told(harness, tones):
    for path in tones.iterdir():
        path.unlink()
    code, _, err = harness(*run())
    assert code == 2
    assert "no utterance of 'tones'" in err


def test_a_corpus_with_one_speaker_is_told(harness, tones):
    for path in tones.glob("s[1-4]*"):
        path.unlink()
    code, _, err = harness(*run())
    assert code == 2
    assert "1 speaker" in err


def test_a_label_with_one_utterance_is_told(harness, tones):
    for path in tones.glob("*_low_*"):
        if path.name != "s0_low_0.wav":
            path.unlink()
    code, _, err = harness(*run())
    assert code == 2
    assert "'low'" in err


def test_the_same_audio_in_two_parts_is_told(harness, tones):
    shutil.copy(tones / "s0_low_0.wav", tones / "s1_low_0.wav")
    code, _, err = harness(*run(split="loso"))
    assert code == 2
    assert "s0_low_0.wav" in err
    assert "s1_low_0.wav" in err


def test_a_runs_folder_that_cannot_be_written_is_told_before_the_work(
    harness, tmp_path
):
    (tmp_path / "file").touch()
    code, _, err = harness(*run(runs=tmp_path / "file"))
    assert code == 2
    assert str(tmp_path / "file") in err
    assert not (tmp_path / "cache" / "features").exists()


def test_a_model_that_is_nowhere_gives_both_ways_out(harness, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, _, err = harness(*run(upstream="whisper-tiny"))
    assert code == 2
    assert "--checkpoint whisper-tiny=FOLDER" in err
    assert "openai/whisper-tiny can be downloaded" in err


@pytest.mark.parametrize("content", ["nothing", "config", "truncated", "family"])
def test_a_checkpoint_that_cannot_be_used_is_told(harness, tmp_path, content):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    config = {"model_type": "wav2vec2" if content == "family" else "whisper"}
    if content != "nothing":
        (folder / "config.json").write_text(json.dumps(config))
    if content in ("truncated", "family"):
        (folder / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    code, _, err = harness(
        *run(upstream="whisper-tiny", checkpoint=f"whisper-tiny={folder}")
    )
    assert code == 2
    assert str(folder) in err
    assert "Traceback" not in err


@pytest.mark.parametrize("blocked", [False, True])
def test_every_command_names_a_plugin_that_is_broken(harness, manager, blocked):
    broken = Plugin(
        name="acme", distribution="", version="", problem="no torch", blocked=blocked
    )
    manager.left_out.append(broken)
    _, _, err = harness("list", "executors")
    assert ("warning: the plugin acme is left out: no torch" in err) != blocked


def test_a_bug_is_one_sentence_and_a_log(harness, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.cli.listing.print_table", lambda *table: 1 / 0)
    code, _, err = harness("list")
    assert code == 1
    assert err.startswith("error: This is a bug: ZeroDivisionError: division by zero.")
    assert "/issues" in err
    (log,) = (tmp_path / "cache" / "log").iterdir()
    assert str(log) in err
    assert "Traceback (most recent call last)" in log.read_text("utf-8")


@pytest.mark.parametrize("asked", ["option", "variable"])
def test_a_bug_prints_its_traceback_where_that_is_asked(harness, monkeypatch, asked):
    monkeypatch.setattr("harness.cli.listing.print_table", lambda *table: 1 / 0)
    if asked == "variable":
        monkeypatch.setenv("HARNESS_DEBUG", "1")
    code, _, err = harness(*["--debug"][: asked == "option"], "list")
    assert code == 1
    assert "Traceback (most recent call last)" in err
    assert "ZeroDivisionError" in err


def test_an_interrupt_says_that_nothing_is_lost(harness, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.cli.listing.print_table", interrupt)
    code, _, err = harness("list")
    assert code == 130
    assert "kept" in err


def test_a_corpus_is_described_as_json(harness, tones):
    soundfile.write(tones / "s9_low_0.wav", np.zeros(16_000), 16_000)
    code, out, _ = harness("corpus", "check", "tones", "--format", "json")
    passport = json.loads(out)
    assert code == 2
    assert passport["utterances"] == 40
    assert passport["labels"] == {"high": 20, "low": 20}
    assert passport["speakers"]["s0"] == {"gender": None, "utterances": 8}
    assert passport["problems"][0]["path"] == "s9_low_0.wav"


def test_a_corpus_is_described_to_a_person(harness):
    code, out, _ = harness("corpus", "check", "tones")
    assert code == 0
    assert "40 utterances of 5 speakers" in out
    assert "16000 Hz" in out


def test_the_version_is_the_packages(harness):
    import importlib.metadata

    assert importlib.metadata.version("speech-harness") in harness("--version")[1]
