"""The one prompt format, for serving and for training.

``Prompt`` is what a generator takes; the texts that fill it are made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ChatMessage", "Prompt"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a chat, in the roles that chat templates know."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a generator is asked to continue.

    Prompts that start with the same messages share a cached prefix, so what is
    fixed comes first.  The last message is a user's; the generator writes the
    assistant's answer to it.
    """

    messages: tuple[ChatMessage, ...]
