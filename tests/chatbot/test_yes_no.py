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
        ("en", "Do you have shops?", "No. We sell only online.", "a shop in london?", "We sell only online."),
        ("en", "Any phones?", "No, iPhone cases only.", "samsung?", "iPhone cases only."),
        (
            "fr",
            "Des boutiques ?",
            "Oui, nous en avons deux à Lyon.",
            "Une boutique à Lille ?",
            "Nous en avons deux à Lyon.",
        ),
        (
            "de",
            "Haben Sie Läden?",
            "Ja, wir haben zwei Läden.",
            "Gibt es einen Laden in Köln?",
            "Wir haben zwei Läden.",
        ),
        ("es", "¿Hay tiendas?", "Sí, tenemos dos tiendas.", "¿Tienda en Sevilla?", "Tenemos dos tiendas."),
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
        "DO YOU HAVE SHOPS NEAR ME?",
        "Dear Sir or Madam, do you have shops?",
        "Do you have shops? Best, Ann",
    ],
)
def test_what_the_entry_speaks_of_keeps_its_yes(question: str) -> None:
    assert without_unasked_yes(SHOPS, question, "en") is SHOPS


def test_binding_texts_and_texts_in_another_language_stay_as_they_are() -> None:
    binding = replace(SHOPS, verbatim=True)
    assert without_unasked_yes(binding, "a shop in Paris?", "en") is binding
    assert without_unasked_yes(SHOPS, "¿Tienda en Sevilla?", "es") is SHOPS


@pytest.mark.parametrize(
    "answer",
    [
        "Yes",
        "Yes.",
        "Yes, you can.",
        "Yes, of course. We ship there.",
        "No matter where you live, we deliver.",
        "No. 5 Queen Street is our only shop.",
        "Yes, we deliver to 40 countries.",
        "Yesterday's orders, too.",
        "",
    ],
)
def test_what_is_no_yes_before_a_statement_of_its_own_stays(answer: str) -> None:
    known = replace(SHOPS, answer=answer)
    assert without_unasked_yes(known, "a shop in Paris?", "en") is known


@pytest.mark.parametrize(
    ("language", "answer", "question"),
    [
        ("en", "Yes, we have a shop in Britain.", "any shop in the UK?"),
        ("en", "Yes, the bulky box comes from Duke Street.", "bulky box?"),
        ("zh", "可以，都有质量保证，请放心。", "这个东西安全吗"),
        ("zh", "可以，订单随时可以取消一次。", "订单完成都可以取消吗"),
        ("zh", "可以，我们有大床房可以选择。", "三星级酒店吗"),
    ],
)
def test_a_place_by_another_name_or_inside_another_word_is_none_of_its_own(
    language: str, answer: str, question: str
) -> None:
    known = entry(language, "?", answer)
    assert without_unasked_yes(known, question, language) is known


def test_a_place_is_not_known_because_its_letters_stand_in_other_words() -> None:
    known = entry("en", "?", "Yes, the bulky box comes from Duke Street.")
    made = without_unasked_yes(known, "shop in the uk?", "en").answer
    assert made == "The bulky box comes from Duke Street."


@given(
    st.sampled_from(
        [("en", "Yes", "Paris"), ("fr", "Oui", "Lille"), ("ja", "はい", "パリ"), ("zh", "可以", "巴黎")]
    ),
    st.sampled_from([", ", ". ", "，", "。", ": "]),
    st.text(max_size=60),
)
def test_the_rest_of_an_answer_is_never_touched_but_for_its_first_letter(
    said: tuple[str, str, str], gap: str, rest: str
) -> None:
    language, yes, place = said
    known = entry(language, "?", f"{yes}{gap}{rest}")
    made = without_unasked_yes(known, f"{place}?", language).answer
    assert made == known.answer or made[1:] == rest.lstrip()[1:] or made[2:] == rest.lstrip()[1:]
