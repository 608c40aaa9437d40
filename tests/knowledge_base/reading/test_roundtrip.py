"""Export reads back the same; arbitrary bytes end in entries or a ReadError."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge_base.entry import Entry
from knowledge_base.errors import KnowledgeError, ReadError
from knowledge_base.reading import read_entries, write_entries
from knowledge_base.reading.files import _READERS

from .files import document, packed, pdf, workbook

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SAMPLE = sorted((Path(__file__).parents[3] / "knowledge_base" / "sample" / "entries").glob("*.yml"))

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], include_characters="\n\t"), max_size=40
).map(str.strip).filter(bool) | st.sampled_from(
    ["=1+1", "'=x", "''@a", "-5", "a|b", "[1]", '["a"]', "a\nb", '"', "\\", "Q: x", "true", "+", "'a"]
)
entries = st.builds(
    Entry,
    id=st.uuids().map(str),
    group=texts,
    language=st.sampled_from(["zh", "en", "ja"]),
    question=texts,
    answer=texts,
    variants=st.lists(texts, max_size=3).map(tuple),
    category=st.just("") | texts,
    tags=st.lists(texts, max_size=2).map(tuple),
    products=st.lists(texts, max_size=2).map(tuple),
    verbatim=st.booleans(),
)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "json"])
@QUICK
@given(kept=st.lists(entries, min_size=1, max_size=5, unique_by=lambda entry: entry.id))
def test_an_export_reads_back_the_same(suffix: str, kept: list[Entry]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a.{suffix}")
        write_entries(path, kept)
        assert read_entries(path) == kept


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "json", "yml"])
def test_the_sample_survives_export(tmp_path: Path, suffix: str) -> None:
    kept = [entry for file in SAMPLE for entry in read_entries(file)]
    write_entries(tmp_path / f"a.{suffix}", kept)
    assert read_entries(tmp_path / f"a.{suffix}") == kept


def test_cells_cannot_become_formulas(tmp_path: Path) -> None:
    write_entries(tmp_path / "a.csv", [Entry("a", "a", "en", "=cmd()", "@x", variants=("+1",))])
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        row = list(csv.reader(file))[1]
    assert not any(cell[:1] in ("=", "+", "-", "@", "\t", "\r") for cell in row if cell)


def test_yaml_refuses_what_groups_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="export as csv"):
        write_entries(tmp_path / "a.yml", [Entry("other", "g", "en", "a", "b")])


def test_an_unknown_ending_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="not written"):
        write_entries(tmp_path / "a.doc", [])
    with pytest.raises(KnowledgeError, match="cannot be written"):
        write_entries(tmp_path / "none" / "a.csv", [])


SEEDS = {
    ".csv": b"question,answer\na,b\n",
    ".docx": document([("Heading 1", "a"), ("Normal", "b")]),
    ".html": b"<h2>a</h2><p>b",
    ".json": b'[{"question":"a","answer":"b"}]',
    ".pdf": pdf(["Why?", "So."]),
    ".xlsx": workbook([["question", "answer"], ["a", "b"]]),
    ".yml": b"- group: a\n  entries: {en: {question: a, answer: b}}\n",
}


@pytest.mark.parametrize("suffix", sorted(_READERS))
@QUICK
@given(data=st.data())
def test_any_bytes_end_in_entries_or_a_read_error(suffix: str, data: st.DataObject) -> None:
    seed = SEEDS.get(suffix, b"# a\nQ: a\nA: b\n")
    content = data.draw(st.binary(max_size=200))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(seed)))
        content = seed[:at] + content[:8] + seed[at + data.draw(st.integers(0, 8)) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a{suffix}")
        path.write_bytes(content)
        try:
            assert read_entries(path)
        except ReadError as error:
            assert "a" + suffix in str(error)  # noqa: PT017 - either way is right


@pytest.mark.parametrize("suffix", ["docx", "xlsx"])
@QUICK
@given(xml=st.text(max_size=100))
def test_any_content_of_a_container_ends_well(suffix: str, xml: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a.{suffix}")
        path.write_bytes(
            packed({"word/document.xml": xml}) if suffix == "docx" else workbook([], raw=xml or "x")
        )
        try:
            read_entries(path)
        except ReadError as error:
            assert suffix in str(error)  # noqa: PT017 - either way is right
