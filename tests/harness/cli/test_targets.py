"""What ``--target`` does, and what it is refused for."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from harness_plugins.downstreams import majority
from toys import GRID

import harness as python
from harness import Downstream, Reads, hookimpl

LINEAR = (*GRID, "--downstream", "linear")


@pytest.fixture
def kept(manager):
    """The results of this test, as they are made."""
    results = []

    class Plugin:
        @hookimpl
        def harness_result(self, event):
            results.append(event.result)

    manager.register(Plugin())
    return results


@pytest.fixture
def rated(tones):
    """A table of the tones, whose arousal is higher for high ones."""
    table = tones.parent / "rated.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "speaker", "arousal", "valence"])
        for number, path in enumerate(sorted(tones.glob("*.wav"))):
            speaker, label, take = path.stem.split("_")
            arousal = 5 + (label == "high") + 0.01 * number
            valence = "" if take == "0" else number % 7
            rows.writerow([f"tones/{path.name}", label, speaker, arousal, valence])
    return f"csv:{table}"


@pytest.fixture
def unlabelled(rated):
    """The same table without labels."""
    table = Path(rated.removeprefix("csv:"))
    rows = list(csv.reader(table.read_text("utf-8").splitlines()))
    lines = [",".join([row[0], *row[2:]]) for row in rows]
    table.write_text("\n".join(lines) + "\n", "utf-8")
    return rated


def test_numbers_need_no_labels(harness, unlabelled, kept):
    code, _, err = harness("run", *numbers(unlabelled, "--downstream", "linear"))
    assert code == 0, err
    assert set(kept[0].scores) == {"ccc", "pearson", "rmse"}
    asked = numbers(unlabelled, "--downstream", "linear", "--target", "emotion")
    code, _, err = harness("plan", *asked)
    assert code == 2
    assert "none of its 40 utterances has a value" in err
    assert "of this corpus: arousal, speaker, valence." in err


def test_a_labelled_emotion_is_the_same_beside_what_has_none(harness, rated, kept):
    """A result depends on what its target is of, and on nothing else that is there."""
    asked = numbers(rated, "--downstream", "linear", "--target", "emotion")
    table = Path(rated.removeprefix("csv:"))
    lines = table.read_text("utf-8").splitlines()
    table.write_text("\n".join(lines[:-2]) + "\n", "utf-8")
    harness("run", *asked)
    unknown = [",".join([p, "", *rest]) for p, _, *rest in csv.reader(lines[-2:])]
    table.write_text("\n".join([*lines[:-2], *unknown]) + "\n", "utf-8")
    code, _, err = harness("run", *asked)
    assert code == 0, err
    one, other = kept
    assert other.skipped == ("2 of 40 utterances: without emotion",)
    assert one.condition.corpus.manifest == other.condition.corpus.manifest
    assert one.scores == other.scores


@pytest.fixture
def gendered(rated):
    """The tones of five speakers, of whom s0, s2 and s4 are women."""
    table = Path(rated.removeprefix("csv:"))
    header, *lines = table.read_text("utf-8").splitlines()
    rows = [f"{line},{'fm'[int(line.split(',')[2][1]) % 2]}" for line in lines]
    table.write_text("\n".join([f"{header},gender", *rows]) + "\n", "utf-8")
    return rated


def test_folds_that_test_one_class_are_named(harness, gendered):
    asked = [gendered if word == "tones" else word for word in LINEAR]
    asked += ["--target", "gender", "--split", "loso"]
    _, out, _ = harness("plan", *asked)
    assert "Each fold tests one class alone" in out
    _, out, err = harness("run", *asked)
    assert "each test part holds one class alone" in " ".join(out.split()), err
    _, out, _ = harness("leaderboard", "--pooled")
    assert "one class alone" not in out
    _, out, _ = harness("split", gendered, "--target", "gender")
    assert "one class alone, so that" in out
    _, out, _ = harness("split", gendered, "--split", "loso")
    assert "one class alone" not in out


def numbers(rated, *more):
    grid = [rated if word == "tones" else word for word in GRID]
    return (*grid, "--target", "arousal", *more)


def test_a_target_that_is_none_is_named_with_those_that_are(harness):
    code, _, err = harness("run", *LINEAR, "--target", "foo")
    assert code == 2
    assert "No target is called 'foo'." in err
    assert "arousal, dominance, emotion, gender" in err


def test_a_corpus_without_the_field_is_named_with_its_targets(harness):
    code, _, err = harness("plan", *LINEAR, "--target", "arousal")
    assert code == 2
    assert "Corpus 'tones'" in err
    assert "of this corpus: emotion, speaker." in err


def test_the_speaker_is_predicted_within_speakers(harness, kept):
    code, out, err = harness("run", *LINEAR, "--target", "speaker")
    assert code == 0, err
    assert "linear, tones, speaker, fold 0" in err
    assert "split within-speakers, target speaker" in " ".join(out.split())
    (result,) = kept
    assert result.speakers_train == result.speakers_test
    assert result.labels == ("s0", "s1", "s2", "s3", "s4")


def test_a_split_of_speakers_is_refused_for_the_speaker(harness):
    _, _, err = harness("plan", *LINEAR, "--target", "speaker", "--split", "loso")
    assert "'loso' tests others" in err


def test_what_was_computed_of_the_emotion_is_not_done_for_another(harness):
    harness("run", *LINEAR)
    _, out, _ = harness("plan", *LINEAR, "--target", "speaker")
    assert "1 cell, 0 of them done" in out
    _, out, _ = harness("plan", *LINEAR)
    assert "1 cell, 1 of them done" in out


def test_numbers_are_run_and_scored(harness, rated, kept):
    code, _, err = harness("run", *numbers(rated, "--downstream", "linear,majority"))
    assert code == 0, err
    assert "CCC " in err
    for result in kept:
        assert set(result.scores) == {"ccc", "pearson", "rmse"}
        assert result.condition.downstream.selection == "ccc"


def test_predictions_of_numbers_stand_beside_those_of_classes(harness, rated):
    for target in ("arousal", "emotion"):
        asked = numbers(rated, "--downstream", "linear", "--target", target)
        assert harness("run", *asked)[0] == 0
    found = python.results().predictions.to_pylist()
    assert {"score_high", "score_low"} <= found[0].keys()
    assert not {"score_q1", "score_q5"} & found[0].keys()
    for row in found:
        is_number = row["target"] == "arousal"
        assert (row["predicted_value"] is not None) == is_number
        assert (row["score_high"] is None) == is_number
    alone = python.results(only={"target": "arousal"}).predictions
    assert not [name for name in alone.column_names if name.startswith("score_")]


def test_controls_of_numbers_are_those_that_can(harness, rated):
    asked = [word for word in numbers(rated) if word != "--no-controls"]
    code, out, err = harness("plan", *asked, "--downstream", "linear")
    assert code == 0, err
    assert "permuted" in out
    assert "majority" in out


def test_what_has_no_value_is_counted_in_plan_and_result(harness, rated, kept):
    asked = (*numbers(rated), "--downstream", "linear", "--target", "valence")
    _, out, _ = harness("plan", *asked)
    assert "left out: 10 of 40 utterances: without valence" in out
    harness("run", *asked)
    (result,) = kept
    assert result.skipped == ("10 of 40 utterances: without valence",)
    assert result.n_train + result.n_valid + result.n_test == 30


@pytest.mark.parametrize(
    ("target", "metric"), [("arousal", "macro_f1"), ("emotion", "ccc")]
)
def test_a_selection_that_does_not_score_the_target_is_refused(
    target, metric, harness, rated
):
    asked = (*numbers(rated), "--downstream", "linear", "--target", target)
    code, _, err = harness("plan", *asked, "--select", metric)
    assert code == 2
    assert f"'{metric}' scores" in err
    assert "Select by one of" in err


def test_a_head_that_cannot_predict_numbers_is_refused(harness, manager, rated):
    class Plugin:
        @hookimpl
        def harness_downstreams(self):
            yield Downstream(
                name="nearest",
                summary="",
                reads=Reads(layers="last", frames=False),
                fit=majority.fit,
            )

    manager.register(Plugin())
    code, _, err = harness("plan", *numbers(rated, "--downstream", "nearest"))
    assert code == 2
    assert "'nearest' predicts no numbers, which the target 'arousal' wants" in err


def test_a_split_of_a_target_is_written_and_used(harness, tmp_path):
    file = str(tmp_path / "mine.json")
    code, _, err = harness("split", "tones", "--target", "speaker", "--out", file)
    assert code == 0, err
    assert "--target speaker --split" in err
    assert harness("run", *LINEAR, "--target", "speaker", "--split", file)[0] == 0
    code, _, err = harness("run", *LINEAR, "--split", file)
    assert code == 2
    assert "was made of other utterances, audio, labels" in err


def test_a_suite_has_a_target(harness, tmp_path):
    (tmp_path / "mine.toml").write_text(
        'target = "speaker"\n[[grid]]\nupstreams = ["toy"]\n'
        'downstreams = ["linear"]\ncorpora = ["tones"]\n',
        "utf-8",
    )
    suite = ("--suite", "mine.toml", "--executor", "serial", "--no-controls")
    code, out, err = harness("run", *suite)
    assert code == 0, err
    assert "split within-speakers" in " ".join(out.split())
    code, _, err = harness("plan", *suite, "--target", "emotion")
    assert code == 0, err


def test_targets_are_listed(harness):
    _, out, _ = harness("list", "targets")
    rows = [line.split() for line in out.splitlines()]
    assert ["speaker", "a", "class", "within-speakers", "macro_f1"] in [
        row[:5] for row in rows
    ]
    assert ["arousal", "a", "number", "speaker-independent", "ccc"] in [
        row[:5] for row in rows
    ]


def test_python_has_the_target_too(harness, manager, tones, monkeypatch):
    from harness import api
    from harness.registry import Registry

    monkeypatch.setattr(api, "_registry", lambda plugins: Registry.of(manager))
    found = python.run(
        upstream="toy",
        downstream="linear",
        corpus="tones",
        target="speaker",
        executor="serial",
        controls=False,
        quiet=True,
    )
    assert found.results["target"].to_pylist() == ["speaker"]
