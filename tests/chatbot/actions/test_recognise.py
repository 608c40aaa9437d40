"""Order numbers, e-mails, yes and no in what people really type."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.actions.recognise import KINDS, find_value, says_stop, yes_or_no

ORDER = regex.compile(r"(?:TP)?(?:\d{10}|\d{5})", regex.IGNORECASE)


def order(text: str, *, requested: bool = False) -> object:
    found = find_value("number", text, requested=requested, pattern=ORDER)
    return None if found is None else found.value


@pytest.mark.parametrize(
    "text",
    [
        "10423",
        "#10423",
        "＃１０４２３",
        "订单号是10423",
        "我的订单10423到哪了",
        "单号：10423，麻烦查一下",
        "一零四二三",
        "where is my order 10423?",
        "No.10423",
        "Order no 10423 please",
        "Bestellung Nr. 10423",
        "注文番号は10423です",
        "ma commande n°10423",
        "١٠٤٢٣",
        "order 10423 of 2026-11-20, 3 days late",
        "my number is\u200b10423\u200b",
        "li10999@example.com, 10423",
        "it cost $10999, order 10423",
        "10423元的不是，订单10423",
    ],
)
def test_an_order_number_is_found_however_it_is_written(text: str) -> None:
    assert order(text) == "10423"


@pytest.mark.parametrize(
    "text", ["TP2611010423", "tp2611010423", "ＴＰ２６１１０１０４２３", "订单TP2611010423呢"]
)
def test_a_long_number_keeps_its_letters(text: str) -> None:
    assert order(text) == "TP2611010423"


@pytest.mark.parametrize("text", ["10 423", "1 0 4 2 3", "10-423", "TP 26110 10423"])
def test_blanks_and_dashes_inside_a_number_are_read_when_it_was_asked_for(text: str) -> None:
    assert str(order(text, requested=True)).endswith("10423")


@pytest.mark.parametrize(
    "text",
    [
        "where is my order?",
        "I ordered on 2026-11-20 and it is not here",
        "am 20.11.2026 bestellt",
        "it cost 10423元",
        "I paid $10423",
        "li10423@example.com",
        "https://shop.example/10423",
        "call me at 13800138000",
        "123456",
        "2 items, 3 days",
        "",
    ],
)
def test_dates_sums_addresses_and_other_numbers_are_no_order_numbers(text: str) -> None:
    assert order(text) is None


def test_the_number_after_the_word_for_it_goes_before_another_one() -> None:
    assert order("I live at 90210, my order is 10423") == "10423"


def email(text: str, *, requested: bool = True) -> object:
    found = find_value("email", text, requested=requested)
    return None if found is None else found.value


@pytest.mark.parametrize(
    "text",
    [
        "li.wei@example.com",
        "邮箱是li.wei@example.com谢谢",
        "My e-mail is li.wei@EXAMPLE.com.",
        "<li.wei@example.com>",
        "mailto:li.wei@example.com",
        "ｌｉ．ｗｅｉ＠ｅｘａｍｐｌｅ．ｃｏｍ",
        "li.wei @ example.com",
        "li.wei＠example。com",
        "li.wei (at) example (dot) com",
        "li.wei at example dot com",
        "li.wei@example点com",
    ],
)
def test_an_address_is_found_however_it_is_written(text: str) -> None:
    assert email(text) == "li.wei@example.com"


@pytest.mark.parametrize(
    "text", ["li.wei", "li.wei@", "@example.com", "li wei example com", "me@home", "10423"]
)
def test_half_an_address_is_none(text: str) -> None:
    assert email(text) is None


def test_spoken_forms_count_only_where_the_address_was_asked_for() -> None:
    assert email("meet me at example dot com", requested=False) is None


def test_an_address_in_other_letters_is_taken() -> None:
    assert email("用户@例子.公司") == "用户@例子.公司"


@pytest.mark.parametrize(
    "text", ["yes", "Yes, please!", "是的", "好的。", "はい、お願いします", "Ja, bitte", "oui", "SÍ"]
)
def test_yes(text: str) -> None:
    assert yes_or_no(text) is True


@pytest.mark.parametrize("text", ["no", "No, thanks.", "不用了", "いいえ", "nein danke", "non merci"])
def test_no(text: str) -> None:
    assert yes_or_no(text) is False


@pytest.mark.parametrize("text", ["yes but when?", "no idea", "好的但是我还有问题", ""])
def test_more_than_a_yes_or_a_no_is_neither(text: str) -> None:
    assert yes_or_no(text) is None


def test_a_bare_cancel_stops_a_question_but_not_the_one_whether_to_cancel() -> None:
    assert says_stop("Cancel!")
    assert says_stop("取消")
    assert not says_stop("cancel", confirming=True)
    assert says_stop("算了", confirming=True)
    assert not says_stop("cancel my order")


def test_a_choice_is_found_by_any_of_its_words() -> None:
    values = {"refund": ("退款", "money back"), "exchange": ("换货",)}
    found = find_value("choice", "我想换货", requested=True, values=values)
    assert found is not None
    assert found.value == "exchange"
    assert find_value("choice", "refunds are slow", requested=True, values=values) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [("+86 138 0013 8000", "+8613800138000"), ("call (555) 123-4567", "5551234567"), ("2026-11-20", None)],
)
def test_a_telephone_number_is_found_without_its_blanks(text: str, number: str | None) -> None:
    found = find_value("phone", text, requested=True)
    assert (found.value if found else None) == number


def test_a_pattern_that_runs_away_is_stopped() -> None:
    endless = regex.compile(r"(a+)+$")
    assert find_value("pattern", "a" * 1500 + "b", requested=True, pattern=endless) is None


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.text(max_size=200), st.booleans())
def test_any_text_is_read_without_failing_and_places_are_inside_it(kind: str, text: str, asked: bool) -> None:
    found = find_value(kind, text, requested=asked, pattern=ORDER, values={"a": ("b",)})
    if found is not None:
        assert 0 <= found.start <= found.end
