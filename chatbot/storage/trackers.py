"""Reads a whole conversation with the reasons of its answers, for those who look into it from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select

from chatbot.storage import tables as t
from chatbot.storage.codec import reply_from, trace_from
from chatbot.storage.database import Database
from chatbot.storage.texts import storable
from chatbot.turn import Intent, Reply

__all__ = ["StoredTracker", "TrackedMessage", "Trackers"]

_answer = t.messages.alias("answer")
_question_trace = t.traces.alias("question_trace")

_FIND = (
    select(t.conversations.c.id, t.conversations.c.channel, t.conversations.c.created_at, t.slots.c.body)
    .outerjoin(t.slots, t.slots.c.conversation_id == t.conversations.c.id)
    .where(t.conversations.c.id.in_(bindparam("ids", expanding=True)))
)
_MESSAGES = (
    select(t.messages, t.traces.c.body.label("trace"), _question_trace.c.body.label("question_trace"))
    .outerjoin(t.traces, t.traces.c.message_id == t.messages.c.id)
    .outerjoin(_answer, _answer.c.answers == t.messages.c.id)
    .outerjoin(_question_trace, _question_trace.c.message_id == _answer.c.id)
    .where(t.messages.c.conversation_id == bindparam("conversation_id"))
    .order_by(t.messages.c.number.desc())
    .limit(bindparam("limit"))
)


@dataclass(frozen=True, slots=True)
class TrackedMessage:
    """One message and what is known of it."""

    id: str
    role: str
    """``user``, ``bot`` or ``agent``."""
    text: str
    created_at: datetime
    client_message_id: str | None = None
    """The sender's own id of a customer's message."""
    intent: Intent | None = None
    """Of a customer's message."""
    reply: Reply | None = None
    """Of a bot's message."""


@dataclass(frozen=True, slots=True)
class StoredTracker:
    """One conversation."""

    conversation_id: str
    channel: str
    created_at: datetime
    state: Mapping[str, Any]
    """What custom actions know of it; see :mod:`chatbot.actions.state`."""
    messages: tuple[TrackedMessage, ...]
    """Oldest first."""


class Trackers:
    """Finds conversations.  Safe to use from many threads.

    Raises :class:`~chatbot.errors.StorageError` when the database cannot be read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, ids: Sequence[str], limit: int) -> StoredTracker | None:
        """The first of these conversations that there is, None if there is none.

        Args:
            limit: most messages given, the newest ones.
        """
        wanted = [storable(conversation_id) for conversation_id in ids]
        with self._database.read() as connection:
            rows = {row.id: row for row in connection.execute(_FIND, {"ids": wanted})}
            found = next((rows[id_] for id_ in wanted if id_ in rows), None)
            if found is None:
                return None
            values = {"conversation_id": found.id, "limit": limit}
            messages = connection.execute(_MESSAGES, values).all()
        return StoredTracker(
            found.id,
            found.channel,
            found.created_at,
            dict(found.body or {}),
            tuple(_tracked(row) for row in reversed(messages)),
        )


def _tracked(row: Row[Any]) -> TrackedMessage:
    intent = reply = None
    if row.question_trace is not None:
        intent = trace_from(row.question_trace).intent
    if row.trace is not None and row.reply is not None:
        reply = reply_from(row.text, row.language, row.id, row.reply, trace_from(row.trace))
    return TrackedMessage(
        row.id, row.role, row.text, row.created_at, row.client_message_id, intent=intent, reply=reply
    )
