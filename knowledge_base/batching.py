"""Questions that are asked at the same moment are encoded together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from knowledge_base.embed import Embedder

__all__ = ["BatchingEmbedder"]

Vectors = NDArray[np.float32]

_LARGEST = 32
_PADDED_CHARACTERS = 4096
"""Of one batch, its longest text times its size: a long text makes all others as long."""


class _Request:
    """One question that waits for its vector."""

    __slots__ = ("error", "leads", "text", "vector", "woken")

    def __init__(self, text: str) -> None:
        self.text = text
        self.vector: Vectors | None = None
        self.error: Exception | None = None
        self.leads = False
        self.woken = threading.Event()


class BatchingEmbedder:
    """An embedder that joins single questions of many threads into batches.

    A question that finds the encoder idle is encoded at once and alone.  Those
    that come meanwhile wait and are encoded together by the first of them, so
    nobody ever waits for a batch to fill.  Thread-safe.

    Args:
        embedder: encodes the batches.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.fingerprint = embedder.fingerprint
        self.dimension = embedder.dimension
        self._lock = threading.Lock()
        self._waiting: deque[_Request] = deque()
        self._busy = False

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of questions, shape (n, dimension), L2-normalised."""
        if len(texts) != 1:
            return self._embedder.encode_queries(texts)
        request = _Request(texts[0])
        with self._lock:
            self._waiting.append(request)
            request.leads = not self._busy
            self._busy = True
        if not request.leads:
            request.woken.wait()
        if request.leads:
            self._lead()
        if request.error is not None:
            raise request.error
        assert request.vector is not None
        return request.vector

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of answers, shape (n, dimension), L2-normalised."""
        return self._embedder.encode_passages(texts)

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that count for its vector."""
        return self._embedder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text."""
        return self._embedder.count_tokens(texts)

    def _lead(self) -> None:
        """Encodes what waits, the leader's own first, and makes the next one that waits the leader."""
        with self._lock:
            batch = self._next_batch()
        try:
            self._encode(batch)
        finally:
            with self._lock:
                self._busy = bool(self._waiting)
                heir = self._waiting[0] if self._waiting else None
            for request in batch:
                request.woken.set()
            if heir is not None:
                heir.leads = True
                heir.woken.set()

    def _next_batch(self) -> list[_Request]:
        batch = [self._waiting.popleft()]
        longest = len(batch[0].text)
        while self._waiting and len(batch) < _LARGEST:
            longest = max(longest, len(self._waiting[0].text))
            if longest * (len(batch) + 1) > _PADDED_CHARACTERS:
                break
            batch.append(self._waiting.popleft())
        return batch

    def _encode(self, batch: list[_Request]) -> None:
        try:
            vectors = self._embedder.encode_queries([request.text for request in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            for request in batch:  # so that only the one at fault fails
                self._encode([request])
            return
        for number, request in enumerate(batch):
            request.vector = vectors[number : number + 1]
