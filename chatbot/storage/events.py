"""Events for outgoing webhooks, written in the transaction of what they tell.

Where no endpoint wants an event, this costs one look at a small table.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from chatbot.storage import tables
from chatbot.storage import webhook_tables as t
from chatbot.storage.texts import storable

__all__ = [
    "EVENT_TYPES",
    "MAX_EVENT_BYTES",
    "add_event",
    "event_body",
    "tell_feedback",
    "tell_hand_over",
    "tell_messages",
]

MESSAGE, HAND_OVER, FEEDBACK = "message.created", "conversation.handover", "feedback.created"
EVENT_TYPES = (MESSAGE, HAND_OVER, FEEDBACK)
"""What endpoints may ask for."""
TEST = "webhook.test"

MAX_EVENT_BYTES = 20 * 1024
"""Largest body, as Standard Webhooks advises; longer texts are cut and marked ``truncated``."""

_WANTED = select(t.endpoints.c.id, t.endpoints.c.events).where(t.endpoints.c.enabled)
_OWNER = select(tables.conversations.c.customer_id, tables.conversations.c.channel).where(
    tables.conversations.c.id == bindparam("conversation_id")
)
_OF_ANSWER = (
    select(
        tables.messages.c.conversation_id, tables.conversations.c.customer_id, tables.conversations.c.channel
    )
    .join(tables.conversations, tables.conversations.c.id == tables.messages.c.conversation_id)
    .where(tables.messages.c.id == bindparam("message_id"))
)
_ADD_EVENT = insert(t.events).inline()
_ADD_DELIVERIES = insert(t.deliveries).inline()


def tell_messages(
    connection: Connection, rows: Sequence[Mapping[str, Any]], customer_id: str, channel: str
) -> None:
    """Tells of stored messages of one conversation, one event each; ``rows`` are of the table ``messages``."""
    endpoints = wanted_by(connection, MESSAGE)
    if endpoints:
        for row in rows:
            data = {**_conversation(row["conversation_id"], customer_id, channel), "message": _message(row)}
            add_event(connection, MESSAGE, data, row["created_at"], endpoints)


def tell_hand_over(
    connection: Connection, conversation_id: str, reason: str, status: str, now: datetime
) -> None:
    """Tells that a person is wanted.

    Args:
        reason: all that is known so far.
        status: ``requested``, or ``updated`` when the customer added something.
    """
    endpoints = wanted_by(connection, HAND_OVER)
    if not endpoints:
        return
    owner = connection.execute(_OWNER, {"conversation_id": conversation_id}).first()
    customer, channel = (owner.customer_id, owner.channel) if owner is not None else ("", "")
    data = {**_conversation(conversation_id, customer, channel), "reason": reason, "status": status}
    add_event(connection, HAND_OVER, data, now, endpoints)


def tell_feedback(connection: Connection, row: Mapping[str, Any]) -> None:
    """Tells of a stored feedback; ``row`` is of the table ``feedback``."""
    endpoints = wanted_by(connection, FEEDBACK)
    if not endpoints:
        return
    of = connection.execute(_OF_ANSWER, {"message_id": row["message_id"]}).one()
    feedback = {name: row[name] for name in ("message_id", "value", "reason")}
    data = {**_conversation(of.conversation_id, of.customer_id, of.channel), "feedback": feedback}
    add_event(connection, FEEDBACK, data, row["created_at"], endpoints)


def _message(row: Mapping[str, Any]) -> dict[str, Any]:
    reply = row.get("reply") or {}
    message: dict[str, Any] = {
        "id": row["id"],
        "role": row["role"],
        "text": row["text"],
        "language": row["language"],
        "created_at": _moment(row["created_at"]),
    }
    if row.get("client_message_id"):
        message["client_message_id"] = row["client_message_id"]
    if row.get("answers"):
        message["answers"] = row["answers"]
    if reply:
        message["action"] = reply["action"]
        message["hand_over"] = reply["hand_over"]
        message["buttons"] = reply["buttons"]
        message["sources"] = [
            {"entry_id": source["entry_id"], "score": source["score"]} for source in reply["sources"]
        ]
    return message


Wanted = tuple[str, ...]
"""Ids of endpoints."""


def wanted_by(connection: Connection, event_type: str) -> Wanted:
    """The enabled endpoints that want events of this type; an empty list of types means all."""
    rows = connection.execute(_WANTED).all()
    return tuple(row.id for row in rows if not row.events or event_type in row.events)


def add_event(
    connection: Connection, event_type: str, data: Mapping[str, Any], now: datetime, endpoints: Wanted
) -> str:
    """Stores an event and its deliveries, due at once.

    Returns:
        The event's id, which is ``webhook-id`` at every attempt.
    """
    event = {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": event_type,
        "body": event_body(event_type, data, now),
        "created_at": now,
    }
    connection.execute(_ADD_EVENT, event)
    if endpoints:
        connection.execute(
            _ADD_DELIVERIES,
            [
                {
                    "event_id": event["id"],
                    "endpoint_id": endpoint,
                    "state": "pending",
                    "attempts": 0,
                    "next_at": now,
                    "lease": None,
                    "status": None,
                    "error": "",
                    "finished_at": None,
                }
                for endpoint in endpoints
            ],
        )
    return str(event["id"])


def event_body(event_type: str, data: Mapping[str, Any], now: datetime) -> str:
    """The JSON that is sent, at most :data:`MAX_EVENT_BYTES` bytes of UTF-8."""
    body = {"type": event_type, "timestamp": _moment(now), "data": dict(data)}
    text = _dump(body)
    limit = MAX_EVENT_BYTES // 3
    while len(text.encode()) > MAX_EVENT_BYTES:
        body["data"] = {**_shortened(data, limit), "truncated": True}
        text = _dump(body)
        limit //= 2
    return text


def _shortened(value: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """The same with every text cut to ``limit`` bytes and every list to a few items."""
    short: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, str):
            short[name] = item.encode()[:limit].decode("utf-8", "ignore")
        elif isinstance(item, Mapping):
            short[name] = _shortened(item, limit)
        elif isinstance(item, list):
            short[name] = [
                _shortened(one, limit // 8) if isinstance(one, Mapping) else one for one in item[:8]
            ]
        else:
            short[name] = item
    return short


def _dump(body: Mapping[str, Any]) -> str:
    return storable(json.dumps(body, ensure_ascii=False, separators=(",", ":")))


def _conversation(conversation_id: str, customer_id: str, channel: str) -> dict[str, Any]:
    return {"conversation_id": conversation_id, "customer_id": customer_id, "channel": channel}


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
