"""Gaps between groups of customers."""

from __future__ import annotations

from dataclasses import replace

from chatbot.training.evaluate import AnswerCase, CaseResult
from chatbot.training.fairness import as_forms, fairness_of, page
from knowledge_base.normalise import traditional
from tests.chatbot.training.test_gate import RIGHT


def case(question: str, language: str, number: int = 1) -> AnswerCase:
    return AnswerCase(question, language, (), (), (), abstain=False, id=str(number))


def results(form: str, right: int, wrong: int, language: str = "zh", question: str = "q") -> list[CaseResult]:
    return [
        replace(RIGHT, id=f"{n}|{form}", correct=n < right, language=language, question=question)
        for n in range(right + wrong)
    ]


def test_a_chinese_question_is_asked_in_both_scripts_and_in_three_tones() -> None:
    forms = {c.id.partition("|")[2]: c.question for c in as_forms([case("质保多长时间", "zh")], traditional)}
    assert forms["traditional"] == "質保多長時間"
    assert set(forms) == {"as written", "simplified", "traditional", "polite", "blunt"}
    assert "质保多长时间？" in forms["polite"]
    same = [c.id for c in as_forms([case("口", "zh")], traditional)]
    assert same == ["1|as written", "1|polite", "1|blunt"], "no pair where both scripts write the same"


def test_a_language_without_frames_is_asked_as_written_only() -> None:
    assert [c.id for c in as_forms([case("сколько", "ru")], traditional)] == ["1|as written"]


def test_a_gap_between_scripts_breaks_the_bar_at_once_for_the_questions_are_the_same() -> None:
    found = fairness_of([*results("simplified", 19, 1), *results("traditional", 17, 3)])
    script = next(gap for gap in found.gaps if gap.kind == "script")
    assert (script.best, script.worst, script.gap, script.met) == ("simplified", "traditional", 0.1, False)


def test_a_gap_between_languages_must_be_more_than_chance() -> None:
    few = [*results("as written", 10, 0, "zh"), *results("as written", 8, 2, "en")]
    many = [*results("as written", 100, 0, "zh"), *results("as written", 80, 20, "en")]
    by_language = [next(g for g in fairness_of(r).gaps if g.kind == "language") for r in (few, many)]
    assert [gap.met for gap in by_language] == [True, False]


def test_groups_of_a_few_cases_say_nothing() -> None:
    found = fairness_of(results("as written", 3, 3))
    assert all(gap.met and not gap.groups for gap in found.gaps)
    assert page(found).summary["cases"] == 6


def test_the_page_tells_a_wide_gap_of_few_cases_from_one_within_the_bar() -> None:
    few = [*results("as written", 36, 4, "de"), *results("as written", 30, 10, "fr")]
    many = [*results("as written", 360, 40, "de"), *results("as written", 300, 100, "fr")]
    even = [*results("as written", 36, 4, "de"), *results("as written", 35, 5, "fr")]
    told = [page(fairness_of(found)).sections[0].text for found in (few, many, even)]
    assert "no more than chance" in told[0]
    assert "«fr» is answered worse than «de»" in told[1]
    assert told[2] == "Within the bar."
