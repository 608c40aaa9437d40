"""A customer's message as Rasa's channels carry it."""

from __future__ import annotations

import re

from chatbot.channels.bodies import Fields
from chatbot.errors import BadRequestError
from chatbot.turn import Message

__all__ = ["MAX_ID", "read_message"]

MAX_ID = 200
"""Longest sender, session and message id, in characters; the database keeps 255 with a prefix."""
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_].*)?", re.ASCII | re.DOTALL)


def read_message(body: Fields, metadata: Fields, identity: str, channel: str, max_chars: int) -> Message:
    """The message in a body with ``message`` and, beside it or in the metadata, ``message_id``.

    Args:
        identity: conversation and customer.  It begins with the channel's name, so
            that a guessed sender opens no conversation of another channel.
        max_chars: longest message, in characters.

    Raises:
        BadRequestError: a field is missing, empty, too long or of the wrong type.
    """
    text = body.text("message", limit=max_chars, status=413)
    if text is None:
        raise BadRequestError("message is missing; expected the customer's text", phrase="empty")
    language = _LANGUAGE.fullmatch(metadata.text("language", limit=35) or "")
    return Message(
        text=text,
        conversation_id=identity,
        customer_id=identity,
        channel=channel,
        message_id=body.text("message_id", limit=MAX_ID) or metadata.text("message_id", limit=MAX_ID),
        interface_language=language[1].lower() if language else None,
    )
