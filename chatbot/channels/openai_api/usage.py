"""Tokens of a request and its answer.

Most answers are not worded by a model, so there is no model's count of them.
What is counted is what went over the wire, with the encoder's vocabulary.
"""

from __future__ import annotations

import asyncio

from chatbot.channels.openai_api.forms import Finish
from chatbot.channels.openai_api.requests import ChatRequest
from knowledge_base.embed import Embedder

__all__ = ["Tokens"]


class Tokens:
    """Counts the tokens of one request's texts and of its answer, and keeps the client's limit."""

    def __init__(self, embedder: Embedder, asked: ChatRequest) -> None:
        self._embedder = embedder
        self._asked = asked

    async def cut(self, text: str) -> tuple[str, Finish]:
        """The beginning of the text that the client's limit allows, and why it ends there."""
        limit = self._asked.max_tokens
        # No token is shorter than a character, but a word's first may stand for the blank before it.
        if limit is None or len(text) < limit:
            return text, "stop"
        return await asyncio.to_thread(self._cut, text, limit)

    async def usage(self, answer: str) -> dict[str, int]:
        """The tokens of request and answer."""
        *asked, answered = await asyncio.to_thread(self._embedder.count_tokens, [*self._asked.texts, answer])
        return {
            "prompt_tokens": sum(asked),
            "completion_tokens": answered,
            "total_tokens": sum(asked) + answered,
        }

    def _cut(self, text: str, limit: int) -> tuple[str, Finish]:
        if self._count(text) <= limit:
            return text, "stop"
        least, most = 0, len(text) - 1
        while least < most:
            middle = (least + most + 1) // 2
            if self._count(text[:middle]) <= limit:
                least = middle
            else:
                most = middle - 1
        return text[:least], "length"

    def _count(self, text: str) -> int:
        return self._embedder.count_tokens([text])[0]
