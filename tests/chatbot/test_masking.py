"""Personal data in free text is covered; prices, product codes and the company's own lines stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.masking import KINDS, mask, mask_all, own_addresses


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("手机号138 0000 3347，帮我改", "手机号[PHONE]，帮我改"),
        ("call me on +44 7700 900233", "call me on [PHONE]"),
        ("tel. 01 99 00 23 45 merci", "tel. [PHONE] merci"),
        ("邮箱 lin.w@example.com 谢谢", "邮箱 [EMAIL] 谢谢"),
        ("身份证１１０１０５１９４９１２３１００２Ｘ", "身份证[ID]"),
        ("身份证 510107199402301123", "身份证 [ID]"),
        ("mi DNI es 12345678Z", "mi DNI es [ID]"),
        ("card 4111 1111 1111 1111 exp 12/27", "card [CARD] exp 12/27"),
        ("6222 0212 3456 7890 123", "[CARD]"),
        ("IBAN DE89 3704 0044 0532 0130 00 bitte", "IBAN [IBAN] bitte"),
        ("微信 tide_fan88", "微信 [ACCOUNT]"),
        ("order TP2508290417 please", "order [ORDER] please"),
        ("寄到 浙江省宁波市鄞州区中兴路 515 号 9 幢 303", "寄到 [ADDRESS]"),
        ("住所は東京都港区芝公園4-2-8です", "住所は[ADDRESS]です"),
        ("ship to 221B Baker Street, London NW1 6XE", "ship to [ADDRESS]"),
        ("Calle de Alcalá 48, 28014 Madrid", "[ADDRESS]"),
        ("Lindenstraße 12, 10969 Berlin", "[ADDRESS]"),
        ("我叫王小明，退货", "我叫[NAME]，退货"),
        ("My name is Ravi Menon", "My name is [NAME]"),
        ("Dear Mr Bennett, sorry", "Dear Mr [NAME], sorry"),
        ("榎本様、承りました", "[NAME]様、承りました"),
        ("梁思齐 13800003347", "[NAME] [PHONE]"),
    ],
)
def test_what_tells_who_somebody_is_is_covered(text: str, masked: str) -> None:
    assert mask(text).text == masked


@pytest.mark.parametrize(
    "text",
    [
        "满 ¥399 免运费，特快 ¥22，2026-08-01 起",
        "It costs $1,299.00 and weighs 12.5 kg; 65 W, 10,000 mAh, 5–8 working days",
        "TP-E200 and Spark 140, EAN 12",
        "关税由收件人负担，请联系人工客服",
        "お客様、皆様、8名様まで",
        "Between 09:00 and 21:00, from Monday to Friday",
        "Hello there! Thanks again!",
        "https://shop.example/orders/12?x=1",
        "這位女士 您好",
        "",
    ],
)
def test_what_tells_nothing_of_a_person_stays(text: str) -> None:
    assert mask(text).text == text


def test_the_companys_own_lines_stay_however_they_are_written() -> None:
    own = own_addresses(["Call 400-820-6611 or write to care@tidepeak.example.", "+1 888 555 0142"])
    text = "打 4008206611 或 Care@tidepeak.example, or 1-888-555-0142"
    assert mask(text, own).text == text
    assert mask("打 4008206612", own).text != "打 4008206612"


def test_a_name_told_once_is_covered_in_the_whole_conversation() -> None:
    told = ["左耳丢了 严冬雪", "严女士您好", "Hello Nils!", "Nils Virtanen here", "严格来说可以"]
    assert [masked.text for masked in mask_all(told)] == [
        "左耳丢了 [NAME]",
        "[NAME]女士您好",
        "Hello [NAME]!",
        "[NAME] here",
        "严格来说可以",
    ]


def test_what_was_covered_is_counted_by_kind() -> None:
    found = mask("a@example.com, b@example.com, 13800003347").found
    assert found == {"EMAIL": 2, "PHONE": 1}
    assert set(found) <= set(KINDS)


@given(st.text(max_size=200))
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = mask(text).text
    assert mask(once).text == once


@given(
    st.text(alphabet="我的电话是邮箱 abcXYZ.,，。\n", max_size=30),
    st.sampled_from(["13800003347", "ana@example.org", "4111111111111111", "11010519491231002X"]),
    st.text(alphabet="谢谢 abc.,，。\n", max_size=30),
)
def test_a_number_is_found_wherever_it_stands(before: str, number: str, after: str) -> None:
    assert number not in mask(f"{before} {number} {after}").text
