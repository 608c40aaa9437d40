"""Vectors for others, without holding up customers: one request at a time, in small batches."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from chatbot.channels.openai_api.errors import InvalidRequestError
from chatbot.channels.openai_api.forms import EMBEDDING_MODEL
from chatbot.channels.openai_api.requests import EmbeddingRequest
from chatbot.errors import BusyError
from knowledge_base.embed import Embedder, Vectors

__all__ = ["EmbeddingLine"]

_BATCH = 16
"""Texts that are encoded without a break; a customer's question waits for so many at most."""
_WAITING = 8


class EmbeddingLine:
    """Embeds the texts of one request after the other."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._count = 0

    async def embed(self, embedder: Embedder, asked: EmbeddingRequest) -> bytes:
        """The answer's body.

        Raises:
            InvalidRequestError: a text is too long, or the dimensions are not the encoder's.
            BusyError: too many requests wait.
        """
        _check_dimensions(embedder, asked.dimensions)
        async with self._turn():
            counts = await asyncio.to_thread(embedder.count_tokens, asked.texts)
            _check_lengths(counts, embedder.max_tokens)
            parts: list[Vectors] = []
            for start in range(0, len(asked.texts), _BATCH):
                batch = asked.texts[start : start + _BATCH]
                parts.append(await asyncio.to_thread(embedder.encode_queries, batch))
            return await asyncio.to_thread(_body, np.concatenate(parts), sum(counts), asked.base64)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._count > _WAITING:
            raise BusyError(f"{self._count} requests for embeddings are waiting; send this one again later")
        self._count += 1
        try:
            async with self._one:
                yield
        finally:
            self._count -= 1


def _check_dimensions(embedder: Embedder, asked: int | None) -> None:
    if asked not in (None, embedder.dimension):
        raise InvalidRequestError(
            f"dimensions is {asked}; expected {embedder.dimension} or nothing: this model's vectors cannot be shortened",
            "dimensions",
            "unsupported_value",
        )


def _check_lengths(counts: Sequence[int], limit: int) -> None:
    for place, count in enumerate(counts):
        if count > limit:
            raise InvalidRequestError(
                f"input[{place}] has {count} tokens; expected at most {limit}: split the text",
                "input",
                "context_length_exceeded",
            )


def _body(vectors: Vectors, tokens: int, as_base64: bool) -> bytes:
    def told(vector: Vectors) -> Any:
        if as_base64:
            return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
        return vector.tolist()

    body = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": told(vector)}
            for index, vector in enumerate(vectors)
        ],
        "model": EMBEDDING_MODEL,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return json.dumps(body, separators=(",", ":")).encode()
