"""History in the database: customers, conversations, messages, traces, feedback, hand-overs; keys and lines."""

from chatbot.storage.conversations import Conversations, StoredConversation, StoredMessage
from chatbot.storage.database import Database
from chatbot.storage.keys import ApiKey, Keys
from chatbot.storage.tickets import Tickets

__all__ = ["ApiKey", "Conversations", "Database", "Keys", "StoredConversation", "StoredMessage", "Tickets"]
