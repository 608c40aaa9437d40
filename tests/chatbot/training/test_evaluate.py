"""What counts as right, faithful and declined."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chatbot.errors import BadRequestError
from chatbot.training.evaluate import (
    AnswerCase,
    _facts,
    _known_facts,
    _report,
    evaluate_retrieval,
    judge_case,
    read_cases,
)
from chatbot.turn import Action, Intent, Reply, Trace
from tests.embedders import HashEmbedder

CASE = AnswerCase(
    question="how long",
    language="en",
    knowledge=({"question": "Returns?", "answer": "Within 30 days, fee 5 €."},),
    must=("30",),
    must_not=("45",),
    abstain=False,
)


def reply(text: str, action: Action = Action.VERBATIM) -> Reply:
    trace = Trace(
        "t", "en", Intent("x", 1.0), "q", action.value, "", 0.9, (), "not needed", "none", {"total": 1.0}
    )
    return Reply(text, "en", action, trace)


def english(text: str) -> str:
    return "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"


def test_an_answer_with_every_needed_part_is_correct() -> None:
    result = judge_case(CASE, reply("Within 30 days."), english)
    assert result.correct
    assert result.faithful
    assert result.language_match


def test_blanks_and_full_width_forms_do_not_matter() -> None:
    case = replace(CASE, must=("5 €",))
    assert judge_case(case, reply("It costs 5€."), english).correct
    assert judge_case(case, reply("It costs ５\u00a0€."), english).correct


def test_a_number_that_the_knowledge_does_not_hold_is_unfaithful() -> None:
    result = judge_case(CASE, reply("Within 30 days or 60 days."), english)
    assert not result.faithful


def test_a_forbidden_part_makes_it_wrong() -> None:
    assert not judge_case(CASE, reply("30 or 45 days"), english).correct


@pytest.mark.parametrize("action", [Action.DECLINE, Action.CLARIFY, Action.HAND_OVER, Action.SMALL_TALK])
def test_declining_is_right_only_where_nothing_answers(action: Action) -> None:
    assert not judge_case(CASE, reply("30", action), english).correct
    assert judge_case(replace(CASE, abstain=True), reply("no idea", action), english).correct


def test_answering_the_unanswerable_is_wrong() -> None:
    assert not judge_case(replace(CASE, abstain=True, must=()), reply("Within 30 days."), english).correct


def test_the_report_counts_both_kinds_of_mistake() -> None:
    results = [
        judge_case(CASE, reply("Within 30 days."), english),
        judge_case(CASE, reply("sorry", Action.DECLINE), english),
        judge_case(replace(CASE, abstain=True, must=()), reply("Within 30 days."), english),
        judge_case(replace(CASE, abstain=True, must=()), reply("抱歉", Action.DECLINE), english),
    ]
    report = _report(results)
    assert report.correct == 0.5
    assert report.false_abstain == 0.5
    assert report.abstain_recall == 0.5
    assert report.language_match == 0.75


def test_a_bad_case_names_line_and_field(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text('{"question": "a", "language": "en", "knowledge": "none"}\n')
    with pytest.raises(BadRequestError, match=r"line 1.*knowledge.*str.*list"):
        read_cases(file)


def test_retrieval_is_measured_by_language(tmp_path: Path) -> None:
    corpus, queries = tmp_path / "c.jsonl", tmp_path / "q.jsonl"
    texts = ["how long is delivery", "what does shipping cost", "where is the shop"]
    corpus.write_text(
        "\n".join(json.dumps({"id": str(i), "text": t, "language": "en"}) for i, t in enumerate(texts))
    )
    rows = [{"text": t, "language": "en", "relevant": [str(i)]} for i, t in enumerate(texts)]
    rows.append({"text": texts[0], "language": "de", "relevant": ["2"]})
    queries.write_text("\n".join(json.dumps(row) for row in rows))
    report = evaluate_retrieval(corpus, queries, HashEmbedder()).as_json()
    assert report["by_language"]["en"]["recall@1"] == 1.0
    assert report["by_language"]["de"]["recall@1"] == 0.0
    assert report["recall@1"] == 0.75


@pytest.mark.parametrize(
    ("knowledge", "answer", "faithful"),
    [
        ("Open from 9 am to 9 pm.", "Abierto de 9:00 a 21:00.", True),
        ("营业到21:00。", "We are open until 9 PM.", True),
        ("一个月内可以退货。", "You can return it within 1 month.", True),
        ("Open from 9 am to 9 pm.", "Abierto de 9:00 a 22:00.", False),
        ("It costs 9 dollars.", "Cuesta 21 dólares.", False),
        ("一个月内可以退货。", "You can return it within 3 months.", False),
    ],
)
def test_the_other_clock_is_faithful_and_another_number_is_not(
    knowledge: str, answer: str, faithful: bool
) -> None:
    assert (_facts(answer) <= _known_facts(knowledge)) is faithful
