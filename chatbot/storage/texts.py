"""Texts as every database takes them."""

from __future__ import annotations

__all__ = ["storable"]


def storable(text: str) -> str:
    """The text with U+FFFD for NUL (PostgreSQL refuses it) and for halves of surrogate pairs (no UTF-8)."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # A high and a low half that were escaped one by one are one character.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
