"""The tables of messages on their way: in from messengers, out to webhooks.  See ``0004_webhooks``."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from chatbot.storage.tables import ID_LENGTH, UtcDateTime, metadata

__all__ = ["deliveries", "endpoints", "events", "inbox"]

_Number = BigInteger().with_variant(Integer, "sqlite")

endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", String(35), primary_key=True),
    Column("url", Text, nullable=False),
    Column("events", JSON, nullable=False),
    # [{secret, expires_at or null}], newest first; the receiver has to know them, so they cannot be hashed.
    Column("secrets", JSON, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

events = Table(
    "webhook_events",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("type", String(64), nullable=False),
    # Sent byte for byte the same at every attempt.
    Column("body", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)

deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("event_id", ForeignKey("webhook_events.id", ondelete="CASCADE"), nullable=False),
    Column("endpoint_id", ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    # Not before this moment; while an attempt is under way, the end of its lease.
    Column("next_at", UtcDateTime, nullable=False),
    Column("lease", String(32)),
    Column("status", Integer),
    Column("error", Text, nullable=False),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("event_id", "endpoint_id"),
    Index(None, "state", "next_at"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("channel", String(32), nullable=False),
    Column("message_id", String(ID_LENGTH), nullable=False),
    Column("conversation_id", String(ID_LENGTH), nullable=False),
    # The message and where its answer goes; emptied once it is answered.
    Column("body", JSON(none_as_null=True)),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
    Column("lease", String(32)),
    Column("error", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    UniqueConstraint("channel", "message_id"),
    Index(None, "state", "conversation_id", "number"),
)
