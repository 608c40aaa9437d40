"""Conversations and clicks out of the installation's own database."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.storage import Conversations, Database
from chatbot.training.dialogues import clicked_questions, stored_conversations
from chatbot.turn import Action, Button, Message, Reply
from knowledge_base.entry import Entry
from tests.chatbot.storage.test_conversations import answer

ENTRIES = [Entry("refund.en", "refund", "en", "When is the refund paid?", "In 5 days.")]


def offer() -> Reply:
    return answer(
        "Which one do you mean?",
        language="en",
        action=Action.CLARIFY,
        buttons=(Button("Refund", "When is the refund paid?"),),
    )


@pytest.fixture
def store(tmp_path: Path) -> Conversations:
    database = Database.open(f"sqlite:///{tmp_path / 'kefu.db'}")
    database.upgrade()
    return Conversations(database)


def test_conversations_come_with_their_customer_times_and_rating(store: Conversations) -> None:
    kept = store.record(Message("where is my money", "c1", "anna", channel="widget"), answer("In 5 days."))
    store.record(Message("hello", "c2", "ben"), answer("Hello!"))
    store.feedback(kept.message_id, "like")
    first, second = stored_conversations(store)
    assert (first.customer, first.channel, first.rating) == ("anna", "widget", 1.0)
    assert [(said.role, said.text) for said in first.messages] == [
        ("customer", "where is my money"),
        ("agent", "In 5 days."),
    ], "an answer that was liked is worth learning"
    assert first.messages[0].at is not None
    assert [said.role for said in second.messages] == ["customer", "bot"]
    assert second.rating is None


def test_an_own_wording_before_a_click_belongs_to_the_clicked_entry(store: Conversations) -> None:
    asked = Message("money back? call me at +1 415 555 0132", "c1", "anna")
    store.record(asked, offer())
    store.record(Message("When is the refund paid?", "c1", "anna"), answer("In 5 days."))
    ((entry, text, _language, conversation),) = clicked_questions(store, ENTRIES)
    assert (entry, conversation) == ("refund.en", "c1")
    assert text == "money back? call me at [PHONE]"


def test_what_is_no_click_is_not_taken_for_one(store: Conversations) -> None:
    store.record(Message("some other thing", "c1", "anna"), answer("No idea."))
    store.record(Message("When is the refund paid?", "c1", "anna"), answer("In 5 days."))
    store.record(Message("money back please", "c2", "ben"), offer())
    store.record(Message("never mind", "c2", "ben"), answer("Fine."))
    store.record(Message("hm?", "c3", "cleo"), offer())
    store.record(Message("When is the refund paid?", "c3", "cleo"), answer("In 5 days."))
    assert clicked_questions(store, ENTRIES) == []


def test_an_empty_database_has_neither(store: Conversations) -> None:
    assert list(stored_conversations(store)) == []
    assert clicked_questions(store, ENTRIES) == []
