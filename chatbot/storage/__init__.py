"""History in the database: customers, conversations, messages, traces, feedback, hand-overs."""

from chatbot.storage.conversations import Conversations, StoredMessage
from chatbot.storage.database import Database

__all__ = ["Conversations", "Database", "StoredMessage"]
