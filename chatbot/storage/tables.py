"""The tables of the conversations.  A change here needs a migration beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

__all__ = [
    "UtcDateTime",
    "conversations",
    "customers",
    "feedback",
    "hand_overs",
    "messages",
    "metadata",
    "slots",
    "traces",
]

ID_LENGTH = 255
"""Longest id of a customer, a conversation or a client's message, in characters."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; comes back aware on databases that store no zone, too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turns any aware moment into UTC."""
        del dialect
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Adds the zone where the database dropped it."""
        del dialect
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Number = BigInteger().with_variant(Integer, "sqlite")
"""A growing number; only INTEGER grows by itself in SQLite."""

customers = Table(
    "customers",
    metadata,
    Column("id", String(ID_LENGTH), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(ID_LENGTH), primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    Column("channel", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False),
    Column("role", String(8), nullable=False),
    Column("text", Text, nullable=False),
    Column("language", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # Of a customer's message: the sender's own id of it and the hash of its text.
    Column("client_message_id", String(ID_LENGTH)),
    Column("body_hash", String(64)),
    # Of a bot's message: what it answers and the fields of the reply beside the text.
    Column("answers", ForeignKey("messages.id"), unique=True),
    Column("reply", JSON(none_as_null=True)),
    UniqueConstraint("conversation_id", "client_message_id"),
    CheckConstraint("role IN ('user', 'bot', 'agent')", name="role"),
    Index(None, "conversation_id", "number"),
)

traces = Table(
    "traces",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("message_id", ForeignKey("messages.id"), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("body", JSON, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("message_id", ForeignKey("messages.id"), primary_key=True),
    Column("value", String(8), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("value IN ('like', 'dislike')", name="value"),
)

hand_overs = Table(
    "hand_overs",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
)

slots = Table(
    "slots",
    metadata,
    Column("conversation_id", ForeignKey("conversations.id"), primary_key=True),
    Column("body", JSON, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
"""What custom actions know of a conversation; see :mod:`chatbot.actions.state` for the body."""
