from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
import harness_leaderboard
import numpy as np
import pytest
from click.testing import CliRunner
from harness_leaderboard.analysis.figures import behind, columns, current, figures
from harness_leaderboard.analysis.question import Question
from harness_leaderboard.results import reading, store
from harness_leaderboard.site import details, sections, site
from study import LABELS, study

from harness import HarnessError
from harness.registry import Registry, plugin_manager
from harness.training import metrics
from harness.training.metrics import macro_f1

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pyarrow as pa
    from click.testing import Result as Outcome
    from results import MakeResult

    from harness.types import Result

QUESTION = Question(pretraining={"whisper": ("mul",), "mel": ()})


def read(results: list[Result], columns: Iterable[str]) -> pa.Table:
    return reading.flattened(store.table_of(results), tuple(columns))


def page_of(results: list[Result], *, most: int = details.MOST) -> str:
    """The page of results, from the columns alone that it says it reads."""
    runs = read(results, site.columns(QUESTION))
    ids = details.chosen(runs, QUESTION, most=most)
    chosen = read(results, site.chosen_columns(QUESTION))
    return site.site(runs, reading.only(chosen, "run_id", ids), QUESTION)


@pytest.fixture(scope="module")
def page(make_result: MakeResult) -> str:
    return page_of(study(make_result))


def headings(page: str) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", page)


def unpacked(text: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(text)))
    return content


def packed(results: list[Result]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a page has of the one cell that some results belong to, and of its task."""
    table = read(results, (*columns(macro_f1), *details.COLUMNS))
    places = [figure.place for figure in figures(table, macro_f1)[0]]
    written = details.packed(table, dict.fromkeys(places, 0), QUESTION)
    return unpacked(written["tasks"][0]), unpacked(written["cells"]["0"])


def said(task: dict[str, Any], run: dict[str, Any]) -> dict[str, str]:
    """What a run predicted, by utterance, as the page's script reads it."""
    utterances = np.cumsum(task["tests"][run["test"]])
    return {
        task["utterances"][utterance]: task["labels"][label]
        for utterance, label in zip(utterances, run["predicted"], strict=True)
    }


# ---------------------------------------------------------------- predictions


def test_every_prediction_is_read_back(make_result: MakeResult):
    result = study(make_result)[0]
    task, cell = packed([result])
    assert said(task, cell["runs"][0]) == {
        one.utterance: one.predicted for one in result.predictions
    }
    true = [task["labels"][label] for label in task["label"]]
    spoken = [task["speakers"][speaker] for speaker in task["speaker"]]
    listed = sorted(
        (one.utterance, one.label, one.speaker) for one in result.predictions
    )
    assert list(zip(task["utterances"], true, spoken, strict=True)) == listed
    assert set(cell["runs"][0]["score"]) == {80}


def test_confusions_of_all_runs_are_added_up(make_result: MakeResult):
    first, second = study(make_result)[:2]
    _, cell = packed([first, second])
    added = np.array(first.confusion) + np.array(second.confusion)
    assert cell["confusion"] == added.tolist()


def test_runs_that_test_the_same_utterances_share_their_list(make_result: MakeResult):
    task, cell = packed(study(make_result)[:2])
    assert [run["test"] for run in cell["runs"]] == [0, 0]
    assert len(task["tests"]) == 1


def test_a_result_without_predictions_has_its_confusion(make_result: MakeResult):
    result = replace(study(make_result)[0], predictions=())
    _, cell = packed([result])
    assert cell["runs"][0]["predicted"] == []
    assert cell["confusion"] == [list(row) for row in result.confusion]


def test_labels_that_a_run_does_not_know_get_a_place(make_result: MakeResult):
    result = study(make_result)[0]
    odd = replace(result.predictions[0], predicted="zeal")
    task, cell = packed([replace(result, predictions=(odd,))])
    assert task["labels"] == [*LABELS, "zeal"]
    assert cell["runs"][0]["score"] == [None]


def test_only_complete_seeds_stand_behind_a_figure(make_result: MakeResult):
    folds = [
        make_result(folds=2, fold=str(fold), seed=seed)
        for fold, seed in ((0, 0), (1, 0), (0, 1))
    ]
    (rows,) = behind(current(read(folds, columns(macro_f1)), macro_f1)).values()
    assert rows == [0, 1]


def test_where_no_seed_is_complete_all_stand_behind_a_figure(make_result: MakeResult):
    folds = [make_result(folds=3, fold="0", seed=seed) for seed in (0, 1)]
    (rows,) = behind(current(read(folds, columns(macro_f1)), macro_f1)).values()
    assert rows == [0, 1]


# ---------------------------------------------------------------- what is shown


def test_every_view_that_has_something_to_show_has_a_section(page: str):
    assert headings(page) == [
        *("Board", "Corpora × upstreams", "How sure", "Upstreams × downstreams"),
        *("Layers", "Corpora", "Provenance"),
        *("What the words mean", "Sources", "To cite", "To read next"),
    ]


def test_layers_and_transfer_are_left_out_where_there_are_none(make_result: MakeResult):
    shown = headings(page_of([make_result(layer_weights=())]))
    assert not {"Layers", "Transfer"} & set(shown)


def test_transfer_is_shown_where_there_is_some(make_result: MakeResult):
    assert "Transfer" in headings(page_of([make_result(test_corpus="cafe")]))


def test_probes_are_a_row_of_the_layer_map(make_result: MakeResult):
    page = page_of([make_result(layer_weights=(), layer_scores=(0.25, 0.75))])
    assert re.search(
        r'data-value="0.25"[^>]*>25.0<.*data-value="0.75"[^>]*>75.0<', page
    )


def test_means_are_left_out_where_they_would_mislead(make_result: MakeResult):
    page = page_of([make_result(), make_result(corpus="cafe", split="loso")])
    assert "These results have no common mean" in page
    assert 'id="averaged"' not in page


def test_what_is_too_much_for_a_page_is_left_out_and_said(make_result: MakeResult):
    results = study(make_result)
    page = page_of(results, most=3 * len(results[0].predictions))
    assert "The predictions behind 5 figures are left out" in page
    assert "too many figures here for intervals" in page


def test_a_section_that_fails_is_a_sentence_and_the_others_stand(
    make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
):
    def fail(runs: pa.Table, question: Question) -> None:
        raise ZeroDivisionError("division by <zero>")

    monkeypatch.setattr(sections, "layer_maps", fail)
    page = page_of(study(make_result))
    assert headings(page)[4:7] == ["Layers", "Corpora", "Provenance"]
    assert "could not be made: ZeroDivisionError: division by &lt;zero&gt;" in page
    assert 'id="behind"' in page


def test_a_speaker_with_a_single_label_ends_no_page(make_result: MakeResult):
    page = page_of([make_result(test_corpus="cafe", labels_absent=("joy",))])
    assert "Provenance" in headings(page)


def test_predictions_that_cannot_be_packed_leave_the_tables(
    make_result: MakeResult, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(details, "packed", fail)
    page = page_of(study(make_result))
    assert "Board" in headings(page)
    assert "predictions could not be added: ZeroDivisionError" in page


def test_the_paper_stands_beside_where_it_is_asked_for(make_result: MakeResult):
    results = study(make_result)
    assert "Beside the paper" not in headings(page_of(results))
    asked = replace(QUESTION, against=True)
    runs = read(results, site.columns(asked))
    chosen = read(results, site.chosen_columns(asked))
    assert "Beside the paper" in headings(site.site(runs, chosen, asked))


def test_a_row_that_a_broken_plugin_had_part_in_is_marked(make_result: MakeResult):
    page = page_of([make_result(training_warnings=("deterministic: 0.1 apart",))])
    assert 'data-full="whisper-base">whisper-base ¶</th>' in page
    assert "deterministic: 0.1 apart" in page


def test_the_same_results_give_the_same_page(page: str, make_result: MakeResult):
    assert page_of(study(make_result)) == page


def test_data_for_the_script_holds_no_markup():
    written = site._json({"name": "</script><!-- & \u2028"})
    assert not set("<>&\u2028") & set(written)
    assert json.loads(written) == {"name": "</script><!-- & \u2028"}


# ---------------------------------------------------------------- the command


@pytest.fixture
def run(make_result: MakeResult, runs: Path):
    registry = Registry.of(plugin_manager([harness_leaderboard, metrics]))
    app = click.Group("harness")
    registry.hook.harness_commands(app=app)
    for result in study(make_result):
        store.write_result(result, runs)

    def run(*words: object) -> Outcome:
        return CliRunner().invoke(
            app,
            ["leaderboard", "--runs", str(runs), *map(str, words)],
            obj=registry,
            catch_exceptions=False,
        )

    return run


def test_a_folder_gets_a_page_of_every_view(run, tmp_path: Path):
    outcome = run("--format", "html", "--out", tmp_path / "site")
    written = tmp_path / "site" / "index.html"
    assert outcome.stdout == f"{written}\n"
    assert "Provenance" in headings(written.read_text("utf-8"))


@pytest.mark.parametrize("form", ["csv", "html"])
def test_a_file_gets_what_is_else_printed(form: str, run, tmp_path: Path):
    out = tmp_path / "new" / f"board.{form}"
    assert run("--format", form, "--out", out).stdout == f"{out}\n"
    assert out.read_text("utf-8") == run("--format", form).stdout


def test_one_view_does_not_fill_a_folder(run, tmp_path: Path):
    with pytest.raises(HarnessError, match=r"site.layers\.html"):
        run("--format", "html", "--view", "layers", "--out", tmp_path / "site")


def test_only_a_page_goes_into_a_folder(run, tmp_path: Path):
    with pytest.raises(HarnessError, match="is a folder; name a file"):
        run("--format", "csv", "--out", tmp_path)


def test_a_page_of_some_results_holds_those_alone(run, tmp_path: Path):
    run("--format", "html", "--only", "corpus=cafe", "--out", tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "cafe" in page
    assert "emodb" not in page
