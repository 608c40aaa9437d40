"""A curated answer's first yes or no goes out only where its own question was asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.yes_no import without_unasked_yes
from knowledge_base.entry import Entry


def entry(language: str, question: str, answer: str) -> Entry:
    return Entry(f"x.{language}", "x", language, question, answer, ("got a store in Lyon?",))


SHOPS = entry("en", "Do you have shops?", "Yes, we run two shops: in Shenzhen and in Tokyo.")


@pytest.mark.parametrize(
    ("language", "own", "answer", "question", "expected"),
    [
        ("en", "Do you have shops?", "Yes, we run two shops.", "any store in Paris?", "We run two shops."),
        ("en", "Do you have shops?", "No. We sell online.", "a shop at Harrods maybe?", "We sell online."),
        (
            "fr",
            "Des boutiques ?",
            "Oui, nous en avons deux.",
            "Une boutique à Lille ?",
            "Nous en avons deux.",
        ),
        ("de", "Haben Sie Läden?", "Ja, wir haben zwei.", "Gibt es einen Laden in Köln?", "Wir haben zwei."),
        ("es", "¿Hay tiendas?", "Sí, tenemos dos.", "¿Tienda en Sevilla?", "Tenemos dos."),
        (
            "ja",
            "店舗はありますか？",
            "はい、二店舗ございます。",
            "パリに店はありますか",
            "二店舗ございます。",
        ),
        ("zh", "有门店吗？", "有的，我们有两家门店。", "巴黎有门店吗", "我们有两家门店。"),
        ("zh", "可以用信用卡吗？", "可以，支持各大银行的卡。", "能用比特币付款吗", "支持各大银行的卡。"),
    ],
)
def test_a_name_that_the_entry_does_not_know_is_not_said_yes_or_no_to(
    language: str, own: str, answer: str, question: str, expected: str
) -> None:
    assert without_unasked_yes(entry(language, own, answer), question, language).answer == expected


@pytest.mark.parametrize(
    "question",
    [
        "Do you have shops?",
        "got a store in Lyon?",
        "is there a shop I can visit",
        "Is there a shop in Tokyo?",
        "tokyo shop?",
        "Can I visit you on Monday? I'm free.",
    ],
)
def test_what_the_entry_speaks_of_keeps_its_yes(question: str) -> None:
    assert without_unasked_yes(SHOPS, question, "en") is SHOPS


def test_binding_texts_and_texts_in_another_language_stay_as_they_are() -> None:
    binding = replace(SHOPS, verbatim=True)
    assert without_unasked_yes(binding, "a shop in Paris?", "en") is binding
    assert without_unasked_yes(SHOPS, "¿Tienda en Sevilla?", "es") is SHOPS


@pytest.mark.parametrize(
    "answer", ["Yes", "Yes.", "No matter where you live, we deliver.", "Yesterday's orders, too.", ""]
)
def test_what_is_no_yes_before_a_sentence_stays(answer: str) -> None:
    known = replace(SHOPS, answer=answer)
    assert without_unasked_yes(known, "a shop in Paris?", "en") is known


@given(st.text(max_size=80), st.text(max_size=80), st.sampled_from(("zh", "en", "ja", "fr", "xx")))
def test_the_rest_of_an_answer_is_never_touched(answer: str, question: str, language: str) -> None:
    known = replace(SHOPS, answer=answer, language=language)
    made = without_unasked_yes(known, question, language).answer
    assert made[1:] == answer[len(answer) - len(made) + 1 :] if made else made == answer
