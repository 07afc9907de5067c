"""Your own data without a plugin, and what can be wrong with a table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
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
    assert corpus.name == f"csv:{tmp_path / 'mine.csv'}"
    assert corpus.title == "mine"
    assert corpus.labels == ("anger",)
    assert corpus.languages == ("und",)
    assert table.harness_corpus_root(corpus=corpus) == tmp_path


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
        (HEADER + "a.wav,,s1\n", "row 1: 'label' is empty"),
        (HEADER + "a.wav,anger,s1\n ,anger,s1\n", "row 2: 'path' is empty"),
        (HEADER + "a.wav,anger\n", "row 1: 'speaker' is empty"),
        (HEADER + "a.wav,b,c,,,,,,x\n", "row 1 has more cells"),
        (HEADER + "a.wav,anger,s1,x\n", "'gender' is 'x'. Known: female, male"),
        (HEADER + "a.wav,anger,s1,,zero\n", "'start' is 'zero'. It must be a number"),
        (HEADER + "a.wav,anger,s1,,-1\n", "'start' is '-1'"),
        (HEADER + "a.wav,anger,s1,,nan\n", "'start' is 'nan'"),
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
    code, _, err = harness(
        *("run", *grid, "--downstream", "linear", "--split", "column")
    )
    assert code == 0, err
    assert "column 0" in err


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
