from __future__ import annotations

from chatbot.starters import suggest
from knowledge_base.entry import Entry
from tests.ui.fakes import ENTRIES


def test_questions_of_the_asked_language_from_different_categories() -> None:
    assert suggest(ENTRIES, "zh") == [
        "国内快递几天能到？",
        "收到商品后多久可以退货？",
        "怎么开发票？",
        "支持哪些付款方式？",
    ]


def test_nothing_is_suggested_in_another_language() -> None:
    assert suggest(ENTRIES, "ja") == []


def test_one_category_fills_up_with_its_own_and_repeats_nothing() -> None:
    entries = [Entry(str(i), str(i), "en", f"Question {i % 3}?", "a", category="c") for i in range(6)]
    assert suggest(entries, "en", limit=4) == ["Question 0?", "Question 1?", "Question 2?"]


def test_the_shortest_question_stands_for_its_category() -> None:
    entries = [
        Entry("a", "a", "en", "How do I return an opened item bought abroad?", "x", category="returns"),
        Entry("b", "b", "en", "How do I return an item?", "x", category="returns"),
    ]
    assert suggest(entries, "en", limit=1) == ["How do I return an item?"]


def test_entries_that_the_operator_tagged_go_first() -> None:
    tagged = Entry(
        "z", "z", "en", "Where is my coupon for the summer sale?", "x", ("v",), "other", ("suggested",)
    )
    assert suggest([*ENTRIES, tagged], "en")[0] == tagged.question


def test_long_questions_are_passed_over() -> None:
    entries = [Entry("a", "a", "en", "x" * 61, "a"), Entry("b", "b", "en", "Short?", "a")]
    assert suggest(entries, "en") == ["Short?"]
