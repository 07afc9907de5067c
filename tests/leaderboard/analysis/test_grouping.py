"""Groups of a table of the user's own, beside those that predictions state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness_leaderboard.analysis.grouping import Grouping, grouping
from harness_leaderboard.analysis.question import Question
from harness_leaderboard.results import reading, store
from harness_leaderboard.views.catalogue import VIEWS
from study import study

from harness import HarnessError

AGES = "speaker,age\ns0,young\ns1,young\n"


def written(tmp_path, text, name="ages.csv"):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return f"{path}:age"


def fairness(results, by):
    asked = Question(by=by)
    columns = VIEWS["fairness"].columns(asked)
    return VIEWS["fairness"].make(
        reading.flattened(store.table_of(results), columns), asked
    )


@pytest.fixture
def results(make_result):
    return [
        replace(
            one,
            predictions=tuple(
                replace(p, gender="young" if p.speaker in ("s0", "s1") else "old")
                for p in one.predictions
            ),
        )
        for one in study(make_result)
        if one.condition.corpus.name == "emodb"
    ]


def speakers(results):
    return sorted({p.speaker for one in results for p in one.predictions})


def ages(names):
    return "".join(f"{n},{'young' if n in ('s0', 's1') else 'old'}\n" for n in names)


def test_a_field_is_its_name():
    assert grouping("gender") == Grouping(name="gender")


def test_groups_of_a_table_are_those_of_a_field(results, tmp_path):
    by = grouping(written(tmp_path, "speaker,age\n" + ages(speakers(results))))
    ours, theirs = fairness(results, by), fairness(results, Grouping(name="gender"))
    assert ours.rows == theirs.rows
    assert "by age" in ours.title


def test_utterances_are_found_where_a_speaker_has_two_groups(results, tmp_path):
    ids = {p.utterance: p for one in results for p in one.predictions}
    lines = "".join(
        f"{id},{p.speaker},{'even' if place % 2 else 'odd'}\n"
        for place, (id, p) in enumerate(sorted(ids.items()))
    )
    by = grouping(written(tmp_path, "path,speaker,age\n" + lines))
    assert by.key == "utterance"
    table = fairness(results, by)
    assert any("within each speaker" in note for note in table.notes)


def test_who_is_not_in_the_table_is_counted(results, tmp_path):
    some = [name for name in speakers(results) if name != "s2"]
    table = fairness(results, grouping(written(tmp_path, "speaker,age\n" + ages(some))))
    assert any("without age" in note for note in table.notes)


def test_rows_of_another_corpus_do_not_count(results, tmp_path):
    text = "corpus,speaker,age\n" + "".join(
        f"{corpus},{line}\n"
        for corpus in ("emodb", "emovo")
        for line in ages(speakers(results)).split()
    ).replace("emovo,s0,young", "emovo,s0,old")
    by = grouping(written(tmp_path, text))
    assert fairness(results, by).rows == fairness(results, Grouping()).rows


def test_names_that_two_corpora_may_have_need_the_corpus(make_result, tmp_path):
    by = grouping(written(tmp_path, AGES))
    with pytest.raises(
        HarnessError, match="column 'corpus', or choose one with --only"
    ):
        fairness(study(make_result), by)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("speaker,agee\ns0,1\n", "Did you mean 'agee'"),
        ("name,age\ns0,1\n", "no column 'speaker' or 'utterance'"),
        ("speaker,age\ns0,1\ns0,2\n", "speaker 's0' is '1' and '2'"),
        ("speaker,age\n", "no rows"),
        ("speaker,age\ns0,1\ns1,1,2\n", "row 2 has 3 cells, and the heading 2"),
        ("speaker,age\ns0\n", "row 1 has 1 cell"),
        ("speaker,age,age\ns0,1,2\n", "several columns 'age'"),
        ('speaker,age\ns0,"1\n', "no table"),
        ("", "is empty"),
    ],
)
def test_a_table_that_says_too_little_is_refused(tmp_path, text, said):
    with pytest.raises(HarnessError, match=said):
        grouping(written(tmp_path, text))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "ages.csv").write_bytes(b"speaker,age\n\xff\xfe,1\n")
    with pytest.raises(HarnessError, match="UTF-8"):
        grouping(f"{tmp_path / 'ages.csv'}:age")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(HarnessError, match=r"Cannot read .*ages\.csv: No such file"):
        grouping(f"{tmp_path / 'ages.csv'}:age")


def test_a_mistyped_field_is_told_the_near_one_and_the_way_to_a_table():
    with pytest.raises(HarnessError, match=r"Did you mean 'gender'.*FILE\.csv:COLUMN"):
        grouping("gendre")


def test_names_of_nobody_are_refused_with_the_next_step(results, tmp_path):
    by = grouping(written(tmp_path, "speaker,age\nx,young\n"))
    with pytest.raises(HarnessError, match="None of the table's names is a speaker"):
        fairness(results, by)
