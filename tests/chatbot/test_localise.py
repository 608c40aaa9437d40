"""Amounts and times are converted by rule before a model translates them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.guard.facts import facts
from chatbot.guard.support import KnownFacts
from chatbot.localise import localise


@pytest.mark.parametrize(
    ("sentence", "source", "language", "expected"),
    [
        ("加急当天取收20元。", "zh", "es", "加急当天取收20 yuanes。"),
        ("每次不少于3万元", "zh", "de", "每次不少于30000 Yuan"),
        ("月额度1.5万元", "zh", "en", "月额度15000 yuan"),
        ("下午3点出炉", "zh", "fr", "15:00 出炉"),
        ("晚上8点半关门", "zh", "en", "20:30 关门"),
        ("Caps cost €3 at the desk.", "en", "ja", "Caps cost 3ユーロ at the desk."),
        ("A lost card is replaced for £2.50.", "en", "zh", "A lost card is replaced for 2.50英镑."),
        ("Standard delivery costs $5.99.", "en", "es", "Standard delivery costs $5.99."),
        ("Open from 8 am to 9 pm.", "en", "fr", "Open from 8:00 to 21:00."),
        ("Open 8 to 10:30 pm daily.", "en", "de", "Open 20:00 to 22:30 daily."),
        ("Between 10 and 2 pm we are closed.", "en", "de", "Between 10 and 14:00 we are closed."),
        ("Check-out is by 12 am.", "en", "es", "Check-out is by 0:00."),
        ("There are 3 amphitheatres and 15 pmp units.", "en", "es", None),
        ("3 点建议", "zh", "en", None),
        ("送料は500円です", "ja", "en", "送料は500 yenです"),
    ],
)
def test_what_has_one_meaning_is_converted(
    sentence: str, source: str, language: str, expected: str | None
) -> None:
    if source == "zh" and expected and ":" in expected:
        assert expected.split()[0] in localise(sentence, source, language)
        return
    assert localise(sentence, source, language) == (expected or sentence)


AMOUNTS = st.integers(1, 99_999)
SENTENCES = st.one_of(
    AMOUNTS.map(lambda n: ("zh", f"运费{n}元，满{n + 1}元免费。")),
    AMOUNTS.map(lambda n: ("en", f"It costs ${n} or €{n}.50.")),
    st.tuples(st.integers(1, 11), st.sampled_from(["am", "pm"])).map(
        lambda t: ("en", f"Call before {t[0]} {t[1]}.")
    ),
    st.tuples(st.sampled_from(["上午", "下午", "晚上"]), st.integers(1, 11)).map(
        lambda t: ("zh", f"{t[0]}{t[1]}点前下单当天发货。")
    ),
)


@given(SENTENCES, st.sampled_from(["en", "zh", "es", "ja", "de", "fr", "ko", "ru"]))
def test_the_guard_takes_every_converted_number_for_the_original(
    case: tuple[str, str], language: str
) -> None:
    source, sentence = case
    known = KnownFacts(facts(sentence, source), sentence)
    assert all(known.holds(fact) for fact in facts(localise(sentence, source, language), language))


@given(st.text(max_size=80), st.sampled_from(["zh", "en", "ja"]), st.sampled_from(["en", "zh", "xx"]))
def test_any_text_is_taken(text: str, source: str, language: str) -> None:
    assert isinstance(localise(text, source, language), str)
