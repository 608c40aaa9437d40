"""What means the same: from entries, files, clicks; and how it is held out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.training.encoder import (
    Meaning,
    Other,
    meanings_of_entries,
    meanings_of_lines,
    split_by_topic,
)
from chatbot.training.encoder.lowrank import EncoderSettings
from chatbot.training.encoder.meanings import _batches
from knowledge_base.entry import Entry

ENTRIES = [
    Entry("r.zh", "r", "zh", "多久能退？", "7天", ("退货期限",), category="returns"),
    Entry(
        "r.en",
        "r",
        "en",
        "How long can I return?",
        "7 days",
        ("return window", "How long can I return"),
        "returns",
    ),
    Entry("w.zh", "w", "zh", "质保多久？", "一年", (), category="warranty"),
]


def test_variants_translations_and_clicks_of_a_group_are_one_meaning() -> None:
    asked = {"r.en": [Other("till when may it go back", "en", "click:1")]}
    (meaning,) = meanings_of_entries(ENTRIES, asked)
    assert (meaning.id, meaning.topic, meaning.anchor) == ("r", "returns", "多久能退?")
    assert [(o.text, o.language, o.source) for o in meaning.others] == [
        ("退货期限", "zh", "r.zh"),
        ("how long can i return?", "en", "r.en"),
        ("return window", "en", "r.en"),
        ("till when may it go back", "en", "click:1"),
    ]


def test_a_line_gives_its_translations_with_their_place() -> None:
    rows = [
        ("f:3", {"from": "en", "topic": "t", "en": "how much", "zh": "多少钱", "fr": "combien", "xx": "?"})
    ]
    (meaning,) = meanings_of_lines(rows, ("zh", "en", "fr", "de"))
    assert meaning.anchor == "how much"
    assert meaning.others == (Other("多少钱", "zh", "f:3"), Other("combien", "fr", "f:3"))


@given(st.lists(st.integers(0, 30), min_size=2, max_size=60))
def test_no_topic_stands_on_both_sides_where_there_are_many(topics: list[int]) -> None:
    meanings = [Meaning(f"m{n}", f"t{topic}", "a", (Other("b", "en", ""),)) for n, topic in enumerate(topics)]
    learn, held_out = split_by_topic(meanings)
    assert len(learn) + len(held_out) == len(meanings)
    assert held_out
    many = len(set(topics)) >= 10
    side = (lambda m: m.topic) if many else (lambda m: m.id)
    assert not {side(m) for m in learn} & {side(m) for m in held_out}


def test_a_step_holds_questions_of_the_same_topic_together() -> None:
    meanings = [
        Meaning(f"{topic}{n}", f"t{topic}", f"a{topic}{n}", (Other(f"o{topic}{n}", "en", ""),))
        for topic in range(12)
        for n in range(4)
    ]
    batches = _batches(meanings, EncoderSettings(epochs=1, batch=8))
    assert sorted(number for batch in batches for number, _ in batch) == list(range(48))
    for batch in batches:
        topics = [meanings[number].topic for number, _ in batch]
        assert len(set(topics)) == pytest.approx(2)
