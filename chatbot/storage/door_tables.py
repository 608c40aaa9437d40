"""The tables of the door: API keys and the lines before conversations.  See ``0003_keys``."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Double, ForeignKey, Index, Integer, String, Table

from chatbot.storage.tables import ID_LENGTH, UtcDateTime, metadata

__all__ = ["api_keys", "holders", "tickets"]

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
)

holders = Table(
    "turn_holders",
    metadata,
    Column("id", String(32), primary_key=True),
    # In seconds since 1970 by the clock of the database, the only one all processes share.
    Column("expires_at", Double, nullable=False),
)

tickets = Table(
    "turn_tickets",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("conversation_id", String(ID_LENGTH), nullable=False),
    Column("holder", ForeignKey("turn_holders.id", ondelete="CASCADE"), nullable=False, index=True),
    Index(None, "conversation_id", "number"),
    sqlite_autoincrement=True,
)
