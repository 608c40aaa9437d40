"""What a turn may know of the conversation, and where its outcome is kept.

Knows no database: anything that keeps the promises of :class:`History` will do.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from chatbot.turn import Message, Past, Reply

__all__ = ["History", "Memory", "NoHistory"]


class History(Protocol):
    """Keeps conversations."""

    def recall(self, conversation_id: str, limit: int, *, customer_id: str | None = None) -> Past:
        """The last ``limit`` exchanges, oldest first; with a customer's id only if they are theirs."""

    def slots(self, message: Message) -> dict[str, Any]:
        """What custom actions know of the message's conversation, if it is this customer's."""

    def record(self, message: Message, reply: Reply, *, slots: Mapping[str, Any] | None = None) -> Reply:
        """Stores both together, with ``slots`` if given, and gives the reply with its message id.

        If the message's id was stored meanwhile, the reply of then is given.
        """

    def find_reply(self, message: Message) -> Reply | None:
        """The stored reply to this very message, by its sender's id, if there is one."""


class Memory:
    """The conversation side of a turn: read once before the first stage, written once after the last.

    Args:
        history: where conversations are kept.
        turns: earlier exchanges a turn may look at.
    """

    def __init__(self, history: History, turns: int = 6) -> None:
        self._history = history
        self._turns = turns

    def find(self, message: Message) -> Reply | None:
        """The stored reply when this message was delivered before; None for a new one.

        Raises:
            BadRequestError: (409) its id was used for another text.
        """
        if message.message_id is None:
            return None
        return self._history.find_reply(message)

    def recall(self, message: Message) -> Past:
        """What this message's turn may know of its conversation."""
        if message.past is not None:
            return Past(message.past.turns[-self._turns :] if self._turns else (), message.past.language)
        return self._history.recall(message.conversation_id, self._turns, customer_id=message.customer_id)

    def slots(self, message: Message) -> dict[str, Any]:
        """What custom actions know of the message's conversation."""
        return self._history.slots(message)

    def record(self, message: Message, reply: Reply, *, slots: Mapping[str, Any] | None = None) -> Reply:
        """Stores the exchange; the reply that comes back has its ``message_id``.

        Args:
            slots: what custom actions know from now on; None leaves it as it is.

        Raises:
            StorageError: nothing was stored.
        """
        return self._history.record(message, reply, slots=slots)


class NoHistory:
    """Keeps nothing: for measuring, where every question stands alone."""

    def recall(self, conversation_id: str, limit: int, *, customer_id: str | None = None) -> Past:
        """Nothing."""
        del conversation_id, limit, customer_id
        return Past()

    def slots(self, message: Message) -> dict[str, Any]:
        """Nothing."""
        del message
        return {}

    def record(self, message: Message, reply: Reply, *, slots: Mapping[str, Any] | None = None) -> Reply:
        """The reply with a fresh id."""
        del message, slots
        return replace(reply, message_id=uuid.uuid4().hex)

    def find_reply(self, message: Message) -> Reply | None:
        """None."""
        del message
        return None
