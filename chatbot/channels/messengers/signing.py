"""Signatures and the age of requests."""

from __future__ import annotations

import hashlib
import hmac

from chatbot.channels.messengers.protocol import Call, refuse

__all__ = ["check_fresh", "check_same", "hmac_sha256", "required"]


def required(value: str | None, name: str) -> str:
    """A header or parameter that signed requests have.

    Raises:
        BadRequestError: (401) it is missing.
    """
    if not value:
        raise refuse(f"the request has no {name}", missing=True)
    return value


def check_same(found: str, expected: str, name: str) -> None:
    """Compares in constant time.

    Raises:
        BadRequestError: (403) they differ.
    """
    if not hmac.compare_digest(found.encode("utf-8", "replace"), expected.encode()):
        raise refuse(f"the {name} is wrong")


def check_fresh(timestamp: str, call: Call, window_s: float, *, per_second: int = 1) -> None:
    """Checks that a signed moment is near.

    Args:
        timestamp: whole number since 1970.
        per_second: units of a second in it; 1000 for milliseconds.

    Raises:
        BadRequestError: (403) it is older or later than the window, or no number.
    """
    if not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 16:
        raise refuse("the timestamp is no number")
    if abs(call.now - int(timestamp) / per_second) > window_s:
        raise refuse(f"the timestamp is more than {window_s:g} s away")


def hmac_sha256(key: str, data: bytes) -> bytes:
    """HMAC-SHA256."""
    return hmac.new(key.encode(), data, hashlib.sha256).digest()
