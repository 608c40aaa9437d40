"""Questions that are asked at the same moment are encoded together."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

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

    __slots__ = ("answer", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.answer: Future[Vectors] = Future()


class BatchingEmbedder:
    """An embedder that joins single questions of many threads into batches.

    A thread of its own encodes what waits, together, as soon as it has encoded what
    came before, so nobody ever waits for a batch to fill.  One thread and not the
    callers': each thread that calculates gets its own team of OpenMP workers, and
    thirty teams on two cores spend their time on watching each other.  Thread-safe.

    Args:
        embedder: encodes the batches.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.fingerprint = embedder.fingerprint
        self.dimension = embedder.dimension
        self._waiting: deque[_Request] = deque()
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encoder")

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of questions, shape (n, dimension), L2-normalised."""
        if len(texts) != 1:
            return self._embedder.encode_queries(texts)
        request = _Request(texts[0])
        self._waiting.append(request)
        self._encoder.submit(self._encode_waiting)
        return request.answer.result()

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

    def _encode_waiting(self) -> None:
        """Encodes the next batch; nothing where an earlier one took the question along."""
        if self._waiting:
            self._encode(self._next_batch())

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
                batch[0].answer.set_exception(error)
                return
            for request in batch:  # so that only the one at fault fails
                self._encode([request])
            return
        for number, request in enumerate(batch):
            request.answer.set_result(vectors[number : number + 1])
