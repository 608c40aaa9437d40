"""The language stage: short, mixed and misspelt messages of shops' customers."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.language import Detection, LanguageDetector, dominant_language
from chatbot.settings import Settings

LANGUAGES = Settings.model_fields["languages"].default
MESSAGES = [
    json.loads(line)
    for line in (Path(__file__).parent / "language_messages.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.fixture(scope="module")
def detector() -> LanguageDetector:
    return LanguageDetector(LANGUAGES, "en")


def test_short_support_messages_are_told_apart(detector: LanguageDetector) -> None:
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for row in MESSAGES:
        found = detector.detect(row["text"], previous=row.get("previous")).language
        total[row["language"]] += 1
        right[row["language"]] += found == row["language"]
    assert set(total) == set(LANGUAGES)
    assert sum(right.values()) / sum(total.values()) >= 0.95
    main = ("zh", "en", "es", "ja", "de", "fr")
    assert sum(right[name] for name in main) / sum(total[name] for name in main) >= 0.97


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我的 order 到哪了", "zh"),
        ("WiFi 連不上", "zh"),
        ("帮我 check 一下 order status please", "zh"),
        ("What does 退款 mean on the invoice?", "en"),
        ("can you check TP2610034587 谢谢", "en"),
        ("ลืม password ทำไงดี", "th"),
        ("Apple Watch랑 호환되나요?", "ko"),
        ("не работает bluetooth", "ru"),
        ("鲜の每日 怎么买", "zh"),
        ("ｗｈｅｒｅ　ｉｓ　ｍｙ　ｏｒｄｅｒ", "en"),
        ("Mi pedido TP2610034587 de https://shop.tidepeak.example/orders no llega", "es"),
    ],
)
def test_a_mixed_message_is_in_the_language_of_its_grammar(
    detector: LanguageDetector, text: str, language: str
) -> None:
    assert detector.detect(text).language == language


@pytest.mark.parametrize(
    "text",
    [
        "TP-E200",
        "12345",
        "👍👍",
        "https://example.com/where/is/my/order",
        "PayPal?",
        "WiFi",
        "ok",
        "",
        "…",
        "\u202e",
    ],
)
@pytest.mark.parametrize("previous", ["zh", "de", "th"])
def test_a_message_without_words_keeps_the_language(
    detector: LanguageDetector, text: str, previous: str
) -> None:
    found = detector.detect(text, previous=previous, interface="es")
    assert found.language == previous
    assert found.confidence <= 0.5


def test_without_history_the_interface_language_decides_then_the_default(detector: LanguageDetector) -> None:
    assert detector.detect("iPhone 15 Pro", interface="fr-CA").language == "fr"
    assert detector.detect("iPhone 15 Pro", interface="sw").language == "en"
    assert detector.detect("iPhone 15 Pro").language == "en"


@pytest.mark.parametrize("language", ["de", "fr", "nl", "pl", "it", "es"])
def test_a_word_of_several_languages_stays_in_the_conversation(
    detector: LanguageDetector, language: str
) -> None:
    word = {"de": "garantie", "fr": "garantie", "nl": "retour", "pl": "problem", "it": "no", "es": "no"}[
        language
    ]
    assert detector.detect(word, previous=language).language == language


@pytest.mark.parametrize(
    ("text", "language", "previous"),
    [
        ("Where is my parcel", "en", "de"),
        ("dónde está mi paquete", "es", "en"),
        ("我要退款", "zh", "ja"),
        ("返品したいです", "ja", "zh"),
        ("hola", "es", "en"),
    ],
)
def test_a_clear_message_switches_the_language(
    detector: LanguageDetector, text: str, language: str, previous: str
) -> None:
    assert detector.detect(text, previous=previous, interface=previous).language == language


def test_han_characters_alone_follow_the_conversation_unless_they_are_chinese(
    detector: LanguageDetector,
) -> None:
    assert detector.detect("交換", previous="ja").language == "ja"
    assert detector.detect("交換").language == "zh"
    assert detector.detect("领收书怎么开", previous="ja").language == "zh"


def test_only_configured_languages_are_answered() -> None:
    narrow = LanguageDetector(("en", "zh"), "en")
    assert narrow.detect("Wo ist mein Paket?").language in {"en", "zh"}
    assert narrow.detect("返品したいです").language in {"en", "zh"}
    assert narrow.detect("वापसी कैसे करें").language == "en"
    cyrillic = LanguageDetector(("en", "ru", "uk"), "en")
    assert cyrillic.detect("Де моє замовлення? Я хочу повернути товар").language == "uk"
    assert cyrillic.detect("Где мой заказ? Хочу вернуть деньги").language == "ru"


def test_product_names_tell_nothing() -> None:
    detector = LanguageDetector(LANGUAGES, "en", names=["Breeze Pro", "Pulse Band"])
    assert detector.detect("Breeze Pro?", previous="tr").language == "tr"


@settings(max_examples=150, deadline=None)
@given(
    text=st.text(max_size=60),
    previous=st.sampled_from([None, "zh", "en", "xx"]),
    interface=st.sampled_from([None, "ja-JP", ""]),
)
def test_any_text_gets_a_configured_language_and_the_same_one_again(
    detector: LanguageDetector, text: str, previous: str | None, interface: str | None
) -> None:
    first = detector.detect(text, previous=previous, interface=interface)
    assert first.language in LANGUAGES
    assert 0.0 <= first.confidence <= 1.0
    assert detector.detect(text, previous=previous, interface=interface) == first


def test_a_very_long_message_is_quick(detector: LanguageDetector) -> None:
    detector.detect("warm")
    begin = time.perf_counter()
    found = detector.detect("Wo ist mein Paket, ich warte schon lange. " * 50)
    assert found.language == "de"
    assert time.perf_counter() - begin < 0.5


def test_dominant_language_of_an_answer() -> None:
    candidates = LANGUAGES
    assert dominant_language("您可以在收货后 30 天内退货，耳机须保留密封。", candidates) == "zh"
    assert dominant_language("商品到着後30日以内であれば返品を承ります。", candidates) == "ja"
    assert dominant_language("Sie können innerhalb von 30 Tagen zurückgeben.", candidates) == "de"
    assert dominant_language("You can return it within 30 days (TP-E200).", candidates) == "en"
    assert dominant_language("Puede devolverlo en 30 días.", candidates) == "es"
    assert dominant_language("TP-E200: 69 €", candidates) is None
    assert dominant_language("Breeze Pro", candidates, names=["Breeze Pro"]) is None


def test_detection_is_a_value() -> None:
    assert Detection("en", 0.5) == Detection("en", 0.5)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("苹果手机的保修期是多久", "zh"),
        ("怎么退款", "zh"),
        ("我的订单还没到，麻烦查一下", "zh"),
        ("これまでの注文を確認したいです", "ja"),
        ("Где мой заказ?", "ru"),
        ("배송은 얼마나 걸리나요?", "ko"),
        ("Where is my order, please?", "en"),
        ("How do I return it?", "en"),
        ("¿Dónde está mi pedido?", "es"),
        ("Wann kommt mein Paket an?", "de"),
        ("Où est ma commande ?", "fr"),
    ],
)
def test_a_customer_may_change_the_language_in_the_middle_of_a_conversation(text: str, language: str) -> None:
    spoken = ("zh", "en", "es", "ja", "de", "fr", "ko", "pt", "it", "ru")
    detector = LanguageDetector(spoken, "en")
    for before in spoken:
        assert detector.detect(text, previous=before, interface=before).language == language, before


@pytest.mark.parametrize("text", ["iPhone 15", "OK", "TideWatch Pro", "USB-C"])
def test_a_borrowed_word_or_two_change_no_language(text: str) -> None:
    detector = LanguageDetector(("zh", "en", "es", "ja", "ru"), "en")
    for before in ("zh", "ja", "ru"):
        assert detector.detect(text, previous=before, interface=before).language == before
