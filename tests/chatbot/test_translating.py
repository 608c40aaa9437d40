"""Answers are cut where sentences end, and nothing of them is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.guarded import Pieces
from chatbot.translating import split_sentences, translate
from knowledge_base.entry import Entry
from tests.fakes import FakeGenerator


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


LONG = "Orders ship the same day. " * 6


def translated(generator: FakeGenerator, patience_s: float) -> tuple[str, int]:
    entry = Entry("e", "e", "en", "When does it ship?", LONG.strip())
    made = translate(
        generator,
        entry,
        "Wann wird es versandt?",
        "de",
        Pieces(None),
        original=lambda sentence: f"[{sentence}]",
        language_of=lambda _text: "de",
        patience_s=patience_s,
    )
    assert made.verdict is not None
    return made.text, made.kept


def test_an_answer_is_translated_to_its_end_while_there_is_time() -> None:
    text, kept = translated(FakeGenerator("Bestellungen werden am selben Tag versandt."), 60)
    assert kept == 0
    assert text.count("Bestellungen") == 6


def test_a_slow_engine_keeps_nobody_waiting_for_all_sentences() -> None:
    generator = FakeGenerator("Bestellungen werden am selben Tag versandt.", delay_s=0.01)
    text, kept = translated(generator, 0.02)
    assert len(generator.prompts) < 6
    assert kept == 6 - len(generator.prompts)
    assert text.count("[Orders ship the same day.]") == kept
