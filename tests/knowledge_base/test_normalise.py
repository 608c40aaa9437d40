"""Spellings that mean the same are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base.normalise import PinyinDecoder, clean, key, normalise, words

DECODER = PinyinDecoder(["退货运费谁出？", "怎么退货", "开发票", "我要退款", "运费多少钱", "发货要多久"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＴＰ－Ｅ２００", "tp-e200"),
        ("退貨運費", "退货运费"),
        ("a\u200bb\u202e", "ab"),
        ("  two\t words ", "two words"),
    ],
)
def test_forms_of_the_same_text_are_made_even(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


def test_punctuation_at_the_ends_does_not_make_another_question() -> None:
    assert key("开发票？！") == key("开发票")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("tuihuo", "退货"),
        ("kai fa piao", "开发票"),
        ("wo yao tuikuan", "我要退款"),
        ("yunfei duoshao qian?", "运费多少钱"),
    ],
)
def test_pinyin_is_read_as_the_knowledge_bases_own_words(typed: str, meant: str) -> None:
    assert DECODER.decode(typed) == meant


@pytest.mark.parametrize(
    "text", ["he can run", "hello", "how are you", "refund", "退货", "no", "", "123", "die Lan"]
)
def test_other_texts_are_not_taken_for_pinyin(text: str) -> None:
    assert DECODER.decode(text) is None


def test_short_chinese_words_are_words() -> None:
    assert "退款" in words("我要退款")
    assert "tp" in words("TP-E200") or "tp-e200" in words("TP-E200")


@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text())
def test_clean_text_holds_no_control_characters(text: str) -> None:
    assert not any(ord(character) < 32 for character in clean(text))
