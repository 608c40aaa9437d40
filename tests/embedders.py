"""A small deterministic embedder with the real interface."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from knowledge_base.normalise import words

__all__ = ["HashEmbedder"]


class HashEmbedder:
    """Adds a fixed random direction for every word, so texts with common words lie close."""

    fingerprint = "hash-64"
    dimension = 64

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors, shape (n, 64), unit length."""
        return np.stack([_vector(text) for text in texts]) if texts else np.zeros((0, 64), np.float32)

    encode_passages = encode_queries
    max_tokens = 512

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Words of each text."""
        return [len(words(text)) for text in texts]


def _vector(text: str) -> NDArray[np.float32]:
    vector = np.zeros(64)
    for word in words(text) or ("",):
        seed = int.from_bytes(hashlib.sha256(word.encode("utf-8", "replace")).digest()[:4], "big")
        vector += np.random.default_rng(seed).standard_normal(64)
    norm = float(np.linalg.norm(vector)) or 1.0
    return (vector / norm).astype(np.float32)
