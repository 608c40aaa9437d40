"""Answers are cut where sentences end, and nothing of them is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.translating import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "Orders ship the same day. Delivery takes 3.5 days on average. Ask us!",
            ["Orders ship the same day.", "Delivery takes 3.5 days on average.", "Ask us!"],
        ),
        ("拆封后不能退。质量问题除外！请先联系客服，我们会安排上门取件。", None),
        ("Yes. You can return it within 30 days.", ["Yes. You can return it within 30 days."]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, sentences: list[str] | None) -> None:
    found = [sentence for sentence, _ in split_sentences(text)]
    if sentences is not None:
        assert found == sentences
    assert "".join("".join(found).split()) == "".join(text.split())


@given(st.text(alphabet="ab 12.。!？\n、,", max_size=200))
def test_no_character_is_lost(text: str) -> None:
    found = "".join(sentence for sentence, _ in split_sentences(text))
    assert "".join(found.split()) == "".join(text.split())
