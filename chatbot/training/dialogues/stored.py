"""Conversations and clicks from this installation's own database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from chatbot.masking import mask
from chatbot.storage import Conversations, StoredMessage
from chatbot.training.dialogues.conversation import Conversation, Role, Said
from knowledge_base.entry import Entry
from knowledge_base.normalise import key

__all__ = ["clicked_questions", "stored_conversations"]

_LONGEST = 10_000
"""Messages read of one conversation, the latest."""
_ROLES: Mapping[str, Role] = {"user": "customer", "agent": "agent", "bot": "bot"}
_RATINGS = {"like": 1.0, "dislike": 0.0}
_SHORTEST = 4
"""Letters of a question below which a click tells nothing of its meaning."""


def stored_conversations(store: Conversations) -> Iterator[Conversation]:
    """All conversations in the database, the oldest first.

    An answer of the bot that the customer liked counts as an agent's: it is worth learning.

    Raises:
        StorageError: the database cannot be read.
    """
    for head in store.every():
        told = store.history(head.id, _LONGEST)
        ratings = [_RATINGS[m.feedback] for m in told if m.feedback is not None]
        yield Conversation(
            head.id,
            head.customer,
            tuple(Said(_role(message), message.text, message.created_at) for message in told),
            f"database:{head.id}",
            head.created_at,
            head.channel,
            sum(ratings) / len(ratings) if ratings else None,
        )


def clicked_questions(store: Conversations, entries: Iterable[Entry]) -> list[tuple[str, str, str, str]]:
    """Questions in the customers' own words, after which they clicked on an entry that was offered.

    Returns:
        Rows of entry id, masked text, its language and the conversation.

    Raises:
        StorageError: the database cannot be read.
    """
    entry_of = {key(entry.question): entry.id for entry in entries}
    found = []
    for head in store.every():
        told = store.history(head.id, _LONGEST)
        for asked, offered, clicked in zip(told, told[1:], told[2:], strict=False):
            if (asked.role, offered.role, clicked.role) != ("user", "bot", "user"):
                continue
            entry = entry_of.get(key(clicked.text))
            was_offered = any(key(button.payload) == key(clicked.text) for button in offered.buttons)
            own_words = key(asked.text) not in entry_of and len(key(asked.text)) >= _SHORTEST
            if entry is not None and was_offered and own_words:
                found.append((entry, mask(asked.text).text, asked.language, head.id))
    return found


def _role(message: StoredMessage) -> Role:
    return "agent" if message.feedback == "like" else _ROLES[message.role]
