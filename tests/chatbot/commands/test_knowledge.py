"""``kefu kb`` as an operator uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chatbot.commands import output
from chatbot.commands.knowledge import app
from knowledge_base.errors import KnowledgeError, ReadError

FAQ = "question,answer,category\nWhere can I park?,Behind the shop.,visit\n能停车吗？,店后可以停车。,visit\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh installation, and a file to import."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEFU_DATA_DIR", str(tmp_path / "var"))
    (tmp_path / "faq.csv").write_text(FAQ, encoding="utf-8")
    output.settings.cache_clear()
    yield tmp_path
    output.settings.cache_clear()


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_second_import_changes_nothing() -> None:
    counts = {"entries": 2, "added": 2, "changed": 0, "unchanged": 0}
    assert run("import", "faq.csv") == {"files": [{"file": "faq.csv", **counts}], "total": counts}
    assert run("import", "faq.csv")["total"] == {**counts, "added": 0, "unchanged": 2}


def test_a_changed_answer_is_counted(folder: Path) -> None:
    run("import", "faq.csv")
    (folder / "faq.csv").write_text(FAQ.replace("Behind", "Beside"), encoding="utf-8")
    assert run("import", "faq.csv")["total"] == {"entries": 2, "added": 0, "changed": 1, "unchanged": 1}


def test_a_dry_run_changes_nothing() -> None:
    run("import", "faq.csv")
    Path("more.txt").write_text("Q: When?\nA: Now.\n")
    assert run("import", "more.txt", "--dry-run")["total"]["added"] == 1
    assert len(run("list")) == 2


def test_list_filters_by_language_and_category() -> None:
    run("import", "faq.csv")
    [row] = run("list", "--language", "zh", "--category", "visit")
    assert set(row) == {"id", "group", "language", "question", "category", "verbatim"}
    assert row["question"] == "能停车吗？"
    assert run("list", "--category", "none") == []


def test_export_and_delete() -> None:
    run("import", "faq.csv")
    assert run("export", "out.jsonl") == {"file": "out.jsonl", "entries": 2}
    ids = [row["id"] for row in run("list")]
    assert run("delete", *ids) == {"deleted": 2}
    assert run("import", "out.jsonl")["total"]["added"] == 2
    assert [row["id"] for row in run("list")] == ids


def test_nothing_is_imported_if_one_file_is_bad() -> None:
    run("import", "faq.csv")
    Path("good.txt").write_text("Q: When?\nA: Now.\n")
    Path("bad.csv").write_text("a,b\n")
    with pytest.raises(ReadError, match=r"bad\.csv, row 1"):
        run("import", "good.txt", "bad.csv")
    assert len(run("list")) == 2


def test_the_same_id_in_two_files_is_refused() -> None:
    Path("copy.csv").write_text(FAQ, encoding="utf-8")
    with pytest.raises(KnowledgeError, match=r"which faq\.csv has too"):
        run("import", "faq.csv", "copy.csv")


def test_an_unknown_id_removes_nothing() -> None:
    run("import", "faq.csv")
    known = run("list")[0]["id"]
    with pytest.raises(KnowledgeError, match="'none'"):
        run("delete", known, "none")
    assert len(run("list")) == 2
