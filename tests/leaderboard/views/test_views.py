from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from boards import number
from harness_leaderboard import published
from harness_leaderboard.analysis.question import Question
from harness_leaderboard.results import reading, store
from harness_leaderboard.views import catalogue as views
from results import RESULT
from study import with_predictions

from harness import HarnessError

if TYPE_CHECKING:
    from results import MakeResult

    from harness.types import Result, Table

PRETRAINING = {
    "fbank": (),
    "wav2vec2-base": ("en",),
    "wav2vec2-large": ("en",),
    "whisper-small": ("mul",),
    "xls-r-300m": ("mul",),
}


def show(name: str, *results: Result, **question: Any) -> Table:
    """A view of results, from the columns alone that it says it reads."""
    asked = Question(pretraining=PRETRAINING, **question)
    view = views.VIEWS[name]
    runs = reading.flattened(store.table_of(results), view.columns(asked))
    return view.make(runs, asked)


def texts(table: Table) -> list[list[str]]:
    return [[entry.text for entry in row] for row in table.rows]


def of(system: str, corpus: str = "emodb") -> dict[str, str]:
    upstream, downstream = system.split("/")
    return {"upstream": upstream, "downstream": downstream, "corpus": corpus}


@pytest.fixture
def speaking(make_result: MakeResult):
    """Make results of a system that is right as often as asked, for each speaker."""

    def speaking(
        skill: float, speakers: int = 8, seed: int = 0, **changes: object
    ) -> Result:
        random = np.random.default_rng([speakers, seed, int(1e6 * skill)])
        truth = np.random.default_rng(speakers)
        true = truth.integers(0, 2, (speakers, 30))
        said = np.where(random.random(true.shape) < skill, true, 1 - true)
        return with_predictions(make_result(seed=seed, **changes), true, said)

    return speaking


# ---------------------------------------------------------------- Table 2


def test_classifiers_are_means_over_corpora_with_the_highest_of_a_row_marked(
    make_result: MakeResult,
):
    table = show(
        "classifiers",
        make_result(**of("whisper-small/linear"), macro_f1=0.8),
        make_result(**of("whisper-small/linear", "cafe"), macro_f1=0.6),
        make_result(**of("whisper-small/multilayer"), macro_f1=0.5),
        make_result(**of("whisper-small/multilayer", "cafe"), macro_f1=0.5),
    )
    assert table.columns == ("upstream", "linear", "multilayer")
    assert texts(table) == [["whisper-small", "70.0", "50.0"]]
    assert [entry.second for entry in table.rows[0]] == [False, True, False]


def test_heads_stand_from_simple_to_complex(make_result: MakeResult):
    heads = ("multilayer", "acme", "nonlinear", "linear")
    table = show("classifiers", *(make_result(downstream=head) for head in heads))
    assert table.columns[1:] == ("linear", "nonlinear", "multilayer", "acme")


def test_a_system_that_lacks_a_corpus_has_no_mean(make_result: MakeResult):
    table = show(
        "classifiers",
        make_result(**of("whisper-small/linear"), macro_f1=0.9),
        make_result(**of("whisper-small/multilayer"), macro_f1=0.5),
        make_result(**of("whisper-small/multilayer", "cafe"), macro_f1=0.5),
    )
    assert texts(table) == [["whisper-small", "1 of 2", "50.0"]]
    assert table.rows[0][1].value is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"split": "loso"}, "measured in several ways"),
        ({"corpus": "cafe", "split": "loso"}, "differ in split"),
    ],
)
def test_results_that_are_not_alike_have_no_mean(
    changes: dict[str, object], reason: str, make_result: MakeResult
):
    with pytest.raises(HarnessError, match=f"{reason}.*--only"):
        show("classifiers", make_result(), make_result(**changes))


# ---------------------------------------------------------------- Table 3


@pytest.fixture
def learned(make_result: MakeResult):
    """Make a result of a system with a macro-F1 in validation and one of the test."""

    def learned(system: str, valid: float, test: float, corpus: str = "emodb"):
        (epoch,) = RESULT.history
        curve = (replace(epoch, valid_macro_f1=valid), replace(epoch, epoch=2))
        return make_result(
            **of(system, corpus), macro_f1=test, history=curve, best_epoch=1
        )

    return learned


def test_a_head_is_chosen_by_validation_and_on_request_by_the_test(learned):
    results = [
        learned("whisper-small/linear", valid=0.8, test=0.5),
        learned("whisper-small/multilayer", valid=0.7, test=0.6),
    ]
    by_validation = show("languages", *results)
    assert by_validation.columns == ("corpus", "whisper-small†")
    assert "best in validation" in by_validation.notes[0]
    by_test = show("languages", *results, heads="test")
    assert by_test.columns == ("corpus", "whisper-small‡")
    assert "best on the test, as the paper chooses" in by_test.notes[0]


def test_a_head_without_validation_is_not_ahead_of_one_that_has_it(
    learned, make_result: MakeResult
):
    bare = make_result(**of("whisper-small/multilayer"), macro_f1=0.9, history=())
    known = learned("whisper-small/linear", valid=0.2, test=0.2)
    assert show("languages", bare, known).columns == ("corpus", "whisper-small†")
    other = replace(bare, condition=known.condition)
    table = show("languages", bare, other)
    assert any("no score in validation is stored" in note for note in table.notes)


def test_languages_show_each_upstream_with_its_best_head(learned):
    table = show(
        "languages",
        learned("whisper-small/linear", 0.8, 0.8),
        learned("whisper-small/multilayer", 0.5, 0.5),
        learned("wav2vec2-base/linear", 0.3, 0.3),
        learned("wav2vec2-base/multilayer", 0.6, 0.6),
        learned("fbank/ast", 0.2, 0.2),
    )
    assert table.columns == ("corpus", "fbank ast", "wav2vec2-base‡", "whisper-small†")
    assert table.groups == ("", "baseline", "English-only", "multilingual")
    assert texts(table) == [["emodb (de)", "20.0", "60.0", "80.0"]]


def test_a_head_that_lacks_corpora_is_not_ranked_against_one_that_has_them(
    make_result: MakeResult,
):
    table = show(
        "languages",
        make_result(**of("whisper-small/linear"), macro_f1=0.5),
        make_result(**of("whisper-small/multilayer"), macro_f1=0.6),
        make_result(**of("whisper-small/linear", "cafe"), macro_f1=0.9),
    )
    assert table.columns[1] == "whisper-small†"


def test_heads_with_other_corpora_are_judged_by_those_that_all_have(learned):
    table = show(
        "languages",
        learned("whisper-small/linear", 0.5, 0.5),
        learned("whisper-small/linear", 0.9, 0.9, "cafe"),
        learned("whisper-small/multilayer", 0.6, 0.6),
        learned("whisper-small/multilayer", 0.1, 0.1, "emovo"),
    )
    assert table.columns[1] == "whisper-small‡"


def test_the_highest_of_each_group_is_marked(make_result: MakeResult):
    table = show(
        "languages",
        make_result(**of("wav2vec2-base/linear"), macro_f1=0.3),
        make_result(**of("wav2vec2-large/linear"), macro_f1=0.4),
        make_result(**of("whisper-small/linear"), macro_f1=0.9),
        make_result(**of("xls-r-300m/linear"), macro_f1=0.1),
    )
    entries = table.rows[0][1:]
    assert [entry.text[:2] for entry in entries] == ["30", "40", "90", "10"]
    assert [entry.second for entry in entries] == [False, True, True, False]


def test_an_upstream_that_no_plugin_knows_is_shown_last(make_result: MakeResult):
    table = show(
        "languages",
        make_result(**of("acme/linear")),
        make_result(**of("whisper-small/linear")),
    )
    assert table.columns[1:] == ("whisper-small†", "acme†")
    assert table.groups[1:] == ("multilingual", "unknown")


# ---------------------------------------------------------------- Table 1 and runs


def test_corpora_are_counted_from_what_was_read(make_result: MakeResult):
    table = show("corpora", make_result(), make_result(seed=1))
    assert dict(zip(table.columns, texts(table)[0], strict=True)) == {
        "corpus": "emodb",
        "language": "de",
        "version": "1",
        "utterances": "8",
        "emotions": "2",
        "speakers": "4",
        "skipped": "0",
        "runs": "2",
        "data": "dddddddd",
    }


def test_corpora_stand_beside_the_published_counts(make_result: MakeResult):
    table = show("corpora", make_result(), against=True)
    assert texts(table)[0][-4:] == ["535", "-527", "7", "-5"]


def test_a_corpus_that_differs_from_table_1_says_where_the_reason_is(make_result):
    results = [make_result(corpus=name) for name in ("emodb", "demos@7", "mine")]
    results.append(make_result(corpus="emodb", test_corpus="emovo"))
    table = show("corpora", *results)
    assert sorted(note.split(":")[0] for note in table.notes) == ["demos@7", "emodb"]
    assert table.notes[-1].endswith("'harness corpus info emodb' says why.")


def test_runs_say_what_stands_behind_a_figure(make_result: MakeResult):
    folds = [
        make_result(split="loso", folds=10, fold=str(fold), seed=seed)
        for fold in range(3)
        for seed in (0, 1, 2, 5)
    ]
    table = show("runs", *folds)
    assert texts(table) == [
        [
            *("whisper-base", "linear", "emodb", "12", "0-2, 5", "3 of 10"),
            *("4/2/2", "0.1.0", "2.11.0", "cpu", "2025-01-01"),
            *("loso", "c" * 8, "d" * 8, "e" * 8, "speech-harness 0.1.0"),
        ]
    ]


def test_runs_hold_whole_hashes_and_name_the_plugins(make_result: MakeResult):
    plugins = {"upstream": "acme (harness-acme 1.0)", "corpus": "emodb (harness 0.1)"}
    table = show("runs", make_result(training_plugins=plugins))
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["weights"].value == "c" * 64
    assert row["plugins"].text == "harness 0.1, harness-acme 1.0"
    assert row["plugins"].value == "acme (harness-acme 1.0), emodb (harness 0.1)"


# ---------------------------------------------------------------- Figure 2


def test_layers_are_averaged_over_runs_and_then_over_corpora(make_result: MakeResult):
    def weighing(corpus: str, weights: tuple[float, ...], seed: int = 0) -> Result:
        return make_result(
            corpus=corpus, layer_weights=weights, layer_norms=(1.0, 3.0), seed=seed
        )

    table = show(
        "layers",
        weighing("emodb", (0.2, 0.8), 0),
        weighing("emodb", (0.4, 0.6), 1),
        weighing("cafe", (0.7, 0.3)),
    )
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["language"].details == {"corpora": 2}
    assert row["by layer"].details == pytest.approx({"layer 1": 0.5, "layer 2": 0.5})
    assert row["centre"].value == pytest.approx(1.5)
    scaled = (0.3 / 2.4 + 0.7 / 1.6) / 2
    assert row["× norms"].details["layer 1"] == pytest.approx(scaled)


def test_heads_that_weigh_no_layers_are_not_among_them(make_result: MakeResult):
    assert show("layers", make_result(layer_weights=())).rows == ()


def test_a_curve_is_as_high_as_its_weights(make_result: MakeResult):
    table = show("layers", make_result(layer_weights=(0.0, 0.2, 0.8), layer_norms=()))
    assert texts(table)[0][3] == "▁▃█"


def test_probes_stand_beside_the_weights_of_the_same_layers(make_result: MakeResult):
    probed = {"downstream": "layerwise", "layer_weights": ()}
    table = show(
        "layers",
        make_result(downstream="multilayer", layer_weights=(0.2, 0.3, 0.5)),
        make_result(**probed, layer_scores=(0.4, 0.8, 0.6), seed=0),
        make_result(**probed, layer_scores=(0.2, 0.6, 0.6), seed=1),
    )
    (probes, weights) = (
        dict(zip(table.columns, row, strict=True)) for row in table.rows
    )
    assert list(probes["by layer"].details.values()) == pytest.approx([0.3, 0.7, 0.6])
    assert (probes["top layer"].text, probes["range"].text) == (
        "2 of 3",
        "30.0 to 70.0",
    )
    assert (weights["top layer"].text, probes["× norms"].text) == ("3 of 3", "")


def test_layers_are_shown_for_each_language_where_there_are_several(
    make_result: MakeResult,
):
    def probed(corpus: str, language: str, *scores: float) -> Result:
        return make_result(
            corpus=corpus, language=language, downstream="each", layer_scores=scores
        )

    table = show(
        "layers",
        probed("emovo", "it", 0.3, 0.9),
        probed("demos", "it", 0.5, 0.7),
        probed("emodb", "de", 0.7, 0.5),
    )
    curves = {row[2].text: tuple(row[3].details.values()) for row in table.rows}
    assert list(curves) == ["all, 3 corpora", "de", "it, 2 corpora"]
    assert curves["all, 3 corpora"] == pytest.approx((0.5, 0.7))
    assert curves["de"] == pytest.approx((0.7, 0.5))
    assert curves["it, 2 corpora"] == pytest.approx((0.4, 0.8))


# ---------------------------------------------------------------- how sure


def test_intervals_hold_the_figure_and_rank_what_is_far_apart(speaking):
    table = show(
        "intervals",
        speaking(0.95, upstream="good"),
        speaking(0.55, upstream="poor"),
    )
    good, poor = (row[2] for row in table.rows)
    low, high = (float(good.details[end]) for end in ("low", "high"))
    assert low < number(good) < high
    assert (good.details["first"], good.details["last"]) == (1, 1)
    assert (good.best, poor.best) == (True, False)
    assert (poor.details["first"], poor.details["last"]) == (2, 2)
    assert poor.details["p"] == pytest.approx(1 / 2**8)
    assert number(good) > float(good.details["worst speaker"]) > number(poor)


def test_what_may_be_the_best_has_the_first_rank_among_its_ranks(speaking):
    table = show(
        "intervals",
        speaking(0.8, upstream="one"),
        speaking(0.81, upstream="other"),
        speaking(0.1, upstream="poor"),
    )
    assert [row[2].best for row in table.rows] == [True, True, False]
    assert [row[2].details["first"] for row in table.rows] == [1, 1, 3]


def test_few_speakers_have_no_interval_and_a_note(speaking):
    table = show("intervals", speaking(0.8, speakers=3))
    assert texts(table)[0][2] == ""
    assert (
        "emodb: 3 test speakers: too few for an error (four are needed)." in table.notes
    )


def test_no_two_views_disagree_about_an_error(speaking):
    results = [speaking(0.8, seed=seed) for seed in range(3)]
    names = ("board", "intervals")
    board, intervals = (show_all(name, *results).rows[0] for name in names)
    table = show("spread", *results)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["error"].value == board[2].details["error"]
    assert row["error"].value == intervals[2].details["error"]


def show_all(name: str, *results: Result) -> Table:
    """A view of results, with their predictions."""
    asked = Question()
    needed = dict.fromkeys((*views.VIEWS[name].columns(asked), *views.PREDICTED))
    runs = reading.flattened(store.table_of(results), tuple(needed))
    return views.VIEWS[name].make(runs, asked)


# ---------------------------------------------------------------- against the paper


def test_the_papers_tables_are_shipped_whole():
    assert len(published.corpora()) == 9
    assert len(published.classifiers()) == 6 * 3
    assert len(published.languages()) == 9 * 7


def test_the_papers_two_tables_contradict_each_other():
    means = {
        printed.upstream: round(100 * mean, 2)
        for printed, mean in published.contradictions()
    }
    assert means == {
        "wav2vec2-base": 54.62,
        "wav2vec2-large": 57.26,
        "xls-r-300m": 40.33,
        "whisper-small-en": 60.89,
        "whisper-small": 65.96,
        "whisper-medium": 64.36,
    }


@pytest.mark.parametrize(
    ("skill", "side"), [(0.872, "inside"), (0.99, "below"), (0.6, "above")]
)
def test_a_published_figure_lies_inside_our_interval_or_on_a_side_of_it(
    skill: float, side: str, speaking
):
    result = speaking(skill, **of("whisper-small/linear"))
    table = show("languages", result, against=True)
    assert texts(table)[0][:3] == ["emodb", "whisper-small", "linear"]
    assert texts(table)[0][4] == "87.2"
    assert texts(table)[0][-1] == side


def test_without_enough_speakers_a_published_figure_has_a_difference_alone(
    make_result: MakeResult,
):
    result = make_result(**of("whisper-small/linear"), macro_f1=0.9)
    table = show("languages", result, against=True)
    assert texts(table)[0][3:] == ["90.0", "87.2", "+2.8", ""]


def test_the_papers_figures_are_of_emotions_and_beside_no_other_target(speaking):
    result = speaking(0.9, **of("whisper-small/linear"), target="gender")
    assert not show("languages", result, against=True).rows


def test_table_2_is_set_beside_the_mean_over_all_nine_corpora_only(speaking):
    nine = [row.corpus for row in published.corpora()]
    whole = [speaking(0.6, **of("whisper-small/linear", corpus)) for corpus in nine]
    part = [speaking(0.6, **of("xls-r-300m/linear", corpus)) for corpus in nine[:4]]
    table = show("classifiers", *whole, *part, against=True)
    rows = {row[0].text: [entry.text for entry in row] for row in table.rows}
    assert rows["xls-r-300m"][2:] == ["4 of 9 corpora", "5.4", "", ""]
    assert rows["whisper-small"][3] == "60.9"
    assert any("whisper-small 65.96 (printed 60.87)" in note for note in table.notes)


# ---------------------------------------------------------------- spread


def test_the_spread_of_a_figure_is_taken_apart(speaking):
    results = [speaking(0.8, seed=seed) for seed in range(3)]
    table = show("spread", *results)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["seeds"].value, row["speakers"].value) == (3, 8)
    assert number(row["rest"]) > 0
    assert row["fold"].text == ""


def test_a_figure_of_one_speaker_has_no_spread_to_show(make_result: MakeResult):
    assert show("spread", make_result()).rows == ()
