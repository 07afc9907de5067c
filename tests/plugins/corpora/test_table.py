"""Your own data without a plugin, and what can be wrong with a table."""

from __future__ import annotations

import json
import shutil
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
import soundfile
from harness_plugins.corpora import table
from pyarrow import parquet
from toys import GRID

from harness import DataError, Utterance


@pytest.fixture
def describe(tmp_path):
    """Write a table and describe the corpus that it is."""

    def describe(text, name="mine.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return table.harness_corpus(name=f"csv:{path}")

    return describe


def utterances(corpus):
    return list(corpus.read(corpus.root))


def test_other_names_are_not_answered():
    assert table.harness_corpus(name="emodb") is None


def test_three_columns_are_enough(describe, tmp_path):
    corpus = describe("path,label,speaker\na/b.wav,Anger,s1\n")
    assert utterances(corpus) == [
        Utterance(id="a/b.wav", path="a/b.wav", label="anger", speaker="s1")
    ]
    assert corpus.name == f"csv:mine@{corpus.version[:8]}"
    assert corpus.title == "mine"
    assert corpus.labels == ("anger",)
    assert corpus.languages == ("und",)
    assert table.harness_corpus_root(corpus=corpus) == tmp_path


def test_columns_of_numbers_and_of_intensity_are_read(describe):
    one, other = utterances(
        describe(
            "path,label,speaker,intensity,Arousal,valence,number:age,height\n"
            "a.wav,anger,s1,Strong,0.25,-1e-3,41,180\n"
            "b.wav,anger,s1,,n/a,2,,x\n"
        )
    )
    assert one.numbers == {"arousal": 0.25, "valence": -0.001, "age": 41.0}
    assert (one.intensity, other.intensity) == ("strong", None)
    assert other.numbers == {"valence": 2.0}


@pytest.mark.parametrize("word", ["", "n/a", "unknown"])
def test_a_row_without_a_label_has_no_emotion(describe, word):
    corpus = describe(f"path,label,speaker\na.wav,joy,s1\nb.wav,{word},s1\n")
    assert [one.label for one in utterances(corpus)] == ["joy", ""]
    assert corpus.labels == ("joy",)


@pytest.mark.parametrize("column", ["arousal", "gender", "number:age", "level"])
def test_a_table_needs_no_labels(describe, column):
    cell = "f" if column == "gender" else "1"
    corpus = describe(f"path,speaker,{column}\na.wav,s1,{cell}\n")
    assert [one.label for one in utterances(corpus)] == [""]
    assert corpus.labels == ()


@pytest.mark.parametrize("cell", ["high", "inf", '"0,5"', "1 2"])
def test_what_is_no_number_is_named(describe, cell):
    with pytest.raises(DataError, match=r"row 1: 'arousal' is .* a number like 0.5"):
        describe(f"path,label,speaker,arousal\na.wav,anger,s1,{cell}\n")


def test_every_optional_column_is_read(describe):
    (one,) = utterances(
        describe(
            "path,label,speaker,gender,language,sentence,start,end,split,mood\n"
            "a.wav,anger,s1,F,el-GR,a01,0.5,1.25,dev,x\n"
        )
    )
    assert one == Utterance(
        id="a.wav#0.5-1.25",
        path="a.wav",
        label="anger",
        speaker="s1",
        gender="female",
        language="el-GR",
        sentence="a01",
        start=0.5,
        end=1.25,
        part="valid",
    )


def test_empty_optional_cells_are_unknown(describe):
    (one,) = utterances(
        describe(
            "path,label,speaker,gender,language,sentence,start,end,split\n"
            "a.wav,anger,s1,,,,,,\n"
        )
    )
    assert one == Utterance(id="a.wav", path="a.wav", label="anger", speaker="s1")


@pytest.mark.parametrize("word", ["", "nan", "N/A", "NULL", "-", "unknown", "None"])
def test_optional_cells_that_say_so_are_not_known(describe, word):
    (one,) = utterances(
        describe(
            "path,label,speaker,gender,language,sentence,start,end,split\n"
            f"a.wav,anger,s1,{','.join([word] * 6)}\n"
        )
    )
    assert one == Utterance(id="a.wav", path="a.wav", label="anger", speaker="s1")


@pytest.mark.parametrize(
    ("word", "gender"),
    [("woman", "female"), ("W", "female"), ("man", "male"), ("non-binary", None)],
)
def test_a_gender_has_many_words(describe, word, gender):
    (one,) = utterances(describe(f"path,label,speaker,gender\na.wav,b,c,{word}\n"))
    assert one.gender == gender


@pytest.mark.parametrize("odd", ["\u2028", "\x85", "\x0b", "\x1c"])
def test_nothing_but_a_lines_end_ends_a_line(describe, odd):
    corpus = describe(f"path,label,speaker,note\na.wav,b,c,x{odd}y\nb.wav,b,c,\n")
    assert [one.path for one in utterances(corpus)] == ["a.wav", "b.wav"]


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n\n"])
def test_lines_end_as_on_any_system(describe, end):
    corpus = describe(f"path,label,speaker{end}a.wav,b,c{end}b.wav,b,c{end}")
    assert [one.path for one in utterances(corpus)] == ["a.wav", "b.wav"]


def test_empty_rows_and_cells_of_a_spreadsheet_are_ignored(describe):
    corpus = describe("path,label,speaker,,\na.wav,b,c,,\n,,,,\n , ,,,,,\n")
    assert [one.path for one in utterances(corpus)] == ["a.wav"]


def test_names_are_in_one_form(describe):
    decomposed = unicodedata.normalize(
        "NFD", "path,label,speaker\na.wav,Colère, Zoë  A \n"
    )
    (one,) = utterances(describe(decomposed + "b.wav,colère,Zoë A\n"))[:1]
    assert (one.label, one.speaker) == ("colère", "Zoë A")
    assert describe(decomposed + "b.wav,colère,Zoë A\n").labels == ("colère",)


@pytest.mark.parametrize(
    ("written", "tag"), [("EL-gr", "el-GR"), ("zh_hant", "zh-Hant")]
)
def test_a_language_is_written_as_tags_are(describe, written, tag):
    (one,) = utterances(describe(f"path,label,speaker,language\na,b,c,{written}\n"))
    assert one.language == tag


@pytest.mark.parametrize(("table", "disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_file_is_found_however_its_accents_are_spelt(describe, tmp_path, table, disk):
    path = "café/é1.wav"
    file = tmp_path / unicodedata.normalize(disk, path)
    file.parent.mkdir()
    file.touch()
    name = unicodedata.normalize(table, path)
    for written in (name, f"{tmp_path}/{name}"):
        (one,) = utterances(describe(f"path,label,speaker\n{written},b,c\n"))
        assert (tmp_path / one.path).exists()
        assert one.id.endswith(unicodedata.normalize("NFC", path))


def test_a_name_that_no_disk_can_hold_is_left_to_the_check_of_files(describe):
    corpus = describe(f"path,label,speaker\n{'x' * 5000},b,c\n")
    assert [len(one.path) for one in utterances(corpus)] == [5000]


def test_close_spans_are_two_utterances(describe):
    corpus = describe(
        "path,label,speaker,start,end\n"
        "a.wav,b,c,35999.06,35999.10\na.wav,b,c,35999.11,35999.14\n"
    )
    assert [one.id for one in utterances(corpus)] == [
        "a.wav#35999.06-35999.1",
        "a.wav#35999.11-35999.14",
    ]


def written_parquet(tmp_path, **columns):
    parquet.write_table(pa.table(columns), tmp_path / "mine.parquet")
    return table.harness_corpus(name=f"csv:{tmp_path / 'mine.parquet'}")


def test_a_parquet_table_may_have_bytes_numbers_and_times(tmp_path):
    corpus = written_parquet(
        tmp_path,
        path=pa.array(["é.wav".encode()]),
        label=pa.array(["joy"]).dictionary_encode(),
        speaker=[7.0],
        start=pa.array([1500], pa.duration("ms")),
        note=[[1, 2]],
    )
    assert utterances(corpus) == [
        Utterance(id="é.wav#1.5-", path="é.wav", label="joy", speaker="7", start=1.5)
    ]


def test_a_parquet_table_may_have_numbers_to_be_predicted(tmp_path):
    columns = {"arousal": [0.1, 3], "number:age": [41, None], "other": [7, 8]}
    rows = {"path": ["a.wav", "b.wav"], "label": ["joy"] * 2, "speaker": ["c"] * 2}
    one, other = utterances(written_parquet(tmp_path, **rows, **columns))
    assert (one.numbers, other.numbers) == ({"arousal": 0.1, "age": 41}, {"arousal": 3})


def test_a_parquet_table_of_lists_is_refused(tmp_path):
    with pytest.raises(DataError, match="row 1: 'label' holds a value of type list"):
        written_parquet(tmp_path, path=["a"], label=[["joy"]], speaker=["c"])


def test_two_columns_of_a_parquet_table_are_refused(tmp_path):
    with pytest.raises(DataError, match="more than one column 'label'"):
        written_parquet(tmp_path, path=["a"], label=["b"], Label=["c"], speaker=["d"])


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_columns_may_be_separated_by(describe, separator):
    text = "path,label,speaker\na.wav,anger,s1\n".replace(",", separator)
    assert utterances(describe(text))[0].speaker == "s1"


def test_a_cell_may_hold_commas_and_lines_in_quotes(describe):
    corpus = describe('path,label,speaker,note\n"a,b.wav",anger,s1,"two\nlines"\n')
    assert utterances(corpus)[0].path == "a,b.wav"


def test_a_byte_order_mark_is_no_part_of_the_first_column(describe):
    corpus = describe("path,label,speaker\na.wav,anger,s1\n", encoding="utf-8-sig")
    assert utterances(corpus)[0].path == "a.wav"


def test_a_parquet_table_is_read_by_its_ending(tmp_path):
    rows = pa.table(
        {"path": ["a.wav"], "label": ["anger"], "speaker": [7], "end": [None]}
    )
    parquet.write_table(rows, tmp_path / "mine.parquet")
    corpus = table.harness_corpus(name=f"csv:{tmp_path / 'mine.parquet'}")
    assert utterances(corpus) == [
        Utterance(id="a.wav", path="a.wav", label="anger", speaker="7")
    ]


def test_two_spans_of_a_file_are_two_utterances(describe):
    corpus = describe(
        "path,label,speaker,start,end\na.wav,anger,s1,0,1\na.wav,fear,s1,1,\n"
    )
    assert [one.id for one in utterances(corpus)] == ["a.wav#0-1", "a.wav#1-"]


def test_a_changed_table_is_another_version(describe):
    before = describe("path,label,speaker\na.wav,anger,s1\n").version
    assert describe("path,label,speaker\na.wav,anger,s2\n").version != before


HEADER = "path,label,speaker,gender,start,end,split\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no column 'path'. It has: none"),
        ("path,label\n", "no column 'speaker'. It has: path, label"),
        ("path,labels,speaker\n", "no column 'label'.*Is it the column 'labels'"),
        (HEADER, "has no rows"),
        ("path,Emotions,speaker\n", "no column 'label'.*Is it the column 'emotions'"),
        (HEADER + "a.wav,anger,s1\n ,anger,s1\n", "row 2: 'path' is empty"),
        (HEADER + "a.wav,anger\n", "row 1: 'speaker' is empty"),
        (HEADER + "a.wav,b,c,,,,,,x\n", "row 1 has more cells"),
        (HEADER + "a.wav,anger,s1,q\n", "'gender' is 'q'. Known: female, male"),
        (HEADER + "a.wav,anger,s1,,zero\n", "'start' is 'zero'. It must be a number"),
        (HEADER + "a.wav,anger,s1,,-1\n", "'start' is '-1'"),
        (HEADER + "a.wav,anger,s1,,inf\n", "'start' is 'inf'"),
        (HEADER + ",,\n,,\n", "has no rows"),
        (HEADER + ",,\na.wav,joy,\n", "row 2: 'speaker' is empty"),
        (HEADER + "a.wav,joy,NaN\n", "'speaker' is 'NaN', which stands for"),
        (HEADER + "<NA>,joy,s1\n", "'path' is '<NA>', which stands for"),
        (HEADER + "a.wav,j\0y,s1\n", "'label' holds the control character"),
        (HEADER + "a\0.wav,joy,s1\n", "'path' holds the control character"),
        ("path,label,speaker,Label\n", "more than one column 'label'"),
        ("path,label,speaker,mood,MOOD \n", "more than one column 'mood'"),
        ("\ufeff;path;label\n", "no column 'speaker'"),
        (HEADER + "a.wav,anger,s1,,2,1\n", "ends at 1 s, but starts at 2 s"),
        (HEADER + "a.wav,anger,s1,,,,eval\n", "'split' is 'eval'. Known: train, val"),
        (HEADER + "a.wav,b,c\nd.wav,b,c\na.wav,b,c\n", "rows 1 and 3 are the same"),
        (HEADER + "../a.wav,b,c\n", "leads out of"),
        (HEADER + "x/../../a.wav,b,c\n", "leads out of"),
        (HEADER + '"a.wav,b,c\n', "Cannot read the table"),
    ],
)
def test_a_mistake_is_reported_with_its_row(describe, text, sentence):
    with pytest.raises(DataError, match=sentence):
        describe(text)


def test_a_table_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(DataError, match=r"Cannot read the table .*: No such file"):
        table.harness_corpus(name=f"csv:{tmp_path / 'none.csv'}")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_the_error_for_another_encoding_says_how_to_save_the_table(describe, encoding):
    with pytest.raises(DataError, match=r"is not UTF-8 text.*save it as «CSV UTF-8»"):
        describe("path,label,speaker\nä.wav,b,c\n", encoding=encoding)


def test_the_error_for_a_workbook_says_how_to_save_its_sheet(tmp_path):
    (tmp_path / "mine.csv").write_bytes(b"PK\x03\x04\xff")
    with pytest.raises(DataError, match="a workbook: in Excel, save the sheet"):
        table.harness_corpus(name=f"csv:{tmp_path / 'mine.csv'}")


def test_a_table_without_the_prefix_is_reported(harness):
    Path("mine.csv").touch()
    code, _, err = harness("split", "mine.csv")
    assert code == 2
    assert "To read it as a table, use csv:mine.csv." in err


def test_columns_may_begin_with_capitals(describe):
    corpus = describe("Path, LABEL ,Speaker\na.wav,anger,s1\n")
    assert [one.speaker for one in utterances(corpus)] == ["s1"]


def test_a_path_may_be_written_on_windows(describe):
    corpus = describe("path,label,speaker\nx\\a.wav,anger,s1\n")
    assert [one.path for one in utterances(corpus)] == ["x/a.wav"]


def test_a_file_that_is_not_parquet_is_reported(describe):
    with pytest.raises(DataError, match="Cannot read the table"):
        describe("path,label,speaker", name="mine.parquet")


def test_a_link_that_leads_out_is_refused(describe, tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "outside.wav").touch()
    (folder / "a.wav").symlink_to(tmp_path / "outside.wav")
    with pytest.raises(DataError, match="leads out of"):
        describe("path,label,speaker\na.wav,b,c\n", name="inside/mine.csv")


def test_an_absolute_path_is_taken_as_it_is(describe, tmp_path):
    corpus = describe(f"path,label,speaker\n{tmp_path}/x/a.wav,b,c\n")
    (one,) = utterances(corpus)
    assert corpus.root / one.path == tmp_path / "x" / "a.wav"


# ---------------------------------------------------------------- with the program


@pytest.fixture
def mine(tones):
    """A table of the tones: speaker s3 validates, s4 tests."""
    parts = {"s3": "dev", "s4": "test"}
    lines = ["path,label,speaker,split"]
    for path in sorted(tones.glob("*.wav")):
        speaker, label, _ = path.stem.split("_")
        part = parts.get(speaker, "train")
        lines.append(f"tones/{path.name},{label},{speaker},{part}")
    written = tones.parent / "mine.csv"
    written.write_text("\n".join(lines) + "\n")
    return written


def test_a_table_is_checked_like_any_corpus(harness, mine):
    code, out, _ = harness("corpus", "check", f"csv:{mine}", "--format", "json")
    passport = json.loads(out)
    assert code == 0
    assert passport["labels"] == {"high": 20, "low": 20}
    assert passport["verdict"].startswith("unknown")


def test_a_missing_file_of_the_table_is_reported(harness, mine, tones):
    (tones / "s0_low_0.wav").unlink()
    code, out, _ = harness("corpus", "check", f"csv:{mine}", "--format", "json")
    assert code == 2
    assert json.loads(out)["problems"] == [
        {"kind": "unusable", "path": "tones/s0_low_0.wav", "detail": "missing"}
    ]


def test_a_table_is_run_with_its_own_split(harness, mine):
    words = ("toy" if word == "toy" else word for word in GRID)
    grid = [f"csv:{mine}" if word == "tones" else word for word in words]
    code, out, err = harness(
        *("run", *grid, "--downstream", "linear", "--split", "column")
    )
    assert code == 0, err
    assert "split column" in " ".join(out.split())


def test_speakers_in_two_parts_of_a_column_are_refused(harness, mine):
    mine.write_text(mine.read_text().replace("low,s4,test", "low,s4,train"))
    code, _, err = harness("split", f"csv:{mine}", "--split", "column")
    assert code == 2
    assert "the same speaker is in" in err


def test_an_incomplete_column_is_refused(harness, mine):
    mine.write_text(mine.read_text().replace(",dev", ","))
    code, _, err = harness("split", f"csv:{mine}", "--split", "column")
    assert code == 2
    assert "8 of 40 utterances do not say which part" in err


@pytest.fixture
def divided(tones):
    """A table of one span each of the tones, but of the first file two, by start."""

    def write(*spans):
        lines = ["path,label,speaker,start,end,split"]
        for path in sorted(tones.glob("*.wav"))[1:]:
            speaker, label, _ = path.stem.split("_")
            part = {"s3": "dev", "s4": "test"}.get(speaker, "train")
            lines.append(f"tones/{path.name},{label},{speaker},0,,{part}")
        lines += [f"tones/s0_high_0.wav,high,{span}" for span in spans]
        written = tones.parent / "spans.csv"
        written.write_text("\n".join(lines) + "\n")
        return f"csv:{written}"

    return write


def test_spans_that_overlap_in_two_parts_are_refused(harness, divided):
    name = divided("s0,0.0,0.2,train", "s9,0.1,0.3,test")
    code, _, err = harness("split", name, "--split", "column")
    assert code == 2
    assert "s0_high_0.wav#0-0.2' in train and" in err
    assert "s0_high_0.wav#0.1-0.3' in test overlap" in err


@pytest.mark.parametrize("second", ["s0,0.1,0.3,train", "s9,0.2,0.3,test"])
def test_spans_may_overlap_in_one_part_or_touch_in_two(harness, divided, second):
    name = divided("s0,0.0,0.2,train", second)
    code, _, err = harness("split", name, "--split", "column")
    assert code == 0, err


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_spans_of_a_copied_file_are_those_of_one_file(harness, divided, tones, suffix):
    name = divided("s0,0.0,0.2,train", "s9,0.2,0.3,test")
    samples, rate = soundfile.read(tones / "s0_high_0.wav", dtype="int16")
    soundfile.write(tones / f"copy.{suffix}", samples, rate)
    written = Path(name.removeprefix("csv:"))
    copied = f"tones/copy.{suffix},high,s9,0.05,0.15,test\n"
    written.write_text(written.read_text() + copied)
    code, _, err = harness("split", name, "--split", "column")
    assert code == 2
    assert f"copy.{suffix}#0.05-0.15' in test overlap" in err


def test_one_label_is_refused_before_anything_is_extracted(harness, mine):
    mine.write_text(mine.read_text().replace(",low,", ",high,"))
    heads = ("plan", "--upstream", "toy", "--downstream", "linear", "--corpus")
    for verb in (("split",), heads):
        code, _, err = harness(*verb, f"csv:{mine}")
        assert code == 2, err
        assert "it is 'high' in all of its 40 utterances" in err


def test_the_same_audio_with_two_labels_is_refused(harness, mine, tones):
    shutil.copy(tones / "s0_low_0.wav", tones / "s0_low_1.wav")
    shutil.copy(tones / "s0_low_0.wav", tones / "s0_high_1.wav")
    code, _, err = harness("split", f"csv:{mine}")
    assert code == 2
    assert "3 audio files cannot be used" in err
    assert "s0_high_1.wav: is 'high', and the same audio as 'tones/s0_low_0.wav'" in err
    assert harness("split", f"csv:{mine}", "--skip-bad")[0] == 0


@pytest.mark.parametrize(
    ("one", "other"), [("anna", "Anna"), ("1", "01"), ("s 1", "S_01"), ("7", "7.0")]
)
def test_one_speaker_in_two_spellings_is_refused(harness, mine, one, other):
    text = mine.read_text().replace(",s0,", f",{one},").replace(",s1,", f",{other},")
    mine.write_text(text)
    code, _, err = harness("split", f"csv:{mine}")
    assert code == 2
    assert "what may be one speaker in two ways" in err
    assert f"'{one}'" in err
    assert f"'{other}'" in err


def test_a_span_beyond_its_file_is_reported(harness, divided):
    code, _, err = harness("split", divided("s0,100,300,train"), "--split", "column")
    assert code == 2
    assert "#100-300: reaches to 300 s where the file ends at 0.31 s" in err


def test_a_file_that_is_not_there_is_in_no_split(harness, mine, tones):
    (tones / "s0_low_0.wav").unlink()
    code, _, err = harness("split", f"csv:{mine}")
    assert code == 2
    assert "s0_low_0.wav: missing" in err
    assert harness("split", f"csv:{mine}", "--skip-bad")[0] == 0


def test_the_published_lists_are_tables(describe, tmp_path):
    from harness_plugins.corpora._known import FOLDER
    from harness_plugins.corpora.emodb import EMODB

    shutil.copy(FOLDER / "emodb.csv", tmp_path / "emodb.csv")
    corpus = table.harness_corpus(name=f"csv:{tmp_path / 'emodb.csv'}")
    assert EMODB.files is not None
    assert {one.id: (one.label, one.part) for one in utterances(corpus)} == {
        id: (file.label, file.part) for id, file in EMODB.files().items()
    }


def test_the_same_table_in_another_folder_is_the_same_corpus(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.csv").write_text("path,label,speaker\na.wav,joy,s1\n")

    def name_of(folder):
        corpus = table.harness_corpus(name=f"csv:{tmp_path / folder / 'mine.csv'}")
        assert corpus is not None
        return corpus.name

    before = name_of("one")
    assert before == name_of("other")
    (tmp_path / "one" / "mine.csv").write_text("path,label,speaker\na.wav,fear,s1\n")
    assert name_of("one") != before


def test_a_folder_of_recordings_needs_a_table(tmp_path):
    with pytest.raises(DataError, match="name it by csv:FILE"):
        table.harness_corpus(name=str(tmp_path))
