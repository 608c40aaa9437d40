"""Messages that name what they mean, as buttons and menus send them: ``/order_status{"order_number": "10423"}``.

The form is Rasa's; ``/start`` and ``/help`` are what messengers send when a
customer opens a conversation.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

__all__ = ["OPENINGS", "Payload", "read_payload"]

_FORM = re.compile(
    r"/(?P<name>[^\W\d_][\w-]{0,63}(?:/[\w-]{1,64})?)(?:@\w{1,64})?\s*(?P<values>\{.*\})?(?P<rest>(?:\s.*)?)",
    re.DOTALL,
)
_KINDS = re.compile(r"^(?:faq|ask|inform|chitchat|utter|intent)(?=[\W_])")

OPENINGS = frozenset(
    {"start", "get_started", "getstarted", "session_start", "restart", "greet", "hello", "hi"}
)
"""Names that widgets and messengers give to the beginning of a conversation."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What such a message says."""

    name: str
    """The intent, in small letters."""
    text: str
    """The same in words, with the values and whatever else was written."""


def read_payload(text: str) -> Payload | None:
    """The parts of a message that names its intent; None for any other.

    >>> read_payload('/order_status{"order_number": "10423"}')
    Payload(name='order_status', text='order status 10423')
    """
    form = _FORM.fullmatch(text.strip())
    if form is None:
        return None
    name = form["name"].lower()
    words = re.sub(r"[\W_]+", " ", _KINDS.sub("", name.replace("/", " ", 1))).strip()
    parts = [words or name, *_values(form["values"]), form["rest"].strip()]
    return Payload(name.partition("/")[0], " ".join(part for part in parts if part))


def _values(written: str | None) -> list[str]:
    try:
        found = json.loads(written or "{}")
    except (ValueError, RecursionError):
        return [written or ""]
    flat = [each for value in found.values() for each in (value if isinstance(value, list) else [value])]
    return [str(each) for each in flat if isinstance(each, str | int | float) and not isinstance(each, bool)]
