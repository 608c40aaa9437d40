"""An embedder that encodes in large batches beforehand what is asked for one by one later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from chatbot.training.judge import Case
from knowledge_base.embed import Embedder
from knowledge_base.entry import Entry
from knowledge_base.normalise import normalise

__all__ = ["RememberingEmbedder", "remember"]

Vectors = NDArray[np.float32]


class RememberingEmbedder:
    """Gives the vectors of ``embedder`` and keeps each; for training, where the same texts come again."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.fingerprint = embedder.fingerprint
        self.dimension = embedder.dimension
        self._queries: dict[str, Vectors] = {}
        self._passages: dict[str, Vectors] = {}

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that count for its vector."""
        return self._embedder.max_tokens

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of questions, shape (n, dimension), L2-normalised."""
        missing = list(dict.fromkeys(text for text in texts if text not in self._queries))
        self._queries.update(zip(missing, self._embedder.encode_queries(missing), strict=True))
        return self._stacked(self._queries, texts)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of answers, shape (n, dimension), L2-normalised."""
        missing = list(dict.fromkeys(text for text in texts if text not in self._passages))
        self._passages.update(zip(missing, self._embedder.encode_passages(missing), strict=True))
        return self._stacked(self._passages, texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text."""
        return self._embedder.count_tokens(texts)

    def _stacked(self, known: dict[str, Vectors], texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack([known[text] for text in texts])


def remember(embedder: RememberingEmbedder, cases: Iterable[Case], shop: Sequence[Entry]) -> None:
    """Encodes in a few batches what will be asked for one by one."""
    small = list(cases)
    entries = [*shop, *(entry for case in small for entry in case.entries)]
    questions = [
        *(question.text for case in small for question in case.questions),
        *(text for entry in entries for text in (entry.question, *entry.variants)),
    ]
    embedder.encode_queries([normalise(text) for text in questions])
    embedder.encode_passages([normalise(f"{entry.question} {entry.answer}") for entry in entries])
