from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatbot.errors import BadRequestError
from chatbot.storage import Conversations, Database, tables
from chatbot.turn import Action, Attachment, Button, Intent, Message, Reply, Route, Source, Trace

SOURCE = Source("returns.zh", 0.91, "怎么退货？", "七天内可以退货。", "zh")


def said(text: str = "怎么退货", conversation: str = "c1", customer: str = "u1", **rest: Any) -> Message:
    return Message(text, conversation, customer, **rest)


def answer(text: str = "七天内可以退货。", **rest: Any) -> Reply:
    trace = Trace(
        id=uuid.uuid4().hex,
        language=rest.pop("asked_in", "zh"),
        intent=Intent("returns", 0.8, Route.ANSWER),
        question="怎么退货",
        decision="answer",
        reason="search is sure",
        probability=0.93,
        sources=(SOURCE,),
        guard="passed",
        generator="none",
        timings_ms={"total": 12.5},
    )
    defaults: dict[str, Any] = {
        "language": "zh",
        "action": Action.ANSWER,
        "trace": trace,
        "sources": (SOURCE,),
    }
    return Reply(text, **(defaults | rest))


def count(database: Database, table: sa.Table) -> int:
    with database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_a_recorded_reply_gets_an_id_and_comes_back_in_full(conversations: Conversations) -> None:
    reply = answer(buttons=(Button("退货", "怎么退货"),), recommendations=("TP-E200",), notice="busy")
    kept = conversations.record(said(message_id="m1"), reply)
    assert len(kept.message_id) == 32
    assert conversations.find_reply(said(message_id="m1")) == kept
    assert conversations.trace(reply.trace.id) == reply.trace


def test_pictures_attachments_and_custom_payloads_are_kept(conversations: Conversations) -> None:
    reply = answer(
        images=("https://shop.example/a.png",),
        attachments=(Attachment("video", {"src": "https://shop.example/v.mp4", "title": "片子"}),),
        custom=({"type": "card", "rows": [1, 2]},),
    )
    kept = conversations.record(said(message_id="m1"), reply)
    assert conversations.find_reply(said(message_id="m1")) == kept
    shown = conversations.history("c1")[-1]
    assert (shown.images, shown.attachments, shown.custom) == (reply.images, reply.attachments, reply.custom)


def test_a_reply_stored_before_there_were_pictures_is_read_without_them(
    conversations: Conversations, database: Database
) -> None:
    conversations.record(said(message_id="m1"), answer())
    with database.write() as connection:
        fields = connection.scalar(sa.select(tables.messages.c.reply).where(tables.messages.c.role == "bot"))
        old = {k: v for k, v in fields.items() if k not in ("images", "attachments", "custom")}
        connection.execute(
            sa.update(tables.messages).where(tables.messages.c.role == "bot").values(reply=old)
        )
    found = conversations.find_reply(said(message_id="m1"))
    assert found is not None
    assert (found.images, found.attachments, found.custom) == ((), (), ())


def test_history_shows_messages_in_order_with_fields_and_feedback(conversations: Conversations) -> None:
    for number in range(3):
        kept = conversations.record(said(f"question {number}"), answer(f"answer {number}"))
    conversations.feedback(kept.message_id, "like", "clear")
    conversations.feedback(kept.message_id, "dislike", "too long")
    shown = conversations.history("c1")
    assert [m.text for m in shown] == [f"{what} {n}" for n in range(3) for what in ("question", "answer")]
    assert [m.role for m in shown] == ["user", "bot"] * 3
    assert shown[-1].id == kept.message_id
    assert shown[-1].sources == (SOURCE,)
    assert (shown[-1].feedback, shown[-3].feedback) == ("dislike", None)
    assert shown[0].created_at.utcoffset() is not None
    assert [m.text for m in conversations.history("c1", limit=2)] == ["question 2", "answer 2"]
    assert conversations.history("unknown") == []


def test_recall_gives_the_last_turns_oldest_first(conversations: Conversations) -> None:
    for number in range(4):
        language = "en" if number == 3 else "zh"
        conversations.record(said(f"q{number}"), answer(f"a{number}", asked_in=language))
    past = conversations.recall("c1", 2)
    assert [(turn.question, turn.answer) for turn in past.turns] == [("q2", "a2"), ("q3", "a3")]
    assert past.turns[0].entry_ids == ("returns.zh",)
    assert past.turns[0].searched == "怎么退货"
    assert past.language == "en"
    assert conversations.recall("c1", 0).turns == ()
    assert conversations.recall("c1", 0).language == "en"


def test_another_customer_neither_recalls_nor_continues_a_conversation(conversations: Conversations) -> None:
    conversations.record(said(message_id="m1"), answer())
    assert conversations.recall("c1", 5, customer_id="u1").turns
    assert conversations.recall("c1", 5, customer_id="u2").turns == ()
    for attempt in (
        lambda: conversations.find_reply(said(customer="u2", message_id="m1")),
        lambda: conversations.record(said(customer="u2"), answer()),
    ):
        with pytest.raises(BadRequestError) as caught:
            attempt()
        assert caught.value.status == 403


def test_the_same_id_with_another_text_is_refused(conversations: Conversations, database: Database) -> None:
    conversations.record(said("one", message_id="m1"), answer())
    for attempt in (
        lambda: conversations.find_reply(said("two", message_id="m1")),
        lambda: conversations.record(said("two", message_id="m1"), answer()),
    ):
        with pytest.raises(BadRequestError) as caught:
            attempt()
        assert caught.value.status == 409
    assert count(database, tables.messages) == 2


def test_ten_deliveries_at_once_store_one_reply(conversations: Conversations, database: Database) -> None:
    with ThreadPoolExecutor(10) as pool:
        replies = list(
            pool.map(lambda n: conversations.record(said(message_id="m1"), answer(f"a{n}")), range(10))
        )
    assert len({reply.message_id for reply in replies}) == 1
    assert len({reply.text for reply in replies}) == 1
    assert count(database, tables.messages) == 2


def test_the_same_id_in_another_conversation_is_another_message(conversations: Conversations) -> None:
    first = conversations.record(said(message_id="m1"), answer("one"))
    second = conversations.record(said("other", "c2", message_id="m1"), answer("two"))
    assert (first.text, second.text) == ("one", "two")


def test_a_failed_record_leaves_nothing(conversations: Conversations, database: Database) -> None:
    reply = answer()
    conversations.record(said(), reply)
    before = count(database, tables.messages)
    with pytest.raises(sa.exc.IntegrityError):  # the same trace id twice
        conversations.record(said("again"), reply)
    assert count(database, tables.messages) == before


def test_a_wish_for_a_person_is_kept_once(conversations: Conversations, database: Database) -> None:
    conversations.request_person("c1", "wants to speak", customer_id="u1")
    conversations.request_person("c1", "again")
    conversations.record(said(), answer(action=Action.HAND_OVER, hand_over=True))
    assert count(database, tables.hand_overs) == 1


def test_what_is_added_to_a_waiting_wish_for_a_person_is_kept(
    conversations: Conversations, database: Database
) -> None:
    conversations.record(said(), answer(action=Action.HAND_OVER, hand_over=True))
    conversations.request_person("c1", "call +49 30 1234")
    conversations.request_person("c1", "call +49 30 1234")
    with database.read() as connection:
        reasons = connection.execute(sa.select(tables.hand_overs.c.reason)).scalars().all()
    assert len(reasons) == 1
    assert reasons[0].count("call +49 30 1234") == 1


def test_a_hand_over_in_a_reply_is_kept(conversations: Conversations, database: Database) -> None:
    conversations.record(said(), answer(action=Action.HAND_OVER, hand_over=True))
    assert count(database, tables.hand_overs) == 1


def test_feedback_is_checked(conversations: Conversations) -> None:
    kept = conversations.record(said(), answer())
    question = conversations.history("c1")[0]
    cases: list[tuple[str, Any, str, int]] = [
        ("unknown", "like", "", 404),
        (question.id, "like", "", 404),
        (kept.message_id, "love", "", 422),
        (kept.message_id, "like", "x" * 2001, 413),
    ]
    for message_id, value, reason, status in cases:
        with pytest.raises(BadRequestError) as caught:
            conversations.feedback(message_id, value, reason)
        assert caught.value.status == status


def test_an_unknown_trace_is_none(conversations: Conversations) -> None:
    assert conversations.trace("unknown") is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec=None)), id_=st.text(min_size=1, max_size=100))
def test_any_text_is_stored_and_found_again(conversations: Conversations, text: str, id_: str) -> None:
    conversation = uuid.uuid4().hex
    message = Message(text, conversation, conversation, message_id=id_)
    kept = conversations.record(message, answer(text))
    found = conversations.find_reply(message)
    assert found is not None
    assert found.message_id == kept.message_id
    shown = conversations.history(conversation)
    if "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text):
        assert [m.text for m in shown] == [text, text]
    else:
        assert len(shown) == 2


def test_slots_are_kept_with_the_exchange_and_only_for_their_customer(conversations: Conversations) -> None:
    assert conversations.slots(said()) == {}
    conversations.record(said(), answer(), slots={"slots": {"order_number": "10423"}})
    conversations.record(said("别的"), answer())
    assert conversations.slots(said()) == {"slots": {"order_number": "10423"}}
    assert conversations.slots(said(customer="somebody else")) == {}
    conversations.record(said("又一句"), answer(), slots={})
    assert conversations.slots(said()) == {}
