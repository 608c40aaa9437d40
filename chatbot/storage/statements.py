"""The statements of the repository, built once: building them costs more than running them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Executable, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from chatbot.storage import tables as t

__all__ = [
    "ADD_HAND_OVER",
    "ADD_MESSAGES",
    "ADD_TO_REASON",
    "ADD_TRACE",
    "EVERY",
    "FIND_OWNER",
    "FIND_REPLY",
    "HISTORY",
    "HOLD_CONVERSATION",
    "IS_ANSWER",
    "IS_WAITING",
    "RECALL",
    "SLOTS",
    "TRACE",
    "add_unless_known",
    "set_feedback",
    "set_slots",
]

_user = t.messages.alias("user_message")
_bot = t.messages.alias("bot_message")

FIND_OWNER = select(t.conversations.c.customer_id).where(t.conversations.c.id == bindparam("conversation_id"))
HOLD_CONVERSATION = FIND_OWNER.with_for_update()
"""The owner; on PostgreSQL the conversation is held until the transaction ends, SQLite holds all anyway."""

RECALL = (
    select(
        _user.c.text,
        _user.c.language,
        _bot.c.text.label("answer"),
        _bot.c.reply,
        t.conversations.c.customer_id,
    )
    .join(_bot, _bot.c.answers == _user.c.id)
    .join(t.conversations, t.conversations.c.id == _user.c.conversation_id)
    .where(_user.c.conversation_id == bindparam("conversation_id"))
    .order_by(_user.c.number.desc())
    .limit(bindparam("limit"))
)

FIND_REPLY = (
    select(_user.c.body_hash, _bot.c.id, _bot.c.text, _bot.c.language, _bot.c.reply, t.traces.c.body)
    .join(_bot, _bot.c.answers == _user.c.id)
    .join(t.traces, t.traces.c.message_id == _bot.c.id)
    .where(
        _user.c.conversation_id == bindparam("conversation_id"),
        _user.c.client_message_id == bindparam("client_message_id"),
    )
)

EVERY = select(t.conversations).order_by(t.conversations.c.created_at, t.conversations.c.id)

HISTORY = (
    select(t.messages, t.traces.c.id.label("trace_id"), t.feedback.c.value.label("feedback"))
    .outerjoin(t.traces, t.traces.c.message_id == t.messages.c.id)
    .outerjoin(t.feedback, t.feedback.c.message_id == t.messages.c.id)
    .where(t.messages.c.conversation_id == bindparam("conversation_id"))
    .order_by(t.messages.c.number.desc())
    .limit(bindparam("limit"))
)

SLOTS = (
    select(t.slots.c.body)
    .join(t.conversations, t.conversations.c.id == t.slots.c.conversation_id)
    .where(
        t.slots.c.conversation_id == bindparam("conversation_id"),
        t.conversations.c.customer_id == bindparam("customer_id"),
    )
)
TRACE = select(t.traces.c.body).where(t.traces.c.id == bindparam("trace_id"))
IS_ANSWER = select(t.messages.c.conversation_id).where(
    t.messages.c.id == bindparam("message_id"), t.messages.c.role == "bot"
)
IS_WAITING = select(t.hand_overs.c.number, t.hand_overs.c.reason).where(
    t.hand_overs.c.conversation_id == bindparam("conversation_id"), t.hand_overs.c.closed_at.is_(None)
)

ADD_MESSAGES = insert(t.messages).inline()
ADD_TRACE = insert(t.traces).inline()
ADD_HAND_OVER = insert(t.hand_overs).inline()
ADD_TO_REASON = (
    update(t.hand_overs)
    .where(t.hand_overs.c.number == bindparam("waiting"))
    .values(reason=bindparam("whole"))
)

_DIALECTS: dict[str, Any] = {"sqlite": sqlite, "postgresql": postgresql}

_ADD_UNLESS_KNOWN: dict[tuple[str, str], Executable] = {
    (name, table.name): dialect.insert(table).on_conflict_do_nothing(index_elements=["id"])
    for name, dialect in _DIALECTS.items()
    for table in (t.customers, t.conversations)
}


def _upserted_feedback(dialect: Any) -> Executable:
    statement = dialect.insert(t.feedback)
    changed = {name: statement.excluded[name] for name in ("value", "reason", "created_at")}
    upsert: Executable = statement.on_conflict_do_update(index_elements=["message_id"], set_=changed)
    return upsert


def _upserted_slots(dialect: Any) -> Executable:
    statement = dialect.insert(t.slots)
    changed = {name: statement.excluded[name] for name in ("body", "updated_at")}
    upsert: Executable = statement.on_conflict_do_update(index_elements=["conversation_id"], set_=changed)
    return upsert


_SET_SLOTS = {name: _upserted_slots(dialect) for name, dialect in _DIALECTS.items()}
_SET_FEEDBACK = {name: _upserted_feedback(dialect) for name, dialect in _DIALECTS.items()}


def add_unless_known(connection: Connection, table: str, row: dict[str, Any]) -> None:
    """Inserts a customer or a conversation whose id may be there already."""
    connection.execute(_ADD_UNLESS_KNOWN[connection.dialect.name, table], row)


def set_feedback(connection: Connection, row: dict[str, Any]) -> None:
    """Inserts a feedback or takes the earlier one's place."""
    connection.execute(_SET_FEEDBACK[connection.dialect.name], row)


def set_slots(connection: Connection, row: dict[str, Any]) -> None:
    """Inserts what custom actions know of a conversation or takes the earlier row's place."""
    connection.execute(_SET_SLOTS[connection.dialect.name], row)
