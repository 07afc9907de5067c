"""Views of targets: numbers in their units, targets apart, and the map of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import audmetric
import numpy as np
import pytest
from boards import number
from harness_leaderboard.analysis.figures import columns
from harness_leaderboard.analysis.question import DEFAULTS, Question, suited
from harness_leaderboard.results import reading, store, upkeep
from harness_leaderboard.results.rescore import scored_anew
from harness_leaderboard.views import catalogue as views
from harness_leaderboard.views.changes import changes
from harness_leaderboard.views.changes import columns as changed_columns
from harness_leaderboard.views.compare import compare
from harness_leaderboard.views.kept import in_full, listed, of_utterance
from ratings import METRICS, rated, ratings
from sklearn.metrics import f1_score
from study import put, study

from harness import HarnessError
from harness.training.metrics import ccc, macro_f1, pearson, rmse

if TYPE_CHECKING:
    from pathlib import Path

    from results import MakeResult

    from harness.types import Result, Table

ASKED = Question(metric=ccc)


def show(name: str, *results: Result, question: Question = ASKED) -> Table:
    """A view of results, from the columns alone that it says it reads."""
    view = views.VIEWS[name]
    needed = (*view.columns(question), *(views.PREDICTED if view.sure else ()))
    runs = reading.flattened(store.table_of(results), list(dict.fromkeys(needed)))
    return view.make(runs, question)


def texts(table: Table) -> list[list[str]]:
    return [[entry.text for entry in row] for row in table.rows]


# ---------------------------------------------------------------- numbers


def test_a_board_of_numbers_has_audmetrics_figures(make_result: MakeResult):
    results = ratings(make_result)
    table = show("board", *results)
    assert table.title.startswith("CCC in percent")
    at = table.columns.index("emodb")
    shown = {tuple(e.value for e in row[:2]): row[at].value for row in table.rows}
    for (upstream, downstream), figure in shown.items():
        of = [
            np.array([(p.value, p.predicted_value) for p in one.predictions]).T
            for one in results
            if one.condition.upstream.name == upstream
            and one.condition.downstream.name == downstream
            and one.condition.corpus.name == "emodb"
        ]
        expected = np.mean([audmetric.concordance_cc(*pair) for pair in of])
        assert figure == pytest.approx(expected)
    assert any("target arousal" in note for note in table.notes)
    assert any("Chance is what the mean" in note for note in table.notes)


def test_errors_are_in_their_units_and_the_lowest_is_first(make_result: MakeResult):
    question = Question(metric=rmse)
    table = show("board", *ratings(make_result), question=question)
    assert table.title.startswith("RMSE in the units of the target")
    at = table.columns.index("cafe")
    values = [number(row[at]) for row in table.rows]
    assert values == sorted(values)
    assert table.rows[0][at].text.startswith(f"{values[0]:.3g} [")
    assert table.sorted_by is not None
    assert table.sorted_by[1] == "ascending"


@pytest.mark.parametrize("metric", [ccc, pearson, rmse], ids=lambda one: one.name)
@pytest.mark.parametrize(
    "name",
    ["board", "intervals", "spread", "classifiers", "languages", "runs", "corpora"],
)
def test_every_view_shows_numbers(name: str, metric, make_result: MakeResult):
    table = show(name, *ratings(make_result), question=Question(metric=metric))
    assert table.rows
    assert not any("nan" in text for row in texts(table) for text in row)


def test_bins_are_not_counted_as_classes(make_result: MakeResult):
    table = show("corpora", *ratings(make_result))
    assert table.columns[:2] == ("corpus", "target")
    assert {row[table.columns.index("classes")].text for row in table.rows} == {""}


def test_two_systems_that_predict_numbers_are_compared(make_result: MakeResult):
    results = ratings(make_result)
    for metric, percent in ((ccc, True), (rmse, False)):
        question = Question(metric=metric, detect=0.1)
        needed = (*columns(metric), "labels", "predictions")
        runs = reading.flattened(store.table_of(results), needed)
        table = compare(runs, question, ("whisper/linear", "mel/linear"))
        gap = table.rows[0][table.columns.index("A−B")]
        assert isinstance(gap.value, float)
        assert (gap.value > 0) is (metric is ccc)
        assert gap.text == (
            f"{100 * gap.value:+.1f}" if percent else f"{gap.value:+.3g}"
        )
        unit = "10 points" if percent else "0.1"
        assert table.groups[-1] == f"to detect {unit}"


def test_a_transfer_of_numbers_is_of_ccc(make_result: MakeResult):
    away = rated(make_result(corpus="emodb", test_corpus="cafe", target="arousal"), 0.7)
    table = show("transfer", away)
    assert table.title == "Transfer: CCC in percent"
    assert table.rows[0][3].value == pytest.approx(away.scores["ccc"])


# ---------------------------------------------------------------- which metric


def read(*results: Result):
    return reading.flattened(store.table_of(results), DEFAULTS)


def test_the_metric_is_that_of_what_was_predicted(make_result: MakeResult):
    classes, numbers = make_result(), rated(make_result(target="arousal"), 0.7)
    unnamed = Question(named=False)
    assert suited(unnamed, read(classes)).metric is macro_f1
    assert suited(unnamed, read(numbers)).metric is ccc
    assert suited(unnamed, read(classes, numbers)).metric is macro_f1
    assert suited(Question(), read(numbers)).metric is macro_f1


def test_a_metric_is_not_computed_of_the_other_kind(
    make_result: MakeResult, runs: Path
):
    numbers = rated(make_result(target="arousal"), 0.7)
    store.write_result(replace(numbers, scores={"ccc": 0.5}), runs)
    store.write_result(make_result(seed=1), runs)
    names = ("scores_rmse", "scores_macro_f1", "seed")
    table, _ = reading.read_runs(runs, names)
    for metric in (rmse, macro_f1):
        table = scored_anew(table, metric, runs)
    found = {row["seed"]: row for row in table.to_pylist()}
    assert found[0]["scores_rmse"] == pytest.approx(numbers.scores["rmse"])
    assert found[0]["scores_macro_f1"] is None
    assert found[1]["scores_rmse"] is None


def test_a_board_names_the_kind_that_it_leaves_out_and_how_to_see_it(
    make_result: MakeResult,
):
    one = rated(make_result(target="valence"), 0.7)
    results = [make_result(), rated(make_result(target="arousal"), 0.7), one]
    for question, said in (
        (Question(), "2 results of numbers (arousal, valence): --metric ccc shows"),
        (ASKED, "1 result of classes (emotion): --metric macro_f1 shows"),
    ):
        for name in ("board", "languages", "runs", "layers"):
            notes = show(name, *results, question=question).notes
            assert f"Not counted: {said} them." in notes


def test_a_system_that_is_known_by_numbers_alone_is_not_just_unknown(
    make_result: MakeResult,
):
    results = [make_result(), *ratings(make_result)]
    needed = (*columns(macro_f1), "labels", "predictions")
    runs = reading.flattened(store.table_of(results), needed)
    with pytest.raises(HarnessError, match=r"No system.*12 results of numbers"):
        compare(runs, Question(), ("whisper/linear", "mel/linear"))


@pytest.mark.parametrize("name", ["board", "intervals", "languages", "runs", "layers"])
def test_a_metric_that_no_result_has_is_refused_with_its_kind(
    name: str, make_result: MakeResult
):
    with pytest.raises(HarnessError, match="has Macro-F1, which is of classes"):
        show(name, rated(make_result(target="arousal"), 0.7), question=Question())
    with pytest.raises(HarnessError, match="has CCC, which is of numbers"):
        show(name, make_result())


def test_which_scores_are_good_is_said_in_every_table(make_result: MakeResult):
    results = ratings(make_result)
    for metric, bounds, lowest in (
        (ccc, (-1.0, 1.0), False),
        (rmse, (0.0, np.inf), True),
    ):
        question = Question(metric=metric)
        for name in ("board", "intervals", "classifiers", "languages"):
            view = views.VIEWS[name]
            needed = (*view.columns(question), *views.PREDICTED)
            runs = reading.flattened(store.table_of(results), [*dict.fromkeys(needed)])
            table = view.table(runs, question)
            assert (table.bounds, table.lowest) == (bounds, lowest)
    said = " ".join(show("classifiers", *results, question=question).notes)
    assert "The lowest of each upstream is marked" in said


# ---------------------------------------------------------------- targets apart


def test_targets_are_never_averaged(make_result: MakeResult):
    results = [*study(make_result), *study(make_result, target="gender")]
    table = show("board", *results, question=Question())
    assert [name for name in table.columns if "·" in name] == [
        *("cafe · emotion", "cafe · gender", "emodb · emotion", "emodb · gender"),
    ]
    assert "mean" not in table.columns
    with pytest.raises(HarnessError, match="measured in several ways"):
        show("classifiers", *results, question=Question())


def test_a_board_of_the_emotion_alone_does_not_speak_of_targets(
    make_result: MakeResult,
):
    table = show("board", *study(make_result), question=Question())
    said = " ".join((*table.columns, *table.notes, table.title))
    assert "target" not in said
    assert "emotion" not in said


def test_targets_are_layers_of_their_own(make_result: MakeResult):
    results = [
        make_result(target=target, layer_scores=scores, downstream="layerwise")
        for target, scores in (("emotion", (0.2, 0.6)), ("gender", (0.9, 0.5)))
    ]
    table = show("layers", *results, question=Question())
    assert table.title == "Where each target sits: layers 1 to L"
    top = table.columns.index("top layer")
    shown = [(row[0].text, row[top].value) for row in table.rows]
    assert shown == [("emotion", 2), ("gender", 1)]


def test_results_of_two_targets_are_not_each_others_cause(make_result: MakeResult):
    old, new = make_result(macro_f1=0.2), make_result(target="gender", macro_f1=0.9)
    before, after = (
        reading.flattened(store.table_of([one]), changed_columns(Question()))
        for one in (old, new)
    )
    table = changes(before, after, Question())
    assert not table.rows
    assert table.notes[0] == "0 of 0 cells moved; 1 are new, 1 are gone."


# ---------------------------------------------------------------- one in full


def test_a_result_of_numbers_is_shown_in_full(make_result: MakeResult):
    result = rated(make_result(target="arousal"), 0.7)
    *_, scores, history, last = in_full(result, {}, {"rmse": views_unit()})
    assert scores.title.endswith("rmse in the units of the target")
    assert history.columns[-1] == "CCC in validation"
    assert last.columns == (
        *("speaker", "gender", "true", "predicted", "error", "utterance"),
    )
    errors = [abs(number(row[4])) for row in last.rows]
    assert errors == sorted(errors, reverse=True)
    assert len(errors) == len(result.predictions)


def views_unit():
    from harness_leaderboard.render.entries import unit_of

    return unit_of(rmse.bounds)


def test_an_utterance_shows_the_true_and_the_predicted_number(make_result: MakeResult):
    result = rated(make_result(target="arousal"), 0.7)
    one = result.predictions[0]
    table = of_utterance(one.utterance, [result], "")
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["label"].value == one.value
    assert row["predicted"].value == one.predicted_value
    assert row["target"].text == "arousal"


def test_a_list_of_both_kinds_has_both_scores(make_result: MakeResult, runs: Path):
    from harness_leaderboard.results.columns import scored
    from harness_leaderboard.results.tables import as_results, columns_of_results

    results = [make_result(seed=1), rated(make_result(target="arousal"), 0.7)]
    needed = (*columns_of_results(), scored(macro_f1), scored(ccc))
    table = as_results(reading.flattened(store.table_of(results), needed))
    shown = listed(table, macro_f1, ccc)
    assert shown.columns[-2:] == ("Macro-F1", "CCC")
    assert [row[-1].text != "" for row in shown.rows] == [True, False]


def test_a_wrong_stored_score_of_numbers_is_found(make_result: MakeResult):
    result = replace(rated(make_result(target="arousal"), 0.7), n_test=120)
    assert list(upkeep.faults(result, METRICS)) == []
    wrong = replace(result, scores={**result.scores, "ccc": 0.1})
    assert any("ccc is 0.1" in fault for fault in upkeep.faults(wrong, METRICS))


# ---------------------------------------------------------------- the map


@pytest.fixture
def probed(make_result: MakeResult):
    """Make results of a head on each layer, and of the same on permuted labels."""

    def probed(
        scores: tuple[float, ...], *, permuted: bool = False, **changes
    ) -> Result:
        name = "permuted-layerwise" if permuted else "layerwise"
        result = make_result(downstream=name, layer_scores=scores, **changes)
        path = ("condition", "downstream", "recipe", "permuted_labels")
        made: Result = put(result, path, permuted)
        return made

    return probed


def values(table: Table, target: str, measure: str) -> list[float]:
    (row,) = (r for r in table.rows if (r[3].text, r[2].text) == (target, measure))
    return [number(entry) for entry in row[5:] if entry.value is not None]


def test_a_map_takes_chance_and_permuted_labels_off(probed):
    confusion = ((30, 10), (20, 20))
    asked = {"confusion": confusion, "target": "gender"}
    table = show(
        "map",
        probed((0.6, 0.9), **asked),
        probed((0.8, 0.9), seed=1, **asked),
        probed((0.4, 0.5), permuted=True, **asked),
    )
    rng = np.random.default_rng(0)
    true = np.repeat([0, 1], [40_000, 40_000])
    chance = f1_score(true, rng.integers(0, 2, len(true)), average="macro")
    expected = (np.array([0.7, 0.9]) - chance) / (1 - chance)
    assert values(table, "gender", "above chance") == pytest.approx(expected, abs=0.01)
    assert values(table, "gender", "selectivity") == pytest.approx([0.3, 0.4])


def test_a_map_sets_classes_and_numbers_side_by_side(probed, make_result):
    arousal = rated(
        make_result(
            target="arousal", downstream="layerwise", layer_scores=(0.2, 0.7, 0.4)
        ),
        0.7,
    )
    table = show("map", probed((0.6, 0.9, 0.8)), arousal)
    assert values(table, "arousal", "above chance") == [0.2, 0.7, 0.4]
    assert {row[3].text for row in table.rows} == {"emotion", "arousal"}
    assert any("No selectivity is known of arousal, emotion" in n for n in table.notes)


def test_a_map_has_a_row_for_each_language(probed):
    table = show(
        "map",
        probed((0.6, 0.9), corpus="emodb", language="de"),
        probed((0.4, 0.5), corpus="emovo", language="it"),
    )
    assert [row[4].text for row in table.rows] == ["all, 2 corpora", "de", "it"]
    whole, german, italian = (
        [number(entry) for entry in row[5:]] for row in table.rows
    )
    assert whole == pytest.approx(np.mean([german, italian], axis=0))


def test_a_map_says_what_was_divided_or_measured_in_other_ways(probed):
    table = show(
        "map",
        probed((0.6, 0.9)),
        probed((0.4, 0.5), target="speaker", split="within-speakers", corpus="cafe"),
    )
    said = " ".join(table.notes)
    assert "emotion speaker-independent, speaker within-speakers" in said
    assert "emotion emodb; speaker cafe" in said


def test_a_map_refuses_a_corpus_that_was_measured_in_two_ways(probed):
    with pytest.raises(HarnessError, match="emodb · loso and emodb · speaker-ind"):
        show("map", probed((0.6, 0.9)), probed((0.6, 0.9), split="loso"))


def test_without_probes_a_map_says_how_to_make_some(make_result: MakeResult):
    with pytest.raises(HarnessError, match="Run the downstream 'layerwise'"):
        show("map", make_result())
