"""The pages in headless Chromium, as a person uses them: by mouse and by keyboard."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import click
import harness_leaderboard
import numpy as np
import pytest
import soundfile
from chromium import Reader, start
from click.testing import CliRunner
from harness_leaderboard.render import entries, page
from harness_leaderboard.results import store
from ratings import EACH, SPEAKERS, ratings
from study import put, study

from harness.registry import Registry, plugin_manager
from harness.training import metrics
from harness.types import Entry, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from results import MakeResult

    from harness.types import Result

pytestmark = pytest.mark.programs

HOSTILE = "</script><img src=x onerror=hacked=1><b>'\"&amp;"
FORMULA = "=HYPERLINK(1)"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    driver = start(tmp_path_factory.mktemp("profile"))
    downloads = tmp_path_factory.mktemp("downloads")
    reader = Reader(driver, downloads)
    behaviour = {"behavior": "allow", "downloadPath": str(downloads)}
    reader.ask("Browser.setDownloadBehavior", **behaviour)
    reader.prefer("light")
    yield reader
    driver.quit()


@pytest.fixture(autouse=True)
def nothing_is_complained_of(reader: Reader) -> Iterator[None]:
    """No test may leave an error, or a breach of the page's policy, in the console."""
    reader.driver.get_log("browser")
    yield
    assert reader.driver.get_log("browser") == []


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run ``harness leaderboard`` on results; returns what it prints."""
    registry = Registry.of(plugin_manager([harness_leaderboard, metrics]))
    app = click.Group("harness")
    registry.hook.harness_commands(app=app)

    def command(results: list[Result], *words: str) -> str:
        runs = tmp_path_factory.mktemp("runs")
        for result in results:
            store.write_result(result, runs)
        arguments = ["leaderboard", "--runs", str(runs), *words]
        outcome = CliRunner().invoke(
            app, arguments, obj=registry, catch_exceptions=False
        )
        return outcome.stdout

    return command


@pytest.fixture(scope="module")
def site(
    command, make_result: MakeResult, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command(study(make_result), "--format", "html", "--out", str(folder))
    return folder / "index.html"


@pytest.fixture(scope="module")
def hostile(
    command, make_result: MakeResult, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A page of results in which whatever can have a name has a hostile one."""
    folder = tmp_path_factory.mktemp("hostile")
    results = []
    for result in study(make_result, training_plugins={"upstream": HOSTILE}):
        first, *rest = result.predictions
        odd = replace(first, utterance=HOSTILE, speaker=FORMULA, label=HOSTILE)
        of = result.condition
        changed = {
            ("upstream", "name"): HOSTILE if of.upstream.name == "mel" else FORMULA,
            ("downstream", "name"): f"{HOSTILE} {of.downstream.name}",
            ("corpus", "trained"): (f"{HOSTILE} {of.corpus.name}",),
            ("corpus", "strategy"): HOSTILE,
        }
        for path, value in changed.items():
            result = put(result, ("condition", *path), value)
        result = put(result, ("training", "device"), HOSTILE)
        results.append(replace(result, predictions=(odd, *rest)))
    command(results, "--format", "html", "--out", str(folder))
    return folder / "index.html"


def page_of(table: Table, path: Path) -> Path:
    path.write_text(page.html(table, width=80, colour=False), "utf-8")
    return path


# ---------------------------------------------------------------- the board


def test_a_cell_of_the_board_is_that_of_the_other_forms(
    reader: Reader, site: Path, command, make_result: MakeResult
):
    reader.open(site)
    board = json.loads(command(study(make_result), "--format", "json"))
    texts = [[entry["text"] for entry in row] for row in board["rows"]]
    assert reader.rows("#systems") == texts
    shown = reader.run(
        "[...document.querySelectorAll('#systems tbody tr')].map((row) =>"
        " [...row.cells].slice(2).map((cell) => Number(cell.dataset.value)))"
    )
    assert shown == [[entry["value"] for entry in row[2:]] for row in board["rows"]]


def test_a_heading_sorts_down_then_up_then_as_it_was(reader: Reader, site: Path):
    reader.open(site)
    before = reader.rows("#systems")
    head = reader.one("#systems thead th:nth-child(6)")
    assert head.text.startswith("emodb")
    by_emodb = sorted(before, key=lambda row: float(row[5].split()[0]))
    seen = []
    for _ in range(3):
        head.find_element("tag name", "button").click()
        seen.append((head.get_attribute("aria-sort"), reader.rows("#systems")))
    assert seen == [
        ("descending", by_emodb[::-1]),
        ("ascending", by_emodb),
        (None, before),
    ]


def test_what_has_no_value_is_sorted_last_both_ways(reader: Reader, tmp_path: Path):
    entries = [Entry(text="70.0", value=0.7), Entry(text="1 of 2"), Entry(text="")]
    entries += [Entry(text="9.0", value=0.09)]
    board = Table(title="T", columns=("x",), rows=tuple((one,) for one in entries))
    reader.open(page_of(board, tmp_path / "page.html"))
    for figures in (["70.0", "9.0"], ["9.0", "70.0"]):
        reader.press("x", "thead")
        assert [row[0] for row in reader.rows("#table")] == [*figures, "1 of 2", ""]


def test_words_choose_rows_in_every_table_of_systems(reader: Reader, site: Path):
    reader.open(site)
    reader.one("#words").send_keys("WHISPER pro")
    assert [row[:2] for row in reader.rows("#systems")] == [["whisper", "probe"]]
    assert [row[:2] for row in reader.rows("#behind")] == [["whisper", "probe"]] * 2
    assert len(reader.rows("#read")) == 2  # of corpora
    assert reader.one("[role=status]").text == "1 of 3 rows shown."


def test_boxes_choose_systems_and_corpora(reader: Reader, site: Path):
    reader.open(site)
    upstreams, _, corpora = reader.all(".facet")
    upstreams.click()
    reader.one("input[value=mel]").click()
    corpora.find_element("tag name", "summary").click()
    reader.one("input[value=cafe]").click()
    assert [row[:2] for row in reader.rows("#systems")] == [["mel", "linear"]]
    heads = reader.all("#systems thead th")
    shown = [head.text.split()[0] for head in heads if head.is_displayed()]
    assert shown == ["upstream", "downstream", "cafe"]  # no mean over what is hidden
    assert reader.rows("#best")[0][0] == "cafe (fr)"
    assert len(reader.rows("#best")) == 1
    assert corpora.find_element("tag name", "summary").text.endswith("1 of 2")
    reader.press("Show everything")
    assert len(reader.rows("#systems")) == 3
    assert len(reader.rows("#systems")[0]) == 6


def test_what_is_chosen_stands_in_the_address(reader: Reader, site: Path):
    reader.open(site)
    reader.one("#words").send_keys("linear")
    reader.press("emodb", "#systems thead")
    reader.all(".facet")[0].click()
    reader.one("input[value=whisper]").click()
    address = reader.driver.current_url.partition("#")[2]
    before = reader.rows("#systems")
    reader.open(site, address)
    assert reader.rows("#systems") == before
    assert reader.one("#words").get_attribute("value") == "linear"
    assert reader.one("#systems [aria-sort]").text.startswith("emodb")


def test_the_contents_lead_to_sections_and_keep_the_address(reader: Reader, site: Path):
    reader.open(site, "rows=mel")
    reader.all("nav a")[-1].click()
    assert reader.driver.current_url.endswith("#rows=mel")
    assert reader.driver.switch_to.active_element.get_attribute("id") == "runs"


def test_a_map_is_chosen_by_downstream(reader: Reader, site: Path):
    from selenium.webdriver.support.ui import Select

    reader.open(site)
    Select(reader.one("#map-pane")).select_by_visible_text("linear")
    assert [one.is_displayed() for one in reader.all("#best, #map-1")] == [False, True]
    board = {(row[0], row[1]): row[4:] for row in reader.rows("#systems")}
    turned = [board["whisper", "linear"], board["mel", "linear"]]
    assert [row[1:] for row in reader.rows("#map-1")] == [
        [of_system[corpus] for of_system in turned] for corpus in (0, 1)
    ]


# ---------------------------------------------------------------- a figure


def test_enter_opens_a_figure_and_escape_leads_back_to_it(reader: Reader, site: Path):
    from selenium.webdriver import Keys

    reader.open(site)
    figure = reader.one("#systems td[data-cell] button")
    reader.run("arguments[0].focus()", figure)
    reader.type(Keys.ENTER)
    assert reader.sees("dialog h2") == "whisper · linear · cafe"
    assert figure.text in reader.one("dialog p").text
    assert reader.driver.switch_to.active_element.text == "whisper · linear · cafe"
    reader.type(Keys.ESCAPE)
    assert reader.wait(lambda: reader.driver.switch_to.active_element == figure)
    assert not reader.one("dialog").is_displayed()


def test_a_figure_shows_its_confusions_and_predictions(
    reader: Reader, site: Path, make_result: MakeResult
):
    reader.open(site, "cell=mel&cell=linear&cell=emodb")
    reader.sees("dialog h2")
    behind = [
        result
        for result in study(make_result)
        if result.condition.upstream.name == "mel"
        and result.condition.corpus.name == "emodb"
    ]
    counts = [
        [int(text.split()[0]) for text in row[1:-1]] for row in reader.rows(".truths")
    ]
    assert counts == np.sum([result.confusion for result in behind], axis=0).tolist()
    assert reader.rows(".predictions") == [
        [
            *(one.utterance, one.speaker, one.label),
            one.predicted + (" ✗" if one.label != one.predicted else ""),
            *("80 %", str(result.seed), "0"),
        ]
        for result in behind
        for one in result.predictions
    ]


def test_a_field_of_the_confusions_chooses_predictions(reader: Reader, site: Path):
    reader.open(site, "cell=mel&cell=linear&cell=emodb")
    reader.sees("dialog h2")
    field = reader.one(".truths tbody tr:nth-child(1) td:nth-child(3) button")
    field.click()
    chosen = reader.rows(".predictions")
    assert len(chosen) == int(field.text.split()[0])
    assert {(row[2], row[3]) for row in chosen} == {("anger", "joy ✗")}
    assert field.get_attribute("aria-pressed") == "true"
    field.click()
    assert len(reader.rows(".predictions")) == 120


def test_only_wrong_predictions_are_asked_for(reader: Reader, site: Path):
    reader.open(site, "cell=mel&cell=linear&cell=emodb")
    reader.sees("dialog h2")
    reader.one(".predictions input[type=checkbox]").click()
    rows = reader.rows(".predictions")
    assert rows
    assert all(row[3].endswith(" ✗") for row in rows)


def test_arrow_keys_go_from_figure_to_figure(reader: Reader, site: Path):
    from selenium.webdriver import Keys

    reader.open(site)
    reachable = reader.all("#systems td button[tabindex='0']")
    assert len(reachable) == 1  # one stop for Tab
    reader.run("arguments[0].focus()", reachable[0])
    reader.type(Keys.ARROW_DOWN)
    reader.type(Keys.ARROW_RIGHT)
    assert reader.driver.switch_to.active_element.text == reader.rows("#systems")[1][5]
    assert len(reader.all("#systems td button[tabindex='0']")) == 1


def test_the_dialog_says_what_stands_behind_a_figure(reader: Reader, site: Path):
    reader.open(site, "cell=whisper&cell=probe&cell=cafe")
    reader.sees("dialog h2")
    terms = dict(
        zip(
            [one.text for one in reader.all("dialog dt")],
            [one.text for one in reader.all("dialog dd")],
            strict=True,
        )
    )
    assert terms["seeds"] == "0-1"
    assert terms["split"] == "speaker-independent"
    assert terms["weights"] == "c" * 64
    assert terms["plugins"] == "whisper (speech-harness 0.1.0)"


def test_the_dialog_leads_to_speakers_curves_layers_cost_and_files(
    reader: Reader, site: Path
):
    reader.open(site, "cell=mel&cell=linear&cell=emodb")
    reader.sees("dialog h2")
    parts = [one.text for one in reader.all("dialog h3")]
    assert parts == [
        *(
            "What is taken for what",
            "Predictions",
            "Two systems, utterance by utterance",
        ),
        *("Speakers", "Learning curves", "Layers", "Cost", "What stands behind it"),
    ]
    assert len(reader.rows("dialog .plain")) == 6  # speakers
    pictures = [one.get_attribute("aria-label") for one in reader.all("dialog svg")]
    assert any("layer 3 has the most" in (label or "") for label in pictures)
    reader.one("dialog details summary").click()
    files = [one.text for one in reader.all(".runs li")]
    assert len(files) == 2
    assert all(name.endswith(".parquet") for name in files)


def test_two_systems_are_set_side_by_side_utterance_by_utterance(
    reader: Reader, site: Path, make_result: MakeResult
):
    from selenium.webdriver.support.ui import Select

    reader.open(site, "cell=mel&cell=linear&cell=emodb")
    reader.sees("dialog h2")
    Select(reader.one("#other")).select_by_visible_text("whisper · linear")
    counts = {row[0]: int(row[1]) for row in reader.wait(lambda: reader.rows(PAIR))}
    right: dict[str, list[bool]] = {"mel": [], "whisper": []}
    for result in study(make_result):
        of = result.condition
        if (of.downstream.name, of.corpus.name) == ("linear", "emodb"):
            right[of.upstream.name] += [
                one.label == one.predicted for one in result.predictions
            ]
    mine, theirs = (np.array(right[name]) for name in ("mel", "whisper"))
    assert list(counts.values()) == [
        *((mine & theirs).sum(), (mine & ~theirs).sum()),
        *((~mine & theirs).sum(), (~mine & ~theirs).sum()),
    ]
    Select(reader.one("#outcome")).select_by_visible_text("only this one")
    shown = reader.rows("dialog .pair")
    assert len(shown) == counts["only this one"]
    assert {row[5] for row in shown} == {"only this one"}


PAIR = "dialog div:has(> .tools > #other) .plain"


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """A folder with one of the recordings that were tested."""
    folder = tmp_path / "emodb" / "wav" / "0"
    folder.mkdir(parents=True)
    soundfile.write(folder / "3.wav", np.zeros(16_000), 16_000)
    return tmp_path / "emodb"


def test_an_error_is_played_from_a_folder_of_the_reader(
    reader: Reader, site: Path, recordings: Path
):
    reader.open(site, "cell=mel&cell=linear&cell=emodb")
    reader.sees("dialog h2")
    reader.one("#folder").send_keys(str(recordings))
    reader.wait(lambda: "1 of 60 recordings" in reader.one("dialog").text)
    plays = reader.all("dialog .predictions .play")
    assert len(plays) == 2  # of two seeds
    assert plays[0].get_attribute("aria-label") == "Play 0/3.wav"
    plays[0].click()
    reader.wait(lambda: reader.run("document.querySelector('audio').duration") == 1)
    assert reader.run("document.querySelector('audio').src").startswith("blob:")
    assert reader.run("performance.getEntriesByType('resource').length") == 0


def test_a_figure_is_copied_with_what_stands_behind_it(reader: Reader, site: Path):
    reader.open(site, "cell=mel&cell=linear&cell=emodb")
    reader.sees("dialog h2")
    reader.run(
        "(navigator.clipboard.writeText = async (text) => { window.copied = text; })"
    )
    reader.press("Copy", "dialog")
    copied = reader.wait(lambda: reader.run("window.copied"))
    assert copied.startswith("mel · linear · emodb\nMacro-F1 in percent")
    assert "run ids: " in copied
    assert "weights: " in copied


def test_both_names_stay_while_figures_are_scrolled(reader: Reader, site: Path):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    reader.ask("Emulation.setDeviceMetricsOverride", **phone)
    try:
        reader.open(site)
        before = reader.run(NAMES)
        reader.run("document.querySelector('#systems .scroll').scrollTo(200, 0)")
        assert reader.run(NAMES) == before
        assert reader.run("document.querySelector('#systems .scroll').scrollLeft") > 0
    finally:
        reader.ask("Emulation.clearDeviceMetricsOverride")


NAMES = (
    "[...document.querySelectorAll('#systems tbody tr:first-child th')]"
    ".map((cell) => Math.round(cell.getBoundingClientRect().left))"
)


def test_a_mark_has_words_for_those_who_do_not_see_it(reader: Reader, site: Path):
    reader.open(site)
    nodes = reader.ask("Accessibility.getFullAXTree")["nodes"]
    names = [node.get("name", {}).get("value", "") for node in nodes]
    assert any(name.endswith(", may be the best") for name in names)


def test_the_foot_says_what_words_mean_and_what_to_cite(reader: Reader, site: Path):
    reader.open(site)
    foot = reader.one("footer").text
    for said in ("may be the best", "CLiC-it 2024", "harness leaderboard", "95 %"):
        assert said in foot


def test_a_page_fits_a_sheet_of_a4(reader: Reader, site: Path):
    reader.open(site)
    reader.ask("Emulation.setEmulatedMedia", media="print")
    sheet = {"width": 1032, "height": 703, "deviceScaleFactor": 1, "mobile": False}
    reader.ask("Emulation.setDeviceMetricsOverride", **sheet)  # 273 mm at 96 dpi
    try:
        assert reader.run("document.documentElement.scrollWidth") <= 1032
    finally:
        reader.ask("Emulation.clearDeviceMetricsOverride")
        reader.ask("Emulation.setEmulatedMedia", media="")
        reader.prefer("light")


# ---------------------------------------------------------------- hostile names


def test_no_name_is_more_than_text(reader: Reader, hostile: Path):
    reader.open(hostile)
    reader.one("#systems td[data-cell] button").click()
    reader.sees("dialog h2")
    assert reader.run("typeof hacked") == "undefined"
    assert reader.all("img, b") == []
    assert {row[0] for row in reader.rows("#systems")} == {HOSTILE, FORMULA}
    assert HOSTILE in reader.one("dialog h2").text
    assert HOSTILE in {row[2] for row in reader.rows(".predictions")}


def test_a_hostile_name_can_be_chosen_and_found_again(reader: Reader, hostile: Path):
    reader.open(hostile)
    reader.all(".facet")[0].click()
    next(one for one in reader.all(".facet input") if one.is_displayed()).click()
    before = reader.rows("#systems")
    reader.open(hostile, reader.driver.current_url.partition("#")[2])
    assert reader.rows("#systems") == before
    assert len(before) < 3


def test_a_spreadsheet_takes_no_name_for_a_formula(reader: Reader, tmp_path: Path):
    names = ("=1+1", "+cmd", "-cmd", "@sum", 'plain, "quoted"', "-")
    rows = tuple(
        (Entry(text=name, value=name), Entry(text="-5.0", value=-0.05))
        for name in names
    )
    table = Table(title="T", columns=("=head", "x"), rows=rows)
    reader.open(page_of(table, tmp_path / "page.html"))
    read = list(csv.reader(io.StringIO(reader.download("#table"))))
    assert read == [
        ["'=head", "x"],
        *(["'" + name if name[0] in "=+-@" else name, "-0.05"] for name in names),
    ]


# ---------------------------------------------------------------- download


def test_the_csv_is_that_of_the_command(
    reader: Reader, site: Path, command, make_result: MakeResult
):
    reader.open(site)
    assert reader.download("#sure") == command(
        study(make_result), "--view", "intervals", "--format", "csv"
    )


def test_the_csv_holds_the_rows_and_columns_that_are_shown(reader: Reader, site: Path):
    reader.open(site, "rows=mel&corpus=cafe")
    read = list(csv.DictReader(io.StringIO(reader.download("#systems"))))
    assert [row["upstream"] for row in read] == ["mel"]
    assert list(read[0]) == [
        *("upstream", "downstream", "cafe"),
        *("cafe error", "cafe low", "cafe high", "cafe runs", "cafe estimand"),
    ]


# ---------------------------------------------------------------- large, small, dark


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board of 5 000 systems on nine corpora."""
    rows = tuple(
        (
            *map(entries.word, (f"upstream-{row:04}", ("linear", "probe")[row % 2])),
            *(
                entries.percent((row * (7 + column) % 5000) / 5000)
                for column in range(9)
            ),
        )
        for row in range(5000)
    )
    columns = ("upstream", "downstream", *(f"corpus-{place}" for place in range(9)))
    table = Table(title="T", columns=columns, rows=rows, heat=True)
    return page_of(table, tmp_path_factory.mktemp("long") / "page.html")


def test_five_thousand_rows_are_searched_sorted_and_shown(reader: Reader, long: Path):
    reader.open(long)
    assert len(reader.rows("#table")) == 200
    reader.press("corpus-0", "thead")
    assert [row[2] for row in reader.rows("#table")[:2]] == ["100.0", "100.0"]
    assert reader.rows("#table")[0][0] == "upstream-2857"
    reader.one("#words").send_keys("upstream-49 linear")
    assert len(reader.rows("#table")) == 50
    reader.press("Show everything")
    reader.press("Show all 5000")
    assert len(reader.rows("#table")) == 5000


def test_the_csv_of_a_long_table_is_whole(reader: Reader, long: Path):
    reader.open(long)
    assert len(reader.download("#table").splitlines()) == 1 + 5000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_every_shade(scheme: str, reader: Reader, site: Path):
    reader.prefer(scheme)
    reader.open(site, "cell=mel&cell=linear&cell=emodb")
    reader.sees("dialog h2")
    selectors = [f".s{step}" for step in range(11)]
    selectors += ["a", ".notes", ".about", "caption", ".wrong", "dt", ".on summary"]
    found = reader.run(CONTRASTS, selectors)
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}
    assert len(found) == len(selectors)


CONTRASTS = """((selectors) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d",
    { willReadFrequently: true });
  const light = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) =>
      value <= 10.31475 ? value / 255 / 12.92 : ((value / 255 + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
  };
  const box = document.createElement("div");
  document.querySelector("main").append(box);
  return Object.fromEntries(selectors.map((selector) => {
    let element = document.querySelector(selector);
    if (!element) {
      element = document.createElement("span");
      const facet = selector === ".on summary";
      element.className = facet ? "" : `heat ${selector.slice(1)}`;
      box.className = facet ? "facet on" : "";
      box.append(facet ? (element = document.createElement("summary")) : element);
    }
    const [ink, paper] = [getComputedStyle(element).color, behind(element)].map(light);
    return [selector, (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05)];
  }));
})(arguments[0])"""


@pytest.mark.parametrize("address", ["", "cell=mel&cell=linear&cell=emodb"])
def test_nothing_is_wider_than_a_phone(address: str, reader: Reader, site: Path):
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    reader.ask("Emulation.setDeviceMetricsOverride", **phone)
    try:
        reader.open(site, address)
        if address:
            reader.sees("dialog h2")
        assert reader.run("document.documentElement.scrollWidth") == 360
        assert reader.run("document.querySelector('#cell').scrollWidth") <= 360
    finally:
        reader.ask("Emulation.clearDeviceMetricsOverride")


def test_without_script_every_table_is_there(reader: Reader, site: Path, long: Path):
    reader.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        reader.open(site)
        assert all(one.is_displayed() for one in reader.all("table"))
        assert reader.all("button, input, select") == []
        reader.open(long)
        assert reader.one("tbody tr:last-child").is_displayed()
    finally:
        reader.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_nothing_is_asked_of_the_network(reader: Reader, site: Path):
    reader.open(site, "cell=mel&cell=linear&cell=emodb")
    reader.sees("dialog h2")
    assert reader.run("performance.getEntriesByType('resource').length") == 0


def test_a_screen_reader_reads_what_everything_is(reader: Reader, site: Path):
    reader.open(site, "sort=systems.3.descending")
    nodes = reader.ask("Accessibility.getFullAXTree")["nodes"]
    read = {
        (node.get("role", {}).get("value"), node.get("name", {}).get("value"))
        for node in nodes
        if not node["ignored"]
    }
    title = "Macro-F1 in percent, pooled over speakers, one fold, two seeds"
    assert {
        ("heading", "Board"),
        ("navigation", "Contents"),
        ("region", title),
        ("table", title),
        ("searchbox", "Rows that contain"),
        ("rowheader", "whisper"),
        ("rowheader", "linear"),
        ("button", "Download as CSV"),
    } <= read
    assert not {(role, "") for role in ("button", "link", "table", "region")} & read


# ---------------------------------------------------------------- numbers


@pytest.fixture(scope="module")
def numbers(
    command, make_result: MakeResult, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("numbers")
    command(ratings(make_result), "--format", "html", "--out", str(folder))
    return folder / "index.html"


def test_the_dialog_of_a_number_has_a_scatter_and_every_prediction(
    reader: Reader, numbers: Path
):
    reader.open(numbers, "cell=whisper&cell=linear&cell=emodb")
    reader.sees("dialog h2")
    parts = [one.text for one in reader.all("dialog h3")]
    assert parts[:4] == [
        *("True against predicted", "Predictions"),
        *("Two systems, utterance by utterance", "Speakers"),
    ]
    assert len(reader.all("dialog .scatter circle")) == 2 * SPEAKERS * EACH
    rows = reader.rows("dialog .predictions")
    errors = [abs(float(row[4])) for row in rows]
    assert errors == sorted(errors, reverse=True)
    pictures = [one.get_attribute("aria-label") for one in reader.all("dialog svg")]
    assert any((label or "").startswith("CCC in validation") for label in pictures)


def test_a_curve_below_zero_is_drawn_within_its_picture(
    reader: Reader, command, make_result: MakeResult, tmp_path: Path
):
    result = next(
        one
        for one in ratings(make_result)
        if one.condition.corpus.name == "emodb"
        and (one.condition.upstream.name, one.seed) == ("mel", 0)
    )
    epochs = [
        replace(result.history[0], epoch=at, valid_ccc=value)
        for at, value in enumerate((-0.25, 0.0, 1.0), 1)
    ]
    low = replace(result, history=tuple(epochs))
    command([low], "--format", "html", "--out", str(tmp_path))
    reader.open(tmp_path / "index.html", "cell=mel&cell=linear&cell=emodb")
    reader.sees("dialog h2")
    (curve,) = reader.all("dialog .curves .score")
    heights = [one.split(",")[1] for one in str(curve.get_attribute("points")).split()]
    assert heights == ["110.0", "88.0", "0.0"]
    assert "from -25 to 100 %" in reader.one("dialog").text


def test_two_systems_that_predict_numbers_are_set_side_by_side(
    reader: Reader, numbers: Path, make_result: MakeResult
):
    from selenium.webdriver.support.ui import Select

    reader.open(numbers, "cell=whisper&cell=linear&cell=emodb")
    reader.sees("dialog h2")
    Select(reader.one("#other")).select_by_visible_text("mel · linear")
    counts = {row[0]: int(row[1]) for row in reader.wait(lambda: reader.rows(PAIR))}
    gaps = {}
    for result in ratings(make_result):
        of = result.condition
        if (of.downstream.name, of.corpus.name) == ("linear", "emodb"):
            gaps[of.upstream.name, result.seed] = [
                abs((one.predicted_value or 0.0) - (one.value or 0.0))
                for one in result.predictions
            ]
    nearer = sum(
        mine < theirs
        for seed in (0, 1)
        for mine, theirs in zip(gaps["whisper", seed], gaps["mel", seed], strict=True)
    )
    assert counts["this one is nearer"] == nearer
