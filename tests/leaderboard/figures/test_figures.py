from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pytest
from harness_leaderboard import figures
from harness_leaderboard.analysis.question import Question
from harness_leaderboard.figures import sheet
from harness_leaderboard.results import reading, store
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from ratings import rated, ratings
from study import perturbed, predicted, study

from harness import HarnessError
from harness.training.metrics import ccc, rmse

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from results import MakeResult

    from harness.types import Result

QUESTION = Question()


def table(name: str, *results: Result) -> pa.Table:
    """The columns alone that a drawing says it reads."""
    needed = figures.DRAWINGS[name].columns(QUESTION)
    return reading.flattened(store.table_of(results), needed)


def draw(name: str, *results: Result, question: Question = QUESTION) -> Figure:
    return figures.DRAWINGS[name].draw(table(name, *results), question)


def shown(figure: Figure) -> list[Axes]:
    return [axis for axis in figure.axes if axis.get_visible()]


def shades(axis: Axes) -> NDArray[np.float64]:
    """The values behind the first image of a panel."""
    values = axis.images[0].get_array()
    assert values is not None
    return values


def points(axis: Axes) -> list[NDArray[np.float64]]:
    """The places (N, 2) of each line of a panel that has any."""
    return [
        places for line in axis.lines if len(places := np.asarray(line.get_xydata()))
    ]


def shown_by(name: str, result: Result) -> list[Result]:
    """A result, and what a figure sets beside it."""
    names = ("noise:snr=0", "babble:snr=10") if name == "robustness" else ()
    return [result, *(perturbed(result, one) for one in names)]


@pytest.mark.parametrize("name", figures.DRAWINGS)
@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_every_figure_is_written_in_every_format(
    name: str, ending: str, make_result: MakeResult, tmp_path: Path
):
    path = tmp_path / f"figure.{ending}"
    probed = make_result(downstream="layerwise", layer_scores=(0.5, 0.6, 0.7))
    runs = table(name, *shown_by(name, make_result()), probed)
    figures.save(figures.DRAWINGS[name], runs, QUESTION, [path])
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize("name", figures.DRAWINGS)
@pytest.mark.parametrize(("width", "millimetres"), [("column", 80), ("page", 170)])
def test_a_figure_is_as_wide_as_it_stands_in_print_and_no_letter_below_8_pt(
    name: str, width: Any, millimetres: int, make_result: MakeResult
):
    results = [
        result
        for corpus in ("emodb", "cafe")
        for result in shown_by(name, make_result(corpus=corpus))
    ]
    results += [make_result(downstream="layerwise", layer_scores=(0.5, 0.6, 0.7))]
    with mpl.rc_context(sheet.STYLE):
        figure = draw(name, *results, question=Question(width=width))
        figure.canvas.draw()
        assert figure.get_size_inches()[0] * 25.4 == pytest.approx(millimetres)
        written = [one for one in figure.findobj(Text) if one.get_text().strip()]
        assert min(float(one.get_fontsize()) for one in written) >= 8
        edge = figure.bbox.width + 1
        assert all(one.get_window_extent().x1 <= edge for one in figure.legends)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("confusion", "Percent of each true label"),
        ("speakers", "n counts predictions"),
        ("layers", "Means over runs, then over 1 corpus"),
        ("layers-spread", "Means over runs"),
        ("cost", "Mean over 1 corpus (1 run);"),
        ("robustness", "paired by speaker or fold and seed"),
    ],
)
def test_a_figure_says_what_it_rests_on(name: str, said: str, make_result: MakeResult):
    note = draw(name, *shown_by(name, make_result())).get_supxlabel()
    assert said in note.replace("\n", " ")


def test_a_legend_names_bands_and_dotted_lines(make_result: MakeResult):
    (legend,) = draw("layers-spread", make_result()).legends
    names = {text.get_text() for text in legend.get_texts()}
    assert {"weights, deviation over corpora", "equal weights"} <= names


def costs(make_result: MakeResult, upstreams: int) -> list[Result]:
    """Two sizes of heads, so that many points stand above each other."""
    rng = np.random.default_rng(0)
    return [
        make_result(
            upstream=f"wav2vec2-large-{number}",
            extraction_seconds=float(10 ** rng.uniform(1, 3)),
            scores={"macro_f1": float(rng.uniform(0.4, 0.9))},
            training_seconds=1.0,
            trainable_parameters=(132_359, 265_000)[number % 2],
        )
        for number in range(upstreams)
    ]


@pytest.mark.parametrize("width", ["column", "page"])
def test_more_upstreams_than_colours_are_named_beside_their_points(
    make_result: MakeResult, width: Any
):
    with mpl.rc_context(sheet.STYLE):
        figure = draw("cost", *costs(make_result, 8), question=Question(width=width))
        figure.draw_without_rendering()
        for axis in shown(figure):
            names = [one for one in axis.texts if one.get_text()]
            assert len({one.get_text() for one in names}) == 8
            boxes = [Text.get_window_extent(one).padded(-0.1) for one in names]
            assert [box.count_overlaps(boxes) for box in boxes] == [1] * 8
            assert len({line.get_color() for line in axis.lines[:8]}) == 1


def test_names_that_find_no_room_are_refused(make_result: MakeResult):
    with (
        mpl.rc_context(sheet.STYLE),
        pytest.raises(HarnessError, match=r"no room .* --only downstream=linear"),
    ):
        draw("cost", *costs(make_result, 60), question=Question(width="column"))


def test_a_file_says_what_it_was_made_by(make_result: MakeResult, tmp_path: Path):
    path = tmp_path / "figure.svg"
    runs = table("cost", make_result())
    drawing = figures.DRAWINGS["cost"]
    figures.save(drawing, runs, QUESTION, [path], made_by="harness figure cost")
    assert "harness figure cost" in path.read_text()


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_same_results_give_the_same_bytes(
    ending: str, make_result: MakeResult, tmp_path: Path
):
    paths = [tmp_path / f"{name}.{ending}" for name in "ab"]
    for path in paths:
        drawing = figures.DRAWINGS["confusion"]
        figures.save(drawing, table("confusion", make_result()), QUESTION, [path])
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_an_ending_that_is_no_format_is_one_clear_error(
    make_result: MakeResult, tmp_path: Path
):
    with pytest.raises(HarnessError, match=r"\.png, \.svg or \.pdf"):
        figures.save(
            figures.DRAWINGS["cost"],
            table("cost", make_result()),
            QUESTION,
            [tmp_path / "figure.docx"],
        )


def test_a_name_is_text_and_never_mathematics(make_result: MakeResult, tmp_path: Path):
    path = tmp_path / "figure.svg"
    runs = table("confusion", make_result(upstream="$x^2$ \n<b>"))
    figures.save(figures.DRAWINGS["confusion"], runs, QUESTION, [path])
    assert "$x^2$ \\n&lt;b&gt;" in path.read_text()


def test_the_layer_map_is_the_mean_over_corpora(make_result: MakeResult):
    figure = draw(
        "layers",
        make_result(corpus="emodb", layer_weights=(0.2, 0.8), layer_norms=()),
        make_result(corpus="cafe", layer_weights=(0.6, 0.4), layer_norms=()),
    )
    assert shades(figure.axes[0]).ravel().tolist() == pytest.approx([0.4, 0.6])
    assert figure.axes[0].images[0].get_cmap().name == "Greys"


def test_the_second_map_multiplies_weights_by_norms(make_result: MakeResult):
    figure = draw(
        "layers", make_result(layer_weights=(0.5, 0.5), layer_norms=(1.0, 3.0))
    )
    scaled = shades(figure.axes[1]).ravel().tolist()
    assert scaled == pytest.approx([0.25, 0.75])


def test_probes_have_a_line_a_language_above_the_weights(make_result: MakeResult):
    probed = {"downstream": "layerwise", "layer_weights": ()}
    figure = draw(
        "layers-probes",
        make_result(**probed, language="de", layer_scores=(0.4, 0.8)),
        make_result(**probed, corpus="cafe", language="fr", layer_scores=(0.6, 0.6)),
        make_result(downstream="multilayer", layer_weights=(0.5, 0.5), layer_norms=()),
    )
    above, below = figure.axes
    lines = [places[:, 1] for places in points(above)]
    assert np.allclose(lines, [[50, 70], [40, 80], [60, 60]])
    bars = [bar for bar in below.patches if isinstance(bar, Rectangle)]
    assert [bar.get_height() for bar in bars] == [0.5, 0.5]


@pytest.mark.parametrize("name", ["layers", "layers-spread", "layers-probes"])
def test_without_layer_weights_there_is_an_error(name: str, make_result: MakeResult):
    with pytest.raises(HarnessError):
        draw(name, make_result(layer_weights=()))


def test_a_confusion_is_the_share_of_each_true_label(make_result: MakeResult):
    figure = draw(
        "confusion",
        make_result(seed=0, confusion=((3, 1), (0, 2))),
        make_result(seed=1, confusion=((3, 1), (2, 0))),
    )
    share = shades(figure.axes[0]).tolist()
    assert share == [[0.75, 0.25], [0.5, 0.5]]


def test_a_history_has_a_curve_a_run_of_losses_and_of_the_score(
    make_result: MakeResult,
):
    figure = draw("history", make_result(seed=0), make_result(seed=1))
    losses, scores = figure.axes
    drawn = [places for places in points(losses) if len(places) == 1]
    assert len(drawn) == 4
    assert len(scores.lines) == 2


def test_speakers_are_placed_at_their_share_of_right_answers(make_result: MakeResult):
    figure = draw("speakers", make_result())
    assert [places[0, 0] for places in points(figure.axes[0])] == [50.0]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["10"]


def test_cost_places_each_system_at_its_seconds_and_parameters(
    make_result: MakeResult,
):
    figure = draw("cost", make_result(extraction_seconds=10.0, training_seconds=5.0))
    first = [points(axis)[0][0].tolist() for axis in figure.axes]
    assert first == [pytest.approx([15.0, 80.0]), pytest.approx([132_359, 80.0])]


def test_cost_refuses_a_mean_over_what_is_not_alike(make_result: MakeResult):
    with pytest.raises(HarnessError, match="no common mean"):
        draw("cost", make_result(), make_result(split="loso"))


def test_too_many_panels_say_how_to_choose(make_result: MakeResult):
    results = [make_result(corpus=f"corpus-{number}") for number in range(13)]
    with pytest.raises(HarnessError, match=r"13 panels.*--only"):
        draw("confusion", *results)


@pytest.mark.parametrize("count", [1, 4, 5, 6, 7, 12])
def test_every_cell_has_a_panel(count: int, make_result: MakeResult):
    results = [make_result(corpus=f"corpus-{number}") for number in range(count)]
    assert len(shown(draw("confusion", *results))) == count


def test_differences_to_clean_are_drawn_with_their_intervals(make_result: MakeResult):
    clean = predicted(make_result(), 0.9)
    noisy = perturbed(predicted(make_result(), 0.4), "noise:snr=0")
    (axis,) = shown(draw("robustness", clean, noisy))
    line, point, *_ = points(axis)
    drop = 100 * (noisy.scores["macro_f1"] - clean.scores["macro_f1"])
    assert point[0, 0] == pytest.approx(drop)
    assert line[0, 0] < drop < line[1, 0]
    assert [one.get_text() for one in axis.get_yticklabels()] == ["noise:snr=0"]


def test_reliability_is_drawn_as_trained_and_at_a_temperature(make_result: MakeResult):
    results = study(make_result)
    fitted = [replace(one, valid_predictions=one.predictions) for one in results]
    question = Question(controls=frozenset({"mel"}))
    figure = draw("reliability", *fitted, question=question)
    panels = shown(figure)
    assert len(panels) == 4  # of two systems and two corpora; the control has none
    title = panels[0].get_title()
    assert title.startswith("whisper · linear\n")
    assert "a bin\nECE " in title
    assert " → " in title
    for places in points(panels[0]):
        assert ((places >= 0) & (places <= 100)).all()
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 2


def test_reliability_without_validation_predictions_says_so(make_result: MakeResult):
    panel, *_ = shown(draw("reliability", *study(make_result)))
    assert "no temperature fitted" in panel.get_title()


# ---------------------------------------------------------------- numbers, targets

NUMBERS = Question(metric=ccc)


def drawn_of_numbers(name: str, make_result: MakeResult) -> Figure:
    needed = figures.DRAWINGS[name].columns(NUMBERS)
    results = [
        replace(one, layer_scores=(0.2, 0.5)) for one in ratings(make_result)[:4]
    ]
    runs = reading.flattened(store.table_of(results), needed)
    return figures.DRAWINGS[name].draw(runs, NUMBERS)


@pytest.mark.parametrize(
    ("name", "label"),
    [("history", "CCC"), ("cost", "CCC, %"), ("layers-probes", "probe's CCC, %")],
)
def test_a_figure_of_numbers_has_their_score(name, label, make_result: MakeResult):
    figure = drawn_of_numbers(name, make_result)
    assert label in {axis.get_ylabel() for axis in figure.axes}


def test_a_history_of_numbers_shows_scores_below_zero(make_result: MakeResult):
    (result, *_) = ratings(make_result)
    history = (replace(result.history[0], valid_ccc=-0.4),)
    for of, least in ((result, 0.0), (replace(result, history=history), -0.4)):
        needed = figures.DRAWINGS["history"].columns(NUMBERS)
        runs = reading.flattened(store.table_of([of]), needed)
        _, score = figures.DRAWINGS["history"].draw(runs, NUMBERS).axes
        assert score.get_ylim() == (least, 1.0)


@pytest.mark.parametrize("metric", [ccc, rmse], ids=lambda one: one.name)
def test_perturbed_numbers_are_drawn_in_the_units_of_the_metric(
    metric, make_result: MakeResult
):
    clean = rated(make_result(target="arousal"), 0.9)
    noisy = perturbed(rated(make_result(target="arousal"), 0.3), "noise:snr=0")
    question = Question(metric=metric)
    needed = figures.DRAWINGS["robustness"].columns(question)
    runs = reading.flattened(store.table_of([clean, noisy]), needed)
    figure = figures.DRAWINGS["robustness"].draw(runs, question)
    (axis,) = shown(figure)
    factor = 100 if metric is ccc else 1
    change = noisy.scores[metric.name] - clean.scores[metric.name]
    assert points(axis)[1][0, 0] == pytest.approx(factor * change)
    assert ("points" in axis.get_xlabel()) is (metric is ccc)
    side = "Left" if metric is ccc else "Right"
    assert f"{side} of 0 is worse." in figure.get_supxlabel().replace("\n", " ")


@pytest.mark.parametrize("name", ["confusion", "speakers", "reliability"])
def test_what_is_right_or_wrong_is_not_drawn_of_numbers(name, make_result: MakeResult):
    with pytest.raises(HarnessError, match=r"never right or wrong"):
        drawn_of_numbers(name, make_result)


def test_a_map_has_a_row_a_target_and_a_number_in_each_field(make_result: MakeResult):
    results = [
        make_result(target=target, downstream="layerwise", layer_scores=scores)
        for target, scores in (("emotion", (0.2, 0.6)), ("gender", (0.9, 0.5)))
    ]
    (panel, *_) = shown(draw("map", *results))
    assert [label.get_text() for label in panel.get_yticklabels()] == [
        *("emotion", "gender"),
    ]
    values = shades(panel)
    assert values.shape == (2, 2)
    texts = [text.get_text() for text in panel.texts]
    assert texts == [f"{value:.0f}" for value in values.ravel()]
