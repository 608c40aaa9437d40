"""Who sits before the page: the ids that the browser keeps over a reload.

The conversation id is the only key to a conversation's history, so it is made
of 192 random bits and nothing else is accepted in its place: an id of another
channel (a phone number, a guessable name) never opens a history here.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace

from ui.texts import LANGUAGES, preferred_language

__all__ = ["Visitor"]

_ID = re.compile(r"web-[A-Za-z0-9_-]{32}", re.ASCII)


def _new_id() -> str:
    return "web-" + secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class Visitor:
    """One browser."""

    conversation_id: str
    customer_id: str
    language: str
    """Interface language, ``zh`` or ``en``."""

    @classmethod
    def recognise(cls, stored: object, accept_language: str = "", default: str = "en") -> Visitor:
        """The visitor that the browser's stored value names; a new one for anything malformed."""
        kept = stored if isinstance(stored, dict) else {}
        language = kept.get("language")
        if language not in LANGUAGES:
            language = preferred_language(accept_language, default)
        return cls(
            conversation_id=_valid(kept.get("conversation")) or _new_id(),
            customer_id=_valid(kept.get("customer")) or _new_id(),
            language=str(language),
        )

    def stored(self) -> dict[str, str]:
        """What the browser keeps."""
        return {
            "conversation": self.conversation_id,
            "customer": self.customer_id,
            "language": self.language,
        }

    def anew(self) -> Visitor:
        """The same customer with a fresh conversation."""
        return replace(self, conversation_id=_new_id())

    def speaking(self, language: str) -> Visitor:
        """The same visitor with another interface language; unknown ones change nothing."""
        return replace(self, language=language) if language in LANGUAGES else self


def _valid(value: object) -> str | None:
    return value if isinstance(value, str) and _ID.fullmatch(value) else None
