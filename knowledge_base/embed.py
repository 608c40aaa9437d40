"""Sentences to vectors.

The only module of the serving path that knows sentence-transformers.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge_base.errors import KnowledgeError

__all__ = ["Embedder", "SentenceEmbedder"]

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into unit vectors; questions and answers may be treated differently."""

    fingerprint: str
    """Changes whenever the same text would get another vector."""
    dimension: int

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of questions, shape (n, dimension), float32, L2-normalised."""

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of answers, shape (n, dimension), float32, L2-normalised."""


class SentenceEmbedder:
    """Any sentence-transformers model, from a folder or by hub id.

    Args:
        path_or_id: a folder made by sentence-transformers or a hub id.
        query_prefix: put before each question; None means what the model asks
            for (``query: `` for the e5 family, nothing otherwise).
        passage_prefix: the same for answers (``passage: `` for e5).
        threads: CPU threads of torch; 0 leaves torch's own choice.

    Raises:
        KnowledgeError: the model cannot be loaded.

    Thread-safe: encoding takes a lock, for two encoders on the same cores only
    slow each other down.
    """

    def __init__(
        self,
        path_or_id: str,
        *,
        query_prefix: str | None = None,
        passage_prefix: str | None = None,
        threads: int = 0,
    ) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        if threads:
            torch.set_num_threads(threads)
        is_e5 = "e5" in Path(path_or_id).name.lower()
        self._query_prefix = query_prefix if query_prefix is not None else ("query: " if is_e5 else "")
        self._passage_prefix = (
            passage_prefix if passage_prefix is not None else ("passage: " if is_e5 else "")
        )
        try:
            self._model = SentenceTransformer(path_or_id, device="cpu", model_kwargs={"dtype": torch.float32})
        except (OSError, ValueError, KeyError) as error:
            raise KnowledgeError(
                f"the embedder {path_or_id!r} cannot be loaded ({type(error).__name__}); expected a "
                "sentence-transformers folder or id: run `kefu models verify`, or set KEFU_EMBEDDER__MODEL"
            ) from error
        self._model.eval()
        self.dimension = int(self._model.get_embedding_dimension() or 0)
        self.fingerprint = self._fingerprint(path_or_id)
        self._lock = threading.Lock()

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors of questions, shape (n, dimension), L2-normalised."""
        return self._encode([self._query_prefix + text for text in texts])

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of answers, shape (n, dimension), L2-normalised."""
        return self._encode([self._passage_prefix + text for text in texts])

    def _encode(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with self._lock:
            vectors = self._model.encode(
                texts,
                batch_size=32,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def _fingerprint(self, path_or_id: str) -> str:
        digest = hashlib.sha256()
        folder = Path(path_or_id)
        digest.update(f"{self._query_prefix}|{self._passage_prefix}|{self.dimension}".encode())
        if folder.is_dir():
            for file in sorted(folder.glob("*.safetensors")) + sorted(folder.glob("*.bin")):
                digest.update(_quick_digest(file))
        else:
            digest.update(path_or_id.encode())
        return digest.hexdigest()[:16]


def _quick_digest(file: Path) -> bytes:
    """A digest of a weights file from its size and some spread-out blocks.

    Models differ in every block, so 64 blocks of 4 kB tell them apart without
    reading hundreds of megabytes at each start; damage is `kefu models verify`'s
    business.
    """
    digest = hashlib.sha256()
    size = file.stat().st_size
    digest.update(str(size).encode())
    with file.open("rb") as stream:
        for position in range(0, size, max(size // 64, 1)):
            stream.seek(position, os.SEEK_SET)
            digest.update(stream.read(4096))
    return digest.digest()
