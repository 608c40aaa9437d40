"""Only what an entry says is learnt; nobody stands on both sides; what nobody wrote down is proposed."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from chatbot.training.dialogues import Conversation, PrepareSettings, Said, prepare
from chatbot.training.dialogues.outcome import save_prepared
from knowledge_base.entry import Entry
from knowledge_base.search import KnowledgeBase
from tests.embedders import HashEmbedder

ENTRIES = [
    Entry(
        "fee", "fee", "en", "How much is shipping?", "Shipping costs 5 dollars and is free from 49 dollars."
    ),
    Entry(
        "return", "return", "en", "Can I return goods?", "You can return goods within 30 days of delivery."
    ),
]
START = datetime(2026, 1, 1, tzinfo=UTC)
LOOSE = PrepareSettings(same=0.3, held_out=0.25)


def talk(number: int, *texts: str, customer: str = "") -> Conversation:
    roles = ("customer", "agent")
    messages = tuple(Said(roles[i % 2], text) for i, text in enumerate(texts))  # type: ignore[arg-type]
    return Conversation(
        f"c{number}", customer or f"p{number}", messages, f"f:{number}", START + timedelta(days=number)
    )


def knowledge() -> KnowledgeBase:
    return KnowledgeBase.in_memory(ENTRIES, HashEmbedder())


def ready(*conversations: Conversation, settings: PrepareSettings = LOOSE):  # type: ignore[no-untyped-def]
    return prepare(conversations, knowledge(), lambda _text: "en", own=(), settings=settings)


def test_an_answer_that_an_entry_holds_is_paired_with_it() -> None:
    found = ready(
        talk(1, "what does shipping cost", "Shipping costs 5 dollars, and is free from 49 dollars.")
    )
    (pair,) = found.pairs
    assert (pair.entry_id, pair.conversation, pair.source) == ("fee", "c1", "f:1")
    assert found.proposals == ()


def test_an_answer_with_another_number_is_proposed_and_not_learnt() -> None:
    found = ready(
        talk(1, "what does shipping cost?", "Shipping costs 7 dollars to the islands, free from 49 dollars.")
    )
    assert found.pairs == ()
    (proposal,) = found.proposals
    assert proposal.nearest == "fee"
    assert any(reason.startswith("number") for reason in proposal.why)


def test_small_talk_is_neither() -> None:
    found = ready(talk(1, "hello", "Good morning, nice to hear from you."))
    assert (found.pairs, found.proposals, found.small_talk) == ((), (), 1)


def test_personal_data_is_covered_before_anything_is_kept() -> None:
    found = ready(
        talk(
            1,
            "my mail is ana@example.com, what does shipping cost",
            "Shipping costs 5 dollars and is free from 49 dollars.",
        )
    )
    assert found.masked == {"EMAIL": 1}
    assert "ana@example.com" not in repr(found)


def test_duplicates_and_conversations_without_an_answer_are_left_out() -> None:
    once = ("what does shipping cost", "Shipping costs 5 dollars and is free from 49 dollars.")
    found = ready(talk(1, *once), talk(2, "What does shipping cost?", once[1]), talk(3, "hello?"))
    assert len(found.pairs) == 1
    assert (found.conversations["duplicate"], found.conversations["empty"]) == (1, 1)


def test_no_customer_and_no_time_is_on_both_sides() -> None:
    answers = [f"You can return goods within 30 days of delivery, number {word}." for word in "abcdefgh"]
    talks = [
        talk(n, f"can I return goods {n} times?", answer, customer="regular" if n in (0, 7) else "")
        for n, answer in enumerate(answers)
    ]
    found = prepare(talks, knowledge(), lambda _text: "en", settings=LOOSE)
    sides = {pair.conversation: pair.side for pair in found.pairs}
    assert {id_ for id_, side in sides.items() if side == "held_out"} == {"c6", "c7"}
    assert "c0" not in sides, "an earlier conversation of a customer who is held out"
    assert found.conversations["before the cut"] == 1
    customers = {t.id: t.customer for t in talks}
    learnt = {customers[id_] for id_, side in sides.items() if side == "train"}
    assert not learnt & {customers[id_] for id_, side in sides.items() if side == "held_out"}


def test_the_words_stay_as_they_were_written() -> None:
    found = ready(talk(1, "Can I RETURN goods?", "You can return goods within 30 days of delivery."))
    assert (found.pairs[0].question, found.pairs[0].answer[:3]) == ("Can I RETURN goods?", "You")


def test_a_follow_up_knows_what_was_asked_before() -> None:
    found = ready(
        talk(1, "can I return goods", "Yes.", "how long", "You can return goods within 30 days of delivery.")
    )
    assert found.pairs[-1].before == ("can I return goods",)


def test_one_dialogue_and_none_are_no_problem() -> None:
    assert ready().pairs == ()
    assert ready(talk(1, "x?", "y")).conversations["read"] == 1


def test_what_is_saved_can_be_learnt_from_and_imported(tmp_path: Path) -> None:
    found = ready(
        talk(1, "what does shipping cost", "Shipping costs 5 dollars and is free from 49 dollars."),
        talk(
            2,
            "=1+1 and to the islands, how much?",
            "To the islands shipping costs 9 dollars and takes 12 days.",
        ),
        talk(3, "return goods?", "You can return goods within 30 days of delivery."),
    )
    save_prepared(found, {entry.id: entry for entry in ENTRIES}, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert {"entry", "language", "question", "answer", "trade"} <= set(rows[0])
    with (tmp_path / "proposals.csv").open(encoding="utf-8-sig") as file:
        (proposal,) = csv.DictReader(file)
    assert proposal["question"].startswith("'=1+1"), "no spreadsheet takes it for a formula"
    page = (tmp_path / "report.html").read_text()
    assert "What past conversations hold" in page
    assert "<script src=" not in page


def test_texts_in_a_report_are_shown_and_not_run(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> how much to the islands?"
    found = ready(talk(1, evil, "To the islands it costs 9 dollars and takes 12 days of time, sadly for us."))
    save_prepared(found, {entry.id: entry for entry in ENTRIES}, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_everything_on_one_side_is_allowed(share: float) -> None:
    found = ready(
        talk(1, "what does shipping cost", "Shipping costs 5 dollars and is free from 49 dollars."),
        settings=PrepareSettings(held_out=share, same=0.3),
    )
    assert {pair.side for pair in found.pairs} == {"held_out" if share else "train"}
    assert np.isfinite(found.pairs[0].similarity)
