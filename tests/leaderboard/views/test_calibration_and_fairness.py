"""The views of stored predictions: what they print, and what they say they lack."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from boards import number
from harness_leaderboard.analysis.grouping import Grouping
from harness_leaderboard.analysis.question import Question
from harness_leaderboard.render.text import headings
from harness_leaderboard.results import reading, store
from harness_leaderboard.views.calibration import NONE_FITTED
from harness_leaderboard.views.catalogue import VIEWS
from ratings import ratings
from study import study

from harness import HarnessError
from harness.training.metrics import accuracy, ccc, pearson, rmse
from harness.types import Metric

if TYPE_CHECKING:
    from harness.types import Result, Table

FORMS = ("rich", "markdown", "csv", "json", "latex", "html")


def show(name: str, *results: Result, **question: Any) -> Table:
    """A view of results, from the columns alone that it says it reads."""
    asked = Question(**question)
    runs = reading.flattened(store.table_of(results), VIEWS[name].columns(asked))
    return VIEWS[name].make(runs, asked)


def texts(table: Table, column: str) -> list[str]:
    at = headings(table).index(column)
    return [row[at].text for row in table.rows]


@pytest.fixture
def results(make_result) -> list[Result]:
    """A study on one corpus, with genders and validation predictions."""
    made = []
    for one in study(make_result):
        said = tuple(
            replace(
                p,
                gender="female" if p.speaker in ("s0", "s1") else "male",
                sentence=p.utterance[2],
            )
            for p in one.predictions
        )
        if one.condition.corpus.name == "emodb":
            made.append(replace(one, predictions=said, valid_predictions=said))
    return made


# ---------------------------------------------------------------- calibration


def test_each_system_has_a_row_as_trained_and_one_at_its_temperature(results):
    table = show("calibration", *results)
    assert len(table.rows) == 6
    heat = texts(table, "T")
    assert heat[::2] == ["1"] * 3
    assert all("." in text for text in heat[1::2])
    assert all("[" in text for text in texts(table, "log loss"))


def test_a_figure_without_validation_predictions_says_so_and_stays(results):
    older = [
        replace(one, valid_predictions=())
        if one.condition.upstream.name == "mel"
        else one
        for one in results
    ]
    table = show("calibration", *older)
    assert texts(table, "T").count(NONE_FITTED) == 1
    (said,) = [note for note in table.notes if "No temperature is fitted" in note]
    assert "mel · linear on emodb" in said
    assert "--again all" in said


def test_it_is_the_same_whatever_metric_is_asked_for(results):
    assert show("calibration", *results, metric=accuracy) == show(
        "calibration", *results
    )


def test_controls_stand_below_a_line_in_both_rows(results):
    table = show("calibration", *results, controls=frozenset({"mel"}))
    assert table.apart == 2
    assert texts(table, "upstream")[-2:] == ["mel", "mel"]


@pytest.mark.parametrize("name", ["calibration", "fairness"])
def test_results_without_scores_are_refused(name: str, results):
    bare = [
        replace(one, predictions=tuple(replace(p, scores=()) for p in one.predictions))
        for one in results
    ]
    with pytest.raises(HarnessError, match="score of each class"):
        show(name, *bare)


# ---------------------------------------------------------------- fairness


def test_groups_their_gap_and_the_worst_speaker_have_rows(results):
    table = show("fairness", *results)
    rows = texts(table, "gender")[:4]
    assert sorted(rows[:2]) == ["female", "male"]
    assert rows[2] == f"{rows[0]} − {rows[1]}"
    assert rows[3].startswith("worst speaker: s")
    kinds = [row[3].details["row"] for row in table.rows[:4]]
    assert kinds == ["group", "group", "gap", "worst speaker"]


def test_a_group_of_few_speakers_has_no_interval_and_the_note_names_it(results):
    table = show("fairness", *results)
    scores = dict(zip(texts(table, "gender"), texts(table, "Macro-F1"), strict=True))
    assert "[" in scores["male"]
    assert "[" not in scores["female"]
    assert any(
        "female: 2 test speakers: too few for an error" in note for note in table.notes
    )


def test_within_speakers_the_table_says_what_is_permuted(results):
    table = show("fairness", *results, by=Grouping(name="sentence"), metric=accuracy)
    assert "within each speaker" in table.notes[0]
    assert any("chosen by their figures" in note for note in table.notes)


def test_by_speaker_has_no_interval_and_no_test(results):
    table = show("fairness", *results, by=Grouping(name="speaker"))
    assert not any("[" in text for text in texts(table, "Macro-F1"))
    assert set(texts(table, "p (Holm)")) == {""}
    assert any("each group is one speaker" in note for note in table.notes)


def test_ps_are_corrected_for_the_systems_that_are_no_controls(results):
    table = show("fairness", *results, controls=frozenset({"mel"}))
    ps = [row[-1] for row in table.rows if row[-1].text]
    assert len(ps) == 3
    assert ["Holm" in one.details for one in ps] == [True, True, False]
    assert table.apart == 4


def test_what_no_prediction_says_is_refused_with_the_next_step(results):
    with pytest.raises(HarnessError, match=r"known language.*--by, such as speaker"):
        show("fairness", *results, by=Grouping(name="language"))


def test_a_figure_that_does_not_say_it_is_named(results):
    silent = [
        replace(
            one, predictions=tuple(replace(p, gender=None) for p in one.predictions)
        )
        if one.condition.upstream.name == "mel"
        else one
        for one in results
    ]
    table = show("fairness", *silent)
    assert len(table.rows) == 8
    assert any("mel · linear on emodb" in note for note in table.notes)


def test_one_group_alone_has_no_gap(results):
    german = [
        replace(
            one, predictions=tuple(replace(p, language="de") for p in one.predictions)
        )
        for one in results
    ]
    table = show("fairness", *german, by=Grouping(name="language"))
    assert set(texts(table, "language")) - {"de"} == {
        text for text in texts(table, "language") if text.startswith("worst")
    }
    assert any("one group alone, 'de'" in note for note in table.notes)


def test_a_metric_that_is_not_of_confusions_is_refused(results):
    odd = Metric(
        name="macro_f1",
        title="Odd",
        summary="reads scores",
        score=lambda predictions: 0.0,
        of_confusion=False,
    )
    with pytest.raises(HarnessError, match="not computed from confusions alone"):
        show("fairness", *results, metric=odd)


# ---------------------------------------------------------------- numbers


@pytest.fixture
def numbers(make_result) -> list[Result]:
    """A study of arousal on one corpus, with genders; the odd speakers are male."""
    return [
        replace(
            one,
            predictions=tuple(
                replace(p, gender="male" if int(p.speaker[1]) % 2 else "female")
                for p in one.predictions
            ),
        )
        for one in ratings(make_result)
        if one.condition.corpus.name == "emodb"
    ]


@pytest.mark.parametrize("metric", [ccc, pearson, rmse], ids=lambda one: one.name)
def test_groups_of_numbers_are_compared_in_the_units_of_the_metric(metric, numbers):
    table = show("fairness", *numbers, metric=metric)
    percent = metric is not rmse
    assert table.title.startswith(metric.title)
    assert ("in percent" in table.title) is percent
    assert ("in points" in table.notes[0]) is percent
    said = " ".join(table.notes)
    assert "label" not in said
    assert "lacks" not in said
    for start in range(0, len(table.rows), 4):
        rows = table.rows[start : start + 4]
        best, other, gap, worst = (number(row[-2]) for row in rows)
        assert (best < other) is (metric is rmse)
        assert gap == pytest.approx(abs(best - other))
        assert (worst > other) is (metric is rmse)
        assert 0 < number(rows[2][-1]) <= 1
        assert rows[2][3].details["worst group"] == rows[1][3].value


def test_what_is_not_predicted_is_refused_with_its_kind(results, numbers):
    with pytest.raises(HarnessError, match="has Macro-F1, which is of classes"):
        show("calibration", *numbers)
    with pytest.raises(HarnessError, match="has CCC, which is of numbers"):
        show("fairness", *results, metric=ccc)


@pytest.mark.parametrize("form", FORMS)
def test_groups_of_numbers_are_printed_in_every_form(form, numbers, runs, harness):
    for one in numbers:
        store.write_result(one, runs)
    view = ("--view", "fairness", "--metric", "rmse", "--format", form)
    code, out, err = harness("leaderboard", "--runs", str(runs), *view)
    assert code == 0, err
    assert "whisper" in out


def test_the_page_has_groups_of_numbers(numbers, runs, tmp_path, harness):
    for one in numbers:
        store.write_result(one, runs)
    out = tmp_path / "site"
    words = ("--format", "html", "--out", str(out))
    assert harness("leaderboard", "--runs", str(runs), *words)[0] == 0
    page = (out / "index.html").read_text("utf-8")
    assert 'id="by-gender"' in page
    assert "CCC in percent by gender" in page
    assert 'id="calibrated"' not in page
    assert "could not be made" not in page


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("view", ["calibration", "fairness"])
def test_both_are_printed_in_every_form(view, form, results, runs, harness):
    for one in results:
        store.write_result(one, runs)
    code, out, _ = harness(
        *("leaderboard", "--runs", str(runs), "--view", view, "--format", form)
    )
    assert code == 0
    assert "whisper" in out


def test_the_page_has_both_for_any_metric(results, runs, tmp_path, harness):
    for one in results:
        store.write_result(one, runs)
    out = tmp_path / "site"
    words = ("--metric", "uar", "--format", "html", "--out", str(out))
    assert harness("leaderboard", "--runs", str(runs), *words)[0] == 0
    page = (out / "index.html").read_text("utf-8")
    assert 'id="calibrated"' in page
    assert 'id="by-gender"' in page
    assert 'id="by-sentence"' in page
    assert "could not be made" not in page


def test_by_is_refused_for_other_views(results, runs, harness):
    store.write_result(results[0], runs)
    code, _, err = harness("leaderboard", "--runs", str(runs), "--by", "speaker")
    assert code == 2
    assert "--view fairness" in err
