"""csv, tsv, xlsx, jsonl, json: columns, encodings, ids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge_base.entry import Entry
from knowledge_base.errors import ReadError
from knowledge_base.reading import read_entries

from .files import workbook

Read = Callable[[str, str | bytes], list[Entry]]
PARKING = "问题,答案,相似问法,逐字\r\n能停车吗？,可以，店后。,停车|有车位吗,是\r\n".replace(
    "可以，", "可以、"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
def test_chinese_headers_and_encodings(read: Read, encoding: str) -> None:
    [entry] = read("a.csv", PARKING.encode(encoding))
    assert (entry.language, entry.question, entry.answer) == ("zh", "能停车吗？", "可以、店后。")
    assert (entry.variants, entry.verbatim) == (("停车", "有车位吗"), True)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_from_the_header(read: Read, delimiter: str) -> None:
    [entry] = read(
        "a.csv", delimiter.join(["QUESTION", "x", "Answer"]) + "\n" + delimiter.join(["Where", "1", "Here"])
    )
    assert (entry.question, entry.answer) == ("Where", "Here")


def test_a_column_named_a_beside_answer_is_something_else(read: Read) -> None:
    assert read("a.csv", "question,answer,a\nWhere,Here,1\n")[0].answer == "Here"


def test_ids_stay_the_same_without_an_id_column(read: Read) -> None:
    first = read("a.csv", "question,answer\nWhere?,Here\n")
    second = read("b.jsonl", '{"question": "Where?", "answer": "There"}\n')
    assert first[0].id == second[0].id != ""


def test_group_and_language_make_the_id(read: Read) -> None:
    [entry] = read("a.csv", "group,language,question,answer\nparking,zh-CN,能停车吗,可以\n")
    assert (entry.id, entry.group, entry.language) == ("parking.zh", "parking", "zh")


def test_the_given_language_and_detector_fill_in(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("question,answer,lang\nWo?,Hier,\nQ,A,日本語\n")
    assert [entry.language for entry in read_entries(path, language="de")] == ["de", "ja"]
    assert read_entries(path, detect=lambda text: "nl" if text.startswith("Wo") else "xx")[0].language == "nl"


def test_sheets_without_the_columns_are_passed_over(read: Read) -> None:
    entries = read(
        "a.xlsx",
        workbook([["notes"], ["x"]], [["Question", "答案"], ["Where?", "=1"], ["", ""], ["When", "Now"]]),
    )
    assert [(entry.question, entry.answer) for entry in entries] == [("Where?", "=1"), ("When", "Now")]


def test_json_lists_and_groups(read: Read) -> None:
    assert len(read("a.json", '[{"question": "a", "answer": "b", "variants": ["c"]}]')) == 1
    grouped = '[{"group": "g", "entries": {"en": {"question": "a", "answer": "b"}}}]'
    assert read("b.json", grouped)[0].id == "g.en"


def test_a_row_repeated_word_for_word_counts_once(read: Read) -> None:
    assert len(read("a.csv", "question,answer\na,b\na,b\n")) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", "empty file"),
        ("a.csv", " \n ", "only blanks"),
        ("a.csv", "frage,foo\n1,2\n", "row 1.*`answer`"),
        ("a.csv", "question,answer\n", "no entries"),
        ("a.csv", "question,answer\na,\n", "row 2: `answer` is empty"),
        ("a.csv", 'question,answer\na,b\n"c,d\n', "row 3: .*quotation mark"),
        ("a.csv", "question,answer\na,b\na,c\n", "row 3: .*same question as in row 2"),
        ("a.csv", "question,问题,answer\na,b,c\n", "both mean `question`"),
        ("a.csv", "question,answer,verbatim\na,b,perhaps\n", "`verbatim`, expected true or false"),
        ("a.csv", "question,answer,language\na,b,?!\n", "row 2: found the language"),
        ("a.csv", f"question,answer\na,{'b' * 20_001}\n", "20,001 characters"),
        ("a.csv", "question,answer\na,b\x01\n", "line 2: found the control character 0x01"),
        ("a.csv", "question,answer" + ",x" * 300, "302 columns"),
        ("a.csv", b"PK\x03\x04rest", "zip container"),
        (
            "a.csv",
            "question,answer\n¿Dónde está?,aquí, número\n".encode("cp1252"),
            "encoding is not recognised",
        ),
        ("a.jsonl", '{"question": "a", "answer": "b"}\n{"question"', "line 2: found no valid JSON"),
        ("a.jsonl", '{"question": 3, "answer": "b"}', "line 1: found int as `question`"),
        ("a.jsonl", '{"question": "a", "answer": ["b"]}', "line 1: found list"),
        ("a.jsonl", '{"question": "a", "answer": "\\ud800"}', "surrogate"),
        ("a.jsonl", '{"question": "a"}', "expected `answer`"),
        ("a.jsonl", "[1]", "line 1: found list"),
        ("a.json", "[" * 100_000, "nested too deep"),
        ("a.json", "{}", "found dict at the top"),
        ("a.yml", "[" * 100_000, "more than 50 levels"),
        ("a.yml", "- " * 100_000, "more than 50 levels"),
        ("a.yml", "- a: 'b", "line 1"),
        ("a.xls", "x", "not read; expected one of"),
        ("a.xlsx", workbook([["a", "b"], ["x", "y"]]), "sheet 'S1', row 1"),
        ("a.xlsx", workbook([], raw='<row r="1"><c r="XFD1048576"><v>1</v></c></row>'), "1,048,576 rows"),
    ],
)
def test_bad_input_is_named(read: Read, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(ReadError, match=said):
        read(name, content)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="found nothing there"):
        read_entries(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ReadError, match="found a folder"):
        read_entries(tmp_path / "folder.csv")


def test_a_workbook_without_sheets_is_named(read: Read) -> None:
    with pytest.raises(ReadError, match="found no sheets"):
        read("a.xlsx", workbook())
