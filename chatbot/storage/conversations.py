"""The repository of conversations: everything that is kept of them goes through here."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row

from chatbot.errors import BadRequestError
from chatbot.storage import statements as s
from chatbot.storage.codec import reply_fields, reply_from, rich_parts, trace_from, trace_json
from chatbot.storage.database import Database
from chatbot.storage.events import tell_feedback, tell_hand_over, tell_messages
from chatbot.storage.texts import storable
from chatbot.turn import Attachment, Button, Message, Past, Reply, Source, Trace, Turn

__all__ = ["Conversations", "StoredConversation", "StoredMessage"]

Role = Literal["user", "bot", "agent"]
Verdict = Literal["like", "dislike"]

MAX_REASON = 2000
"""Longest reason of a feedback or a request for a person, in characters."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message of a conversation, as pages show it again.  Fields after ``created_at`` are the bot's."""

    id: str
    role: Role
    text: str
    language: str
    created_at: datetime
    action: str = ""
    """Value of the :class:`~chatbot.turn.Action` taken."""
    buttons: tuple[Button, ...] = ()
    images: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    custom: tuple[Mapping[str, Any], ...] = ()
    sources: tuple[Source, ...] = ()
    recommendations: tuple[str, ...] = ()
    hand_over: bool = False
    notice: str = ""
    trace_id: str = ""
    feedback: Verdict | None = None
    client_message_id: str | None = None
    """The sender's own id of a customer's message."""


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation without its messages."""

    id: str
    customer: str
    channel: str
    created_at: datetime


class Conversations:
    """Stores and finds conversations.  Safe to use from many threads and processes.

    Every method raises :class:`~chatbot.errors.StorageError` when the database
    cannot be used; then nothing of that call was stored.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def database(self) -> Database:
        """Where they are stored."""
        return self._database

    def check(self) -> None:
        """Asks the database for a sign of life.

        Raises:
            StorageError: there is none.
        """
        self._database.check()

    def recall(self, conversation_id: str, limit: int, *, customer_id: str | None = None) -> Past:
        """The last ``limit`` exchanges, oldest first, and the customer's last language.

        Args:
            customer_id: when given, a conversation of another customer is as good as empty.
        """
        values = {"conversation_id": storable(conversation_id), "limit": max(limit, 1)}
        with self._database.read() as connection:
            rows = connection.execute(s.RECALL, values).all()
        if not rows or (customer_id is not None and rows[0].customer_id != storable(customer_id)):
            return Past()
        turns = [
            Turn(
                question=row.text,
                answer=row.answer,
                language=row.language,
                action=row.reply["action"],
                entry_ids=tuple(source["entry_id"] for source in row.reply["sources"]),
                searched=row.reply.get("searched", ""),
            )
            for row in reversed(rows)
        ]
        return Past(tuple(turns) if limit > 0 else (), turns[-1].language)

    def slots(self, message: Message) -> dict[str, Any]:
        """What custom actions know of the message's conversation; nothing if it is another customer's."""
        values = {
            "conversation_id": storable(message.conversation_id),
            "customer_id": storable(message.customer_id),
        }
        with self._database.read() as connection:
            return dict(connection.scalar(s.SLOTS, values) or {})

    def record(self, message: Message, reply: Reply, *, slots: Mapping[str, Any] | None = None) -> Reply:
        """Stores message, reply and trace in one transaction; when it returns, they are on the disk.

        Args:
            slots: what custom actions know of the conversation from now on; None leaves it as it is.

        Returns:
            The reply with ``message_id`` set; the reply stored before, if the
            message's own id came in by another way meanwhile.

        Raises:
            BadRequestError: (409) the message's id was used for another text, or
                (403) the conversation belongs to another customer.
        """
        now = datetime.now(UTC)
        with self._database.write() as connection:
            _hold_conversation(connection, message, now)
            stored = _find_reply(connection, message)
            if stored is not None:
                return stored
            reply = replace(reply, message_id=uuid.uuid4().hex)
            _insert_exchange(connection, message, reply, now)
            if slots is not None:
                row = {
                    "conversation_id": storable(message.conversation_id),
                    "body": dict(slots),
                    "updated_at": now,
                }
                s.set_slots(connection, row)
            if reply.hand_over:
                _request_person(connection, storable(message.conversation_id), reply.trace.reason, now)
        return reply

    def find_reply(self, message: Message) -> Reply | None:
        """The reply stored for this message's own id, None if the id is new.

        Raises:
            BadRequestError: (409) the id was used for another text, or (403) the
                conversation belongs to another customer.
        """
        if message.message_id is None:
            return None
        with self._database.read() as connection:
            values = {"conversation_id": storable(message.conversation_id)}
            _check_owner(connection.scalar(s.FIND_OWNER, values), message)
            return _find_reply(connection, message)

    def history(self, conversation_id: str, limit: int = 100) -> list[StoredMessage]:
        """The last ``limit`` messages, oldest first."""
        values = {"conversation_id": storable(conversation_id), "limit": limit}
        with self._database.read() as connection:
            return [_stored(row) for row in reversed(connection.execute(s.HISTORY, values).all())]

    def every(self) -> list[StoredConversation]:
        """All conversations, the oldest first."""
        with self._database.read() as connection:
            return [
                StoredConversation(row.id, row.customer_id, row.channel, row.created_at)
                for row in connection.execute(s.EVERY)
            ]

    def feedback(
        self, message_id: str, value: Verdict, reason: str = "", *, conversation_id: str | None = None
    ) -> None:
        """Keeps the customer's opinion of one answer; a later one takes the earlier one's place.

        Args:
            conversation_id: when given, answers of other conversations are as good as unknown.

        Raises:
            BadRequestError: the value is neither, the reason is too long (413), or
                no answer has this id (404).
        """
        if value not in ("like", "dislike"):
            raise BadRequestError("the feedback's value is neither «like» nor «dislike»; send one of them")
        _check_reason(reason)
        row = {
            "message_id": storable(message_id),
            "value": value,
            "reason": storable(reason),
            "created_at": datetime.now(UTC),
        }
        with self._database.write() as connection:
            answer = connection.execute(s.IS_ANSWER, {"message_id": row["message_id"]}).first()
            if answer is None or conversation_id not in (None, answer.conversation_id):
                raise BadRequestError(
                    "the feedback names an answer that is not stored; expected the message_id of a reply",
                    status=404,
                )
            s.set_feedback(connection, row)
            tell_feedback(connection, row)

    def request_person(
        self, conversation_id: str, reason: str = "", *, customer_id: str | None = None, channel: str = "page"
    ) -> None:
        """Keeps that the customer wants a person; asking again while one is awaited only adds a new reason.

        Args:
            customer_id: of a conversation that has no message yet; its own id when left out.

        Raises:
            BadRequestError: (413) the reason is too long.
        """
        _check_reason(reason)
        now = datetime.now(UTC)
        conversation = storable(conversation_id)
        with self._database.write() as connection:
            if connection.execute(s.HOLD_CONVERSATION, {"conversation_id": conversation}).first() is None:
                _begin_conversation(
                    connection, conversation, storable(customer_id or conversation_id), channel, now
                )
            _request_person(connection, conversation, storable(reason), now)

    def trace(self, trace_id: str) -> Trace | None:
        """Why an answer was given, None if nothing has this id."""
        with self._database.read() as connection:
            body = connection.scalar(s.TRACE, {"trace_id": storable(trace_id)})
        return None if body is None else trace_from(body)


def _body_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _hold_conversation(connection: Connection, message: Message, now: datetime) -> None:
    """Makes customer and conversation where they are new; other messages wait until this one is stored."""
    conversation, customer = storable(message.conversation_id), storable(message.customer_id)
    owner = connection.scalar(s.HOLD_CONVERSATION, {"conversation_id": conversation})
    if owner is None:
        _begin_conversation(connection, conversation, customer, message.channel, now)
        owner = connection.scalar(s.HOLD_CONVERSATION, {"conversation_id": conversation})
    _check_owner(owner, message)


def _begin_conversation(
    connection: Connection, conversation: str, customer: str, channel: str, now: datetime
) -> None:
    s.add_unless_known(connection, "customers", {"id": customer, "created_at": now})
    s.add_unless_known(
        connection,
        "conversations",
        {"id": conversation, "customer_id": customer, "channel": storable(channel)[:64], "created_at": now},
    )


def _check_owner(owner: str | None, message: Message) -> None:
    if owner is not None and owner != storable(message.customer_id):
        raise BadRequestError(
            "this conversation belongs to another customer; begin a conversation of your own", status=403
        )


def _find_reply(connection: Connection, message: Message) -> Reply | None:
    if message.message_id is None:
        return None
    row = connection.execute(
        s.FIND_REPLY,
        {
            "conversation_id": storable(message.conversation_id),
            "client_message_id": storable(message.message_id),
        },
    ).first()
    if row is None:
        return None
    if row.body_hash != _body_hash(message.text):
        raise BadRequestError(
            "this message id was used for another text in this conversation; "
            "give every message an id of its own",
            status=409,
        )
    return reply_from(row.text, row.language, row.id, row.reply, trace_from(row.body))


def _insert_exchange(connection: Connection, message: Message, reply: Reply, now: datetime) -> None:
    both = {"conversation_id": storable(message.conversation_id), "created_at": now}
    question = {
        **both,
        "id": uuid.uuid4().hex,
        "role": "user",
        "text": storable(message.text),
        "language": reply.trace.language,
        "client_message_id": None if message.message_id is None else storable(message.message_id),
        "body_hash": _body_hash(message.text),
        "answers": None,
        "reply": None,
    }
    answer = {
        **both,
        "id": reply.message_id,
        "role": "bot",
        "text": storable(reply.text),
        "language": reply.language,
        "client_message_id": None,
        "body_hash": None,
        "answers": question["id"],
        "reply": reply_fields(reply),
    }
    trace = {
        "id": reply.trace.id,
        "message_id": reply.message_id,
        "created_at": now,
        "body": trace_json(reply.trace),
    }
    connection.execute(s.ADD_MESSAGES, [question, answer])
    connection.execute(s.ADD_TRACE, trace)
    tell_messages(
        connection, [question, answer], storable(message.customer_id), storable(message.channel)[:64]
    )


def _request_person(connection: Connection, conversation: str, reason: str, now: datetime) -> None:
    """Adds a request, or a new reason (a phone number, say) to the one that waits; the newest end is kept."""
    waiting = connection.execute(s.IS_WAITING, {"conversation_id": conversation}).first()
    if waiting is None:
        row = {"conversation_id": conversation, "reason": reason, "created_at": now, "closed_at": None}
        connection.execute(s.ADD_HAND_OVER, row)
        tell_hand_over(connection, conversation, reason, "requested", now)
    elif reason and reason not in waiting.reason.split("\n"):
        whole = "\n".join(part for part in (waiting.reason, reason) if part)
        connection.execute(s.ADD_TO_REASON, {"waiting": waiting.number, "whole": whole[-MAX_REASON:]})
        tell_hand_over(connection, conversation, whole[-MAX_REASON:], "updated", now)


def _check_reason(reason: str) -> None:
    if len(reason) > MAX_REASON:
        raise BadRequestError(
            f"the reason has {len(reason)} characters; at most {MAX_REASON} are kept: shorten it",
            phrase="too_long",
            status=413,
        )


def _stored(row: Row[Any]) -> StoredMessage:
    message = StoredMessage(
        row.id, row.role, row.text, row.language, row.created_at, client_message_id=row.client_message_id
    )
    if row.reply is None:
        return message
    fields = row.reply
    return replace(
        message,
        action=fields["action"],
        buttons=tuple(Button(**button) for button in fields["buttons"]),
        **rich_parts(fields),
        sources=tuple(Source(**source) for source in fields["sources"]),
        recommendations=tuple(fields["recommendations"]),
        hand_over=fields["hand_over"],
        notice=fields["notice"],
        trace_id=row.trace_id or "",
        feedback=row.feedback,
    )
