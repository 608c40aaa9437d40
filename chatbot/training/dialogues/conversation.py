"""A conversation between a customer and a person (or a bot) of the company."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["Conversation", "Role", "Said"]

Role = Literal["customer", "agent", "bot"]


@dataclass(frozen=True, slots=True)
class Said:
    """One message."""

    role: Role
    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """All messages of one conversation, in order."""

    id: str
    customer: str
    """Who asked; the id of the conversation where the file does not tell."""
    messages: tuple[Said, ...]
    source: str
    """Where it comes from: file and line or name."""
    started_at: datetime | None = None
    channel: str = ""
    rating: float | None = None
