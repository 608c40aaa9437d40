"""A reply as the parts that Rasa's channels send one after another."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from chatbot.turn import Reply

__all__ = ["Part", "reply_parts"]

Part = dict[str, Any]
"""``{text}``, ``{text, buttons}``, ``{image}``, ``{attachment}`` or ``{custom}``."""

_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")


def reply_parts(reply: Reply, streamed: bool = False) -> list[Part]:
    """The parts of a reply in their order; text splits on blank lines unless it carries buttons.

    Args:
        streamed: the text has gone out already.
    """
    parts: list[Part] = []
    if reply.buttons:
        text = {} if streamed else {"text": reply.text}
        parts.append({**text, "buttons": [asdict(button) for button in reply.buttons]})
    elif not streamed:
        pieces = (piece.strip() for piece in _BLANK_LINES.split(reply.text.strip()))
        parts.extend({"text": piece} for piece in pieces if piece)
    parts.extend({"image": image} for image in reply.images)
    parts.extend({"attachment": {"type": a.type, "payload": dict(a.payload)}} for a in reply.attachments)
    parts.extend({"custom": dict(payload)} for payload in reply.custom)
    return parts
