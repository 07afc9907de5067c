"""The view ``robustness``, and that boards keep perturbed results apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from harness_leaderboard.analysis.figures import columns
from harness_leaderboard.analysis.question import Question
from harness_leaderboard.results import reading, store
from harness_leaderboard.views.board import board
from harness_leaderboard.views.catalogue import VIEWS
from harness_leaderboard.views.compare import compare
from harness_leaderboard.views.robustness import robustness
from study import perturbed, predicted, with_predictions

from harness import HarnessError
from harness.training.metrics import macro_f1

if TYPE_CHECKING:
    import pyarrow as pa

    from harness.types import Result, Table

QUESTION = Question()


@pytest.fixture
def measured(make_result):
    """A result whose head is right as often as asked, on clean recordings or others."""

    def measured(name: str, skill: float, **more: Any) -> Result:
        of = more.pop("of", {})
        made = predicted(make_result(**more), skill)
        return made if name == "clean" else perturbed(made, name, **of)

    return measured


def table_of(*results: Result) -> pa.Table:
    needed = (*columns(macro_f1), "n_test", "labels", "predictions")
    return reading.flattened(store.table_of(results), needed)


def view(*results: Result) -> Table:
    return robustness(table_of(*results), QUESTION)


def test_a_row_is_a_system_and_a_column_a_perturbation(measured):
    table = view(
        measured("clean", 0.9),
        measured("noise:snr=0", 0.4),
        measured("noise:snr=10", 0.7),
        measured("clean", 0.8, upstream="fbank"),
        measured("noise:snr=10", 0.5, upstream="fbank"),
    )
    assert table.columns[3:] == ("clean", "noise:snr=0", "noise:snr=10")
    assert [row[0].text for row in table.rows] == ["fbank", "whisper-base"]
    assert table.rows[0][4].text == ""
    assert all(entry.text for entry in table.rows[1])


def test_the_difference_is_that_of_a_paired_comparison(measured):
    clean, noisy = measured("clean", 0.9), measured("noise:snr=0", 0.5)
    entry = view(clean, noisy).rows[0][4]
    assert entry.value == pytest.approx(noisy.scores["macro_f1"], abs=1e-6)
    one, other = (
        replace(
            one,
            condition=replace(
                one.condition,
                perturbation=None,
                downstream=replace(one.condition.downstream, name=name),
            ),
        )
        for one, name in ((noisy, "one"), (clean, "other"))
    )
    names = ("whisper-base/one", "whisper-base/other")
    row = compare(table_of(one, other), QUESTION, names).rows[0]
    assert entry.details["difference"] == pytest.approx(row[5].value)
    assert entry.details["low"] == pytest.approx(row[6].details["low"])
    assert entry.details["high"] == pytest.approx(row[6].details["high"])
    assert entry.details["p"] == pytest.approx(row[7].value)


def test_the_pairing_makes_intervals_smaller(make_result):
    """Speakers differ much, and each loses as much as another."""
    true = np.random.default_rng(0).integers(0, 3, (8, 30))
    wrong = (true + 1) % 3
    skills = np.linspace(0.3, 0.95, 8)[:, None]
    luck = np.random.default_rng(1).random(true.shape)
    results = []
    for lost, name in ((0.0, "clean"), (0.1, "noise:snr=0")):
        said = np.where(luck < skills - lost, true, wrong)
        made = with_predictions(make_result(), true, said)
        results.append(made if name == "clean" else perturbed(made, name))
    entry = view(*results).rows[0][4]
    width = float(entry.details["high"]) - float(entry.details["low"])
    assert width < 0.1
    assert float(entry.details["high"]) < 0


def test_what_has_no_clean_result_is_shown_without_a_difference_and_named(measured):
    table = view(measured("noise:snr=0", 0.5))
    clean, noisy = table.rows[0][3:]
    assert clean.text == ""
    assert "[" not in noisy.text
    assert any(
        "run the same command with --perturb clean" in one for one in table.notes
    )


def test_levels_are_sorted_as_numbers(measured):
    names = ("noise:snr=20", "noise:snr=-5", "noise:snr=5", "babble:snr=10")
    table = view(*(measured(name, 0.5) for name in names))
    assert table.columns[4:] == (
        *("babble:snr=10", "noise:snr=-5", "noise:snr=5", "noise:snr=20"),
    )


def test_parts_and_versions_have_columns_of_their_own(measured):
    table = view(
        measured("clean", 0.9),
        measured("noise:snr=5", 0.5),
        measured("noise:snr=5", 0.6, of={"parts": "all"}),
        measured("noise:snr=5", 0.7, of={"version": 2}),
    )
    assert table.columns[4:] == (
        *("noise:snr=5, version 1", "noise:snr=5, version 2"),
        "noise:snr=5 (all parts)",
    )


def test_without_perturbed_results_there_is_advice(measured):
    with pytest.raises(HarnessError, match="--perturb clean,noise:snr=10"):
        view(measured("clean", 0.9))


# ---------------------------------------------------------------- boards


def test_a_board_never_mixes_perturbed_results_with_clean_ones(measured):
    clean, noisy = measured("clean", 0.9), measured("noise:snr=0", 0.5)
    table = board(table_of(clean, noisy), QUESTION)
    assert table.columns[2:] == ("emodb · clean", "emodb · noise:snr=0")
    values = [entry.value for entry in table.rows[0][2:]]
    assert values == pytest.approx(
        [clean.scores["macro_f1"], noisy.scores["macro_f1"]], abs=1e-6
    )


def test_a_board_of_clean_results_says_nothing_of_perturbations(measured):
    table = board(table_of(measured("clean", 0.9)), QUESTION)
    assert table.columns[2:] == ("emodb",)
    assert not any("perturb" in one or "clean" in one for one in table.notes)


def test_what_all_results_share_is_said_once(measured):
    table = board(table_of(measured("noise:snr=0", 0.5)), QUESTION)
    assert table.columns[2:] == ("emodb",)
    assert any("noise:snr=0, perturbed in the test part" in one for one in table.notes)


def test_results_from_before_there_were_perturbations_are_clean(
    measured, tmp_path, monkeypatch
):
    import pyarrow as pa
    import pyarrow.parquet as pq
    from harness_leaderboard.results import columns as names

    path = store.write_result(measured("clean", 0.9), tmp_path)
    whole = pq.read_table(path)
    place = whole.schema.get_field_index("condition")
    (condition,) = whole["condition"].to_pylist()
    fields = [
        one for one in whole.schema.field(place).type if one.name != "perturbation"
    ]
    del condition["perturbation"]
    older = whole.set_column(
        place, "condition", pa.array([condition], pa.struct(fields))
    )
    rows = reading.flattened(older, names.KEYS).to_pylist()
    assert names.condition_of(rows[0]).perturbation is None
    assert rows[0]["perturbation"] is None


@pytest.mark.parametrize("name", ["classifiers", "languages", "layers", "transfer"])
def test_views_that_sum_up_keep_to_clean_results_and_say_so(measured, name):
    layers = {"layer_weights": (0.2, 0.3, 0.5), "test_corpus": "cafe"}
    clean = measured("clean", 0.9, **layers if name in ("layers", "transfer") else {})
    noisy = perturbed(predicted(clean, 0.4), "noise:snr=0")
    needed = (*VIEWS[name].columns(QUESTION), "n_test", "labels", "predictions")
    tables = [
        VIEWS[name].make(
            reading.flattened(store.table_of(of), tuple(dict.fromkeys(needed))),
            QUESTION,
        )
        for of in ([clean], [clean, noisy])
    ]
    assert tables[0].rows == tables[1].rows
    said = "Left out: 1 result on perturbed recordings, see --view robustness."
    assert said not in tables[0].notes
    assert said in tables[1].notes


def test_a_perturbation_with_several_options_is_chosen_by_its_name():
    from harness.choices import chosen

    written = ["perturbation=babble:snr=10,talkers=2,noise:snr=0"]
    names = ("babble:snr=10,talkers=2", "noise:snr=0")
    assert chosen(written, ["perturbation"]) == {"perturbation": names}
