"""Texts within providers' limits, which count characters, UTF-16 units or bytes."""

from __future__ import annotations

from collections.abc import Callable

import regex

from chatbot.turn import Reply

__all__ = ["full_text", "shorten", "split_text", "utf8", "utf16", "with_numbers"]

Size = Callable[[str], int]

_BREAKS = (
    (regex.compile(r"\n[^\S\n]*\n\s*"), 0.5),
    (regex.compile(r"\n|[。！？；]+[”’」』）》]*|[.!?…؟।]+[\"'”’)\]]*\s+"), 0.25),
    (regex.compile(r"\s+|[，、：,;]"), 0.25),
)
"""Where a text may be cut, best first, and the least share of the room that must be filled then."""
_GRAPHEME = regex.compile(r"\X")


def utf16(text: str) -> int:
    """UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def utf8(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def split_text(text: str, limit: int, size: Size = len) -> list[str]:
    """The text in parts of at most ``limit``, cut between paragraphs, sentences or words where it can be."""
    parts: list[str] = []
    rest = text.strip()
    while size(rest) > limit:
        cut = _cut(rest, limit, size)
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    if rest:
        parts.append(rest)
    return [part for part in parts if part]


def shorten(text: str, limit: int, size: Size = len) -> str:
    """The text on one line, with an ellipsis where it is too long."""
    line = " ".join(text.split())
    if size(line) <= limit:
        return line
    return line[: _longest(line, limit - size("…"), size)].rstrip() + "…"


def full_text(reply: Reply) -> str:
    """The reply's text with the addresses of its pictures and files."""
    links = [*reply.images, *(str(each.payload.get("src", "")) for each in reply.attachments)]
    shown = [link for link in links if link.startswith(("https://", "http://")) and link not in reply.text]
    return "\n".join([reply.text, *shown]).strip()


def with_numbers(reply: Reply) -> str:
    """The text with its buttons as numbered lines."""
    lines = [f"{number}. {button.title}" for number, button in enumerate(reply.buttons, 1)]
    return "\n".join([full_text(reply), *lines]).strip()


def _cut(text: str, limit: int, size: Size) -> int:
    """Where the first part ends; at least 1."""
    longest = _longest(text, limit, size)
    for pattern, share in _BREAKS:
        ends = [found.end() for found in pattern.finditer(text, 0, longest)]
        if ends and ends[-1] >= longest * share:
            return int(ends[-1])
    return longest


def _longest(text: str, limit: int, size: Size) -> int:
    """Length of the longest beginning within the limit that cuts no character in two; at least 1."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle]) <= limit else (low, middle - 1)
    start = max(0, low - 64)
    ends = [start + found.end() for found in _GRAPHEME.finditer(text[start : low + 64])]
    return max((end for end in ends if end <= low), default=low) or 1
