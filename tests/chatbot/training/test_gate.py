"""Golden questions: which answers change, and what counts as worse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chatbot.errors import BadRequestError
from chatbot.training.evaluate import CaseResult
from chatbot.training.gate import compare, golden_file, page, read_golden
from chatbot.training.report import write_report

RIGHT = CaseResult(
    id="1",
    kind="",
    language="en",
    question="how long",
    abstain=False,
    answer="30 days",
    answer_language="en",
    decision="verbatim",
    reason="",
    probability=0.9,
    guard="",
    abstained=False,
    correct=True,
    faithful=True,
    language_match=True,
    first_token_ms=None,
    total_ms=1.0,
)
WRONG = replace(RIGHT, answer="<b>3</b> days", correct=False)


def test_a_right_answer_that_becomes_wrong_closes_the_gate() -> None:
    gate = compare([RIGHT, WRONG], [WRONG, RIGHT])
    assert (gate.right_before, gate.right_after, gate.passed) == (1, 1, False)
    assert [change.verdict for change in gate.changes] == ["worse", "better"]


def test_other_words_and_old_faults_do_not_close_it() -> None:
    gate = compare([RIGHT, WRONG, RIGHT], [replace(RIGHT, answer="thirty days"), WRONG, RIGHT])
    assert gate.passed
    assert [change.verdict for change in gate.changes] == ["other words"]


def test_an_answer_in_the_wrong_language_is_worse() -> None:
    assert not compare([RIGHT], [replace(RIGHT, language_match=False)]).passed


def test_the_page_shows_what_changes_and_trusts_no_text(tmp_path: Path) -> None:
    write_report(page(compare([RIGHT], [WRONG]), "run"), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "worse" in text
    assert "<b>3</b>" not in text
    assert "&lt;b&gt;3&lt;/b&gt;" in text
    write_report(page(compare([RIGHT], [RIGHT]), "run"), tmp_path / "page.html")
    assert "None." in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_golden_questions_need_no_knowledge_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text('{"question": "q", "language": "en", "must": ["7"]}\n\n', encoding="utf-8")
    (case,) = read_golden(path)
    assert (case.question, case.must, case.knowledge, case.abstain, case.id) == ("q", ("7",), (), False, "1")


@pytest.mark.parametrize(
    ("content", "told"),
    [("", "holds no golden question"), ('{"question": 3}', "field 'question' is int"), ("[]", "found list")],
)
def test_bad_golden_questions_are_said(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadRequestError, match=told):
        read_golden(path)


def test_the_installations_own_questions_go_before_the_samples(tmp_path: Path) -> None:
    sample = tmp_path / "sample.jsonl"
    assert golden_file(None, tmp_path, sample) == sample
    assert golden_file(None, tmp_path, None) is None
    (tmp_path / "golden.jsonl").write_text("{}", encoding="utf-8")
    assert golden_file(None, tmp_path, sample) == tmp_path / "golden.jsonl"
    assert golden_file(tmp_path / "given", tmp_path, sample) == tmp_path / "given"
