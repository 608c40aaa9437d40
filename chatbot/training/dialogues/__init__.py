"""A company's past conversations: read from files, cleaned, masked, and paired with the entries that ground them."""

from chatbot.training.dialogues.conversation import Conversation, Said
from chatbot.training.dialogues.prepare import Pair, Prepared, PrepareSettings, Proposal, prepare
from chatbot.training.dialogues.reading import read_conversations
from chatbot.training.dialogues.stored import clicked_questions, stored_conversations

__all__ = [
    "Conversation",
    "Pair",
    "PrepareSettings",
    "Prepared",
    "Proposal",
    "Said",
    "clicked_questions",
    "prepare",
    "read_conversations",
    "stored_conversations",
]
